"""Boundary equilibrium generative adversarial networks.

Berthelot, Schumm & Metz 2017 (arXiv 1703.10717). The discriminator is an auto-encoder that
outputs its mean absolute error L(v) = mean |v - D(v)|:

    L_D = L(x) - k_t L(G(z_D)),    L_G = L(G(z_G))
    k_{t+1} = k_t + lambda_k (gamma L(x) - L(G(z)))    kept in [0, 1], k_0 = 0
    M = L(x) + |gamma L(x) - L(G(z))|                  the measure of convergence

Section 3.4; k is state of the game.
"""

from typing import Annotated

import jax.numpy as jnp

from gm_jax import networks, replicas
from gm_jax.adversarial.shared import latent_game
from gm_jax.adversarial.shared.critics import auto_encoder
from gm_jax.adversarial.shared.latent_game import latent, open_game, phase
from gm_jax.losses.adversarial import balance, boundary_equilibrium
from gm_jax.model import Aux, Phase
from gm_jax.settings import at_least, at_most, schema


@schema
class Settings(latent_game.Settings):
    """BEGAN.

    code           size of D's code
    gamma          the ratio L(G(z)) / L(x) that k maintains
    balance_rate   lambda_k, the step size of k
    discriminator  the auto-encoder, whose error is D's output
    """

    code: Annotated[int, at_least(1)] = 64
    gamma: Annotated[float, at_least(0.0), at_most(1.0)] = 0.5
    balance_rate: Annotated[float, at_least(0.0)] = 0.001
    discriminator: latent_game.Critic = latent_game.Critic()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A generator against an auto-encoder; configs/began_digits.py."""
    critic = auto_encoder(spec, settings.discriminator.width, settings.code, settings.dtype)
    game = open_game(settings, spec, critic)
    generator, discriminator = game.generator, game.discriminator

    def init(key, batch, previous):
        z, x = latent(game, key, batch), batch[game.modality]
        variables = networks.split_init(key, (generator, z), (discriminator, x))
        return variables._replace(state=variables.state | {"k": jnp.zeros(())})

    def error(variables, x):
        """L(x), [B]."""
        (output, _), _ = discriminator.train(variables, x)
        return jnp.mean(jnp.abs(output - x), axis=range(1, x.ndim))

    def discriminator_loss(variables, batch, key, step):
        k = variables.state["k"]
        fakes, _ = generator.train(variables, latent(game, key, batch))
        real, fake = error(variables, batch[game.modality]), error(variables, fakes)
        means = replicas.mean((jnp.mean(real), jnp.mean(fake)))
        after, measure = balance(*means, k, settings.gamma, settings.balance_rate)
        metrics = {"real_error": jnp.mean(real), "fake_error": jnp.mean(fake)}
        metrics |= {"k": after, "measure": measure}
        return jnp.mean(boundary_equilibrium(real, fake, k)), Aux(metrics, {"k": after})

    def generator_loss(variables, batch, key, step):
        fakes, state = generator.train(variables, latent(game, key, batch))
        return jnp.mean(error(variables, fakes)), Aux(state={"generator": state})

    objectives = {"discriminator": discriminator_loss, "generator": generator_loss}
    return (phase(game, init, objectives, latent_game.functions(game, error)),)
