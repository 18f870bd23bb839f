"""Bidirectional adversarial networks: a generator and an encoder against a judge of pairs.

Donahue et al. 2017 (BiGAN, arXiv 1605.09782) and Dumoulin et al. 2017 (ALI, arXiv 1606.00704):

    min_{G,E} max_D  E_x log D(x, E(x)) + E_z log(1 - D(G(z), z))              BiGAN, eq. 2

G and E share one loss with the labels flipped: -log(1 - D(x, E(x))) - log D(G(z), z). With
`stochastic` the encoder draws z ~ N(mu(x), sigma(x)^2), as ALI's does.
"""

import jax
import jax.numpy as jnp

from gm_jax.adversarial.two_players import NETWORKS, functions, latent, open_game, times
from gm_jax.losses.adversarial import log_loss
from gm_jax.model import Aux, GenerativeModel, Move, Phase, Player, example_keys
from gm_jax.nn import network
from gm_jax.nn.common import normal
from gm_jax.nn.composite import PairCritic, VectorPairCritic
from gm_jax.nn.network import Network
from gm_jax.optimizers import warmed_up

SETTINGS = {"stochastic": False, "encoder": {"width": 64}}


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Generator and encoder against one critic; configs/bigan_mnist.py shows the keys."""
    game = open_game(config, spec, _pair_critic, SETTINGS)
    settings, subject = game.settings, game.subject
    outputs = settings.latents * (2 if settings.stochastic else 1)
    trunk = NETWORKS[settings.networks][1]
    encoder = Network(
        "encoder",
        trunk(settings.encoder.width, outputs, "batch" if len(game.shape) == 3 else "none",
              jnp.dtype(config.dtype)),
    )  # fmt: skip

    def init(key, batch, previous):
        z, x = latent(game, key, batch), batch[subject]
        return network.begin(key, (game.generator, z), (encoder, x), (game.discriminator, x, z))

    def draw(outputs, keys):
        """z ~ q(z|x) from the encoder's outputs, [B, D]."""
        if not settings.stochastic:
            return outputs
        mean, log_variance = jnp.split(outputs, 2, axis=-1)
        return mean + jnp.exp(0.5 * log_variance) * normal(keys, (settings.latents,))

    def play(variables, batch, key):
        """D's logits on (x, E(x)) and (G(z), z), [B] each, and everyone's new state."""
        latent_key, encoder_key = jax.random.split(key)
        x, z, state = batch[subject], latent(game, latent_key, batch), {}
        fakes, state["generator"] = network.train(game.generator, variables, z)
        codes, state["encoder"] = network.train(encoder, variables, x)
        codes = draw(codes, example_keys(encoder_key, batch))
        real, state["discriminator"] = network.train(game.discriminator, variables, x, codes)
        fake, _ = network.train(game.discriminator, variables, fakes, z)
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

    def encode(variables, x):
        return network.work(encoder, variables, x)[:, : settings.latents]

    def reconstruct(variables, batch, key):
        """The example beside G(E(x)), [B, 2, ...]."""
        output = network.work(game.generator, variables, encode(variables, batch[subject]))
        return {subject: jnp.stack([batch[subject], output], axis=1)}

    def judge(variables, x):
        return network.work(game.discriminator, variables, x, encode(variables, x))[:, 0]

    players = (
        Player(
            "discriminator", ("discriminator",), game.optimizers["discriminator"],
            (Move("value", discriminator_loss, times(game)),),
        ),
        Player(
            "generator", ("generator", "encoder"), game.optimizers["generator"],
            (Move("value", generator_loss),), warmed_up(config.average),
        ),
    )  # fmt: skip
    found = functions(game, judge) | {"reconstruct": reconstruct}
    model = GenerativeModel(init, players, found)
    return (Phase("train", model, config.data, config.steps),)


def _pair_critic(settings, shape, dtype):
    width, norm = settings.discriminator.width, settings.discriminator.normalization
    module = NETWORKS[settings.networks][1]
    if len(shape) == 1:
        return VectorPairCritic(module(width, 1, norm, dtype))
    return PairCritic(module(width, 4 * width, norm, dtype), 16 * width, dtype)
