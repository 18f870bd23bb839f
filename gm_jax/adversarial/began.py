"""Boundary equilibrium generative adversarial networks.

Berthelot, Schumm & Metz 2017 (arXiv 1703.10717). The discriminator is an auto-encoder, judged by
its mean absolute error L(v) = mean |v - D(v)|:

    L_D = L(x) - k_t L(G(z_D)),    L_G = L(G(z_G))
    k_{t+1} = k_t + lambda_k (gamma L(x) - L(G(z)))    kept in [0, 1], k_0 = 0
    M = L(x) + |gamma L(x) - L(G(z))|                  the measure of convergence

Section 3.4; k is state of the game.
"""

import jax.numpy as jnp

from gm_jax import axis
from gm_jax.adversarial.two_players import functions, latent, open_game, phase
from gm_jax.losses.adversarial import balance, boundary_equilibrium
from gm_jax.model import Aux, Phase
from gm_jax.nn import network
from gm_jax.nn.autoencoding import auto_encoder

SETTINGS = {"code": 64, "gamma": 0.5, "balance_rate": 0.001}


def build(config, spec, stages) -> tuple[Phase, ...]:
    """A generator against an auto-encoder; configs/began_digits.py shows the keys."""
    game = open_game(config, spec, auto_encoder, SETTINGS)
    settings = game.settings

    def init(key, batch, previous):
        z, x = latent(game, key, batch), batch[game.subject]
        variables = network.begin(key, (game.generator, z), (game.discriminator, x))
        return variables._replace(state=variables.state | {"k": jnp.zeros(())})

    def error(variables, x):
        """L(x), [B]."""
        (output, _), _ = network.train(game.discriminator, variables, x)
        return jnp.mean(jnp.abs(output - x), axis=range(1, x.ndim))

    def discriminator_loss(variables, batch, key, step):
        k = variables.state["k"]
        fakes, _ = network.train(game.generator, variables, latent(game, key, batch))
        real, fake = error(variables, batch[game.subject]), error(variables, fakes)
        means = axis.mean((jnp.mean(real), jnp.mean(fake)))
        after, measure = balance(*means, k, settings.gamma, settings.balance_rate)
        metrics = {"real_error": jnp.mean(real), "fake_error": jnp.mean(fake)}
        metrics |= {"k": after, "measure": measure}
        return jnp.mean(boundary_equilibrium(real, fake, k)), Aux(metrics, {"k": after})

    def generator_loss(variables, batch, key, step):
        fakes, state = network.train(game.generator, variables, latent(game, key, batch))
        return jnp.mean(error(variables, fakes)), Aux(state={"generator": state})

    objectives = {"discriminator": discriminator_loss, "generator": generator_loss}
    return (phase(game, init, objectives, functions(game, error)),)
