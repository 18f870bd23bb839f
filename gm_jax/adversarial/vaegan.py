"""VAE-GAN: an auto-encoder whose error is measured in a layer of the discriminator.

Larsen et al. 2016 (arXiv 1512.09300), algorithm 1. With D_l the discriminator's last hidden map,
x~ the reconstruction and x_p a sample of the prior:

    L_like = -log N(D_l(x) | D_l(x~), I)                                       eq. 6, 7
    L_GAN  = log D(x) + log(1 - D(x~)) + log(1 - D(x_p))                       eq. 8
    encoder minimises KL + L_like, decoder gamma L_like - (1 - gamma) (-L_GAN), D -L_GAN
"""

import jax
import jax.numpy as jnp

from gm_jax.adversarial.two_players import (
    NETWORKS,
    first_output,
    functions,
    latent,
    open_game,
    times,
)
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import log_loss
from gm_jax.losses.elbo import gaussian_kl
from gm_jax.model import Aux, GenerativeModel, Move, Phase, Player, example_keys
from gm_jax.nn import network
from gm_jax.nn.common import normal
from gm_jax.nn.network import Network
from gm_jax.optimizers import warmed_up

SETTINGS = {"gamma": 0.01, "encoder": {"width": 64}}


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Encoder, decoder (the generator) and discriminator; configs/vaegan_digits.py."""
    game = open_game(config, spec, defaults=SETTINGS)
    settings, subject = game.settings, game.subject
    if settings.prior != "normal":
        raise UserError("VAE-GAN's encoder is held to N(0, I): set prior to normal")
    module = NETWORKS[settings.networks][1]
    encoder = Network(
        "encoder",
        module(settings.encoder.width, 2 * settings.latents, "batch", jnp.dtype(config.dtype)),
    )

    def init(key, batch, previous):
        x = batch[subject]
        calls = (game.generator, latent(game, key, batch)), (encoder, x), (game.discriminator, x)
        return network.begin(key, *calls)

    def play(variables, batch, key):
        """KL [B], L_like [B], -L_GAN [B], and everyone's new state."""
        prior_key, posterior_key = jax.random.split(key)
        x, state = batch[subject], {}
        outputs, state["encoder"] = network.train(encoder, variables, x)
        mean, log_variance = jnp.split(outputs, 2, axis=-1)
        noise = normal(example_keys(posterior_key, batch), (settings.latents,))
        z = mean + jnp.exp(0.5 * log_variance) * noise
        again, state["generator"] = network.train(game.generator, variables, z)
        prior, _ = network.train(game.generator, variables, latent(game, prior_key, batch))
        real, of_x, state["discriminator"] = network.hidden(game.discriminator, variables, x)
        fake, of_again, _ = network.hidden(game.discriminator, variables, again)
        other, _ = network.train(game.discriminator, variables, prior)
        like = 0.5 * jnp.sum((of_x - of_again) ** 2, axis=range(1, of_x.ndim))
        # log D(x) once, and one log(1 - D) for the reconstruction and the sample each.
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

    def reconstruct(variables, batch, key):
        """The example beside the decoder's mean of it, [B, 2, ...]."""
        mean = network.work(encoder, variables, batch[subject])[:, : settings.latents]
        output = network.work(game.generator, variables, mean)
        return {subject: jnp.stack([batch[subject], output], axis=1)}

    def player(name, network_name, loss, average=None, times=lambda step: 1):
        made = game.optimizers["generator" if name == "encoder" else network_name]
        return Player(name, (network_name,), made, (Move("value", loss, times),), average)

    players = (
        player("encoder", "encoder", encoder_loss),
        player("decoder", "generator", decoder_loss, warmed_up(config.average)),
        player("discriminator", "discriminator", discriminator_loss, times=times(game)),
    )
    found = functions(game, first_output(game)) | {"reconstruct": reconstruct}
    model = GenerativeModel(init, players, found)
    return (Phase("train", model, config.data, config.steps),)
