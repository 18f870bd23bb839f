"""A neural probabilistic language model. Bengio, Ducharme, Vincent & Jauvin 2003 (JMLR 3).

x = (C(w_{t-1}), ..., C(w_{t-n+1}))                                       eq. 6: one C for all
p(w_t | w_{t-1} .. w_{t-n+1}) = softmax(b + W x + U tanh(d + H x))         eq. 1, 2
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.autoregressive import language
from gm_jax.errors import UserError
from gm_jax.model import Array, Phase, field_of
from gm_jax.nn.common import full_precision


def build(config, spec, stages) -> tuple[Phase, ...]:
    """The network over windows of `network.order`; see configs/bengio_tinyshakespeare.py."""
    if config.network.order < 2:
        raise UserError("network.order must be 2 or more: a character is told by those before it")
    language.check_order(config.network.order, config.data)
    network = Window(
        field_of(spec, "text").cardinality, **config.network, dtype=jnp.dtype(config.dtype)
    )

    def logits(params, text, keys):
        return network.apply({"params": params}, text)

    return language.phases(config, spec, network, logits)


class Window(nn.Module):
    """Symbols x [B, T] to logits [B, T, symbols] of each given the `order` - 1 before it.

    Before the first symbol stands a symbol of its own. `direct`: whether W is there.
    """

    symbols: int
    order: int = 5
    embedding: int = 30
    width: int = 100
    direct: bool = True
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        self.embed = nn.Embed(self.symbols + 1, self.embedding, dtype=self.dtype)
        self.hidden = nn.Dense(self.width, dtype=self.dtype)
        self.out = nn.Dense(self.symbols, dtype=self.dtype)
        if self.direct:
            self.connections = nn.Dense(self.symbols, use_bias=False, dtype=self.dtype)

    def __call__(self, x: Array, condition=None) -> Array:
        padded = jnp.pad(x, ((0, 0), (self.order - 1, 0)), constant_values=self.symbols)
        shifts = [padded[:, self.order - 1 - k :][:, : x.shape[1]] for k in range(1, self.order)]
        return self._logits(jnp.stack(shifts, axis=-1))

    def begin(self, batch_size: int, condition=None) -> Array:
        """The symbols before, the last one first, [B, order - 1]."""
        return jnp.full((batch_size, self.order - 1), self.symbols, jnp.int32)

    def step(self, recent: Array, previous: Array, place: Array) -> tuple[Array, Array]:
        seen = jnp.concatenate([previous[:, None], recent[:, :-1]], axis=1)
        recent = jnp.where(place == 0, recent, seen)
        return recent, self._logits(recent)

    def _logits(self, recent):
        x = self.embed(recent).reshape(*recent.shape[:-1], -1)
        logits = self.out(nn.tanh(self.hidden(x)))
        return full_precision(logits + self.connections(x) if self.direct else logits)
