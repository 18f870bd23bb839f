"""Ways to spoil images in [-1, 1], by one key an example: Vincent et al. 2010, section 3.4."""

import jax
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.common import normal


def gaussian(x: Array, keys: Array, amount: float) -> Array:
    """x + noise of standard deviation `amount`."""
    return x + amount * normal(keys, x.shape[1:])


def masking(x: Array, keys: Array, amount: float) -> Array:
    """Each pixel turned black with probability `amount`."""
    return jnp.where(_uniform(x, keys) < amount, -1.0, x)


def salt_and_pepper(x: Array, keys: Array, amount: float) -> Array:
    """Each pixel turned black or white, either as likely, with probability `amount` in all."""
    uniform = _uniform(x, keys)
    x = jnp.where(uniform < amount, 1.0, x)
    return jnp.where(uniform < amount / 2.0, -1.0, x)


CORRUPTIONS = {
    "none": lambda x, keys, amount: x,
    "gaussian": gaussian,
    "masking": masking,
    "salt_and_pepper": salt_and_pepper,
}


def _uniform(x, keys):
    return jax.vmap(lambda key: jax.random.uniform(key, x.shape[1:]))(keys)
