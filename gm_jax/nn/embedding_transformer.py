"""The networks that read and make CLIP's embeddings in unCLIP.

Ramesh et al. 2022 (arXiv 2204.06125), section 2.1 and 2.2.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import Dense, Rate, Size, full_precision
from gm_jax.nn.time_features import features_of
from gm_jax.nn.transformer import WEIGHTS, Block
from gm_jax.settings import part_of, schema


class EmbeddingTransformer(nn.Module):
    """A noised embedding x [B, D] at levels [B], and its text, to an embedding [B, D].

    A causal transformer over, in this order, the words of the text (context [B, L, W]), the text's
    embedding [B, D], the level, x, and a last position, whose output is the answer. `keys` are for
    dropout.

    width    features of a position
    layers   blocks
    heads    of attention; they divide the width
    dropout  rate, of both branches
    """

    width: Size = 2048
    layers: Size = 24
    heads: Size = 32
    dropout: Rate = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, level: Array, embedding: Array, keys: Array | None, context: Array
    ) -> Array:
        def dense(name, features=self.width):
            return Dense(features, kernel_init=WEIGHTS, dtype=self.dtype, name=name)

        time = dense("level_in")(features_of(level, self.width, dtype=self.dtype))
        time = dense("level_out")(nn.swish(time))
        last = jnp.broadcast_to(self.param("last", WEIGHTS, (self.width,)), time.shape)
        single = [dense("embedding")(embedding), time, dense("noised")(x), last.astype(self.dtype)]
        h = jnp.concatenate([dense("words")(context), jnp.stack(single, axis=1)], axis=1)
        h = h + self.param("positions", WEIGHTS, h.shape[1:]).astype(self.dtype)
        for number in range(self.layers):
            block = Block(
                self.width, self.heads, self.layers, self.dropout, True, self.dtype,
                name=f"block_{number}",
            )  # fmt: skip
            h = block(h, keys)
        answer = nn.LayerNorm(dtype=self.dtype, name="norm")(h[:, -1])
        return full_precision(dense("answer", x.shape[-1])(answer))


class EmbeddingReader(nn.Module):
    """An embedding [B, D], or none where it is hidden [B], as a denoiser reads it.

    Returns what is added to the time's embedding, [B, D], and the context, [B, words, width].
    """

    words: int
    width: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, embedding: Array, hidden: Array) -> tuple[Array, Array]:
        none = self.param("none", nn.initializers.zeros, embedding.shape[-1:])
        seen = jnp.where(hidden[:, None], none, embedding)
        words = Dense(self.words * self.width, dtype=self.dtype, name="words")(seen)
        return seen, words.reshape(-1, self.words, self.width)


class PrefixReader(nn.Module):
    """The context [B, L + 2, W] that an autoregressive prior reads.

    The words [B, L, W], the text's embedding [B, D], and the bucket [B] of z_i . z_t. Where the
    text is hidden [B], its embedding is zero, and the bucket is one more, which means none.

    buckets  of the nearness
    """

    buckets: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, words: Array, embedding: Array, near: Array, hidden: Array) -> Array:
        width = words.shape[-1]
        embedding = jnp.where(hidden[:, None], 0.0, embedding)
        near = jnp.where(hidden, self.buckets, near)
        text = Dense(width, kernel_init=WEIGHTS, dtype=self.dtype, name="embedding")(embedding)
        table = nn.Embed(self.buckets + 1, width, self.dtype, embedding_init=WEIGHTS, name="near")
        return jnp.concatenate([words, jnp.stack([text, table(near)], axis=1)], axis=1)


@schema
class EmbeddingTransformerSettings(part_of(EmbeddingTransformer, "dtype")):
    """A transformer that makes embeddings."""

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.width % self.heads:
            yield f"width {self.width} does not divide into heads {self.heads}"
