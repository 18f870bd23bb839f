"""SRGAN's networks: one that enlarges (SRResNet), and one that tells large pictures from enlarged.

Ledig et al. 2017 (arXiv 1609.04802), figure 4. No convolution before a batch norm has a bias, which
the norm would undo.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import BatchNorm, Size, full_precision


class SRResNet(nn.Module):
    """Small image [B, h, w, C] in [0, 1] to [B, factor h, factor w, features] in [-1, 1].

    factor  2, 4 or 8
    width   channels of all maps
    blocks  residual blocks
    """

    features: int
    factor: int
    width: Size = 64
    blocks: Size = 16
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        conv = functools.partial(nn.Conv, padding="SAME", dtype=self.dtype)

        def normed(x):
            x = conv(self.width, (3, 3), use_bias=False)(x)
            return BatchNorm(train, self.dtype)(x)

        def prelu(x):
            return nn.PReLU(negative_slope_init=0.25)(x)

        first = x = prelu(conv(self.width, (9, 9))(x))
        for _ in range(self.blocks):
            x = x + normed(prelu(normed(x)))
        x = first + normed(x)
        for _ in range(self.factor.bit_length() - 1):
            x = prelu(pixel_shuffle(conv(4 * self.width, (3, 3))(x)))
        return full_precision(conv(self.features, (9, 9))(x))


class Critic(nn.Module):
    """Image [B, H, W, C] to logits [B].

    width   channels of the first map; they double with each halving after the first
    levels  halvings
    hidden  units of the layer before the last
    """

    width: Size = 64
    levels: Size = 4
    hidden: Size = 1024
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        def conv(x, features, stride, norm):
            x = nn.Conv(
                features, (3, 3), stride, padding=1, use_bias=not norm, dtype=self.dtype
            )(x)  # fmt: skip
            x = BatchNorm(train, self.dtype)(x) if norm else x
            return nn.leaky_relu(x, 0.2)

        for level in range(self.levels):
            x = conv(x, self.width * 2**level, 1, norm=level > 0)
            x = conv(x, self.width * 2**level, 2, norm=True)
        x = nn.Dense(self.hidden, dtype=self.dtype)(x.reshape(len(x), -1))
        x = nn.Dense(1, dtype=self.dtype)(nn.leaky_relu(x, 0.2))
        return full_precision(x[:, 0])


def pixel_shuffle(x: Array) -> Array:
    """[B, H, W, 4C] to [B, 2H, 2W, C]: channel 4c + 2i + j goes to row i and column j.

    Shi et al. 2016 (arXiv 1609.05158), eq. 4, in PyTorch's order of channels.
    """
    b, h, w, c = x.shape
    x = x.reshape(b, h, w, c // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(b, 2 * h, 2 * w, c // 4)


def check_critic(shape: tuple[int, ...], levels: int) -> None:
    """Raises UserError if halvings leave less than a pixel."""
    if min(shape[:2]) < 2**levels:
        raise UserError(
            f"images of {shape[0]}x{shape[1]} cannot be halved {levels} times"
            f" (game.discriminator.levels): set at most {min(shape[:2]).bit_length() - 1}"
        )
