"""StyleGAN2's layers: the mapping from z to w, and convolutions whose inputs a style scales.

Karras et al. 2020 (arXiv 1912.04958), eq. 1 and 3, as in the code of Karras et al. 2020 (ADA,
arXiv 2006.06676): with a style s of w, and a kernel k [i, j, c, o],

    y_o = d_o sum_c (s_c x_c) * k_co,    d_o = (sum_ijc (s_c k_ijco)^2 + 1e-8)^(-1/2)

which is a convolution with each example's own kernel s k d, but runs as one convolution.
Equalised layers have a gain of 1; the sqrt 2 of LeakyReLU comes after it.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.model import Array
from gm_jax.nn.equalized import EqualizedDense, convolution, pixel_norm
from gm_jax.nn.filtering import convolution_up
from gm_jax.nn.layers import full_precision

MAPPING_RATE = 0.01  # of the mapping's layers, beside the other networks'


def activated(x: Array, gain: float = 1.0, clamp: float | None = None) -> Array:
    """gain sqrt 2 LeakyReLU(x), kept within gain `clamp`."""
    return clamped(nn.leaky_relu(x, 0.2) * (2.0**0.5 * gain), gain, clamp)


def clamped(x: Array, gain: float = 1.0, clamp: float | None = None) -> Array:
    """x, kept within gain `clamp` if there is a clamp."""
    return x if clamp is None else jnp.clip(x, -gain * clamp, gain * clamp)


class Mapping(nn.Module):
    """z [B, Z] and, if there are classes, label [B], to w [B, features]; without z of the label.

    layers   fully connected ones, with LeakyReLU
    classes  of labels; 0 for none
    """

    features: int
    layers: int = 8
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array | None, label: Array | None = None) -> Array:
        inputs = [] if z is None else [pixel_norm(z)]
        if self.classes:
            hot = jax.nn.one_hot(label, self.classes, dtype=self.dtype)
            embedded = EqualizedDense(self.features, dtype=self.dtype, name="embed")(hot)
            inputs.append(pixel_norm(embedded))
        x = jnp.concatenate(inputs, axis=-1)
        for number in range(self.layers):
            dense = EqualizedDense(
                self.features, rate=MAPPING_RATE, dtype=self.dtype, name=f"fc{number}"
            )
            x = activated(dense(x))
        return x


def truncated(w: Array, average: Array, psi: float, cutoff: int | None = None) -> Array:
    """w [B, layers, D] drawn towards the average w [D] in the first `cutoff` layers, or in all.

    psi 1 leaves w as it is, psi 0 gives the average.
    """
    layers = jnp.arange(w.shape[1])[:, None]
    near = average + psi * (w - average)
    return near if cutoff is None else jnp.where(layers < cutoff, near, w)


def mixed(coarse: Array, fine: Array, cut: Array) -> Array:
    """Styles [B, layers, D]: `coarse` in the layers before cut [B], `fine` from there on."""
    layers = jnp.arange(coarse.shape[1])[None, :, None]
    return jnp.where(layers < cut[:, None, None], coarse, fine)


def modulated(
    x: Array, kernel: Array, style: Array, convolve: Callable = convolution, demodulate: bool = True
) -> Array:
    """[B, H, W, C] with kernel [k, k, C, D] whose inputs style [B, C] scales: [B, H', W', D].

    convolve  (x, kernel) -> y, linear in each
    """
    y = convolve(x * style[:, None, None, :].astype(x.dtype), kernel.astype(x.dtype))
    if not demodulate:
        return y
    kernel, style = full_precision(kernel), full_precision(style)
    variance = style**2 @ jnp.sum(kernel**2, axis=(0, 1))
    return y * lax.rsqrt(variance + 1e-8)[:, None, None, :].astype(x.dtype)


class StyledConv(nn.Module):
    """(x [B, H, W, C], w [B, D], noise) to [B, H, W, features], or to twice the size.

    noise is [B or 1, H', W', 1] at the size of the output, or None for none.
    """

    features: int
    up: bool = False
    clamp: float | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, w: Array, noise: Array | None, gain: float = 1.0) -> Array:
        shape = 3, 3, x.shape[-1], self.features
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        strength = self.param("noise_strength", nn.initializers.zeros, ())
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        convolve = convolution_up if self.up else convolution
        y = modulated(x.astype(self.dtype), kernel, _style(self, x, w), convolve)
        if noise is not None:
            y = y + (noise * strength).astype(self.dtype)
        return activated(y + bias.astype(self.dtype), gain, self.clamp)


class ToRGB(nn.Module):
    """(x [B, H, W, C], w [B, D]) to an image [B, H, W, channels]: 1x1, not demodulated."""

    channels: int
    clamp: float | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, w: Array) -> Array:
        shape = 1, 1, x.shape[-1], self.channels
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        style = _style(self, x, w) * x.shape[-1] ** -0.5
        y = modulated(x.astype(self.dtype), kernel, style, demodulate=False)
        return full_precision(clamped(y + bias.astype(self.dtype), clamp=self.clamp))


def _style(layer: nn.Module, x: Array, w: Array) -> Array:
    """A factor for each channel of x, of w [B, D]: 1 at the mean."""
    wide = jnp.promote_types(layer.dtype, jnp.float32)
    return EqualizedDense(x.shape[-1], bias_init=1.0, dtype=wide, name="affine")(w)
