"""CycleGAN: translation between two domains without pairs.

Zhu et al. 2017 (arXiv 1703.10593), with G: A -> B, F: B -> A, and a discriminator of each domain:

    L_GAN(G, D_B) = E (D_B(b) - 1)^2 + E D_B(G(a))^2                         eq. 1, section 4
    L_cyc         = E |F(G(a)) - a| + E |G(F(b)) - b|                         eq. 2
    L_identity    = E |G(b) - b| + E |F(a) - a|                               section 5.2
    L             = L_GAN(G, D_B) + L_GAN(F, D_A) + lambda L_cyc + mu L_identity

a is `image`, b `image_b` of another example. D sees fakes out of a pool of old ones.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import VALUE_FUNCTIONS
from gm_jax.losses.translation import l1
from gm_jax.model import Aux, Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.pools import empty_pool, exchange
from gm_jax.settings import Recipe, arguments, at_least, one_of, schema
from gm_jax.translation.shared.two_ways import Discriminator, Generator, two_ways

Weight = Annotated[float, at_least(0.0)]


@schema
class Settings(Recipe):
    """CycleGAN; without `cycle` or without `adversarial` its ablations.

    value_function  what D maximises and G minimises
    adversarial     weight of G's value: 2 makes (D - 1)^2, as the authors have it, of the half that
                    least_squares is
    cycle           lambda, weight of the cycles' L1 distances
    identity        mu, weight of what a generator changes in pictures of its own domain
    pool            fakes that each pool holds; 0 for none
    generator       the player that translates
    discriminator   the player that tells real pictures from translated ones
    """

    value_function: Annotated[str, one_of(VALUE_FUNCTIONS)] = "least_squares"
    adversarial: Weight = 2.0
    cycle: Weight = 10.0
    identity: Weight = 5.0
    pool: Annotated[int, at_least(0)] = 50
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if not (self.adversarial or self.cycle):
            yield "adversarial and cycle are both 0: no translation would be learned"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Two generators against two discriminators; configs/cyclegan_scenes.py."""
    shape, shape_b = (field_of(spec, name).shape for name in ("image", "image_b"))
    if shape[-1] != shape_b[-1] and settings.identity:
        raise UserError(
            f"image has {shape[-1]} channels and image_b {shape_b[-1]}: identity compares a domain"
            " with itself, so set data.channels to 1 or 3 for both, or identity=0"
        )
    dtype, value = jnp.dtype(settings.dtype), VALUE_FUNCTIONS[settings.value_function]
    ways = two_ways(settings.generator, spec, dtype)
    to_b, to_a = ways
    critic = PatchGAN(**arguments(settings.discriminator, "optimizer"), dtype=dtype)
    critic_a, critic_b = (Network(name, critic) for name in ("critic_a", "critic_b"))

    def init(key, batch, previous):
        a, b = batch["image"], batch["image_b"]
        calls = (to_b, a), (to_a, b), (critic_a, a), (critic_b, b)
        if not settings.adversarial:
            return networks.split_init(key, *calls[:2])
        variables = networks.split_init(key, *calls)
        pools = {
            "pool_a": empty_pool(settings.pool, shape),
            "pool_b": empty_pool(settings.pool, shape_b),
        }
        return variables._replace(state=variables.state | pools)

    def generators_loss(variables, batch, key, step):
        a, b = batch["image"], batch["image_b"]
        fake_b, fake_a = ways.both(variables, batch)
        metrics = {}
        if settings.adversarial:
            of_b, of_a = (
                judged(variables, critic_b, b, fake_b),
                judged(variables, critic_a, a, fake_a),
            )
            metrics["adversarial"] = of_b + of_a
        if settings.cycle:
            back_a, back_b = to_a(variables, fake_b), to_b(variables, fake_a)
            metrics["cycle"] = jnp.mean(l1(back_a, a) + l1(back_b, b))
        if settings.identity:
            same_a, same_b = to_a(variables, a), to_b(variables, b)
            metrics["identity"] = jnp.mean(l1(same_a, a) + l1(same_b, b))
        loss = sum(getattr(settings, name) * term for name, term in metrics.items())
        return loss, Aux(metrics)

    def judged(variables, critic, real, fake):
        """What a generator minimises, the mean over patches and examples."""
        real, _ = critic.train(variables, real)
        fake, _ = critic.train(variables, fake)
        return jnp.mean(value.generator(real, fake))

    def discriminators_loss(variables, batch, key, step):
        a, b = batch["image"], batch["image_b"]
        fakes, losses, state = {"a": to_a(variables, b), "b": to_b(variables, a)}, {}, {}
        domains = ("a", critic_a, a), ("b", critic_b, b)
        for (domain, critic, real), own in zip(domains, jax.random.split(key), strict=True):
            pool = f"pool_{domain}"
            shown, state[pool] = exchange(own, variables.state[pool], fakes[domain], batch)
            true, state[critic.name] = critic.train(variables, real)
            fake, _ = critic.train(variables, shown)
            losses[domain] = jnp.mean(value.discriminator(true, fake))
        return sum(losses.values()), Aux(losses, state)

    players = (
        games.player(
            "generators", ("to_b", "to_a"), {"value": generators_loss}, settings.generator,
            settings.average,
        ),
        games.player(
            "discriminators", ("critic_a", "critic_b"), {"value": discriminators_loss},
            settings.discriminator,
        ),
    )  # fmt: skip
    players = players if settings.adversarial else players[:1]
    return (games.phase(settings, init, players, ways.functions()),)
