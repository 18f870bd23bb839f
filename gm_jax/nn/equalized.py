"""Equalised layers, and what goes with them in ProGAN and StyleGAN.

Karras et al. 2018 (Progressive Growing of GANs, arXiv 1710.10196), 3 and 4; Karras et al. 2019
(StyleGAN, arXiv 1812.04948), appendix C, for the rate m:

    w ~ N(0, 1/m^2),    y = (w c m) x + b m,    c = gain / sqrt(fan_in)

All weights then have one scale, and Adam moves each at run time by lr c m: at the same speed
relative to its own deviation, and m times as fast.
"""

import math
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from gm_jax import replicas
from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import full_precision


class EqualizedDense(nn.Module):
    """[..., C] to [..., features].

    gain       c = gain / sqrt(C); sqrt 2 before a LeakyReLU that has no gain of its own
    rate       m, the multiplier of the learning rate
    bias_init  of every entry of the bias
    """

    features: int
    gain: float = 1.0
    rate: float = 1.0
    use_bias: bool = True
    bias_init: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = x.shape[-1], self.features
        y = x.astype(self.dtype) @ _kernel(self, shape)
        return y + _bias(self) if self.use_bias else y


def convolution(x: Array, kernel: Array) -> Array:
    """[B, H, W, C] with kernel [k, k, C, D] and zeros around: correlation, as in networks."""
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


class EqualizedConv(nn.Module):
    """[B, H, W, C] to [B, H', W', features]; the fan-in is size^2 C.

    size      of the kernel, square
    convolve  (x, kernel [size, size, C, features]) -> y: how the kernel is used; by default with
              stride 1, and zeros around
    """

    features: int
    size: int = 3
    gain: float = 1.0
    rate: float = 1.0
    use_bias: bool = True
    bias_init: float = 0.0
    dtype: jnp.dtype = jnp.float32
    convolve: Callable[[Array, Array], Array] = convolution

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = self.size, self.size, x.shape[-1], self.features
        y = self.convolve(x.astype(self.dtype), _kernel(self, shape))
        return y + _bias(self) if self.use_bias else y


def _kernel(layer: nn.Module, shape: tuple[int, ...]) -> Array:
    """A layer's kernel [..., C, D] as it is used."""
    *inputs, _ = shape
    scale = layer.gain * layer.rate * math.prod(inputs) ** -0.5
    kernel = layer.param("kernel", nn.initializers.normal(1.0 / layer.rate), shape)
    return (kernel * scale).astype(layer.dtype)


def _bias(layer: nn.Module) -> Array:
    constant = nn.initializers.constant(layer.bias_init)
    bias = layer.param("bias", constant, (layer.features,))
    return (bias * layer.rate).astype(layer.dtype)


def pixel_norm(x: Array, epsilon: float = 1e-8) -> Array:
    """x / sqrt(mean_C x^2 + epsilon) of [..., C]: each pixel's vector with a mean square of 1."""
    wide = full_precision(x)
    square = jnp.mean(wide**2, axis=-1, keepdims=True)
    return (wide * lax.rsqrt(square + epsilon)).astype(x.dtype)


def minibatch_deviation(x: Array, group: int = 4, channels: int = 1) -> Array:
    """How much the examples of a group differ, [B, H, W, channels], of maps [B, H, W, C].

    Of N examples of the global batch, i, i + N/G, i + 2N/G, ... are a group (G = group, N if that
    is less, or 0). Each feature's deviation within the group (of the mean, not N - 1) is averaged
    over the pixels and over C / channels features; all members see the same planes.

    Raises UserError if the groups do not divide the batch.
    """
    count, own = len(x) * replicas.size(), full_precision(x)
    members = min(group, count) or count
    if count % members:
        raise UserError(
            f"a batch of {count} does not divide into groups of {members}, whose deviation the"
            " discriminator sees: change batch_size or the size of the groups"
        )
    every = replicas.gather(own)
    every = every.reshape(members, count // members, *x.shape[1:3], channels, -1)
    variance = jnp.mean((every - jnp.mean(every, axis=0)) ** 2, axis=0)
    deviation = jnp.mean(jnp.sqrt(variance + 1e-8), axis=(1, 2, 4))
    planes = jnp.tile(deviation, (members, 1))
    if replicas.name():
        planes = lax.dynamic_slice_in_dim(planes, lax.axis_index(replicas.NAME) * len(x), len(x))
    planes = jnp.broadcast_to(planes[:, None, None, :], (*x.shape[:3], channels))
    return planes.astype(x.dtype)
