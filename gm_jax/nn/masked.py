"""Convolutions that see only what comes before a pixel in raster order, channels innermost.

Each runs in two ways that give the same numbers: over whole images, and at one pixel of an image
that grows pixel by pixel, with what it needs of earlier pixels in the collection "cache".

The colour channels of a pixel come one after another. Feature maps are cut into one group for each
colour, in order, and group c sees colours before c (van den Oord, Kalchbrenner & Kavukcuoglu
2016, arXiv 1601.06759, section 3.4): mask A, in the first layer only, lets group c see groups
before c of the pixel itself; mask B adds group c.
"""

from typing import Annotated, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.model import Array
from gm_jax.nn.layers import full_precision, product_of_rows
from gm_jax.settings import Rule

ODD = Rule(lambda size: "" if size > 0 and size % 2 else "must be odd: a kernel needs a centre")
Kernel = Annotated[int, ODD]


class Pixel(NamedTuple):
    """A pixel of a growing image: scalars, and the width of its rows (static).

    new_row  whether no other pixel of this row has been seen yet
    """

    row: Array
    column: Array
    new_row: Array
    width: int


class Reach(NamedTuple):
    """What a kernel at (i, j) covers: rows i - up .. i and columns j - left .. j + right."""

    up: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        return self.up + 1, self.left + 1 + self.right


def half_plane(size: int) -> Reach:
    """The part of a size x size kernel in the row of its centre and above."""
    return Reach(size // 2, size // 2, size // 2)


def mask(kind: str, reach: Reach, inputs: int, outputs: int, colors: int, parts: int) -> np.ndarray:
    """Which kernel entries [*reach.size, inputs, outputs] may be used: 1 or 0. `kind` "A" or "B".

    The outputs are `parts` times the same features (gates of one unit share their group).
    """
    features = outputs // parts
    seen = np.arange(inputs) * colors // inputs
    group = np.tile(np.arange(features) * colors // features, parts)
    allowed = np.ones((*reach.size, inputs, outputs), np.float32)
    allowed[reach.up, reach.left + 1 :] = 0.0
    before = {"A": np.less, "B": np.less_equal}[kind]
    allowed[reach.up, reach.left] = before(seen[:, None], group)
    return allowed


class MaskedConv(nn.Module):
    """A convolution over the pixels before each one, in raster order.

    Whole images: x [B, H, W, D] to [B, H, W, features]. At one pixel x is [B, 1, 1, D], and rows of
    earlier pixels are in the cache; the first layer (mask A), whose input ends at the pixel before,
    takes its window [B, *reach.size, D] of the image instead.
    """

    features: int
    reach: Reach = Reach(0, 0, 0)
    kind: str = "B"
    colors: int = 1
    parts: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, pixel: Pixel | None = None) -> Array:
        shape = (*self.reach.size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        kernel = kernel * mask(self.kind, self.reach, *shape[2:], self.colors, self.parts)
        x, kernel, bias = (v.astype(self.dtype) for v in (x, kernel, bias))
        if pixel is None:
            return _convolve(x, kernel, self.reach) + bias
        if self.kind == "B" and self.reach.size != (1, 1):
            width = pixel.width + self.reach.left + self.reach.right
            empty = (x.shape[0], self.reach.up + 1, width, x.shape[-1])
            rows = self.variable("cache", "rows", jnp.zeros, empty, x.dtype)
            rows.value = write(rows.value, x, pixel, self.reach)
            x = read(rows.value, pixel, self.reach)
        return jnp.einsum("bijd,ijdf->bf", x, kernel)[:, None, None] + bias


class RowConv(nn.Module):
    """A convolution over whole rows, including the pixel's own, whose output is used a row below.

    Whole images: x [B, H, W, D] to [B, H, W, features]. Row by row (`cached`): x is the next row
    [B, 1, W, D], and the rows above it are in the cache.
    """

    features: int
    reach: Reach
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, cached: bool = False) -> Array:
        shape = (*self.reach.size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        x, count = x.astype(self.dtype), x.shape[1]
        if cached:
            b, _, width, depth = x.shape
            empty = (b, self.reach.up, width, depth)
            rows = self.variable("cache", "rows", jnp.zeros, empty, x.dtype)
            x = jnp.concatenate([rows.value, x], axis=1)
            rows.value = x[:, 1:]
        return _convolve(x, kernel, self.reach)[:, -count:] + bias


def write(rows: Array, x: Array, pixel: Pixel, reach: Reach) -> Array:
    """Cached rows [B, up + 1, left + W + right, D], with the features x [B, 1, 1, D] of a pixel."""
    start = (0, pixel.row % (reach.up + 1), pixel.column + reach.left, 0)
    return lax.dynamic_update_slice(rows, x.astype(rows.dtype), start)


def read(rows: Array, pixel: Pixel, reach: Reach) -> Array:
    """The window [B, *reach.size, D] around a pixel, its rows in order.

    Right of the pixel the last row holds stale features, which the masks hide.
    """
    b, _, _, depth = rows.shape
    window = lax.dynamic_slice(rows, (0, 0, pixel.column, 0), (b, *reach.size, depth))
    order = (pixel.row - reach.up + jnp.arange(reach.up + 1)) % (reach.up + 1)
    return jnp.take(window, order, axis=1)


def shift_down(x: Array) -> Array:
    """[B, H, W, D] moved one row down, zeros above: what each row may see of the row above it."""
    return jnp.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]


def scaled(x: Array, levels: int) -> Array:
    """Symbols 0..levels-1 as values from -1 to 1."""
    return 2.0 * full_precision(x) / (levels - 1) - 1.0


def _convolve(x: Array, kernel: Array, reach: Reach) -> Array:
    if reach.size == (1, 1):
        return product_of_rows(x, kernel[0, 0])
    padding = ((reach.up, 0), (reach.left, reach.right))
    return lax.conv_general_dilated(
        x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
