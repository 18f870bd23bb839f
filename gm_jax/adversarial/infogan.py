"""InfoGAN: codes that can be read from samples.

Chen et al. 2016 (arXiv 1606.03657). z is noise and a code c = (category, continuous values); Q
shares D's layers and predicts the code from a sample:

    min_{G,Q} max_D  V(D, G) - lambda L_I(G, Q)                                eq. 6
    L_I = E_{c, x = G(z, c)} log Q(c|x) + H(c) <= I(c; G(z, c))                eq. 5

Q's heads belong to D's player, so L_I is in both players' losses.
"""

import math
from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import networks
from gm_jax.adversarial.shared import latent_game
from gm_jax.adversarial.shared.latent_game import (
    FRAMES,
    frames,
    latent,
    logits,
    open_game,
    phase,
)
from gm_jax.adversarial.shared.latents import cube
from gm_jax.losses import likelihoods
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.model import Aux, Phase, example_keys
from gm_jax.settings import at_least, schema

REACH = 2.0  # continuous codes are swept from -REACH to REACH, beyond their prior


@schema
class Codes:
    """c, the part of the latent that Q predicts from a sample.

    categories  values of the categorical code
    continuous  number of continuous codes, each in [-1, 1]
    """

    categories: Annotated[int, at_least(1)] = 10
    continuous: Annotated[int, at_least(0)] = 2


@schema
class Settings(latent_game.Settings):
    """infoGAN.

    codes        c, beside the noise
    information  lambda, the weight of L_I
    """

    codes: Codes = Codes()
    information: Annotated[float, at_least(0.0)] = 1.0


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A generator with codes against D and Q in one network; configs/infogan_mnist.py."""
    codes, weight = settings.codes, settings.information
    # D's logit, Q's logits of the category, Q's means of the continuous codes.
    critic = logits(settings, 1 + codes.categories + codes.continuous)
    game = open_game(settings, spec, critic)
    generator, discriminator, modality = game.generator, game.discriminator, game.modality
    entropy = math.log(codes.categories) + codes.continuous * math.log(2.0)

    def init(key, batch, previous):
        z, _, _ = draw(key, batch)
        return networks.split_init(key, (generator, z), (discriminator, batch[modality]))

    def compose(noise, category, continuous):
        hot = jax.nn.one_hot(category, codes.categories)
        return jnp.concatenate([noise, hot, continuous], axis=-1)

    def draw(key, batch):
        """z = (noise, c), the category [B] and the continuous codes [B, n] in [-1, 1]."""
        noise_key, category_key, continuous_key = jax.random.split(key, 3)
        keys = example_keys(category_key, batch)
        category = jax.vmap(lambda k: jax.random.randint(k, (), 0, codes.categories))(keys)
        continuous = cube(example_keys(continuous_key, batch), (codes.continuous,))
        noise = latent(game, noise_key, batch)
        return compose(noise, category, continuous), category, continuous

    def critic_and_q(variables, x):
        """D's logit [B], Q's logits of the category, Q's means of the others; D's state."""
        outputs, state = discriminator.train(variables, x)
        return outputs[:, 0], *jnp.split(outputs[:, 1:], [codes.categories], axis=1), state

    def information(logits, means, category, continuous):
        """log Q(c|x) + H(c), [B]; Q of the continuous codes is N(mean, 1)."""
        of_category = jnp.take_along_axis(jax.nn.log_softmax(logits), category[:, None], 1)[:, 0]
        return of_category + likelihoods.gaussian(continuous, means, 0.0) + entropy

    def play(variables, batch, key):
        """D on fakes [B], the information they carry [B], and the generator's state."""
        z, category, continuous = draw(key, batch)
        fakes, state = generator.train(variables, z)
        fake, logits, means, _ = critic_and_q(variables, fakes)
        return fake, information(logits, means, category, continuous), state

    def discriminator_loss(variables, batch, key, step):
        fake, informed, _ = play(variables, batch, key)
        real, _, _, state = critic_and_q(variables, batch[modality])
        loss = jnp.mean(log_loss(real, fake) - weight * informed)
        return loss, Aux({"information": jnp.mean(informed)}, {"discriminator": state})

    def generator_loss(variables, batch, key, step):
        fake, informed, state = play(variables, batch, key)
        loss = jnp.mean(non_saturating(fake) - weight * informed)
        return loss, Aux(state={"generator": state})

    def sample(variables, batch, key):
        return {modality: generator(variables, draw(key, batch)[0])}

    def categories(variables, batch, key):
        """Each category in turn with all else held, [B, categories, H, W, C]."""
        noise, continuous = latent(game, key, batch), draw(key, batch)[2]
        number = jnp.arange(codes.categories)

        def with_category(c):
            return compose(noise, jnp.full(len(noise), c), continuous)

        z = jax.vmap(with_category, out_axes=1)(number)
        return {modality: frames(game, variables, z)}

    def sweep(variables, batch, key):
        """One continuous code from -REACH to REACH, each code in turn: [B, FRAMES, H, W, C]."""
        noise = latent(game, key, batch)
        category = batch["index"] // codes.continuous % codes.categories
        moved = jax.nn.one_hot(batch["index"] % codes.continuous, codes.continuous)

        def at(value):
            return compose(noise, category, value * moved)

        z = jax.vmap(at, out_axes=1)(jnp.linspace(-REACH, REACH, FRAMES))
        return {modality: frames(game, variables, z)}

    def cluster(variables, batch, key):
        """The category that Q predicts for each example, [B], and its label if it has one."""
        outputs = discriminator(variables, batch[modality])
        code = jnp.argmax(outputs[:, 1 : 1 + codes.categories], axis=-1)
        return {"code": code} | {name: batch[name] for name in ("label",) if name in batch}

    functions = {"sample": sample, "categories": categories, "sweep": sweep, "cluster": cluster}
    objectives = {"discriminator": discriminator_loss, "generator": generator_loss}
    return (phase(game, init, objectives, functions),)
