"""The U-Net of Ho et al. 2020, appendix B: residual blocks, self-attention, a noise level.

Every residual branch and the output end in a layer that starts at zero, so the network starts as
the zero function.
"""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import Dropout, full_precision
from gm_jax.settings import at_least, below

ZERO = nn.initializers.zeros


def sinusoidal_embedding(t: Array, features: int) -> Array:
    """[B] to [B, features]: sines and cosines of t at frequencies from 1 down to 1e-4."""
    half = features // 2
    frequencies = jnp.exp(-jnp.log(10_000.0) * jnp.arange(half) / (half - 1))
    angles = t[:, None] * frequencies
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


class Norm(nn.Module):
    """Group normalisation with at most 32 groups, of at least four channels each."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        groups = max(g for g in range(1, 33) if x.shape[-1] % g == 0 and x.shape[-1] // g >= 4)
        return nn.GroupNorm(num_groups=groups, dtype=self.dtype)(x)


class ResidualBlock(nn.Module):
    """x + conv(dropout(swish(norm(conv(swish(norm(x))) + dense(embedding)))))."""

    features: int
    dropout: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, embedding: Array, keys: Array | None) -> Array:
        h = nn.Conv(self.features, (3, 3), dtype=self.dtype)(nn.swish(Norm(self.dtype)(x)))
        h = h + nn.Dense(self.features, dtype=self.dtype)(nn.swish(embedding))[:, None, None]
        h = Dropout(self.dropout)(nn.swish(Norm(self.dtype)(h)), keys)
        h = nn.Conv(self.features, (3, 3), kernel_init=ZERO, dtype=self.dtype)(h)
        if x.shape[-1] != self.features:
            x = nn.Dense(self.features, dtype=self.dtype)(x)
        return x + h


class SelfAttention(nn.Module):
    """x + attention(norm(x)) over all positions of [B, H, W, C]."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        b, height, width, c = x.shape
        tokens = Norm(self.dtype)(x).reshape(b, height * width, 1, c)
        q, k, v = jnp.split(nn.Dense(3 * c, dtype=self.dtype)(tokens), 3, axis=-1)
        mixed = jax.nn.dot_product_attention(q, k, v).reshape(b, height, width, c)
        return x + nn.Dense(c, kernel_init=ZERO, dtype=self.dtype)(mixed)


class UNet(nn.Module):
    """A noised image and its noise level to an image of the same shape.

    x [B, H, W, C], level [B] (a time step), label [B] int or None, keys [B] for dropout or None.
    width        channels at full resolution
    blocks       residual blocks per level
    multipliers  of `width`, level by level
    attention    image sides (in pixels) at which self-attention follows each block
    dropout      rate within the blocks
    classes      labels 0..classes-1; `classes` itself is the null label; 0 for no labels
    """

    width: Annotated[int, at_least(4)] = 64
    multipliers: tuple[Annotated[int, at_least(1)], ...] = (1, 2, 2)
    blocks: Annotated[int, at_least(1)] = 2
    attention: tuple[int, ...] = (16,)
    dropout: Annotated[float, at_least(0.0), below(1.0)] = 0.0
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, level: Array, label: Array | None = None, keys: Array | None = None
    ) -> Array:
        def block(x, features):
            x = ResidualBlock(features, self.dropout, self.dtype)(x, embedding, keys)
            return SelfAttention(self.dtype)(x) if x.shape[1] in self.attention else x

        channels = x.shape[-1]
        embedding = sinusoidal_embedding(level, self.width)
        embedding = nn.swish(nn.Dense(4 * self.width, dtype=self.dtype)(embedding))
        embedding = nn.Dense(4 * self.width, dtype=self.dtype)(embedding)
        if self.classes:
            embedding += nn.Embed(self.classes + 1, 4 * self.width, dtype=self.dtype)(label)

        x = nn.Conv(self.width, (3, 3), dtype=self.dtype)(x)
        skips = [x]
        for depth, multiplier in enumerate(self.multipliers):
            if depth:
                x = nn.Conv(x.shape[-1], (3, 3), strides=2, dtype=self.dtype)(x)
                skips.append(x)
            for _ in range(self.blocks):
                x = block(x, self.width * multiplier)
                skips.append(x)

        x = ResidualBlock(x.shape[-1], self.dropout, self.dtype)(x, embedding, keys)
        x = SelfAttention(self.dtype)(x)
        x = ResidualBlock(x.shape[-1], self.dropout, self.dtype)(x, embedding, keys)

        for multiplier in reversed(self.multipliers):
            for _ in range(self.blocks + 1):
                x = block(jnp.concatenate([x, skips.pop()], axis=-1), self.width * multiplier)
            if skips:
                size = skips[-1].shape[1:3]
                x = jax.image.resize(x, (x.shape[0], *size, x.shape[-1]), "nearest")
                x = nn.Conv(x.shape[-1], (3, 3), dtype=self.dtype)(x)

        x = nn.swish(Norm(self.dtype)(x))
        return full_precision(nn.Conv(channels, (3, 3), kernel_init=ZERO, dtype=self.dtype)(x))
