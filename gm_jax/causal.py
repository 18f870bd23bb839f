"""The causal core: what every autoregressive network is, and one sampler over them all.

    p(x) = prod_t p(x_t | x_0 .. x_{t-1}, condition)

A sequence is symbols 0..K-1, [B, T] int32. An image is its pixels in raster order, channels
innermost (T = H W C). The condition is a label [B], a feature array [B, ...], or None.
"""

import functools
from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import Array
from gm_jax.settings import above, at_least, at_most, read, schema


@schema
class Sampler:
    """How a symbol is drawn from the network's logits.

    temperature  divides the logits; 0 leaves the most probable symbol alone
    top_k        keeps the k most probable symbols; 0 keeps all. Fan et al. 2018, section 5.4
    top_p        keeps the fewest symbols that hold a mass of p. Holtzman et al. 2020, section 3.1
    """

    temperature: Annotated[float, at_least(0.0)] = 1.0
    top_k: Annotated[int, at_least(0)] = 0
    top_p: Annotated[float, above(0.0), at_most(1.0)] = 1.0


class Causal(NamedTuple):
    """A network whose output at position t depends on the symbols before t alone.

    apply  (params, x [B, T], condition) -> logits [B, T, K]: all positions at once
    begin  (params, batch_size, condition) -> cache of an empty sequence
    step   (params, cache, previous [B], position) -> (cache, logits [B, K]) of `position`, a
           scalar; `previous` holds the symbols at position - 1 (ignored at position 0, for which
           the network has a start symbol)
    """

    apply: Callable
    begin: Callable
    step: Callable


def of_module(network) -> Causal:
    """The Causal of a linen module with the methods __call__(x, condition), begin and step."""

    def call(params, *arguments, method=None):
        return network.apply({"params": params}, *arguments, method=method)

    return Causal(
        call,
        functools.partial(call, method="begin"),
        functools.partial(call, method="step"),
    )


def log_prob(causal: Causal, params, x: Array, condition=None) -> Array:
    """log p(x | condition) in nats, [B]."""
    return categorical(x, causal.apply(params, x, condition))


def sample(
    causal: Causal, params, keys: Array, length: int, condition=None, prompt: Array | None = None,
    temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0,
) -> Array:  # fmt: skip
    """Sequences [B, length] drawn symbol by symbol through the cache, one of `keys` [B] each.

    The prompt [B, P] gives the first symbols, P <= length; the rest is drawn from the logits as
    `truncate` leaves them. Raises UserError if the prompt is longer than the sample.
    """
    choose = _chooser(keys, prompt, length, (temperature, top_k, top_p))

    def body(carry, position):
        cache, previous = carry
        cache, logits = causal.step(params, cache, previous, position)
        symbols = choose(logits, position)
        return (cache, symbols), symbols

    cache = causal.begin(params, len(keys), condition)
    start = jnp.zeros(len(keys), jnp.int32)
    _, symbols = lax.scan(body, (cache, start), jnp.arange(length))
    return symbols.T


def sample_naive(
    causal: Causal, params, keys: Array, length: int, condition=None, prompt: Array | None = None,
    temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0,
) -> Array:  # fmt: skip
    """The draws of `sample`, with the network applied to the whole sequence for each symbol."""
    choose = _chooser(keys, prompt, length, (temperature, top_k, top_p))

    def body(position, x):
        logits = causal.apply(params, x, condition)
        here = lax.dynamic_index_in_dim(logits, position, 1, False)
        return lax.dynamic_update_index_in_dim(x, choose(here, position), position, 1)

    return lax.fori_loop(0, length, body, jnp.zeros((len(keys), length), jnp.int32))


def truncate(logits: Array, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Array:
    """Logits [..., K] made colder and cut to their most probable symbols; -inf elsewhere.

    The settings are those of `Sampler`. Raises UserError if one is out of range.
    """
    read(Sampler, {"temperature": temperature, "top_k": top_k, "top_p": top_p}, "sampler.")
    symbols = logits.shape[-1]
    if temperature == 0:
        top_k = 1
    else:
        logits = logits / temperature
    if top_k:
        least = lax.top_k(logits, min(top_k, symbols))[0][..., -1:]
        logits = jnp.where(logits < least, -jnp.inf, logits)
    if top_p < 1:
        falling = -jnp.sort(-logits, axis=-1)
        mass = jax.nn.softmax(falling, axis=-1)
        before = jnp.cumsum(mass, axis=-1) - mass
        kept = jnp.sum(before < top_p, axis=-1, keepdims=True)
        least = jnp.take_along_axis(falling, kept - 1, axis=-1)
        logits = jnp.where(logits < least, -jnp.inf, logits)
    return logits


def _chooser(keys, prompt, length, settings) -> Callable:
    """(logits of a position [B, K], position) -> symbols [B]: the prompt's, then drawn ones."""
    size = 0 if prompt is None else prompt.shape[1]
    if size > length:
        raise UserError(f"a prompt of {size} symbols does not fit in a sample of {length}")

    def choose(logits, position):
        here = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, position)
        symbols = jax.vmap(jax.random.categorical)(here, truncate(logits, *settings))
        symbols = symbols.astype(jnp.int32)
        if size:
            prompted = lax.dynamic_index_in_dim(prompt, jnp.minimum(position, size - 1), 1, False)
            symbols = jnp.where(position < size, prompted.astype(jnp.int32), symbols)
        return symbols

    return choose
