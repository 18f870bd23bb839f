"""Ways to spoil images in [-1, 1], by one key an example: Vincent et al. 2010, section 3.4."""

import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.common import normal, uniform


def gaussian(x: Array, keys: Array, amount: float) -> Array:
    """x + noise of standard deviation `amount`."""
    return x + amount * normal(keys, x.shape[1:])


def masking(x: Array, keys: Array, amount: float) -> Array:
    """Each pixel turned black with probability `amount`."""
    return jnp.where(uniform(keys, x.shape[1:]) < amount, -1.0, x)


def salt_and_pepper(x: Array, keys: Array, amount: float) -> Array:
    """Each pixel turned black or white, either as likely, with probability `amount` in all."""
    drawn = uniform(keys, x.shape[1:])
    x = jnp.where(drawn < amount, 1.0, x)
    return jnp.where(drawn < amount / 2.0, -1.0, x)


CORRUPTIONS = {
    "none": lambda x, keys, amount: x,
    "gaussian": gaussian,
    "masking": masking,
    "salt_and_pepper": salt_and_pepper,
}
