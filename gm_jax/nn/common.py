"""Small parts that every network uses."""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.settings import at_least, below

# Settings of many networks: a number of layers or features, a dropout rate.
Size = Annotated[int, at_least(1)]
Rate = Annotated[float, at_least(0.0), below(1.0)]


def full_precision(x: Array) -> Array:
    """float32, or wider if x is: the type of losses and statistics."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def normal(keys: Array, shape: tuple[int, ...]) -> Array:
    """Standard normal noise [B, *shape] from one key per example (`example_keys`)."""
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys)


def uniform(keys: Array, shape: tuple[int, ...]) -> Array:
    """Noise from U[0, 1), [B, *shape], by one key per example."""
    return jax.vmap(lambda key: jax.random.uniform(key, shape))(keys)


def gumbel(keys: Array, shape: tuple[int, ...]) -> Array:
    """Standard Gumbel noise, [B, *shape], by one key per example."""
    return jax.vmap(lambda key: jax.random.gumbel(key, shape))(keys)


def attend(q: Array, k: Array, v: Array, causal: bool = False) -> Array:
    """What queries [B, N, heads, D] read of keys and values [B, M, heads, D]; [B, N, heads, D].

    JAX's own attention takes its softmax in float32 whatever the inputs are; here it is in float64
    if they are.
    """
    if q.dtype != jnp.float64:
        return jax.nn.dot_product_attention(q, k, v, is_causal=causal)
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5
    if causal:
        scores = jnp.where(jnp.tri(*scores.shape[-2:], dtype=bool), scores, -jnp.inf)
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)


class Dropout(nn.Module):
    """Dropout by one key per example: an example drops the same units on any device.

    `keys` [B], or None to drop nothing. linen's own Dropout draws for a device's local batch.
    """

    rate: float

    @nn.compact
    def __call__(self, x: Array, keys: Array | None) -> Array:
        if keys is None or self.rate == 0.0:
            return x
        # A network has several dropouts: each folds in its path, as linen's make_rng does.
        keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, _number(self.path))
        keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1.0 - self.rate, x.shape[1:]))(keys)
        return jnp.where(keep, x / (1.0 - self.rate), 0.0).astype(x.dtype)


def _number(path: tuple[str, ...]) -> int:
    """A stable hash of a module's path; Python's hash differs from run to run."""
    number = 0
    for letter in "/".join(path).encode():
        number = (number * 31 + letter) % 2**31
    return number
