"""Dilated causal convolutions over symbols, with a queue a layer. van den Oord et al. 2016.

A convolution of two taps is a product with the place itself and the one `dilation` before it, so a
step of the cached network is the same product with what the queue of length `dilation` gives back.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from gm_jax.model import Array
from gm_jax.nn.common import full_precision


class GatedLayer(nn.Module):
    """z = tanh(W_f * x + V_f h) sigmoid(W_g * x + V_g h), eq. 3; a residual 1x1 and a skip 1x1.

    The residual is left out of the last layer, which nothing follows.
    """

    width: int
    skip: int
    dilation: int
    classes: int
    last: bool
    dtype: jnp.dtype

    def setup(self):
        self.taps = nn.Dense(2 * self.width, dtype=self.dtype)
        if self.classes:
            self.condition = nn.Embed(self.classes, 2 * self.width, dtype=self.dtype)
        if not self.last:
            self.residual = nn.Dense(self.width, dtype=self.dtype)
        self.out = nn.Dense(self.skip, dtype=self.dtype)

    def __call__(self, x: Array, label: Array | None) -> tuple[Array, Array]:
        """All places [B, T, width] at once: (what the next layer sees, the skip)."""
        past = jnp.pad(x, ((0, 0), (self.dilation, 0), (0, 0)))[:, : x.shape[1]]
        return self._gated(past, x, label)

    def step(self, queue: Array, x: Array, place: Array, label: Array | None) -> tuple:
        """One place [B, 1, width]; the queue [B, dilation, width] holds the last ones in a ring."""
        slot = place % self.dilation
        past = lax.dynamic_slice_in_dim(queue, slot, 1, axis=1)
        queue = lax.dynamic_update_slice_in_dim(queue, x, slot, axis=1)
        return queue, *self._gated(past, x, label)

    def _gated(self, past, x, label):
        both = self.taps(jnp.concatenate([past, x], axis=-1))
        if self.classes:
            both = both + self.condition(label)[:, None]
        filtered, gate = jnp.split(both, 2, axis=-1)
        z = jnp.tanh(filtered) * nn.sigmoid(gate)
        return x if self.last else x + self.residual(z), self.out(z)


class Dilated(nn.Module):
    """Symbols x [B, T] to logits [B, T, symbols] of each given those before it.

    sum of the layers' skips -> ReLU -> 1x1 -> ReLU -> 1x1, which begins at zero: the first loss is
    the logarithm of the number of symbols. Sees sum(dilations) + 1 symbols before a place. The
    label [B], where there are `classes`, moves every gate (global conditioning, section 2.5).
    """

    symbols: int
    dilations: tuple[int, ...]
    width: int = 32
    skip: int = 128
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        self.tokens = nn.Embed(self.symbols, self.width, dtype=self.dtype)
        self.layers = [
            GatedLayer(
                self.width, self.skip, d, self.classes, i == len(self.dilations) - 1, self.dtype
            )
            for i, d in enumerate(self.dilations)
        ]
        self.hidden = nn.Dense(self.skip, dtype=self.dtype)
        self.logits = nn.Dense(self.symbols, kernel_init=nn.initializers.zeros, dtype=self.dtype)

    def __call__(self, x: Array, label: Array | None = None) -> Array:
        h = jnp.pad(self.tokens(x[:, :-1]), ((0, 0), (1, 0), (0, 0)))
        total = 0.0
        for layer in self.layers:
            h, skip = layer(h, label)
            total += skip
        return self._logits(total)

    def begin(self, batch_size: int, label: Array | None = None) -> tuple:
        queues = [jnp.zeros((batch_size, d, self.width), self.dtype) for d in self.dilations]
        return queues, label

    def step(self, cache: tuple, previous: Array, place: Array) -> tuple:
        queues, label = cache
        h = jnp.where(place == 0, 0.0, self.tokens(previous))[:, None]
        total, after = 0.0, []
        for layer, queue in zip(self.layers, queues, strict=True):
            queue, h, skip = layer.step(queue, h, place, label)
            after.append(queue)
            total += skip
        return (after, label), self._logits(total)[:, 0]

    def _logits(self, total):
        return full_precision(self.logits(nn.relu(self.hidden(nn.relu(total)))))
