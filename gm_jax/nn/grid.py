"""Convolutional networks between images and grids of vectors, as in the VQ-VAE.

Strided convolutions halve (rounding up), transposed ones double, residual blocks work at the size
of the grid. van den Oord et al. 2017 (arXiv 1711.00937), section 4.1.
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import Pointwise, full_precision
from gm_jax.nn.strides import TransposedConv
from gm_jax.settings import Rule, at_least, part_of

Widths = Annotated[
    tuple[Annotated[int, at_least(1)], ...],
    Rule(lambda widths: "" if widths else "must hold at least one width"),
]
Blocks = Annotated[int, at_least(0)]


def halved(shape: tuple[int, ...], times: int) -> tuple[int, int]:
    """Height and width of an image after `times` halvings, rounded up."""
    height, width = shape[:2]
    return -(-height // 2**times), -(-width // 2**times)


class Residual(nn.Module):
    """`blocks` times x + conv1x1(relu(conv3x3(relu(x)))), and a last relu."""

    blocks: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        features = x.shape[-1]
        for _ in range(self.blocks):
            h = nn.Conv(features, (3, 3), dtype=self.dtype)(nn.relu(x))
            x = x + Pointwise(features, dtype=self.dtype)(nn.relu(h))
        return nn.relu(x)


class GridEncoder(nn.Module):
    """[B, H, W, C] to [B, h, w, features]: each side is halved once for each width.

    widths  channels of the strided convolutions, from the image to the grid
    blocks  residual blocks at the size of the grid
    """

    features: int
    widths: Widths = (32, 64)
    blocks: Blocks = 2
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for number, width in enumerate(self.widths):
            x = x if number == 0 else nn.relu(x)
            x = nn.Conv(width, (4, 4), strides=2, dtype=self.dtype)(x)
        x = Residual(self.blocks, self.dtype)(x)
        return full_precision(Pointwise(self.features, dtype=self.dtype)(x))


class GridDecoder(nn.Module):
    """The mirror image: [B, h, w, D] to [B, *shape] of unbounded values.

    `widths` are the encoder's, in reverse; each map is cut to its size in the encoder.
    """

    shape: tuple[int, int, int]
    widths: tuple[int, ...] = (32, 64)
    blocks: int = 2
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        x = nn.Conv(self.widths[-1], (3, 3), dtype=self.dtype)(z)
        x = Residual(self.blocks, self.dtype)(x)
        for level, features in zip(
            range(len(self.widths) - 1, -1, -1), (*self.widths[-2::-1], self.shape[-1]), strict=True
        ):
            height, width = halved(self.shape, level)
            x = TransposedConv(features, dtype=self.dtype)(x)[:, :height, :width]
            x = nn.relu(x) if level else x
        return full_precision(x)


GridSettings = part_of(GridEncoder, "features", "dtype")
