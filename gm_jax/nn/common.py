"""Small pieces of every network."""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.settings import at_least, below

# Settings that many networks have: a number of layers or features, a rate of dropout.
Size = Annotated[int, at_least(1)]
Rate = Annotated[float, at_least(0.0), below(1.0)]


def full_precision(x: Array) -> Array:
    """float32, or wider where x is: what losses and statistics are computed in."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def normal(keys: Array, shape: tuple[int, ...]) -> Array:
    """Standard normal noise [B, *shape] from one key an example (`example_keys`)."""
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys)


def uniform(keys: Array, shape: tuple[int, ...]) -> Array:
    """Noise of U[0, 1), [B, *shape], from one key an example."""
    return jax.vmap(lambda key: jax.random.uniform(key, shape))(keys)


def gumbel(keys: Array, shape: tuple[int, ...]) -> Array:
    """Standard Gumbel noise, [B, *shape], from one key an example."""
    return jax.vmap(lambda key: jax.random.gumbel(key, shape))(keys)


class Dropout(nn.Module):
    """Dropout with one key an example, so that the same example drops the same units anywhere.

    `keys` [B], or None to drop nothing. linen's own Dropout draws for a device's local batch.
    """

    rate: float

    @nn.compact
    def __call__(self, x: Array, keys: Array | None) -> Array:
        if keys is None or self.rate == 0.0:
            return x
        # One network has many dropouts: each folds in its own path, as linen's make_rng does.
        keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, _number(self.path))
        keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1.0 - self.rate, x.shape[1:]))(keys)
        return jnp.where(keep, x / (1.0 - self.rate), 0.0).astype(x.dtype)


def _number(path: tuple[str, ...]) -> int:
    """A stable number of a module's path; Python's own hash differs from run to run."""
    number = 0
    for letter in "/".join(path).encode():
        number = (number * 31 + letter) % 2**31
    return number
