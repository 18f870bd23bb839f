"""CLIP's text transformer, the text encoder of Stable Diffusion.

Radford et al. 2021 (arXiv 2103.00020), section 2.4: causal attention, layer normalisation before
each branch and after the last, and one vector for a text at the position of its end. There is no
mask over the padding: it is read like words. The parts are named as in published files.
"""

from typing import Annotated, NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.clip_layers import ACTIVATIONS, EPSILON, Encoder
from gm_jax.nn.layers import Size
from gm_jax.settings import at_least, one_of


class TextFeatures(NamedTuple):
    """What a text tower says of texts.

    tokens  [B, T, width], normalised: a U-Net's context
    pooled  [B, width] at the text's end, after all blocks, or [B, projection]
    hidden  states before the first and after each block, [B, T, width] each
    """

    tokens: Array
    pooled: Array
    hidden: tuple[Array, ...]


class Embeddings(nn.Module):
    """Symbols [B, T] and their positions to [B, T, width]."""

    symbols: int
    length: int
    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, ids: Array) -> Array:
        def embed(count, name, deviation):
            init = nn.initializers.normal(deviation)
            return nn.Embed(count, self.width, self.dtype, embedding_init=init, name=name)

        positions = embed(self.length, "position_embedding", 0.01)(jnp.arange(ids.shape[1]))
        return embed(self.symbols, "token_embedding", 0.02)(ids) + positions


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
    causal      whether a symbol is read without those after it
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
    causal: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, ids: Array, skip: int = 0) -> TextFeatures:
        """skip  how many of the last blocks `tokens` leaves out ("clip skip")."""
        x = Embeddings(self.symbols, self.length, self.width, self.dtype, name="embeddings")(ids)
        encoder = Encoder(
            self.layers, self.heads, self.hidden, self.activation, self.causal, self.dtype,
            name="encoder",
        )  # fmt: skip
        norm = nn.LayerNorm(EPSILON, dtype=self.dtype, name="final_layer_norm")
        hidden = encoder(x)
        # The first end: the padding may be the same symbol.
        end = jnp.argmax(ids == self.end, axis=1)
        pooled = jnp.take_along_axis(norm(hidden[-1]), end[:, None, None], axis=1)[:, 0]
        if self.projection:
            init = nn.initializers.normal(self.width**-0.5)
            project = nn.Dense(
                self.projection, False, self.dtype, kernel_init=init, name="text_projection"
            )
            pooled = project(pooled)
        return TextFeatures(norm(hidden[-1 - skip]), pooled, hidden)
