"""Bidirectional adversarial networks: a generator and an encoder against a critic of pairs.

Donahue et al. 2017 (BiGAN, arXiv 1605.09782) and Dumoulin et al. 2017 (ALI, arXiv 1606.00704):

    min_{G,E} max_D  E_x log D(x, E(x)) + E_z log(1 - D(G(z), z))              BiGAN, eq. 2

G and E share one loss with the labels flipped: -log(1 - D(x, E(x))) - log D(G(z), z). With
`stochastic` the encoder draws z ~ N(mu(x), sigma(x)^2), as ALI's does.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.adversarial.shared import latent_game
from gm_jax.adversarial.shared.critics import PairCritic, VectorPairCritic
from gm_jax.adversarial.shared.latent_game import latent, logits, open_game, times
from gm_jax.adversarial.shared.networks import NETWORKS
from gm_jax.losses.adversarial import log_loss
from gm_jax.model import Aux, Phase, example_keys
from gm_jax.networks import Network
from gm_jax.nn.layers import normal
from gm_jax.settings import schema


@schema
class Encoder:
    """E, from examples to latents.

    width  channels of its first hidden map
    """

    width: latent_game.Width = 64


@schema
class Settings(latent_game.Settings):
    """BiGAN, and ALI.

    stochastic  whether the encoder draws z, as ALI's does
    encoder     the discriminator's network with other outputs; the generator's player trains it
    """

    stochastic: bool = False
    encoder: Encoder = Encoder()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Generator and encoder against one critic; configs/bigan_mnist.py."""
    game = open_game(settings, spec, _pair_critic(settings))
    generator, discriminator, modality = game.generator, game.discriminator, game.modality
    outputs = settings.latents * (2 if settings.stochastic else 1)
    norm = "batch" if len(game.shape) == 3 else "none"
    trunk = NETWORKS[settings.networks].discriminator
    module = trunk(settings.encoder.width, outputs, norm, jnp.dtype(settings.dtype))
    encoder = Network("encoder", module)

    def init(key, batch, previous):
        z, x = latent(game, key, batch), batch[modality]
        return networks.split_init(key, (generator, z), (encoder, x), (discriminator, x, z))

    def draw(outputs, keys):
        """z ~ q(z|x) from the encoder's outputs, [B, D]."""
        if not settings.stochastic:
            return outputs
        mean, log_variance = jnp.split(outputs, 2, axis=-1)
        return mean + jnp.exp(0.5 * log_variance) * normal(keys, (settings.latents,))

    def play(variables, batch, key):
        """D's logits on (x, E(x)) and (G(z), z), [B] each, and the new state of all networks."""
        latent_key, encoder_key = jax.random.split(key)
        x, z, state = batch[modality], latent(game, latent_key, batch), {}
        fakes, state["generator"] = generator.train(variables, z)
        codes, state["encoder"] = encoder.train(variables, x)
        codes = draw(codes, example_keys(encoder_key, batch))
        real, state["discriminator"] = discriminator.train(variables, x, codes)
        fake, _ = discriminator.train(variables, fakes, z)
        return real[:, 0], fake[:, 0], state

    def discriminator_loss(variables, batch, key, step):
        real, fake, state = play(variables, batch, key)
        metrics = {"real_output": jnp.mean(real), "fake_output": jnp.mean(fake)}
        state = {"discriminator": state["discriminator"]}
        return jnp.mean(log_loss(real, fake)), Aux(metrics, state)

    def generator_loss(variables, batch, key, step):
        real, fake, state = play(variables, batch, key)
        state = {name: state[name] for name in ("generator", "encoder")}
        return jnp.mean(log_loss(fake, real)), Aux(state=state)

    def code_of(variables, x):
        """E(x), or the mean of what it draws, [B, D]."""
        return encoder(variables, x)[:, : settings.latents]

    def encode(variables, batch, key):
        """E(x), or the mean of what it draws, [B, D]."""
        return {"latent": code_of(variables, batch[modality])}

    def reconstruct(variables, batch, key):
        """The example beside G(E(x)), [B, 2, ...]."""
        output = generator(variables, code_of(variables, batch[modality]))
        return {modality: jnp.stack([batch[modality], output], axis=1)}

    def output(variables, x):
        return discriminator(variables, x, code_of(variables, x))[:, 0]

    value = (discriminator_loss, times(settings.discriminator))
    players = (
        games.player(
            "discriminator", ("discriminator",), {"value": value}, settings.discriminator
        ),
        games.player(
            "generator", ("generator", "encoder"), {"value": generator_loss}, settings.generator,
            settings.average,
        ),
    )  # fmt: skip
    functions = latent_game.functions(game, output)
    functions |= {"encode": encode, "reconstruct": reconstruct}
    return (games.phase(settings, init, players, functions, latent_game.spec(game)),)


def _pair_critic(settings: Settings) -> nn.Module:
    """D of (x, z): a point and z as one vector; an image x passes a trunk first."""
    width, dtype = settings.discriminator.width, jnp.dtype(settings.dtype)
    if NETWORKS[settings.networks].axes == 1:
        return VectorPairCritic(logits(settings))
    return PairCritic(logits(settings, 4 * width), 16 * width, dtype)
