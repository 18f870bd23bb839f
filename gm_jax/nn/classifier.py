"""A small residual classifier of images that may be noised: the trunk of a diffusion U-Net."""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.attention import Norm
from gm_jax.nn.layers import Rate, Size, full_precision
from gm_jax.nn.time_features import features_of
from gm_jax.nn.unet import ResidualBlock


class Classifier(nn.Module):
    """Images [B, H, W, C] and their noise levels [B] to logits [B, classes], and the maps between.

    Dhariwal & Nichol 2021 (arXiv 2105.05233), section 4: the half of a U-Net that halves.
    widths   channels, level by level; each level but the first halves the sides
    blocks   residual blocks of a level
    dropout  rate within the blocks
    """

    classes: int
    widths: tuple[Size, ...] = (32, 64, 128)
    blocks: Size = 1
    dropout: Rate = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, level: Array, keys: Array | None = None
    ) -> tuple[Array, tuple[Array, ...]]:
        features = 4 * self.widths[0]
        embedding = features_of(level, self.widths[0], dtype=self.dtype)
        embedding = nn.Dense(features, dtype=self.dtype)(embedding)
        embedding = nn.Dense(features, dtype=self.dtype)(nn.swish(embedding))
        x = nn.Conv(self.widths[0], (3, 3), dtype=self.dtype)(x)
        maps = []
        for depth, width in enumerate(self.widths):
            if depth:
                x = nn.Conv(width, (3, 3), strides=2, dtype=self.dtype)(x)
            for _ in range(self.blocks):
                x = ResidualBlock(width, self.dropout, self.dtype)(x, embedding, keys)
            maps.append(full_precision(x))
        x = jnp.mean(nn.swish(Norm(self.dtype)(x)), axis=(1, 2))
        return full_precision(nn.Dense(self.classes, dtype=self.dtype)(x)), tuple(maps)
