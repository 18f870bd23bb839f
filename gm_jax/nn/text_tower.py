"""CLIP's text transformer, the text encoder of Stable Diffusion.

Radford et al. 2021 (arXiv 2103.00020), section 2.4: causal attention, layer normalisation before
each branch and after the last, and one vector for a text at the position of its end. There is no
mask over the padding: it is read like words. The parts are named as in published files.
"""

from typing import Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import Size, attend
from gm_jax.settings import at_least, one_of

EPSILON = 1e-5  # of layer normalisation; Flax's own default is 1e-6


def quick_gelu(x: Array) -> Array:
    """x sigmoid(1.702 x), as CLIP was trained with."""
    return x * jax.nn.sigmoid(1.702 * x)


def gelu(x: Array) -> Array:
    """x times the Gaussian distribution function of x, exactly; OpenCLIP's."""
    return nn.gelu(x, approximate=False)


ACTIVATIONS = {"quick_gelu": quick_gelu, "gelu": gelu}


class TextFeatures(NamedTuple):
    """What a text tower says of texts.

    tokens  [B, T, width], normalised: a U-Net's context
    pooled  [B, width] at the text's end, after all blocks, or [B, projection]
    hidden  states before the first and after each block, [B, T, width] each
    """

    tokens: Array
    pooled: Array
    hidden: tuple[Array, ...]


class SelfAttention(nn.Module):
    """Causal attention of x [B, T, C] to itself."""

    heads: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def heads_of(name):
            y = nn.Dense(x.shape[-1], dtype=self.dtype, name=name)(x)
            return y.reshape(*x.shape[:2], self.heads, -1)

        mixed = attend(*map(heads_of, ("q_proj", "k_proj", "v_proj")), causal=True)
        return nn.Dense(x.shape[-1], dtype=self.dtype, name="out_proj")(mixed.reshape(x.shape))


class MLP(nn.Module):
    """Two dense layers."""

    hidden: int
    activation: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        h = ACTIVATIONS[self.activation](nn.Dense(self.hidden, dtype=self.dtype, name="fc1")(x))
        return nn.Dense(x.shape[-1], dtype=self.dtype, name="fc2")(h)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    heads: int
    hidden: int
    activation: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        h = nn.LayerNorm(EPSILON, dtype=self.dtype, name="layer_norm1")(x)
        x = x + SelfAttention(self.heads, self.dtype, name="self_attn")(h)
        h = nn.LayerNorm(EPSILON, dtype=self.dtype, name="layer_norm2")(x)
        return x + MLP(self.hidden, self.activation, self.dtype, name="mlp")(h)


class Embeddings(nn.Module):
    """Symbols [B, T] and their positions to [B, T, width]."""

    symbols: int
    length: int
    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, ids: Array) -> Array:
        def embed(count, name):
            init = nn.initializers.normal(0.02)
            return nn.Embed(count, self.width, self.dtype, embedding_init=init, name=name)

        positions = embed(self.length, "position_embedding")(jnp.arange(ids.shape[1]))
        return embed(self.symbols, "token_embedding")(ids) + positions


class Encoder(nn.Module):
    """Blocks one after the other; returns the states before and after each."""

    layers: int
    heads: int
    hidden: int
    activation: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, ...]:
        states = [x]
        for number in range(self.layers):
            block = Block(
                self.heads, self.hidden, self.activation, self.dtype, name=f"layers_{number}"
            )
            states.append(block(states[-1]))
        return tuple(states)


class TextTower(nn.Module):
    """Texts as symbols [B, T <= length] to `TextFeatures`.

    symbols     in the vocabulary
    end         the symbol that ends a text; whatever follows its first occurrence is padding
    length      positions
    width       features of a position
    layers      blocks
    heads       of attention; they divide the width
    hidden      features within a block's MLP
    activation  quick_gelu (CLIP) or gelu (OpenCLIP)
    projection  features of the pooled vector; 0 leaves it as it is
    """

    symbols: int
    end: int
    length: Size = 77
    width: Size = 768
    layers: Size = 12
    heads: Size = 12
    hidden: Size = 3072
    activation: Annotated[str, one_of(ACTIVATIONS)] = "quick_gelu"
    projection: Annotated[int, at_least(0)] = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, ids: Array, skip: int = 0) -> TextFeatures:
        """skip  how many of the last blocks `tokens` leaves out ("clip skip")."""
        x = Embeddings(self.symbols, self.length, self.width, self.dtype, name="embeddings")(ids)
        encoder = Encoder(
            self.layers, self.heads, self.hidden, self.activation, self.dtype, name="encoder"
        )
        norm = nn.LayerNorm(EPSILON, dtype=self.dtype, name="final_layer_norm")
        hidden = encoder(x)
        # The first end: the padding may be the same symbol.
        end = jnp.argmax(ids == self.end, axis=1)
        pooled = jnp.take_along_axis(norm(hidden[-1]), end[:, None, None], axis=1)[:, 0]
        if self.projection:
            project = nn.Dense(
                self.projection, use_bias=False, dtype=self.dtype, name="text_projection"
            )
            pooled = project(pooled)
        return TextFeatures(norm(hidden[-1 - skip]), pooled, hidden)
