"""Layers, noise and precision: small parts that networks share.

Noise and dropout draw by one key per example, batch normalisation is over the global batch: so one
device and eight compute the same.
"""

import functools
from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import replicas
from gm_jax.model import Array
from gm_jax.settings import at_least, below

# Settings of many networks: a number of layers or features, a dropout rate.
Size = Annotated[int, at_least(1)]
Rate = Annotated[float, at_least(0.0), below(1.0)]


def full_precision(x: Array) -> Array:
    """float32, or wider if x is: the type of losses and statistics."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def product(x: Array, w: Array, dtype) -> Array:
    """x W, computed in `dtype`, as W's own type."""
    return (x.astype(dtype) @ w.astype(dtype)).astype(w.dtype)


def product_of_rows(x: Array, w: Array, dimension_numbers=None, precision=None) -> Array:
    """x [..., D] times w [D, E], with the arguments that linen's Dense gives.

    It is one product of matrices, and so is the gradient of w. Over several axes at once XLA takes
    two to three times as long for that on a CPU, and as a convolution of 1x1 up to ten times.
    """
    rows = lax.dot(x.reshape(-1, x.shape[-1]), w, precision=precision)
    return rows.reshape(*x.shape[:-1], w.shape[-1])


def _at_each_pixel(x, kernel, strides, padding, *, precision=None, **how):
    return product_of_rows(x, kernel[0, 0], precision=precision)


# linen's dense layer and its convolution of 1x1, with the gradients of `product_of_rows`.
Dense = functools.partial(nn.Dense, dot_general=product_of_rows)
Pointwise = functools.partial(nn.Conv, kernel_size=(1, 1), conv_general_dilated=_at_each_pixel)


def tied_logits(embedder: nn.Embed, h: Array) -> Array:
    """h [..., D] to logits [..., symbols] by the weights of an embedding, in float32 or wider."""
    return full_precision(embedder.attend(h.reshape(-1, h.shape[-1]))).reshape(*h.shape[:-1], -1)


def normalised(x: Array) -> Array:
    """Vectors [..., D] of length 1."""
    x = full_precision(x)
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def normal(keys: Array, shape: tuple[int, ...]) -> Array:
    """Standard normal noise [B, *shape] from one key per example (`example_keys`)."""
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys)


def uniform(keys: Array, shape: tuple[int, ...]) -> Array:
    """Noise from U[0, 1), [B, *shape], by one key per example."""
    return jax.vmap(lambda key: jax.random.uniform(key, shape))(keys)


def gumbel(keys: Array, shape: tuple[int, ...]) -> Array:
    """Standard Gumbel noise, [B, *shape], by one key per example."""
    return jax.vmap(lambda key: jax.random.gumbel(key, shape))(keys)


class Dropout(nn.Module):
    """Dropout by one key per example: an example drops the same units on any device.

    `keys` [B], or None to drop nothing. linen's own Dropout draws for a device's local batch.
    """

    rate: float

    @nn.compact
    def __call__(self, x: Array, keys: Array | None) -> Array:
        if keys is None or self.rate == 0.0:
            return x
        # A network has several dropouts: each folds in its path, as linen's make_rng does.
        keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, _number(self.path))
        keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1.0 - self.rate, x.shape[1:]))(keys)
        return jnp.where(keep, x / (1.0 - self.rate), 0.0).astype(x.dtype)


def _number(path: tuple[str, ...]) -> int:
    """A stable hash of a module's path; Python's hash differs from run to run."""
    number = 0
    for letter in "/".join(path).encode():
        number = (number * 31 + letter) % 2**31
    return number


NORMALIZATIONS = ("batch", "spectral", "none")  # of discriminators
MOMENTUM = 0.9  # of the running statistics of batch normalisation


def _scale_around_one(key, shape, dtype=jnp.float32):
    return 1.0 + nn.initializers.normal(0.02)(key, shape, dtype)


class BatchNorm(nn.Module):
    """Batch normalisation over the global batch, as one device would compute it.

    affine  whether a scale and a shift are learned
    """

    train: bool
    dtype: jnp.dtype = jnp.float32
    affine: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return nn.BatchNorm(
            use_running_average=not self.train,
            momentum=MOMENTUM,
            dtype=self.dtype,
            use_scale=self.affine,
            use_bias=self.affine,
            scale_init=_scale_around_one,
            axis_name=replicas.name(),
        )(x)


class GroupNorm(nn.Module):
    """Group normalisation of [B, H, W, C], as linen's; statistics are in float32, or wider.

    Wu & He 2018 (arXiv 1803.08494). Means are over positions first, then over a group's channels:
    so channels stay the innermost axis, and a CPU takes a third of the time.
    """

    groups: int
    epsilon: float = 1e-6
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        wide = full_precision(x)

        def of_group(x):
            """The mean of each example's groups, for each of their channels, [B, 1, 1, C]."""
            each = jnp.mean(x, axis=(1, 2)).reshape(len(x), self.groups, -1)
            mean = jnp.mean(each, axis=-1, keepdims=True)
            return jnp.broadcast_to(mean, each.shape).reshape(len(x), 1, 1, -1)

        mean = of_group(wide)
        variance = jnp.maximum(of_group(wide**2) - mean**2, 0.0)
        y = (wide - mean) * (lax.rsqrt(variance + self.epsilon) * scale) + bias
        return y.astype(self.dtype)


def instance_norm(x: Array, epsilon: float = 1e-5) -> Array:
    """Each channel of each example [B, H, W, C] with mean 0 and variance 1, in float32 within.

    Ulyanov et al. 2016 (arXiv 1607.08022), without scale and shift: the mean over positions of the
    squares, not the unbiased one. A map of one pixel becomes 0.
    """
    wide = full_precision(x)
    mean, variance = (f(wide, axis=(1, 2), keepdims=True) for f in (jnp.mean, jnp.var))
    return ((wide - mean) * lax.rsqrt(variance + epsilon)).astype(x.dtype)


def reflected(x: Array, count: int) -> Array:
    """[B, H, W, C] with `count` more pixels on all sides: those inside the border, mirrored."""
    return jnp.pad(x, ((0, 0), (count, count), (count, count), (0, 0)), mode="reflect")


def doubled(x: Array) -> Array:
    """[B, H, W, C] to [B, 2H, 2W, C], each pixel repeated."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def halved(x: Array) -> Array:
    """[B, H, W, C] to [B, H/2, W/2, C], the mean of each four pixels."""
    return nn.avg_pool(x, (2, 2), (2, 2))


def layer(module: nn.Module, spectral: bool, train: bool):
    """A layer as it is, or with its weights divided by their largest singular value.

    Miyato et al. 2018 (arXiv 1802.05957), algorithm 1: one step of power iteration per move; the
    vector that it reaches is state (`batch_stats`).
    """
    return functools.partial(nn.SpectralNorm(module), update_stats=train) if spectral else module
