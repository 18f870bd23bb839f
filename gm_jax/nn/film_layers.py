"""Layers along the time of a film, which make a network of images one of films (pseudo-3D).

Singer et al. 2022 (Make-A-Video, arXiv 2209.14792), section 3.2: a convolution along time after
each convolution of images, which begins as the identity; attention along time after each attention
of images, whose last layer begins at zero. So the network begins as that of images, frame by frame.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.attention import ZERO, Attention, Norm

KERNEL = 3  # frames


def along_time(x: Array, frames: int) -> Array:
    """Films x [B frames, H, W, C], each position's convolved over its frames; images as they are.

    For the inside of a compact method: the layer is its module's.
    """
    return TimeConv(frames, x.dtype)(x) if frames else x


def attention_along_time(x: Array, frames: int, heads: int) -> Array:
    """Films x [B frames, H, W, C], whose frames read one another; images as they are."""
    return TimeAttention(frames, heads, x.dtype)(x) if frames else x


class TimeConv(nn.Module):
    """A convolution over the frames of each position."""

    frames: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        conv = nn.Conv(x.shape[-1], (KERNEL,), kernel_init=identity, dtype=self.dtype)
        return images_of(conv(by_position(x, self.frames)), x.shape)


class TimeAttention(nn.Module):
    """x + attention(norm(x) + positions) over the frames of each position."""

    frames: int
    heads: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        h = by_position(Norm(self.dtype)(x), self.frames)
        positions = nn.Embed(self.frames, x.shape[-1], dtype=self.dtype)(jnp.arange(self.frames))
        h = (h + positions).reshape(-1, self.frames, x.shape[-1])
        return x + images_of(Attention(self.heads, self.dtype, ZERO)(h, h), x.shape)


def identity(key: Array, shape: tuple[int, int, int], dtype=jnp.float32) -> Array:
    """A kernel [k, C, C] that leaves a sequence as it is."""
    size, *channels = shape
    return jnp.zeros(shape, dtype).at[size // 2].set(jnp.eye(*channels, dtype=dtype))


def by_position(x: Array, frames: int) -> Array:
    """[B frames, H, W, C], film by film, to [B, H W, frames, C]."""
    _, height, width, channels = x.shape
    return x.reshape(-1, frames, height * width, channels).swapaxes(1, 2)


def images_of(h: Array, shape: tuple[int, ...]) -> Array:
    """The inverse of `by_position`, also of [B H W, frames, C], for images of this shape."""
    frames, channels = h.shape[-2:]
    return h.reshape(-1, shape[1] * shape[2], frames, channels).swapaxes(1, 2).reshape(shape)
