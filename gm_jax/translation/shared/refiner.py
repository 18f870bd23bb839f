"""SimGAN's networks: a refiner that keeps the size of its picture, and a critic of its patches.

Shrivastava et al. 2017 (arXiv 1612.07828), section 3.1.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import Pointwise, Size, full_precision


class Refiner(nn.Module):
    """Picture [B, H, W, C] to a picture [B, H, W, features], both in [-1, 1]; no norm, no stride.

    width   channels
    blocks  residual blocks
    """

    features: int
    width: Size = 64
    blocks: Size = 4
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def conv(x):
            return nn.Conv(self.width, (3, 3), dtype=self.dtype)(x)

        x = nn.relu(conv(x))
        for _ in range(self.blocks):
            x = nn.relu(x + conv(nn.relu(conv(x))))
        return jnp.tanh(full_precision(Pointwise(self.features, dtype=self.dtype)(x)))


class Critic(nn.Module):
    """Picture [B, H, W, C] to logits [B, h, w], each of a patch of 23 x 23 pixels.

    A logit is the difference of the two outputs of the paper's softmax.
    width  channels of the first layer; two thirds and a third as many in those that follow
    """

    width: Size = 96
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def conv(x, features, size, stride=1):
            return nn.Conv(features, (size, size), stride, dtype=self.dtype)(x)

        x = nn.relu(conv(x, self.width, 3, 2))
        x = nn.relu(conv(x, 2 * self.width // 3, 3, 2))
        x = nn.max_pool(x, (3, 3), padding="SAME")
        x = nn.relu(conv(x, self.width // 3, 3))
        x = nn.relu(conv(x, self.width // 3, 1))
        outputs = full_precision(conv(x, 2, 1))
        return outputs[..., 1] - outputs[..., 0]
