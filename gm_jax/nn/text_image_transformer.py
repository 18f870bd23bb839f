"""A causal transformer over a text and the codes of an image after it.

Ramesh et al. 2021 (DALL-E, arXiv 2102.12092), section 2.2 and appendix B: one table of symbols, of
words, of a padding of its own for each position of the text, and of codes; positions of the text,
rows and columns of the image; each layer reads earlier codes by a table of its own.
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from gm_jax.model import Array
from gm_jax.nn import attention_masks
from gm_jax.nn.attention_masks import MASKS
from gm_jax.nn.layers import Dropout, Rate, Size, tied_logits
from gm_jax.nn.transformer import WEIGHTS, Block
from gm_jax.settings import Rule, at_least, one_of, part_of, schema

NEVER = -1e9  # logit of what cannot follow; finite, so that differences of two are numbers
Kernel = Annotated[
    int, at_least(1), Rule(lambda value: "" if value % 2 else "must be odd: it has a middle")
]
Names = tuple[Annotated[str, one_of(MASKS)], ...]


class TextImageTransformer(nn.Module):
    """Symbols x [B, L + N] to logits [B, L + N, symbols] of each given those before it.

    The first L are a text's, 0 <= x < words, 0 for padding; then come N codes in rows, counted from
    words + L. Symbols words .. words + L - 1 are paddings: of position p, words + p.

    words      of the vocabulary
    length     L
    codes      values of a code
    grid       rows and columns of an image's codes
    width      features of a position
    layers     blocks
    heads      of attention; they divide the width
    attention  what the codes read in each layer: full, row, column or convolution; () for columns
               in every fourth layer, a convolution in the last, and rows in the others
    kernel     side of the convolutions' squares
    dropout    rate, of the embedding and of both branches, not of attention weights
    bias       whether layers and norms have one
    """

    words: int
    length: int
    codes: int
    grid: tuple[int, int]
    width: Size = 128
    layers: Size = 6
    heads: Size = 4
    attention: Names = ()
    kernel: Kernel = 11
    dropout: Rate = 0.0
    bias: bool = True
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        def embed(count):
            return nn.Embed(count, self.width, embedding_init=WEIGHTS, dtype=self.dtype)

        self.tokens, self.starts = embed(self.first_code + self.codes), embed(1)
        self.text_positions, self.rows, self.columns = map(embed, (self.length, *self.grid))
        self.dropped = Dropout(self.dropout)
        self.blocks = [
            Block(self.width, self.heads, self.layers, self.dropout, self.bias, self.dtype)
            for _ in range(self.layers)
        ]
        self.norm = nn.LayerNorm(use_bias=self.bias, dtype=self.dtype)

    def __call__(self, x: Array, condition=None, keys: Array | None = None) -> Array:
        known = self.tokens(self._own(x[:, :-1], jnp.arange(x.shape[1] - 1)))
        start = jnp.broadcast_to(self.starts.embedding, (len(x), 1, self.width))
        h = jnp.concatenate([start.astype(self.dtype), known], axis=1) + self._positions()
        h = self.dropped(h, keys)
        for block, seen in zip(self.blocks, self._tables(), strict=True):
            h = block(h, keys, seen)
        return self._logits(h, self._possible())

    def begin(self, batch_size: int, condition=None) -> list:
        return [block.empty(batch_size, self.total) for block in self.blocks]

    def step(self, cache: list, previous: Array, position: Array) -> tuple:
        known = self.tokens(self._own(previous, position - 1))
        h = jnp.where(position == 0, self.starts.embedding.astype(self.dtype), known)
        h, after = (h + self._positions()[position])[:, None], []
        for block, kept, seen in zip(self.blocks, cache, self._tables(), strict=True):
            kept, h = block.step(kept, h, position, seen)
            after.append(kept)
        return after, self._logits(h, self._possible()[position])[:, 0]

    @property
    def first_code(self) -> int:
        """The symbol of code 0."""
        return self.words + self.length

    @property
    def total(self) -> int:
        """Symbols of a text and an image."""
        return self.length + self.grid[0] * self.grid[1]

    def _own(self, x, position):
        return own_symbols(x, position, self.words, self.length)

    def _positions(self):
        """Of the start, the text, and all codes but the last, [T, width]."""
        image = (self.rows.embedding[:, None] + self.columns.embedding).reshape(-1, self.width)
        parts = jnp.zeros((1, self.width)), self.text_positions.embedding, image[:-1]
        return jnp.concatenate(parts).astype(self.dtype)

    def _tables(self):
        names = self.attention or attention_masks.of_layers(self.layers)
        masks = {name: MASKS[name](*self.grid, self.kernel) for name in set(names)}
        tables = {
            n: jnp.asarray(attention_masks.after_text(m, self.length)) for n, m in masks.items()
        }
        return [tables[name] for name in names]

    def _possible(self):
        """Which symbols can follow at each position, [T, symbols]."""
        code = np.arange(self.first_code + self.codes) >= self.first_code
        return jnp.asarray(code == (np.arange(self.total) >= self.length)[:, None])

    def _logits(self, h, possible):
        logits = tied_logits(self.tokens, self.norm(h))
        return jnp.where(possible, logits, NEVER)


def own_symbols(x: Array, position: Array, words: int, length: int) -> Array:
    """Symbols [B, ...] at these positions; each padding of a text becomes its position's own.

    They are what the logits are of.
    """
    return jnp.where((x == 0) & (position < length), words + position, x)


@schema
class TransformerSettings(
    part_of(TextImageTransformer, "words", "length", "codes", "grid", "dtype")
):
    """A transformer over a text and an image's codes."""

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.width % self.heads:
            yield f"width {self.width} does not divide into heads {self.heads}"
        if self.attention and len(self.attention) != self.layers:
            yield (
                f"attention names {len(self.attention)} layers, and there are {self.layers}: name"
                " each, or () for the published order"
            )
