"""Encoders of images to vectors, and their decoders: multilayer perceptrons and convolutions."""

import math
from collections.abc import Callable
from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import full_precision
from gm_jax.nn.strides import TransposedConv
from gm_jax.settings import at_least, one_of, schema


class MLP(nn.Module):
    """Dense layers of `widths`, each followed by `activation`, then one of `features`.

    Takes any [B, ...] and flattens it; returns [B, features].
    """

    features: int
    widths: tuple[int, ...] = (500, 500)
    activation: Callable = nn.relu
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.linear.default_kernel_init

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def dense(width):
            return nn.Dense(width, kernel_init=self.kernel_init, dtype=self.dtype)

        x = x.reshape(x.shape[0], -1)
        for width in self.widths:
            x = self.activation(dense(width)(x))
        return full_precision(dense(self.features)(x))


class ImageMLP(nn.Module):
    """A vector [B, D] to an image [B, *shape] of unbounded values."""

    shape: tuple[int, ...]
    widths: tuple[int, ...] = (500, 500)
    activation: Callable = nn.relu
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.linear.default_kernel_init

    @nn.compact
    def __call__(self, z: Array) -> Array:
        features = math.prod(self.shape)
        mlp = MLP(features, self.widths, self.activation, self.dtype, self.kernel_init)
        return mlp(z).reshape(z.shape[0], *self.shape)


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

    `widths` are the encoder's, in reverse; each map is cut to its size in the encoder.
    """

    shape: tuple[int, int, int]
    widths: tuple[int, ...] = (32, 64)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        *sides, (height, width) = halvings(self.shape, self.widths)
        x = nn.relu(nn.Dense(256, dtype=self.dtype)(z))
        x = nn.relu(nn.Dense(height * width * self.widths[-1], dtype=self.dtype)(x))
        x = x.reshape(-1, height, width, self.widths[-1])
        return full_precision(_grown(x, sides, self.widths, self.shape[-1], self.dtype))


class GridEncoder(nn.Module):
    """Image [B, H, W, C] to a grid of codes, flattened: [B, features].

    For each width a strided 3x3 convolution and one without stride, then one whose positions share
    out the features. Raises UserError if they cannot.
    """

    features: int
    widths: tuple[int, ...] = (32,)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for width in self.widths:
            x = nn.relu(nn.Conv(width, (3, 3), strides=2, dtype=self.dtype)(x))
            x = nn.relu(nn.Conv(width, (3, 3), dtype=self.dtype)(x))
        channels = _channels(self.features, x.shape[1:3])
        x = nn.Conv(channels, (3, 3), dtype=self.dtype)(x)
        return full_precision(x.reshape(x.shape[0], -1))


class GridDecoder(nn.Module):
    """The mirror image: a flattened grid of codes [B, D] to an image [B, *shape].

    `widths` are the encoder's. No layer joins all positions, so a code says what is near it.
    """

    shape: tuple[int, int, int]
    widths: tuple[int, ...] = (32,)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        *sides, grid = halvings(self.shape, self.widths)
        x = z.reshape(-1, *grid, _channels(z.shape[-1], grid))
        x = nn.relu(nn.Conv(self.widths[-1], (3, 3), dtype=self.dtype)(x))

        def refined(x):
            return nn.relu(nn.Conv(x.shape[-1], (3, 3), dtype=self.dtype)(x))

        return full_precision(_grown(x, sides, self.widths, self.shape[-1], self.dtype, refined))


def halvings(shape: tuple[int, ...], widths: tuple[int, ...]) -> list[tuple[int, int]]:
    """Height and width of an image, and after each of so many strided layers."""
    sides = [shape[:2]]
    for _ in widths:
        sides.append(tuple(-(-side // 2) for side in sides[-1]))
    return sides


def _grown(x: Array, sides: list, widths: tuple, channels: int, dtype, before=lambda x: x) -> Array:
    """Transposed convolutions, each after `before`, back through the widths to an image: a part of
    a module's call."""
    for features in (*widths[-2::-1], channels):
        height, width = sides.pop()
        x = TransposedConv(features, dtype=dtype)(before(x))[:, :height, :width]
        x = nn.relu(x) if sides else x
    return x


def _channels(numbers: int, grid: tuple[int, int]) -> int:
    """How many of a code's numbers each position has. Raises UserError if it is not whole."""
    positions = math.prod(grid)
    if numbers % positions:
        raise UserError(
            f"network grid shares out a code of {numbers} numbers over {grid[0]}x{grid[1]}"
            f" positions: choose latents that {positions} divides"
        )
    return numbers // positions


PAIRS = {
    "mlp": (MLP, ImageMLP),
    "conv": (ConvEncoder, ConvDecoder),
    "grid": (GridEncoder, GridDecoder),
}


@schema
class Pair:
    """An encoder of images to vectors, and its decoder.

    name    dense layers (mlp), convolutions and then a dense layer (conv), or convolutions alone,
            whose code is a grid (grid)
    widths  units or channels of the hidden layers, in the order of the encoder
    """

    name: Annotated[str, one_of(PAIRS)] = "mlp"
    widths: tuple[Annotated[int, at_least(1)], ...] = (500, 500)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.name != "mlp" and not self.widths:
            yield f"{self.name} needs at least one of widths"


def pair(settings: Pair, outputs: int, shape: tuple[int, ...], dtype: str):
    """The encoder of images [B, *shape] to [B, outputs], and the decoder of vectors to images."""
    encoder, decoder = PAIRS[settings.name]
    dtype = jnp.dtype(dtype)
    return (
        encoder(outputs, settings.widths, dtype=dtype),
        decoder(shape, settings.widths, dtype=dtype),
    )
