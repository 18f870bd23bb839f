"""Attention within images, and of images to a context such as the words of a caption."""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.dot_product_attention import attend
from gm_jax.nn.layers import Dense, GroupNorm

ZERO = nn.initializers.zeros


class Norm(nn.Module):
    """Group normalisation: of `groups`, or, for 0, of at most 32 of at least four channels each."""

    dtype: jnp.dtype
    groups: int = 0
    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Array) -> Array:
        groups = self.groups or max(
            g for g in range(1, 33) if x.shape[-1] % g == 0 and x.shape[-1] // g >= 4
        )
        return GroupNorm(groups, self.epsilon, self.dtype)(x)


class SelfAttention(nn.Module):
    """x + attention(norm(x)) over all positions of [B, H, W, C].

    One dense layer makes queries, keys and values, head after head, as in guided-diffusion.
    """

    dtype: jnp.dtype
    heads: int = 1
    groups: int = 0
    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Array) -> Array:
        b, height, width, c = x.shape
        tokens = Norm(self.dtype, self.groups, self.epsilon)(x).reshape(b, height * width, 1, c)
        joint = Dense(3 * c, dtype=self.dtype)(tokens)
        q, k, v = jnp.split(joint.reshape(b, height * width, self.heads, -1), 3, axis=-1)
        mixed = attend(q, k, v).reshape(b, height, width, c)
        return x + Dense(c, kernel_init=ZERO, dtype=self.dtype)(mixed)


class Attention(nn.Module):
    """What x [B, N, C] reads of a context [B, M, D], to [B, N, C].

    last  initialiser of the output layer's weights
    bias  whether queries, keys and values have one
    """

    heads: int
    dtype: jnp.dtype
    last: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias: bool = False

    @nn.compact
    def __call__(self, x: Array, context: Array) -> Array:
        def heads_of(name, inputs):
            y = Dense(x.shape[-1], self.bias, dtype=self.dtype, name=name)(inputs)
            return y.reshape(*y.shape[:2], self.heads, -1)

        q, k, v = heads_of("q", x), heads_of("k", context), heads_of("v", context)
        mixed = attend(q, k, v).reshape(x.shape)
        return Dense(x.shape[-1], kernel_init=self.last, dtype=self.dtype, name="out")(mixed)


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention and a gated layer (GEGLU), each after a layer norm.

    Rombach et al. 2022 (arXiv 2112.10752), appendix E.2.1; Shazeer 2020 (arXiv 2002.05202).
    """

    heads: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, context: Array) -> Array:
        def norm(name):
            return nn.LayerNorm(1e-5, dtype=self.dtype, name=name)

        h = norm("self_norm")(x)
        x = x + Attention(self.heads, self.dtype, name="self_attention")(h, h)
        h = norm("cross_norm")(x)
        x = x + Attention(self.heads, self.dtype, name="cross_attention")(h, context)
        h = norm("gated_norm")(x)
        # One layer makes the values and, in its second half, the gates.
        h, gate = jnp.split(Dense(8 * x.shape[-1], dtype=self.dtype, name="up")(h), 2, axis=-1)
        h = h * nn.gelu(gate, approximate=False)
        return x + Dense(x.shape[-1], dtype=self.dtype, name="down")(h)


class SpatialTransformer(nn.Module):
    """x + transformer blocks over all positions of [B, H, W, C], which read a context [B, M, D].

    The dense layers around the blocks are 1x1 convolutions in some published networks.
    """

    blocks: int
    heads: int
    groups: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, context: Array) -> Array:
        b, height, width, c = x.shape
        # 1e-6 in every published network, whatever its other norms have.
        h = Norm(self.dtype, self.groups, 1e-6, name="norm")(x).reshape(b, height * width, c)
        h = Dense(c, dtype=self.dtype, name="enter")(h)
        for number in range(self.blocks):
            h = TransformerBlock(self.heads, self.dtype, name=f"block_{number}")(h, context)
        h = Dense(c, kernel_init=ZERO, dtype=self.dtype, name="leave")(h)
        return x + h.reshape(x.shape)
