"""The gated PixelCNN with two stacks (van den Oord et al. 2016, arXiv 1606.05328, figure 2).

The vertical stack sees all rows above, the horizontal one the row so far. The vertical stack feeds
the horizontal one a row lower; so together they see all pixels before one, without a blind spot.

    y = tanh(W_f * x + V_f h) . sigma(W_g * x + V_g h)                              eq. 2, 4

It works on images (values of colour channels) and on codes (unordered symbols, embedded).
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import Dense, Size, full_precision
from gm_jax.nn.masked import (
    Kernel,
    MaskedConv,
    Pixel,
    Reach,
    RowConv,
    half_plane,
    scaled,
    shift_down,
)  # fmt: skip
from gm_jax.settings import at_least


def gate(x: Array) -> Array:
    """tanh of the first half of the features, times sigma of the second."""
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.tanh(a) * nn.sigmoid(b)


class GatedPixelCNN(nn.Module):
    """Symbols [B, H, W, C] to logits [B, H, W, C, levels].

    levels      values of a symbol
    colors      C
    layers      gated layers after the first
    width       features of a layer
    head        features of the hidden layer before the logits
    size        side of a layer's kernel, an odd number
    first_size  side of the first layer's kernel, an odd number
    classes     labels 0..classes-1 that condition every layer; 0 for none
    embedding   features learned for each symbol; 0 for symbols as values from -1 to 1
    """

    levels: int
    colors: int = 1
    layers: Size = 8
    width: Size = 32
    head: Size = 64
    size: Kernel = 3
    first_size: Kernel = 7
    classes: int = 0
    embedding: Annotated[int, at_least(0)] = 0
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        sizes = (self.first_size,) + (self.size,) * self.layers
        self.vertical = _Vertical(self.width, sizes, self.classes, self.dtype)
        self.horizontal = _Horizontal(
            self.levels, self.colors, self.width, self.head, sizes, self.classes, self.dtype
        )
        if self.embedding:
            self.embedder = nn.Embed(self.levels, self.embedding)

    @property
    def reach(self) -> Reach:
        """The window of the image that `along` takes around a pixel."""
        return Reach(0, self.first_size // 2, 0)

    def __call__(self, x: Array, label: Array | None = None) -> Array:
        x = self.embed(x)
        maps = tuple(shift_down(pre) for pre in self.above(x, label))
        return self.along(x, maps, label)

    def embed(self, x: Array) -> Array:
        """Symbols [..., C] to features [..., C D]."""
        if self.embedding:
            embedded = self.embedder(x)
            return embedded.reshape(*x.shape[:-1], -1)
        return scaled(x, self.levels)

    def above(self, x: Array, label: Array | None, cached: bool = False) -> tuple[Array, ...]:
        """The maps that every layer passes to the row below, [B, H, W, 2 width] each."""
        return self.vertical(x, label, cached)

    def along(
        self, x: Array, maps: tuple[Array, ...], label: Array | None, pixel: Pixel | None = None
    ) -> Array:
        """Logits of the image, or of one pixel, given the maps of the rows above."""
        return self.horizontal(x, maps, label, pixel)


class _Vertical(nn.Module):
    width: int
    sizes: tuple[int, ...]
    classes: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, label, cached):
        maps = []
        for size in self.sizes:
            if maps:
                x = gate(_conditioned(self, maps[-1], label))
            maps.append(RowConv(2 * self.width, half_plane(size), dtype=self.dtype)(x, cached))
        return tuple(maps)


class _Horizontal(nn.Module):
    levels: int
    colors: int
    width: int
    head: int
    sizes: tuple[int, ...]
    classes: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, maps, label, pixel):
        def masked(features, **settings):
            return MaskedConv(features, colors=self.colors, dtype=self.dtype, **settings)

        for layer, (size, from_above) in enumerate(zip(self.sizes, maps, strict=True)):
            kind, reach = "B" if layer else "A", Reach(0, size // 2, 0)
            pre = masked(2 * self.width, reach=reach, kind=kind, parts=2)(x, pixel)
            pre += Dense(2 * self.width, dtype=self.dtype)(from_above)
            y = masked(self.width)(gate(_conditioned(self, pre, label)), pixel)
            x = x + y if layer else y  # A residual would bypass mask A.
        x = nn.relu(masked(self.head)(nn.relu(x), pixel))
        x = full_precision(masked(self.colors * self.levels)(x, pixel))
        return x.reshape(*x.shape[:-1], self.colors, self.levels)


def _conditioned(module, pre, label):
    if not module.classes:
        return pre
    embed = nn.Embed(module.classes, 2 * module.width, dtype=module.dtype)
    return pre + embed(label)[:, None, None]
