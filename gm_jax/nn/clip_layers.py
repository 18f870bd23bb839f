"""The blocks of CLIP's transformers, of texts and of images.

Radford et al. 2021 (arXiv 2103.00020), section 2.4: layer normalisation before each branch. The
parts are named as in published files; initial values are those of the authors' code.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.dot_product_attention import attend
from gm_jax.nn.layers import Dense

EPSILON = 1e-5  # of layer normalisation; Flax's own default is 1e-6


def quick_gelu(x: Array) -> Array:
    """x sigmoid(1.702 x), as CLIP was trained with."""
    return x * jax.nn.sigmoid(1.702 * x)


def gelu(x: Array) -> Array:
    """x times the Gaussian distribution function of x, exactly; OpenCLIP's."""
    return nn.gelu(x, approximate=False)


ACTIVATIONS = {"quick_gelu": quick_gelu, "gelu": gelu}


class SelfAttention(nn.Module):
    """Attention of x [B, T, C] to itself; `out` is the deviation of the output's weights."""

    heads: int
    causal: bool
    out: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]

        def dense(name, deviation):
            init = nn.initializers.normal(deviation)
            return Dense(width, kernel_init=init, dtype=self.dtype, name=name)

        def heads_of(name):
            return dense(name, width**-0.5)(x).reshape(*x.shape[:2], self.heads, -1)

        mixed = attend(*map(heads_of, ("q_proj", "k_proj", "v_proj")), causal=self.causal)
        return dense("out_proj", self.out)(mixed.reshape(x.shape))


class MLP(nn.Module):
    """Two dense layers; `out` is the deviation of the second one's weights."""

    hidden: int
    activation: str
    out: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def dense(features, name, deviation):
            init = nn.initializers.normal(deviation)
            return Dense(features, kernel_init=init, dtype=self.dtype, name=name)

        h = dense(self.hidden, "fc1", (2 * x.shape[-1]) ** -0.5)(x)
        return dense(x.shape[-1], "fc2", self.out)(ACTIVATIONS[self.activation](h))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    heads: int
    hidden: int
    activation: str
    causal: bool
    out: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        h = nn.LayerNorm(EPSILON, dtype=self.dtype, name="layer_norm1")(x)
        x = x + SelfAttention(self.heads, self.causal, self.out, self.dtype, name="self_attn")(h)
        h = nn.LayerNorm(EPSILON, dtype=self.dtype, name="layer_norm2")(x)
        return x + MLP(self.hidden, self.activation, self.out, self.dtype, name="mlp")(h)


class Encoder(nn.Module):
    """Blocks one after the other on x [B, T, C]; returns the states before and after each."""

    layers: int
    heads: int
    hidden: int
    activation: str
    causal: bool
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, ...]:
        # So that the sum of all branches keeps its variance.
        out = x.shape[-1] ** -0.5 * (2 * self.layers) ** -0.5
        states = [x]
        for number in range(self.layers):
            block = Block(
                self.heads, self.hidden, self.activation, self.causal, out, self.dtype,
                name=f"layers_{number}",
            )  # fmt: skip
            states.append(block(states[-1]))
        return tuple(states)
