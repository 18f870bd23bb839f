"""Convolutional encoders and decoders without normalisation, for images of any even size."""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.common import full_precision
from gm_jax.nn.transposed import TransposedConv


class ConvEncoder(nn.Module):
    """Image [B, H, W, C] to a vector [B, features]: one strided 3x3 convolution for each width."""

    features: int
    widths: tuple[int, ...] = (32, 64)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for width in self.widths:
            x = nn.relu(nn.Conv(width, (3, 3), strides=2, dtype=self.dtype)(x))
        x = nn.relu(nn.Dense(256, dtype=self.dtype)(x.reshape(x.shape[0], -1)))
        return full_precision(nn.Dense(self.features, dtype=self.dtype)(x))


class ConvDecoder(nn.Module):
    """The mirror image: a vector [B, D] to an image [B, *shape] of unbounded values.

    `widths` are given as the encoder's, and walked through backwards.
    """

    shape: tuple[int, int, int]
    widths: tuple[int, ...] = (32, 64)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        sizes = [self.shape[:2]]
        for _ in self.widths:
            sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
        height, width = sizes.pop()
        x = nn.relu(nn.Dense(256, dtype=self.dtype)(z))
        x = nn.relu(nn.Dense(height * width * self.widths[-1], dtype=self.dtype)(x))
        x = x.reshape(-1, height, width, self.widths[-1])
        for features in (*self.widths[-2::-1], self.shape[-1]):
            height, width = sizes.pop()
            x = TransposedConv(features, dtype=self.dtype)(x)
            x = x[:, :height, :width]
            x = nn.relu(x) if sizes else x
        return full_precision(x)
