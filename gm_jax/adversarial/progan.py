"""ProGAN: both networks grow while they are trained, from images of 4 x 4 pixels upwards.

Karras, Aila, Laine & Lehtinen 2018 (arXiv 1710.10196); how it grows: shared/growing.py. With x the
images at the side of a phase, and real ones mixed while layers fade in,

    L_D = E [D(G(z)) - D(x) + lambda (|grad D(x^)| / t - 1)^2 + epsilon D(x)^2]      appendix A.1
    L_G = E [-D(G(z))]
    x^  = u x + (1 - u) G(z),    u ~ U[0, 1) of each example

The share of the new layers' image is not u. The moving average of G goes on from phase to phase.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.adversarial.shared.growing import Growing, Growth, enlarged, grown, growths
from gm_jax.adversarial.shared.latents import path
from gm_jax.losses.adversarial import wasserstein
from gm_jax.losses.penalties import wgan_gp
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn import progan as nets
from gm_jax.nn.layers import normal, uniform
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import above, arguments, at_least, part_of, schema

FRAMES = 12  # of an interpolation
SHARED = "side", "fading", "density", "most", "equalized", "dtype"


@schema
class Generator(part_of(nets.Generator, "channels", *SHARED)):
    """The player that generates images.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(1e-3, b1=0.0, b2=0.99)


@schema
class Discriminator(part_of(nets.Discriminator, "blur", *SHARED)):
    """The player that tells real images from generated ones.

    times      moves per round
    optimizer  one of optax's
    """

    times: Annotated[int, at_least(1)] = 1
    optimizer: Optimizer = adam(1e-3, b1=0.0, b2=0.99)


@schema
class Settings(Growing):
    """ProGAN.

    equalized      whether the learning rate is equalised
    penalty        lambda, weight of the penalty on D's gradient
    target         t, the norm that D's gradient is drawn to
    drift          epsilon, weight of the square of D's output on real images
    generator      the player that generates images
    discriminator  the player that tells real images from generated ones
    """

    equalized: bool = True
    penalty: Annotated[float, at_least(0.0)] = 10.0
    target: Annotated[float, above(0.0)] = 1.0
    drift: Annotated[float, at_least(0.0)] = 1e-3
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A phase for each side, and one before in which its layers fade in; configs/progan_fashion.py.

    Raises UserError if the images' side is not `first`, doubled some times.
    """
    shape = field_of(spec, "image").shape
    return tuple(_phase(settings, shape, growth) for growth in growths(settings, shape))


def _phase(settings: Settings, shape: tuple[int, int, int], growth: Growth) -> Phase:
    """The game at one side of the images."""
    own, other = settings.generator, settings.discriminator
    common = {name: getattr(settings, name) for name in ("density", "most", "equalized")}
    common |= dict(side=growth.side, fading=growth.fading, dtype=jnp.dtype(settings.dtype))
    generator = Network(
        "generator",
        nets.Generator(channels=shape[-1], **arguments(own, "optimizer"), **common),
    )
    discriminator = Network(
        "discriminator", nets.Discriminator(**arguments(other, "times", "optimizer"), **common)
    )

    def latents(batch, key):
        return normal(example_keys(key, batch), (settings.latents,))

    def init(key, batch, previous):
        share, state = growth.share_at(0)
        x = growth.real(batch["image"], share)
        calls = (generator, latents(batch, key), share), (discriminator, x, share)
        fresh = grown(networks.split_init(key, *calls), previous)
        return fresh._replace(state=fresh.state | state)

    def discriminator_loss(variables, batch, key, step):
        latent_key, mix_key = jax.random.split(key)
        share, state = growth.share_at(step)
        x = growth.real(batch["image"], share)
        fakes, _ = generator.train(variables, latents(batch, latent_key), share)

        def critic(x):
            return discriminator(variables, x, share)

        mix = uniform(example_keys(mix_key, batch), ())
        penalty = wgan_gp(critic, x, fakes, mix, settings.target)
        true, fake = critic(x), critic(fakes)
        loss = wasserstein(true, fake) + settings.penalty * penalty + settings.drift * true**2
        metrics = {"real_output": true, "fake_output": fake, "penalty": penalty}
        metrics = {name: jnp.mean(value) for name, value in metrics.items()}
        return jnp.mean(loss), Aux(metrics | state, state)

    def generator_loss(variables, batch, key, step):
        share, state = growth.share_at(step)
        fakes, statistics = generator.train(variables, latents(batch, key), share)
        loss = -jnp.mean(discriminator(variables, fakes, share))
        return loss, Aux(state=state | {"generator": statistics})

    def images(variables, z):
        """G(z) at the side of the data, each pixel repeated."""
        return enlarged(generator(variables, z, variables.state.get("share", 1.0)), shape[0])

    def sample(variables, batch, key):
        return {"image": images(variables, latents(batch, key))}

    def interpolation(variables, batch, key):
        """Along the great circle between two latents, [B, FRAMES, H, W, C]."""
        ends = (latents(batch, k) for k in jax.random.split(key))
        z = path(*ends, FRAMES)
        x = images(variables, z.reshape(-1, settings.latents))
        return {"image": x.reshape(*z.shape[:2], *shape)}

    players = (
        games.player(
            "discriminator", ("discriminator",),
            {"value": (discriminator_loss, lambda step: other.times)}, other,
        ),
        games.player("generator", ("generator",), {"value": generator_loss}, own, settings.average),
    )  # fmt: skip
    functions = {"sample": sample, "interpolation": interpolation}
    phase = games.phase(settings, init, players, functions)
    return phase._replace(name=growth.name, steps=growth.steps)
