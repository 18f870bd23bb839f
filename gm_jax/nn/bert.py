"""A transformer that sees all tokens of a sequence at once, for codes of which some are masked.

Devlin et al. 2019 (arXiv 1810.04805): layer normalisation after each branch; Chang et al. 2022
(MaskGIT, arXiv 2202.04200), section 4: of the codes of an image.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.dot_product_attention import attend
from gm_jax.nn.layers import Dense, Dropout, Rate, Size, tied_logits
from gm_jax.settings import part_of, schema

WEIGHTS = nn.initializers.truncated_normal(0.02)


class Block(nn.Module):
    """norm(x + attention(x)), then norm(x + mlp(x)); x [B, N, width]."""

    heads: int
    hidden: int
    dropout: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, keys: Array | None) -> Array:
        width = x.shape[-1]

        def dense(features, name):
            return Dense(features, kernel_init=WEIGHTS, dtype=self.dtype, name=name)

        def added(x, branch, name):
            dropped = Dropout(self.dropout, name=f"{name}_dropout")(branch, keys)
            return nn.LayerNorm(1e-12, dtype=self.dtype, name=f"{name}_norm")(x + dropped)

        joint = dense(3 * width, "query_key_value")(x).reshape(*x.shape[:2], 3 * self.heads, -1)
        mixed = attend(*jnp.split(joint, 3, axis=2)).reshape(x.shape)
        x = added(x, dense(width, "mix")(mixed), "attention")
        h = nn.gelu(dense(self.hidden, "up")(x), approximate=False)
        return added(x, dense(width, "down")(h), "mlp")


class Bert(nn.Module):
    """Tokens x [B, N], of which the value `symbols` is the mask, to logits [B, N, symbols].

    Before the tokens stand the label [B], if there are `classes`, or a context [B, L, D]; the label
    `classes` is none. The output layer shares the weights of the token embedding. Keys [B] are for
    dropout; None drops nothing.

    symbols  values of a token
    grid     sides of the grid whose tokens these are, in order: positions are then a sum of one
             embedding for each axis, and the label's or the context's have a table of their own;
             () for one table of all
    width    features of a token
    layers   blocks
    heads    of attention; they divide the width
    hidden   features within a block's MLP
    dropout  rate, of the embedding and of both branches
    classes  labels 0..classes-1; 0 for none
    """

    symbols: int
    grid: tuple[int, ...] = ()
    width: Size = 128
    layers: Size = 4
    heads: Size = 4
    hidden: Size = 512
    dropout: Rate = 0.1
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: Array,
        label: Array | None = None,
        keys: Array | None = None,
        context: Array | None = None,
    ) -> Array:
        def embedding(count, name):
            return nn.Embed(count, self.width, embedding_init=WEIGHTS, dtype=self.dtype, name=name)

        def norm(name):
            return nn.LayerNorm(1e-12, dtype=self.dtype, name=name)

        tokens, count = embedding(self.symbols + 1, "tokens"), x.shape[1]
        h = tokens(x)
        if self.classes:
            h = jnp.concatenate([embedding(self.classes + 1, "labels")(label)[:, None], h], axis=1)
        if context is not None:
            read = Dense(self.width, kernel_init=WEIGHTS, dtype=self.dtype, name="context")
            h = jnp.concatenate([read(context), h], axis=1)
        positions = self._positions(h.shape[1], count, embedding)
        h = Dropout(self.dropout, name="dropout")(norm("norm")(h + positions), keys)
        for number in range(self.layers):
            own = self.heads, self.hidden, self.dropout, self.dtype
            h = Block(*own, name=f"block_{number}")(h, keys)
        h = Dense(self.width, kernel_init=WEIGHTS, dtype=self.dtype, name="last")(h[:, -count:])
        h = norm("last_norm")(nn.gelu(h, approximate=False))
        bias = self.param("bias", nn.initializers.zeros, (self.symbols,))
        return tied_logits(tokens, h)[..., : self.symbols] + bias

    def _positions(self, length, count, embedding):
        """Of a sequence whose last `count` are the tokens, [length, width]."""
        if not self.grid:
            return embedding(length, "positions")(jnp.arange(length))
        own = jnp.zeros((1,), self.dtype)
        for axis, side in enumerate(self.grid):
            table = embedding(side, f"positions_{axis}")(jnp.arange(side))
            own = own[..., None, :] + table
        own = own.reshape(count, self.width)
        if length == count:
            return own
        before = embedding(length - count, "positions_before")(jnp.arange(length - count))
        return jnp.concatenate([before, own])


@schema
class BertSettings(part_of(Bert, "symbols", "grid", "classes", "dtype")):
    """A transformer that sees all tokens."""

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.width % self.heads:
            yield f"width {self.width} does not divide into heads {self.heads}"
