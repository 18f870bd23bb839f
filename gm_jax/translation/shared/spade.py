"""SPADE's networks: a generator whose norms are modulated by a label map, and a style encoder.

Park et al. 2019 (arXiv 1903.07291), appendix A, as in the authors' code. No convolution has a bias
that a norm would undo.
"""

import functools
from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import BatchNorm, Size, doubled, full_precision, instance_norm, layer
from gm_jax.settings import at_least, one_of

# Glorot & Bengio's, normal, with a gain of 0.02.
WEIGHTS = nn.initializers.variance_scaling(0.02**2, "fan_avg", "normal")
NORMS = ("batch", "instance")


class SPADE(nn.Module):
    """Maps [B, h, w, C], normalised, then scaled and shifted by a label map [B, H, W, L], eq. 1.

    x (1 + gamma(m)) + beta(m), m resized by taking the nearest label.
    """

    hidden: int
    normalization: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, m: Array, train: bool) -> Array:
        def conv(x, features):
            return nn.Conv(features, (3, 3), kernel_init=WEIGHTS, dtype=self.dtype)(x)

        h = nn.relu(conv(nearest(m, x.shape[1]), self.hidden))
        gamma, beta = conv(h, x.shape[-1]), conv(h, x.shape[-1])
        batch = self.normalization == "batch"
        x = BatchNorm(train, self.dtype, affine=False)(x) if batch else instance_norm(x)
        return x * (1.0 + gamma) + beta


class Block(nn.Module):
    """Maps [B, h, w, C] and a label map to [B, h, w, features], with a skip; figure 4.

    bias  whether the last convolution has one: if no norm of the next block undoes it
    """

    features: int
    hidden: int
    normalization: str
    bias: bool
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, m: Array, train: bool) -> Array:
        def normed(x):
            return SPADE(self.hidden, self.normalization, self.dtype)(x, m, train)

        def conv(x, features, size, bias=False):
            module = nn.Conv(
                features, (size, size), use_bias=bias, kernel_init=WEIGHTS, dtype=self.dtype
            )
            return layer(module, True, train)(x)

        leaky = functools.partial(nn.leaky_relu, negative_slope=0.2)
        h = conv(leaky(normed(x)), min(x.shape[-1], self.features), 3)
        h = conv(leaky(normed(h)), self.features, 3, self.bias)
        return h + (x if x.shape[-1] == self.features else conv(normed(x), self.features, 1))


class Generator(nn.Module):
    """Label map [B, H, W, L] and style [B, Z] (or None) to an image [B, H, W, features].

    width          channels of the last map; each halving doubles them
    levels         doublings from the first map
    hidden         channels between a label map and the scales and shifts made of it
    normalization  of maps, before they are scaled and shifted
    """

    features: int
    width: Size = 64
    levels: Annotated[int, at_least(2)] = 5
    hidden: Size = 128
    normalization: Annotated[str, one_of(NORMS)] = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, m: Array, z: Array | None, train: bool) -> Array:
        def block(x, features, bias=False):
            module = Block(features, self.hidden, self.normalization, bias, self.dtype)
            return module(x, m, train)

        sides, top = (
            [s // 2**self.levels for s in m.shape[1:3]],
            self.width * 2 ** (self.levels - 1),
        )
        conv = functools.partial(nn.Conv, kernel_size=(3, 3), kernel_init=WEIGHTS, dtype=self.dtype)
        if z is None:
            x = conv(top, use_bias=False)(nearest(m, sides[0]))
        else:
            x = nn.Dense(sides[0] * sides[1] * top, kernel_init=WEIGHTS, dtype=self.dtype)(z)
            x = x.reshape(-1, *sides, top)
        x = doubled(block(x, top))
        x = block(block(x, top), top)
        for level in reversed(range(self.levels - 1)):
            x = block(doubled(x), self.width * 2**level, bias=level == 0)
        return jnp.tanh(full_precision(conv(self.features)(nn.leaky_relu(x, 0.2))))


class Encoder(nn.Module):
    """Image [B, H, W, C] to mean and log-variance of its style, [B, size] each.

    size    numbers of a style
    width   channels of the first map; they double up to eight times as many
    levels  halvings
    """

    size: Size = 256
    width: Size = 64
    levels: Size = 6
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> tuple[Array, Array]:
        for level in range(self.levels):
            module = nn.Conv(
                self.width * min(2**level, 8), (3, 3), 2, padding=1, use_bias=False,
                kernel_init=WEIGHTS, dtype=self.dtype,
            )  # fmt: skip
            x = nn.leaky_relu(instance_norm(layer(module, True, train)(x)), 0.2)
        dense = functools.partial(nn.Dense, self.size, kernel_init=WEIGHTS, dtype=self.dtype)
        x = x.reshape(len(x), -1)
        return full_precision(dense()(x)), full_precision(dense()(x))


def nearest(m: Array, height: int) -> Array:
    """A map [B, H, W, L] of `height` rows: of each square the value at its upper left."""
    factor = m.shape[1] // height
    return m[:, ::factor, ::factor]


def edges(instance: Array) -> Array:
    """Where one of the four neighbours is of another object [B, H, W], as numbers 0 and 1."""
    down, right = instance[:, 1:] != instance[:, :-1], instance[:, :, 1:] != instance[:, :, :-1]
    sides = (
        jnp.pad(down, ((0, 0), (1, 0), (0, 0))) | jnp.pad(down, ((0, 0), (0, 1), (0, 0))),
        jnp.pad(right, ((0, 0), (0, 0), (1, 0))) | jnp.pad(right, ((0, 0), (0, 0), (0, 1))),
    )
    return (sides[0] | sides[1]).astype(jnp.float32)


def check_sides(shape: tuple[int, ...], levels: int, name: str) -> None:
    """Raises UserError if an image cannot be halved so often."""
    if any(side % 2**levels for side in shape[:2]):
        raise UserError(
            f"images of {shape[0]}x{shape[1]} cannot be halved {levels} times ({name}.levels): set"
            f" data.size to a multiple of {2**levels}"
        )
