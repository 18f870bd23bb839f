"""Multilayer perceptrons between images and vectors."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.common import full_precision


class MLP(nn.Module):
    """Dense layers of `widths` with `activation` between them and after the last, then `features`.

    Takes any [B, ...] and flattens it; returns [B, features].
    """

    features: int
    widths: tuple[int, ...] = (500, 500)
    activation: Callable = nn.relu
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = x.reshape(x.shape[0], -1)
        for width in self.widths:
            x = self.activation(nn.Dense(width, dtype=self.dtype)(x))
        return full_precision(nn.Dense(self.features, dtype=self.dtype)(x))


class ImageMLP(nn.Module):
    """A vector [B, D] to an image [B, *shape] of unbounded values."""

    shape: tuple[int, ...]
    widths: tuple[int, ...] = (500, 500)
    activation: Callable = nn.relu
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        mlp = MLP(math.prod(self.shape), self.widths, self.activation, self.dtype)
        return mlp(z).reshape(z.shape[0], *self.shape)
