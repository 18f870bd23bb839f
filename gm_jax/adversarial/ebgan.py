"""Energy-based generative adversarial networks.

Zhao, Mathieu & LeCun 2017 (arXiv 1609.03126). The discriminator is an auto-encoder, its energy the
mean squared error of reconstruction (eq. 3 has the norm):

    E(x) = mean |Dec(Enc(x)) - x|^2                                            eq. 3
    L_D  = E(x) + max(0, m - E(G(z)))                                          eq. 1
    L_G  = E(G(z)) + w PT(Enc(G(z)))                                           eq. 2, 4

PT, the pulling-away term, keeps the codes of different samples apart.
"""

from typing import Annotated

import jax.numpy as jnp

from gm_jax import networks, replicas
from gm_jax.adversarial.shared import latent_game
from gm_jax.adversarial.shared.critics import auto_encoder
from gm_jax.adversarial.shared.latent_game import latent, open_game, phase
from gm_jax.losses.adversarial import energy_margin, pulling_away
from gm_jax.model import Aux, Phase
from gm_jax.settings import at_least, schema


@schema
class Settings(latent_game.Settings):
    """EBGAN.

    code           size of D's code
    margin         m: the energy above which D no longer pushes fakes
    pulling_away   weight of the pulling-away term
    discriminator  the auto-encoder, whose error is D's output
    """

    code: Annotated[int, at_least(1)] = 32
    margin: Annotated[float, at_least(0.0)] = 1.0
    pulling_away: Annotated[float, at_least(0.0)] = 0.1
    discriminator: latent_game.Critic = latent_game.Critic()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A generator against an auto-encoder; configs/ebgan_digits.py."""
    critic = auto_encoder(spec, settings.discriminator.width, settings.code, settings.dtype)
    game = open_game(settings, spec, critic)
    generator, discriminator = game.generator, game.discriminator

    def init(key, batch, previous):
        z, x = latent(game, key, batch), batch[game.modality]
        return networks.split_init(key, (generator, z), (discriminator, x))

    def energy(variables, x):
        """E(x) [B], and the codes [B, D]."""
        (output, codes), _ = discriminator.train(variables, x)
        return jnp.mean((output - x) ** 2, axis=range(1, x.ndim)), codes

    def discriminator_loss(variables, batch, key, step):
        fakes, _ = generator.train(variables, latent(game, key, batch))
        (real, _), (fake, _) = energy(variables, batch[game.modality]), energy(variables, fakes)
        loss = jnp.mean(energy_margin(real, fake, settings.margin))
        within = jnp.mean(fake < settings.margin)
        return loss, Aux(
            {"real_energy": jnp.mean(real), "fake_energy": jnp.mean(fake), "within_margin": within}
        )

    def generator_loss(variables, batch, key, step):
        fakes, state = generator.train(variables, latent(game, key, batch))
        fake, codes = energy(variables, fakes)
        similarity = pulling_away(replicas.gather(codes))
        loss = jnp.mean(fake) + settings.pulling_away * similarity
        return loss, Aux({"pulling_away": similarity}, {"generator": state})

    def output(variables, x):
        return energy(variables, x)[0]

    objectives = {"discriminator": discriminator_loss, "generator": generator_loss}
    return (phase(game, init, objectives, latent_game.functions(game, output)),)
