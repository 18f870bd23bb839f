"""LAPGAN: a Laplacian pyramid of GANs, each of which makes what the next smaller image lacks.

Denton, Chintala, Szlam & Fergus 2015 (arXiv 1506.05751). d halves an image, u doubles it:

    I_{k+1} = d(I_k),    l_k = u(I_{k+1}),    h_k = I_k - l_k                     eq. 3
    I'_k = u(I'_{k+1}) + G_k(z_k, u(I'_{k+1})),    I'_K = G_K(z_K)                  eq. 5

Each level is a game of its own, played beside the others: D_k tells l_k + h_k from l_k + G_k(z_k,
l_k), whose l_k is that of the real image, always. Only sampling goes down the chain of generated
images. With labels, each network sees the class as one more plane of its own (the coarsest one as
more inputs).
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.adversarial.shared.latents import cube
from gm_jax.adversarial.shared.pyramid import (
    SMALLEST,
    CoarseCritic,
    CoarseGenerator,
    Critic,
    Residual,
)
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.model import Array, Aux, Phase, classes_of, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.layers import Rate, Size, halved
from gm_jax.optimizers import Optimizer
from gm_jax.settings import Recipe, Restartable, at_least, schema


@schema
class Generator:
    """The players that generate.

    width      channels of hidden maps
    hidden     units of each of the two hidden layers at the coarsest level
    optimizer  one of optax's
    """

    width: Size = 64
    hidden: Size = 1200
    optimizer: Optimizer = Optimizer(name="sgd", learning_rate=0.02)


@schema
class Discriminator(Generator):
    """The players that tell real images from generated ones.

    dropout  share of hidden units that are dropped
    """

    hidden: Size = 600
    dropout: Rate = 0.5


@schema
class Settings(Recipe):
    """A Laplacian pyramid of GANs.

    levels         of the pyramid; each is half as large as the one before
    latents        size of z at the coarsest level; at others it is a plane
    conditional    whether all players see the label
    mean           of the images' values, which are in [-1, 1]: one, or one a channel
    deviation      of the images' values: inside, they are (x - mean) / deviation
    generator      the players that generate
    discriminator  the players that tell real images from generated ones
    unrefined      finest levels at which samples are only enlarged: what LAPGAN is compared with
    """

    levels: Annotated[int, at_least(2)] = 3
    latents: Size = 100
    conditional: bool = False
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[Annotated[float, at_least(1e-3)], ...] = (1.0,)
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()
    unrefined: Annotated[int, at_least(0), Restartable()] = 0

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.unrefined >= self.levels:
            yield f"unrefined {self.unrefined} must be below levels {self.levels}: one has to begin"


class Level(NamedTuple):
    """The game of one level.

    depth     how often the image is halved until then
    coarsest  whether it is the last one, which has no l
    """

    depth: int
    coarsest: bool
    shape: tuple[int, int, int]
    generator: Network
    discriminator: Network


def enlarged(x: Array) -> Array:
    """u: [B, H, W, C] to [B, 2H, 2W, C], bilinear."""
    batch, height, width, channels = x.shape
    return jax.image.resize(x, (batch, 2 * height, 2 * width, channels), "linear")


def pyramid(settings: Settings, shape: tuple[int, int, int]) -> list[Level]:
    """The levels for images of a shape, the finest first.

    Raises UserError if the images cannot be halved as often, or become too small.
    """
    height, width, channels = shape
    times = settings.levels - 1
    if height % 2**times or width % 2**times or min(height, width) < SMALLEST << (times - 1):
        raise UserError(
            f"{height}x{width} cannot be halved {times} times (levels={settings.levels}) with at"
            f" least {SMALLEST} pixels a side above the coarsest level: set levels or data.size"
        )
    own, other, dtype = settings.generator, settings.discriminator, jnp.dtype(settings.dtype)

    def level(depth):
        sides = height >> depth, width >> depth, channels
        if depth < times:
            made, seen = Residual(own.width, dtype), Critic(other.width, other.dropout, dtype)
        else:
            made = CoarseGenerator(sides, own.hidden, dtype)
            seen = CoarseCritic(other.hidden, other.dropout, dtype)
        generator = Network(f"generator_{sides[0]}", made)
        discriminator = Network(f"discriminator_{sides[0]}", seen)
        return Level(depth, depth == times, sides, generator, discriminator)

    return [level(depth) for depth in range(settings.levels)]


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Two players a level, each game by itself; configs/lapgan_cifar.py."""
    shape = field_of(spec, "image").shape
    classes = classes_of(spec) if settings.conditional else 0
    levels = pyramid(settings, shape)
    inside, outside = _scaling(settings, shape[-1])

    def real(batch, level):
        """I_k and l_k; the coarsest level has no l."""
        x = inside(batch["image"])
        for _ in range(level.depth):
            x = halved(x)
        return x, None if level.coarsest else enlarged(halved(x))

    def label(batch):
        return jax.nn.one_hot(batch["label"], classes) if classes else None

    def inputs(batch, level, low, key):
        """What G_k is given: z_k, l_k and the label."""
        shape = (settings.latents,) if level.coarsest else (*level.shape[:2], 1)
        z = cube(example_keys(key, batch), shape)
        return (z, label(batch)) if level.coarsest else (z, low, label(batch))

    def made(variables, batch, level, low, key):
        """l_k + G_k(z_k, l_k), or G_K(z_K)."""
        h = level.generator(variables, *inputs(batch, level, low, key))
        return h if level.coarsest else low + h

    def init(key, batch, previous):
        calls, keys = [], example_keys(key, batch)
        for level in levels:
            x, low = real(batch, level)
            calls.append((level.generator, *inputs(batch, level, low, key)))
            calls.append((level.discriminator, x, label(batch), keys))
        return networks.split_init(key, *calls)

    def players(level):
        generator, discriminator = level.generator, level.discriminator

        def logits(variables, x, batch, key):
            return discriminator(variables, x, label(batch), example_keys(key, batch))

        def discriminator_loss(variables, batch, key, step):
            key, *drops = jax.random.split(key, 3)
            x, low = real(batch, level)
            seen = x, made(variables, batch, level, low, key)
            true, fake = (
                logits(variables, x, batch, drop) for x, drop in zip(seen, drops, strict=True)
            )
            metrics = {"real_output": jnp.mean(true), "fake_output": jnp.mean(fake)}
            return jnp.mean(log_loss(true, fake)), Aux(metrics)

        def generator_loss(variables, batch, key, step):
            key, drop = jax.random.split(key)
            fake = made(variables, batch, level, real(batch, level)[1], key)
            return jnp.mean(non_saturating(logits(variables, fake, batch, drop))), Aux()

        def player(network, loss, own, average=0.0):
            return games.player(network.name, (network.name,), {"value": loss}, own, average)

        return (
            player(discriminator, discriminator_loss, settings.discriminator),
            player(generator, generator_loss, settings.generator, settings.average),
        )

    def chain(variables, batch, key):
        """I'_K, ..., I'_0."""
        images, low = [], None
        for level, own in zip(levels[::-1], jax.random.split(key, len(levels)), strict=True):
            refined = level.depth >= settings.unrefined
            images.append(made(variables, batch, level, low, own) if refined else low)
            low = enlarged(images[-1])
        return images

    def sample(variables, batch, key):
        """Images, and their labels if the players see labels."""
        outputs = {"image": outside(chain(variables, batch, key)[-1])}
        return outputs | ({"label": batch["label"]} if classes else {})

    def growth(variables, batch, key):
        """A sample at each level, the smaller ones enlarged, [B, levels, H, W, C]."""
        images = chain(variables, batch, key)
        for count, image in enumerate(images):
            for _ in range(len(levels) - 1 - count):
                image = enlarged(image)
            images[count] = image
        return {"image": outside(jnp.stack(images, axis=1))}

    def by_class(variables, batch, key):
        """Each label in turn with the same noise, [B, classes, H, W, C]."""

        def of_class(c):
            return sample(variables, {**batch, "label": jnp.full_like(batch["index"], c)}, key)

        return {"image": jax.vmap(of_class, out_axes=1)(jnp.arange(classes))["image"]}

    functions = {"sample": sample, "growth": growth} | ({"classes": by_class} if classes else {})
    every = tuple(player for level in levels for player in players(level))
    return (games.phase(settings, init, every, functions),)


def _scaling(settings: Settings, channels: int) -> tuple[Callable, Callable]:
    """From images in [-1, 1] to standardised ones, and back.

    Raises UserError if the mean or the deviation is not of so many channels.
    """
    for name in ("mean", "deviation"):
        if len(getattr(settings, name)) not in (1, channels):
            raise UserError(f"{name} must be one value, or {channels} for the images' channels")

    def own(x):
        return (jnp.asarray(values, x.dtype) for values in (settings.mean, settings.deviation))

    def inside(x):
        mean, deviation = own(x)
        return (x - mean) / deviation

    def outside(x):
        mean, deviation = own(x)
        return x * deviation + mean

    return inside, outside
