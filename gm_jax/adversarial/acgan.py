"""ACGAN: a discriminator that also predicts the class, of real and of generated examples.

Odena, Olah & Shlens 2017 (arXiv 1610.09585):

    L_S = E log P(real | x) + E log P(fake | G(z, c))                          eq. 2
    L_C = E log P(c | x) + E log P(c | G(z, c))                                eq. 3

D maximises L_S + L_C, with both terms of L_C; G maximises L_C - L_S (here the non-saturating form).
"""

import jax.numpy as jnp
import optax

from gm_jax import networks
from gm_jax.adversarial.shared import latent_game
from gm_jax.adversarial.shared.latent_game import Settings, inputs, logits, open_game, phase
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.model import Aux, Phase, classes_of


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A generator conditioned on the class against D with a class head; configs/acgan_mnist.py."""
    critic = logits(settings, 1 + classes_of(spec))
    game = open_game(settings, spec, critic, conditional=True)
    generator, discriminator = game.generator, game.discriminator
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels

    def init(key, batch, previous):
        calls = (generator, *inputs(game, key, batch)), (discriminator, batch[game.modality])
        return networks.split_init(key, *calls)

    def critic_and_class(variables, x, label):
        """D's logit of the source [B], -log P(c | x) [B], and D's state."""
        outputs, state = discriminator.train(variables, x)
        return outputs[:, 0], cross_entropy(outputs[:, 1:], label), state

    def discriminator_loss(variables, batch, key, step):
        fakes, _ = generator.train(variables, *inputs(game, key, batch))
        real, of_real, state = critic_and_class(variables, batch[game.modality], batch["label"])
        fake, of_fake, _ = critic_and_class(variables, fakes, batch["label"])
        loss = jnp.mean(log_loss(real, fake) + of_real + of_fake)
        metrics = {"class_of_real": jnp.mean(of_real), "class_of_fake": jnp.mean(of_fake)}
        return loss, Aux(metrics, {"discriminator": state})

    def generator_loss(variables, batch, key, step):
        fakes, state = generator.train(variables, *inputs(game, key, batch))
        fake, of_fake, _ = critic_and_class(variables, fakes, batch["label"])
        return jnp.mean(non_saturating(fake) + of_fake), Aux(state={"generator": state})

    objectives = {"discriminator": discriminator_loss, "generator": generator_loss}
    functions = latent_game.functions(game, latent_game.first_output(game))
    return (phase(game, init, objectives, functions),)
