"""StyleGAN2's two networks: a synthesis of styles, and a discriminator.

Karras et al. 2020 (arXiv 1912.04958), figure 7, as in the code of ADA (arXiv 2006.06676): levels
b4, b8, ... have maps of min(base / resolution, most) features. Architectures:

    skip    each level adds an image (the discriminator: sees the image) at its resolution
    resnet  each level adds a 1x1 convolution of its input to its output
    orig    neither

Names of parameters are the authors'. Their layout: gm_jax/weights/stylegan2.py.
"""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.equalized import EqualizedConv, EqualizedDense, minibatch_deviation
from gm_jax.nn.filtering import convolution_down, convolution_up, downsampled, upsampled
from gm_jax.nn.layers import Size, full_precision, normal
from gm_jax.nn.stylegan2_layers import Mapping, StyledConv, ToRGB, activated
from gm_jax.settings import above, at_least, one_of

ARCHITECTURES = ("skip", "resnet", "orig")
HALF = 0.5**0.5  # the gain of either branch of a residual level

Architecture = Annotated[str, one_of(ARCHITECTURES)]
Clamp = Annotated[float | None, above(0.0)]
Count = Annotated[int, at_least(0)]


def levels(resolution: int) -> list[int]:
    """4, 8, ..., resolution. Raises UserError unless it is a power of two from 8 on."""
    if resolution < 8 or resolution & (resolution - 1):
        raise UserError(f"images must have sides of 8, 16, 32, ... pixels, not {resolution}")
    return [2**k for k in range(2, resolution.bit_length())]


def layers(resolution: int) -> int:
    """How many styles a synthesis takes: one for each convolution, and one for the last image."""
    return 2 * len(levels(resolution))


def noise_sides(resolution: int) -> list[int]:
    """The sides of the noise maps, in the order of the convolutions."""
    return [4] + [side for side in levels(resolution)[1:] for _ in range(2)]


def drawn_noise(keys: Array, sides: list[int]) -> list[Array]:
    """Noise maps [B, h, h, 1] of these sides, by a key for each example and map."""
    split = jax.vmap(lambda key: jax.random.split(key, len(sides)), out_axes=1)(keys)
    return [normal(own, (side, side, 1)) for own, side in zip(split, sides, strict=True)]


class SynthesisLevel(nn.Module):
    """(x, image, styles, noise) of half its resolution to (x, image) of its own.

    first     whether it starts from a learned map, and has one convolution
    to_image  whether it adds to the image
    """

    features: int
    channels: int
    first: bool
    to_image: bool
    residual: bool
    clamp: float | None
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, image, styles: list[Array], noise: list[Array | None]):
        last = StyledConv(self.features, clamp=self.clamp, dtype=self.dtype, name="conv1")
        if self.first:
            const = self.param("const", nn.initializers.normal(1.0), (4, 4, self.features))
            const = jnp.broadcast_to(const, (len(styles[0]), *const.shape))
            x = last(const, styles[0], noise[0])
        else:
            skip = EqualizedConv(
                self.features, 1, use_bias=False, dtype=self.dtype, convolve=convolution_up,
                name="skip",
            ) if self.residual else None  # fmt: skip
            conv = StyledConv(self.features, True, self.clamp, self.dtype, name="conv0")
            y = skip(x) * HALF if skip else None
            x = conv(x, styles[0], noise[0])
            x = last(x, styles[1], noise[1], HALF if skip else 1.0)
            x = x + y if skip else x
            image = None if image is None else upsampled(image)
        if self.to_image:
            own = ToRGB(self.channels, self.clamp, self.dtype, name="torgb")(x, styles[-1])
            image = own if image is None else image + own
        return x, image


