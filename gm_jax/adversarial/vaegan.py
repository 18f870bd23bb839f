"""VAE-GAN: an auto-encoder whose error is measured in a hidden layer of the discriminator.

Larsen et al. 2016 (arXiv 1512.09300), algorithm 1. With D_l the discriminator's last hidden map,
x~ the reconstruction and x_p a sample of the prior:

    L_like = -log N(D_l(x) | D_l(x~), I)                                       eq. 6, 7
    L_GAN  = log D(x) + log(1 - D(x~)) + log(1 - D(x_p))                       eq. 8
    encoder minimises KL + L_like, decoder gamma L_like - (1 - gamma) (-L_GAN), D -L_GAN
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.adversarial.shared import latent_game
from gm_jax.adversarial.shared.latent_game import first_output, latent, open_game, times
from gm_jax.adversarial.shared.networks import NETWORKS
from gm_jax.losses.adversarial import log_loss
from gm_jax.losses.likelihoods import gaussian_kl
from gm_jax.model import Aux, Phase, example_keys
from gm_jax.networks import Network
from gm_jax.nn.layers import normal
from gm_jax.settings import at_least, at_most, schema


@schema
class Encoder:
    """The network of q(z|x).

    width  channels of its first hidden map
    """

    width: latent_game.Width = 64


@schema
class Settings(latent_game.Settings):
    """VAE-GAN.

    gamma    share of the reconstruction in the decoder's loss
    encoder  the discriminator's network with other outputs
    """

    gamma: Annotated[float, at_least(0.0), at_most(1.0)] = 0.01
    encoder: Encoder = Encoder()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.prior != "normal":
            yield "VAE-GAN's KL is to N(0, I): set prior to normal"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Encoder, decoder (the generator) and discriminator; configs/vaegan_digits.py."""
    game = open_game(settings, spec)
    generator, discriminator, modality = game.generator, game.discriminator, game.modality
    trunk = NETWORKS[settings.networks].discriminator
    outputs, dtype = 2 * settings.latents, jnp.dtype(settings.dtype)
    encoder = Network("encoder", trunk(settings.encoder.width, outputs, "batch", dtype))

    def init(key, batch, previous):
        x = batch[modality]
        calls = (generator, latent(game, key, batch)), (encoder, x), (discriminator, x)
        return networks.split_init(key, *calls)

    def play(variables, batch, key):
        """KL [B], L_like [B], -L_GAN [B], and the new state of all networks."""
        prior_key, posterior_key = jax.random.split(key)
        x, state = batch[modality], {}
        outputs, state["encoder"] = encoder.train(variables, x)
        mean, log_variance = jnp.split(outputs, 2, axis=-1)
        noise = normal(example_keys(posterior_key, batch), (settings.latents,))
        z = mean + jnp.exp(0.5 * log_variance) * noise
        reconstruction, _ = generator.train(variables, z)
        # The statistics of draws from the prior are kept: those are what samples use.
        prior, state["generator"] = generator.train(variables, latent(game, prior_key, batch))
        real, of_x, state["discriminator"] = discriminator.train_with_hidden(variables, x)
        fake, of_reconstruction, _ = discriminator.train_with_hidden(variables, reconstruction)
        other, _ = discriminator.train(variables, prior)
        like = 0.5 * jnp.sum((of_x - of_reconstruction) ** 2, axis=range(1, of_x.ndim))
        # log D(x) once, and log(1 - D) once each for reconstruction and sample.
        adversarial = log_loss(real[:, 0], fake[:, 0]) + jax.nn.softplus(other[:, 0])
        return gaussian_kl(mean, log_variance), like, adversarial, state

    def encoder_loss(variables, batch, key, step):
        kl, like, _, state = play(variables, batch, key)
        metrics = {"kl": jnp.mean(kl), "like": jnp.mean(like)}
        return jnp.mean(kl + like), Aux(metrics, {"encoder": state["encoder"]})

    def decoder_loss(variables, batch, key, step):
        _, like, adversarial, state = play(variables, batch, key)
        loss = settings.gamma * like - (1.0 - settings.gamma) * adversarial
        return jnp.mean(loss), Aux(state={"generator": state["generator"]})

    def discriminator_loss(variables, batch, key, step):
        *_, adversarial, state = play(variables, batch, key)
        return jnp.mean(adversarial), Aux(state={"discriminator": state["discriminator"]})

    def mean_of(variables, x):
        return encoder(variables, x)[:, : settings.latents]

    def encode(variables, batch, key):
        """The posterior's mean, [B, D]."""
        return {"latent": mean_of(variables, batch[modality])}

    def reconstruct(variables, batch, key):
        """The example beside the decoder's mean of it, [B, 2, ...]."""
        mean = mean_of(variables, batch[modality])
        output = generator(variables, mean)
        return {modality: jnp.stack([batch[modality], output], axis=1)}

    value, average = (discriminator_loss, times(settings.discriminator)), settings.average
    players = (
        games.player(
            "encoder", ("encoder",), {"value": encoder_loss}, settings.generator, average
        ),
        games.player(
            "decoder", ("generator",), {"value": decoder_loss}, settings.generator, average
        ),
        games.player(
            "discriminator", ("discriminator",), {"value": value}, settings.discriminator
        ),
    )  # fmt: skip
    functions = latent_game.functions(game, first_output(game))
    functions |= {"encode": encode, "reconstruct": reconstruct}
    return (games.phase(settings, init, players, functions, latent_game.spec(game)),)
