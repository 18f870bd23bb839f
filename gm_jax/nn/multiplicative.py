"""Multiplicative units, and the networks of video pixel networks that are made of them.

Kalchbrenner et al. 2016, Video Pixel Networks (arXiv 1610.00527), section 4.1.

    MU(h) = g1 tanh(g2 h + g3 u),    g1, g2, g3 = sigma(W * h),    u = tanh(W * h)    eq. 3
    block(h) = h + W4 * MU(MU(W1 * h)),    W1 and W4 1x1, of half as many features
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from gm_jax.model import Array
from gm_jax.nn.layers import Dense, Pointwise, Size, full_precision
from gm_jax.nn.masked import Kernel, MaskedConv, Pixel, Reach, half_plane, scaled


def multiplicative(h: Array, gates: Array) -> Array:
    """MU of h [..., D] from its convolutions [..., 4 D] before their nonlinearity."""
    g1, g2, g3, u = jnp.split(gates, 4, axis=-1)
    return nn.sigmoid(g1) * jnp.tanh(nn.sigmoid(g2) * h + nn.sigmoid(g3) * jnp.tanh(u))


def residual(x: Array, width: int, point: Callable, near: Callable) -> Array:
    """A block of two units of `width` features: point(D) is a 1x1 convolution, near(D) a larger."""
    h = point(width)(x)
    for _ in range(2):
        h = multiplicative(h, near(4 * width)(h))
    return x + point(x.shape[-1])(h)


class ConvLSTM(nn.Module):
    """Maps x [B, T, H, W, D] to h [B, T, H, W, units], over time, by 3x3 convolutions.

    [i, f, o, g] = [sigma, sigma, sigma, tanh](W * x + U * h), c' = f c + i g, h' = o tanh(c').
    Shi et al. 2015 (arXiv 1506.04214), without peepholes. U * h is a product with nine shifted
    copies: in a loop the gradient of a convolution's kernel would be far slower on a CPU.
    """

    units: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, start: tuple[Array, Array] | None = None) -> tuple:
        """h of all times, and h and c [B, H, W, units] after the last; `start` is such a pair."""
        gates = nn.Conv(4 * self.units, (3, 3), dtype=self.dtype)(x)
        shape = (9 * self.units, 4 * self.units)
        kernel = self.param("state", nn.initializers.lecun_normal(), shape).astype(self.dtype)
        if start is None:
            exact = jnp.promote_types(self.dtype, jnp.float32)
            start = (jnp.zeros((x.shape[0], *x.shape[2:4], self.units), exact),) * 2

        def time(states, gates):
            h, c = states
            gates = full_precision(gates + _around(h).astype(self.dtype) @ kernel)
            i, f, o, g = jnp.split(gates, 4, axis=-1)
            c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
            h = nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        states, h = lax.scan(time, start, gates.swapaxes(0, 1))
        return h.swapaxes(0, 1), states


def _around(h: Array) -> Array:
    """The nine neighbours of each pixel, zeros beyond the image: [B, H, W, 9 D]."""
    height, width = h.shape[1:3]
    padded = jnp.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0)))
    copies = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(copies, axis=-1)


class FilmEncoder(nn.Module):
    """Frames [B, T, H, W, C] in [-1, 1] to what is known after each: maps [B, T, H, W, 2 width].

    width      c, features of a unit; the maps between blocks have 2 c
    dilations  of the blocks, whose resolution is that of the frames
    """

    width: Size = 128
    dilations: tuple[Size, ...] = (1, 2, 4, 8, 1, 2, 4, 8)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, frames: Array, start: tuple[Array, Array] | None = None) -> tuple:
        """The maps, and the memory after the last frame, from which later frames can `start`."""
        x = nn.Conv(2 * self.width, (3, 3), dtype=self.dtype)(frames)
        for dilation in self.dilations:

            def near(features, dilation=dilation):
                return nn.Conv(features, (3, 3), kernel_dilation=dilation, dtype=self.dtype)

            x = residual(x, self.width, lambda d: Pointwise(d, dtype=self.dtype), near)
        return ConvLSTM(2 * self.width, self.dtype)(x, start)


class FrameDecoder(nn.Module):
    """Symbols [B, H, W, C] of a frame, given maps [B, H, W, D] of those before it, to outputs.

    Outputs are [B, H, W, C, outputs], each of the symbols before it. The first layer (mask A) has
    no multiplicative unit: g2 h would carry the symbol itself past the mask. As PixelCNN's, the
    masks leave a blind spot above and to the right.

    levels      values of a symbol
    colors      C
    outputs     numbers of each symbol's distribution
    width       c, features of a unit; the maps between blocks have 2 c
    blocks      masked residual blocks
    size        side of a unit's kernel, an odd number
    first_size  side of the first layer's kernel, an odd number
    """

    levels: int
    colors: int = 1
    outputs: int = 1
    width: Size = 128
    blocks: Size = 12
    size: Kernel = 3
    first_size: Kernel = 7
    dtype: jnp.dtype = jnp.float32

    @property
    def reach(self) -> Reach:
        """The window of the frame that `along` takes around a pixel."""
        return half_plane(self.first_size)

    def __call__(self, x: Array, known: Array) -> Array:
        return self.along(self.embed(x), (), known)

    def embed(self, x: Array) -> Array:
        """Symbols [..., C] to values from -1 to 1."""
        return scaled(x, self.levels)

    def above(self, x: Array, known: Array, cached: bool = False) -> tuple:
        """Nothing: the convolutions of `along` look at the rows above themselves."""
        return ()

    @nn.compact
    def along(self, x: Array, maps: tuple, known: Array, pixel: Pixel | None = None) -> Array:
        """Outputs of the frame, or of one pixel from the window around it."""

        def point(features, **settings):
            layer = MaskedConv(features, colors=self.colors, dtype=self.dtype, **settings)
            return lambda x: layer(x, pixel)

        def near(features):
            return point(features, reach=half_plane(self.size), parts=4)

        if pixel is not None:
            start = (0, pixel.row, pixel.column, 0)
            known = lax.dynamic_slice(known, start, (len(known), 1, 1, known.shape[-1]))
        x = point(2 * self.width, reach=self.reach, kind="A")(x)
        x = x + Dense(2 * self.width, dtype=self.dtype)(known)
        for _ in range(self.blocks):
            x = residual(x, self.width, point, near)
        x = full_precision(point(self.colors * self.outputs)(x))
        return x.reshape(*x.shape[:-1], self.colors, self.outputs)
