"""Convolutions of stride 2 and their transposes, with gradients that are fast twice.

JAX's gradient of either is the other with zeros between the entries, and the gradient of that, as
in a loss of gradients, is dilated on both sides: XLA runs it more than ten times slower on a CPU.
Here each has the other as its gradient, at any order.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.model import Array


def _strided(x: Array, kernel: Array, padding: int | None) -> Array:
    pads = "SAME" if padding is None else [(padding, padding)] * 2
    return lax.conv_general_dilated(
        x, kernel, (2, 2), pads, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def strided_convolution(x: Array, kernel: Array, padding: int | None = None) -> Array:
    """[B, H, W, C] to [B, H', W', D] with kernel [k, k, C, D] and stride 2.

    padding  of both ends of a side; None for "SAME"
    """
    return _strided(x, kernel, padding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def transposed_convolution(
    x: Array, kernel: Array, sides: tuple[int, int], padding: int | None = None
) -> Array:
    """[B, H, W, C] to [B, *sides, D] with kernel [k, k, D, C]: the transpose of stride 2.

    `sides` are 2H and 2W, or one less if the halved image had an odd side. The convolution that it
    transposes pads both ends of a side by `padding`, or as "SAME" does.
    """
    y = jax.ShapeDtypeStruct((len(x), *sides, kernel.shape[2]), x.dtype)
    (output,) = jax.linear_transpose(lambda y: _strided(y, kernel, padding), y)(x)
    return output


def _gradient_of_kernel(x, kernel, padding, dy):
    (gradient,) = jax.vjp(lambda kernel: _strided(x, kernel, padding), kernel)[1](dy)
    return gradient


def _strided_backward(padding, saved, dy):
    x, kernel = saved
    back = transposed_convolution(dy, kernel, x.shape[1:3], padding)
    return back, _gradient_of_kernel(x, kernel, padding, dy)


def _transposed_backward(sides, padding, saved, dy):
    x, kernel = saved
    back = strided_convolution(dy, kernel, padding)
    return back, _gradient_of_kernel(dy, kernel, padding, x)


strided_convolution.defvjp(
    lambda x, kernel, *how: (strided_convolution(x, kernel, *how), (x, kernel)),
    _strided_backward,
)
transposed_convolution.defvjp(
    lambda x, kernel, *how: (transposed_convolution(x, kernel, *how), (x, kernel)),
    _transposed_backward,
)


def _of_linen(x, kernel, strides, padding, **how):
    return strided_convolution(x, kernel, None if padding == "SAME" else padding[0][0])


# linen's convolution of stride 2 with the gradients of `strided_convolution`, for critics.
StridedConv = functools.partial(nn.Conv, strides=2, conv_general_dilated=_of_linen)


class TransposedConv(nn.Module):
    """A transposed convolution of stride 2: [B, H, W, C] to [B, *sides, features].

    size     of the kernel
    sides    2H and 2W, or one less if the halved image had an odd side; None for 2H and 2W
    padding  of both ends of a side by the convolution that it transposes (of 3x3, 1 is PyTorch's
             with output_padding 1); None for "SAME", which is the same of 4x4 and 1
    """

    features: int
    size: int = 4
    sides: tuple[int, int] | None = None
    padding: int | None = None
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = self.size, self.size, self.features, x.shape[-1]
        kernel = self.param("kernel", self.kernel_init, shape)
        sides = self.sides or (2 * x.shape[1], 2 * x.shape[2])
        x = transposed_convolution(
            x.astype(self.dtype), kernel.astype(self.dtype), sides, self.padding
        )
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            x += bias.astype(self.dtype)
        return x