class Synthesis(nn.Module):
    """Styles [B, layers, D] and noise to images [B, R, R, channels], which are not bounded.

    base          features of a map of one pixel: a map of R^2 has base / R of them
    most          features of any map
    architecture  whether levels add images (skip), their inputs (resnet) or nothing (orig)
    clamp         bound on what layers put out; if not set, none
    """

    resolution: int
    channels: int
    base: Size = 32768
    most: Size = 512
    architecture: Architecture = "skip"
    clamp: Clamp = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, styles: Array, noise: list[Array] | None, maps: bool = False):
        """The images; with `maps`, (images, [(features, image so far) of each level]).

        noise  [B or 1, h, h, 1] for each of `noise_sides`; None for no noise

        Raises ValueError on another number of styles: JAX would repeat the last one.
        """
        if styles.shape[1] != layers(self.resolution):
            raise ValueError(f"{layers(self.resolution)} styles, not {styles.shape[1]}")
        noise = noise or [None] * len(noise_sides(self.resolution))
        x, image, seen = None, None, []
        for number, side in enumerate(levels(self.resolution)):
            level = SynthesisLevel(
                min(self.base // side, self.most),
                self.channels,
                first=number == 0,
                to_image=self.architecture == "skip" or side == self.resolution,
                residual=self.architecture == "resnet",
                clamp=self.clamp,
                dtype=self.dtype,
                name=f"b{side}",
            )
            # The style of a level's image is that of the next level's first convolution.
            first = max(2 * number - 1, 0)
            own = [styles[:, i] for i in range(first, 2 * number + 2)]
            x, image = level(x, image, own, noise[first : 2 * number + 1])
            seen.append((x, image))
        return (image, seen) if maps else image


class Level(nn.Module):
    """(x or None, image) to x of half the resolution, and the image of the next level.

    from_image  whether it adds what it sees of the image
    """

    features: int
    outputs: int
    from_image: bool
    architecture: str
    clamp: float | None
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, image):
        if self.from_image:
            own = EqualizedConv(self.features, 1, dtype=self.dtype, name="fromrgb")(image)
            own = activated(own, clamp=self.clamp)
            x = own if x is None else x + own
        if self.architecture == "skip":
            image = downsampled(image)
        residual = self.architecture == "resnet"
        down = {"dtype": self.dtype, "convolve": convolution_down}
        y = EqualizedConv(self.features, dtype=self.dtype, name="conv0")(x)
        y = EqualizedConv(self.outputs, **down, name="conv1")(activated(y, clamp=self.clamp))
        y = activated(y, HALF if residual else 1.0, self.clamp)
        if residual:
            skip = EqualizedConv(self.outputs, 1, use_bias=False, **down, name="skip")
            y = y + skip(x) * HALF
        return y, image


class Last(nn.Module):
    """Maps of 4x4 pixels to vectors [B, outputs].

    group, deviations  of the minibatch deviation: examples in a group (0 for the whole batch), and
                       planes; 0 planes for none
    """

    outputs: int
    from_image: bool
    group: int
    deviations: int
    clamp: float | None
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, image: Array) -> Array:
        wide, width = jnp.promote_types(self.dtype, jnp.float32), x.shape[-1]
        if self.from_image:
            x = x + activated(EqualizedConv(width, 1, dtype=self.dtype, name="fromrgb")(image))
        x = x.astype(wide)
        if self.deviations:
            x = jnp.concatenate([x, minibatch_deviation(x, self.group, self.deviations)], axis=-1)
        x = activated(EqualizedConv(width, dtype=wide, name="conv")(x), clamp=self.clamp)
        x = x.reshape(len(x), -1)
        x = activated(EqualizedDense(width, dtype=wide, name="fc")(x))
        return EqualizedDense(self.outputs, dtype=wide, name="out")(x)


class Discriminator(nn.Module):
    """Images [B, R, R, C], and their labels [B] if there are classes, to logits [B].

    base          features of a map of one pixel: a map of R^2 has base / R of them
    most          features of any map
    architecture  whether levels add images (skip), their inputs (resnet) or nothing (orig)
    clamp         bound on what layers put out; if not set, none
    group         examples of the minibatch deviation; 0 for the whole batch
    deviations    planes of that deviation; 0 for none
    mapping       layers from the label to a direction of the features
    """

    base: Size = 32768
    most: Size = 512
    architecture: Architecture = "resnet"
    clamp: Clamp = None
    group: Count = 4
    deviations: Count = 1
    mapping: Size = 8
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        image, skip = x.astype(self.dtype), self.architecture == "skip"
        sides, maps = levels(x.shape[1])[:0:-1], None
        for side in sides:
            width, outputs = (min(self.base // s, self.most) for s in (side, side // 2))
            level = Level(
                width, outputs, skip or maps is None, self.architecture, self.clamp, self.dtype,
                name=f"b{side}",
            )  # fmt: skip
            maps, image = level(maps, image)
        width = maps.shape[-1]
        last = Last(
            width if self.classes else 1, skip, self.group, self.deviations, self.clamp,
            self.dtype, name="b4",
        )  # fmt: skip
        outputs = full_precision(last(maps, image))
        if not self.classes:
            return outputs[:, 0]
        mapping = Mapping(width, self.mapping, self.classes, outputs.dtype, name="mapping")
        return jnp.sum(outputs * mapping(None, label), axis=-1) * width**-0.5
