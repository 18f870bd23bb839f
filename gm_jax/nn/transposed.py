"""Transposed convolution whose gradients are those of the convolution it transposes.

Left to itself, JAX writes the kernel's gradient as a convolution dilated on both sides, which XLA
runs more than ten times slower on a CPU than the equal gradient of the strided convolution.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.model import Array


def _strided(y: Array, kernel: Array) -> Array:
    """[B, 2H, 2W, D] to [B, H, W, C] with kernel [4, 4, D, C]: each side halved."""
    return lax.conv_general_dilated(
        y, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@jax.custom_vjp
def transposed_convolution(x: Array, kernel: Array) -> Array:
    """[B, H, W, C] to [B, 2H, 2W, D] with kernel [4, 4, D, C]: the transpose of stride 2."""
    b, height, width, _ = x.shape
    y = jax.ShapeDtypeStruct((b, 2 * height, 2 * width, kernel.shape[2]), x.dtype)
    (output,) = jax.linear_transpose(lambda y: _strided(y, kernel), y)(x)
    return output


def _forward(x, kernel):
    return transposed_convolution(x, kernel), (x, kernel)


def _backward(saved, gradient):
    x, kernel = saved
    back, of_kernel = jax.vjp(lambda kernel: _strided(gradient, kernel), kernel)
    return back, *of_kernel(x)


transposed_convolution.defvjp(_forward, _backward)


class TransposedConv(nn.Module):
    """A 4x4 transposed convolution of stride 2: [B, H, W, C] to [B, 2H, 2W, features]."""

    features: int
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", self.kernel_init, (4, 4, self.features, x.shape[-1]))
        x = transposed_convolution(x.astype(self.dtype), kernel.astype(self.dtype))
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            x += bias.astype(self.dtype)
        return x
