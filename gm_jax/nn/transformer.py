"""A causal transformer over symbols, with a cache of keys and values.

Layer normalisation before each branch; Radford et al. 2019 (GPT-2), section 2.3.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from gm_jax.model import Array
from gm_jax.nn.dot_product_attention import attend_by_head
from gm_jax.nn.layers import Dense, Dropout, Rate, Size, tied_logits
from gm_jax.settings import part_of, schema

WEIGHTS = nn.initializers.normal(0.02)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); both branches end scaled by 1/sqrt(2 layers).

    The cache of a block is its keys and values, [B, heads, length, width / heads] each (`empty`).
    If it `reads`, there is a branch between the two: attention to a memory, the keys and values of
    a context, [B, heads, L, width / heads] each.
    """

    width: int
    heads: int
    layers: int
    dropout: float
    bias: bool
    dtype: jnp.dtype
    reads: bool = False

    def setup(self):
        def dense(features, init=WEIGHTS):
            return Dense(features, self.bias, kernel_init=init, dtype=self.dtype)

        def norm():
            return nn.LayerNorm(use_bias=self.bias, dtype=self.dtype)

        last = nn.initializers.normal(0.02 / (2 * self.layers) ** 0.5)
        self.attention_norm, self.mlp_norm = norm(), norm()
        self.query_key_value, self.mix = dense(3 * self.width), dense(self.width, last)
        self.up, self.down = dense(4 * self.width), dense(self.width, last)
        self.attention_dropout, self.mlp_dropout = Dropout(self.dropout), Dropout(self.dropout)
        if self.reads:
            self.read_norm, self.read_dropout = norm(), Dropout(self.dropout)
            self.read_query, self.read_mix = dense(self.width), dense(self.width, last)
            self.read_key_value = dense(2 * self.width)

    def memory(self, context: Array) -> tuple[Array, Array]:
        """The keys and values of a context [B, L, D]."""
        heads = self._by_head(self.read_key_value(context))
        return tuple(jnp.split(heads, 2, axis=1))

    def __call__(
        self, x: Array, keys: Array | None, seen: Array | None = None, memory: tuple | None = None
    ) -> Array:
        """All positions [B, T, width] at once.

        seen  [T, T], which others each reads; None for all before it
        """
        q, k, v = self._split(x)
        attended = attend_by_head(q, k, v, causal=seen is None, seen=seen)
        return self._mixed(x, attended, keys, memory)

    def empty(self, batch_size: int, length: int) -> tuple[Array, Array]:
        """The cache before the first of so many positions."""
        shape = batch_size, self.heads, length, self.width // self.heads
        return jnp.zeros(shape, self.dtype), jnp.zeros(shape, self.dtype)

    def step(
        self, cache: tuple[Array, Array], x: Array, position: Array, seen: Array | None = None,
        memory: tuple | None = None,
    ) -> tuple:  # fmt: skip
        """One position [B, 1, width] after those in the cache."""
        q, k, v = self._split(x)
        k, v = (
            lax.dynamic_update_slice_in_dim(old, new.astype(old.dtype), position, 2)
            for old, new in zip(cache, (k, v), strict=True)
        )
        row = jnp.arange(k.shape[2]) <= position if seen is None else seen[position]
        attended = attend_by_head(q.astype(k.dtype), k, v, seen=row)
        return (k, v), self._mixed(x, attended, None, memory)

    def _split(self, x):
        return jnp.split(self._by_head(self.query_key_value(self.attention_norm(x))), 3, axis=1)

    def _by_head(self, x):
        """[B, T, n width] to [B, n heads, T, width / heads]."""
        return x.reshape(*x.shape[:2], -1, self.width // self.heads).swapaxes(1, 2)

    def _mixed(self, x, attended, keys, memory):
        def joined(read):
            return read.swapaxes(1, 2).reshape(x.shape)

        x = x + self.attention_dropout(self.mix(joined(attended)), keys)
        if memory is not None:
            query = self._by_head(self.read_query(self.read_norm(x)))
            read = joined(attend_by_head(query, *memory))
            x = x + self.read_dropout(self.read_mix(read), keys)
        hidden = nn.gelu(self.up(self.mlp_norm(x)), approximate=False)
        return x + self.mlp_dropout(self.down(hidden), keys)


class Transformer(nn.Module):
    """Symbols x [B, T] to logits [B, T, symbols] of each given those before it; T <= length.

    Position 0 sees a start symbol: an embedding of the label [B] if there are `classes`. Position
    embeddings are learned; the output layer shares the weights of the symbol embedding. Keys [B]
    are for dropout; None drops nothing. If it `reads`, all positions attend to a context [B, L, D].

    symbols  values of a symbol
    length   positions
    width    features of a position
    layers   blocks
    heads    of attention; they divide the width
    dropout  rate, of the embedding and of both branches, not of attention weights
    bias     whether layers and norms have one
    classes  labels 0..classes-1 that a sequence starts with; 0 for none
    reads    whether there is a context
    """

    symbols: int
    length: int
    width: Size = 128
    layers: Size = 4
    heads: Size = 4
    dropout: Rate = 0.0
    bias: bool = True
    classes: int = 0
    reads: bool = False
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        self.tokens = nn.Embed(self.symbols, self.width, embedding_init=WEIGHTS, dtype=self.dtype)
        self.starts = nn.Embed(
            max(1, self.classes), self.width, embedding_init=WEIGHTS, dtype=self.dtype
        )
        self.positions = self.param("positions", WEIGHTS, (self.length, self.width))
        self.dropped = Dropout(self.dropout)
        own = self.width, self.heads, self.layers, self.dropout, self.bias, self.dtype, self.reads
        self.blocks = [Block(*own) for _ in range(self.layers)]
        self.norm = nn.LayerNorm(use_bias=self.bias, dtype=self.dtype)

    def __call__(
        self,
        x: Array,
        label: Array | None = None,
        keys: Array | None = None,
        context: Array | None = None,
    ) -> Array:
        start = self._start(len(x), label)[:, None]
        h = jnp.concatenate([start, self.tokens(x[:, :-1])], axis=1)
        h = self.dropped(h + self.positions[: x.shape[1]].astype(self.dtype), keys)
        for block, memory in zip(self.blocks, self._memories(context), strict=True):
            h = block(h, keys, memory=memory)
        return self._logits(h)

    def begin(
        self, batch_size: int, label: Array | None = None, context: Array | None = None
    ) -> tuple:
        caches = [block.empty(batch_size, self.length) for block in self.blocks]
        return self._start(batch_size, label), caches, self._memories(context)

    def step(self, cache: tuple, previous: Array, position: Array) -> tuple:
        start, caches, memories = cache
        h = jnp.where(position == 0, start, self.tokens(previous))
        h = (h + self.positions[position].astype(self.dtype))[:, None]
        after = []
        for block, kept, memory in zip(self.blocks, caches, memories, strict=True):
            kept, h = block.step(kept, h, position, memory=memory)
            after.append(kept)
        return (start, after, memories), self._logits(h)[:, 0]

    def _start(self, batch_size, label):
        return self.starts(label if self.classes else jnp.zeros(batch_size, jnp.int32))

    def _memories(self, context):
        return [block.memory(context) if self.reads else None for block in self.blocks]

    def _logits(self, h):
        return tied_logits(self.tokens, self.norm(h))


@schema
class TransformerSettings(part_of(Transformer, "symbols", "length", "classes", "reads", "dtype")):
    """A transformer."""

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.width % self.heads:
            yield f"width {self.width} does not divide into heads {self.heads}"
