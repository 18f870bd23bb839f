"""A neural probabilistic language model. Bengio, Ducharme, Vincent & Jauvin 2003 (JMLR 3).

x = (C(w_{t-1}), ..., C(w_{t-n+1}))                                       eq. 6: one C for all
p(w_t | w_{t-1} .. w_{t-n+1}) = softmax(b + W x + U tanh(d + H x))         eq. 1, 2
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.autoregressive.shared import language
from gm_jax.model import Array, Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn.layers import Size, full_precision
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import arguments, at_least, part_of, schema


class Window(nn.Module):
    """Symbols x [B, T] to logits [B, T, symbols] of each given the `order` - 1 before it.

    A start symbol precedes the text.

    symbols    values of a symbol
    order      n: a character is predicted from the n - 1 before it
    embedding  features learned for each symbol
    width      units of the hidden layer
    direct     whether the network has W, from the embeddings straight to the outputs
    """

    symbols: int
    order: Annotated[int, at_least(2)] = 5
    embedding: Size = 30
    width: Size = 100
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
        """The symbols before position 0, the last one first, [B, order - 1]."""
        return jnp.full((batch_size, self.order - 1), self.symbols, jnp.int32)

    def step(self, recent: Array, previous: Array, position: Array) -> tuple[Array, Array]:
        seen = jnp.concatenate([previous[:, None], recent[:, :-1]], axis=1)
        recent = jnp.where(position == 0, recent, seen)
        return recent, self._logits(recent)

    def _logits(self, recent):
        x = self.embed(recent).reshape(*recent.shape[:-1], -1)
        logits = self.out(nn.tanh(self.hidden(x)))
        return full_precision(logits + self.connections(x) if self.direct else logits)


NetworkSettings = part_of(Window, "symbols", "dtype")


@schema
class Settings(language.Settings):
    """A neural probabilistic language model.

    network    the network over windows
    optimizer  one of optax's
    """

    network: NetworkSettings = NetworkSettings()
    optimizer: Optimizer = adam(1e-3)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        yield from language.order_wrong(self.network.order, self)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """The network over windows of `network.order`; configs/bengio_tinyshakespeare.py."""
    text = field_of(spec, "text")
    module = Window(
        text.cardinality, **arguments(settings.network), dtype=jnp.dtype(settings.dtype)
    )
    network = Network("network", module)

    def logits(variables, text, keys):
        return network(variables, text)

    return (language.phase(settings, text, network, logits),)
