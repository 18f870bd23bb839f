"""Energy-based generative adversarial networks.

Zhao, Mathieu & LeCun 2017 (arXiv 1609.03126). The discriminator is an auto-encoder, its energy the
squared error of reconstruction:

    E(x) = mean |Dec(Enc(x)) - x|^2                                            eq. 3
    L_D  = E(x) + max(0, m - E(G(z)))                                          eq. 1
    L_G  = E(G(z)) + w PT(Enc(G(z)))                                           eq. 2, 4

PT, the pulling-away term, keeps the codes of different samples apart.
"""

import jax.numpy as jnp

from gm_jax import axis
from gm_jax.adversarial.two_players import functions, latent, open_game, phase
from gm_jax.losses.adversarial import energy_margin, pulling_away
from gm_jax.model import Aux, Phase
from gm_jax.nn import network
from gm_jax.nn.autoencoding import auto_encoder

SETTINGS = {"code": 32, "margin": 1.0, "pulling_away": 0.1}


def build(config, spec, stages) -> tuple[Phase, ...]:
    """A generator against an auto-encoder; configs/ebgan_digits.py shows the keys."""
    game = open_game(config, spec, auto_encoder, SETTINGS)
    settings = game.settings

    def init(key, batch, previous):
        z, x = latent(game, key, batch), batch[game.subject]
        return network.begin(key, (game.generator, z), (game.discriminator, x))

    def energy(variables, x):
        """E(x) [B], and the codes [B, D]."""
        (output, codes), _ = network.train(game.discriminator, variables, x)
        return jnp.mean((output - x) ** 2, axis=range(1, x.ndim)), codes

    def discriminator_loss(variables, batch, key, step):
        fakes, _ = network.train(game.generator, variables, latent(game, key, batch))
        (real, _), (fake, _) = energy(variables, batch[game.subject]), energy(variables, fakes)
        loss = jnp.mean(energy_margin(real, fake, settings.margin))
        within = jnp.mean(fake < settings.margin)
        return loss, Aux(
            {"real_energy": jnp.mean(real), "fake_energy": jnp.mean(fake), "within_margin": within}
        )

    def generator_loss(variables, batch, key, step):
        fakes, state = network.train(game.generator, variables, latent(game, key, batch))
        fake, codes = energy(variables, fakes)
        apart = pulling_away(axis.gather(codes))
        loss = jnp.mean(fake) + settings.pulling_away * apart
        return loss, Aux({"pulling_away": apart}, {"generator": state})

    def judge(variables, x):
        return energy(variables, x)[0]

    objectives = {"discriminator": discriminator_loss, "generator": generator_loss}
    return (phase(game, init, objectives, functions(game, judge)),)
