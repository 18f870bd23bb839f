"""Times drawn by how large their terms of the bound are. Nichol & Dhariwal 2021, section 3.3."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import replicas
from gm_jax.model import Array

LENGTH = 10  # terms remembered of each time
UNIFORM = 0.001  # share of times drawn uniformly


class History(NamedTuple):
    """The last terms at each time, [T, LENGTH], and how many there have been, [T]: a game's state,
    equal on all devices."""

    terms: Array
    counts: Array


def empty(times: int) -> History:
    """Before the first term: times are drawn uniformly until each has LENGTH."""
    return History(jnp.zeros((times, LENGTH)), jnp.zeros(times, jnp.int32))


def probabilities(history: History) -> Array:
    """p_t, [T], proportional to sqrt(E[L_t^2]); uniform until every time has LENGTH terms."""
    times = len(history.counts)
    size = jnp.sqrt(jnp.mean(history.terms**2, axis=-1))
    p = size / jnp.maximum(jnp.sum(size), 1e-30)
    p = (1.0 - UNIFORM) * p + UNIFORM / times
    return jnp.where(jnp.all(history.counts >= LENGTH), p, 1.0 / times)


def draw(history: History, keys: Array) -> tuple[Array, Array]:
    """t in 1 .. T and 1 / (T p_t), the factor that keeps the mean what uniform times give, [B]."""
    p = probabilities(history)
    t = jax.vmap(lambda key: jax.random.categorical(key, jnp.log(p)))(keys)
    return t + 1, 1.0 / (len(p) * p[t])


def remember(history: History, t: Array, terms: Array) -> History:
    """The history with the terms [B] of all devices, in the order of the batch."""
    t, terms = replicas.gather((t, lax.stop_gradient(terms)))

    def one(history, pair):
        t, term = pair
        slot = history.counts[t - 1] % LENGTH
        terms = history.terms.at[t - 1, slot].set(term)
        return History(terms, history.counts.at[t - 1].add(1)), None

    return lax.scan(one, history, (t, terms))[0]
