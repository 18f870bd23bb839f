"""ProGAN: both networks grow while they are trained, from images of 4 x 4 pixels upwards.

Karras, Aila, Laine & Lehtinen 2018 (arXiv 1710.10196). At each side of the images one phase, before
which the layers of that side fade in during another; each with fresh optimizers. With x the images
halved to that side, and while layers fade in also mixed with themselves at half that side,

    L_D = E [D(G(z)) - D(x) + lambda (|grad D(x^)| / t - 1)^2 + epsilon D(x)^2]      appendix A.1
    L_G = E [-D(G(z))]
    x^  = u x + (1 - u) G(z),    u ~ U[0, 1) of each example

The share of the new layers' image rises with the round from 0 to 1 (figure 2); it is not u. It is
part of the state, for samples are drawn with it, too. The moving average of G goes on from phase to
phase.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.adversarial.shared.latents import path
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import wasserstein
from gm_jax.losses.penalties import wgan_gp
from gm_jax.model import Aux, Phase, Variables, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn import progan as nets
from gm_jax.nn.layers import Size, doubled, halved, normal, uniform
from gm_jax.nn.progan import FIRST, mixed
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Rule, above, arguments, at_least, part_of, schema

FRAMES = 12  # of an interpolation
POWER_OF_TWO = Rule(
    lambda side: "" if side >= FIRST and not side & (side - 1) else f"must be {FIRST}, 8, 16, ..."
)
SHARED = "side", "fading", "density", "most", "equalized", "dtype"


@schema
class Generator(part_of(nets.Generator, "channels", *SHARED)):
    """The player that generates images.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(1e-3, b1=0.0, b2=0.99)


@schema
class Discriminator(part_of(nets.Discriminator, *SHARED)):
    """The player that tells real images from generated ones.

    times      moves per round
    optimizer  one of optax's
    """

    times: Annotated[int, at_least(1)] = 1
    optimizer: Optimizer = adam(1e-3, b1=0.0, b2=0.99)


@schema
class Settings(Recipe):
    """A GAN that grows.

    steps          rounds of the last phase, at the images' side
    first          side at which it begins; the images' for a GAN that does not grow
    stable         rounds at each smaller side, with all layers of that side
    fade           rounds in which the layers of a side fade in
    latents        size of z
    density        features of a map times its side
    most           features of a map, at most
    equalized      whether the learning rate is equalised
    penalty        lambda, weight of the penalty on D's gradient
    target         t, the norm that D's gradient is drawn to
    drift          epsilon, weight of the square of D's output on real images
    generator      the player that generates images
    discriminator  the player that tells real images from generated ones
    """

    first: Annotated[int, POWER_OF_TWO] = FIRST
    stable: Annotated[int, at_least(0)] = 1000
    fade: Annotated[int, at_least(0)] = 1000
    latents: Size = 512
    density: Size = 16384
    most: Size = 512
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
    side, sides = _side(field_of(spec, "image").shape), [settings.first]
    while sides[-1] < side:
        sides.append(2 * sides[-1])
    if sides[-1] != side:
        raise UserError(
            f"images of {side}x{side} are not {settings.first}x{settings.first} (first) doubled:"
            " set data.size to a power of 2, and first to one up to it"
        )
    phases = []
    for own in sides:
        if own > settings.first:
            phases.append(_phase(settings, spec, own, settings.fade, fading=True))
        phases.append(
            _phase(settings, spec, own, settings.stable if own < side else settings.steps)
        )
    return tuple(phase for phase in phases if phase.steps)


def _side(shape: tuple[int, int, int]) -> int:
    """The side of square images. Raises UserError for others."""
    height, width, _ = shape
    if height != width:
        raise UserError(f"ProGAN makes square images, not {height}x{width}: set data.size")
    return height


def grown(fresh: Variables, previous: Variables | None) -> Variables:
    """Fresh variables with the layers of the phase before, and their statistics, as they ended."""
    if previous is None:
        return fresh

    def kept(new, old):
        return {layer: old.get(layer, value) for layer, value in new.items()}

    params = {net: kept(new, previous.params[net]) for net, new in fresh.params.items()}
    statistics = {
        name: kept(new, previous.state["generator"][name])
        for name, new in fresh.state["generator"].items()
    }
    return fresh._replace(params=params, state=fresh.state | {"generator": statistics})


def _phase(settings: Settings, spec, side: int, steps: int, fading: bool = False) -> Phase:
    """The game at one side of the images."""
    shape = field_of(spec, "image").shape
    own, other = settings.generator, settings.discriminator
    common = {name: getattr(settings, name) for name in ("density", "most", "equalized")}
    common |= dict(side=side, fading=fading, dtype=jnp.dtype(settings.dtype))
    generator = Network(
        "generator",
        nets.Generator(channels=shape[-1], **arguments(own, "optimizer"), **common),
    )
    discriminator = Network(
        "discriminator", nets.Discriminator(**arguments(other, "times", "optimizer"), **common)
    )

    def latents(batch, key):
        return normal(example_keys(key, batch), (settings.latents,))

    def share_at(step):
        """The new layers' share of the image in a round, and the state that holds it."""
        if not fading:
            return 1.0, {}
        share = jnp.asarray(step) / steps
        return share, {"share": share}

    def real(batch, share):
        x = batch["image"]
        while x.shape[1] > side:
            x = halved(x)
        return mixed(doubled(halved(x)), x, share) if fading else x

    def init(key, batch, previous):
        share, state = share_at(0)
        calls = (generator, latents(batch, key), share), (discriminator, real(batch, share), share)
        fresh = grown(networks.split_init(key, *calls), previous)
        return fresh._replace(state=fresh.state | state)

    def discriminator_loss(variables, batch, key, step):
        latent_key, mix_key = jax.random.split(key)
        share, state = share_at(step)
        x = real(batch, share)
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
        share, state = share_at(step)
        fakes, statistics = generator.train(variables, latents(batch, key), share)
        loss = -jnp.mean(discriminator(variables, fakes, share))
        return loss, Aux(state=state | {"generator": statistics})

    def images(variables, z):
        """G(z) at the side of the data, each pixel repeated."""
        x = generator(variables, z, variables.state.get("share", 1.0))
        while x.shape[1] < shape[0]:
            x = doubled(x)
        return x

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
    return phase._replace(name=f"{'fade' if fading else 'stable'}_{side}", steps=steps)
