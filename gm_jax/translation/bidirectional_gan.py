"""BiGAN between two domains: translation without pairs, by one discriminator of pairs.

Donahue et al. 2017 (BiGAN, arXiv 1605.09782) and Dumoulin et al. 2017 (ALI, arXiv 1606.00704) with
pictures in place of latents, the baseline of Zhu et al. 2017 (arXiv 1703.10593), section 5.1.1:

    min_{G,F} max_D  E_a log D(a, G(a)) + E_b log(1 - D(F(b), b))              BiGAN, eq. 2

a is `image`, b `image_b` of another example. G and F share one loss with the labels flipped:
-log(1 - D(a, G(a))) - log D(F(b), b). Nothing asks for a cycle: where D can no longer tell, F is
G's inverse (BiGAN, theorem 2).
"""

import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.losses.adversarial import log_loss
from gm_jax.model import Aux, Phase
from gm_jax.networks import Network
from gm_jax.nn.patchgan import PatchGAN, paired
from gm_jax.settings import Recipe, arguments, schema
from gm_jax.translation.shared.two_ways import Discriminator, Generator, two_ways


@schema
class Settings(Recipe):
    """BiGAN between two domains.

    generator      the player that translates
    discriminator  the player that tells (a, G(a)) from (F(b), b)
    """

    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Two generators against one discriminator; configs/bigan_scenes.py."""
    dtype, other = jnp.dtype(settings.dtype), arguments(settings.discriminator, "optimizer")
    ways = two_ways(settings.generator, spec, dtype)
    discriminator = Network("discriminator", PatchGAN(**other, dtype=dtype))

    def init(key, batch, previous):
        a, b = batch["image"], batch["image_b"]
        calls = (ways.to_b, a), (ways.to_a, b), (discriminator, paired(a, b))
        return networks.split_init(key, *calls)

    def play(variables, batch):
        """D's logits on (a, G(a)) and (F(b), b), [B, h, w] each, and its new state."""
        to_b, to_a = ways.both(variables, batch)
        of_a, state = discriminator.train(variables, paired(batch["image"], to_b))
        of_b, _ = discriminator.train(variables, paired(to_a, batch["image_b"]))
        return of_a, of_b, {"discriminator": state}

    def discriminator_loss(variables, batch, key, step):
        of_a, of_b, state = play(variables, batch)
        metrics = {"real_output": jnp.mean(of_a), "fake_output": jnp.mean(of_b)}
        return jnp.mean(log_loss(of_a, of_b)), Aux(metrics, state)

    def generators_loss(variables, batch, key, step):
        of_a, of_b, _ = play(variables, batch)
        return jnp.mean(log_loss(of_b, of_a)), Aux()

    players = (
        games.player(
            "discriminator", ("discriminator",), {"value": discriminator_loss},
            settings.discriminator,
        ),
        games.player(
            "generators", ("to_b", "to_a"), {"value": generators_loss}, settings.generator,
            settings.average,
        ),
    )  # fmt: skip
    return (games.phase(settings, init, players, ways.functions()),)
