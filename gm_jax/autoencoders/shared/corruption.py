"""Ways to corrupt images in [-1, 1], by one key an example: Vincent et al. 2010, section 3.4."""

from typing import Annotated

import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import normal, uniform
from gm_jax.settings import at_least, one_of, schema


def gaussian(x: Array, keys: Array, amount: float) -> Array:
    """x + noise of standard deviation `amount`."""
    return x + amount * normal(keys, x.shape[1:])


def masking(x: Array, keys: Array, amount: float) -> Array:
    """Each pixel turned black with probability `amount`."""
    return jnp.where(uniform(keys, x.shape[1:]) < amount, -1.0, x)


def salt_and_pepper(x: Array, keys: Array, amount: float) -> Array:
    """Each pixel turned black or white, with probability `amount` / 2 each."""
    drawn = uniform(keys, x.shape[1:])
    x = jnp.where(drawn < amount, 1.0, x)
    return jnp.where(drawn < amount / 2.0, -1.0, x)


CORRUPTIONS = {
    "none": lambda x, keys, amount: x,
    "gaussian": gaussian,
    "masking": masking,
    "salt_and_pepper": salt_and_pepper,
}


@schema
class Corruption:
    """What is done to an image before it is encoded.

    name    the kind of corruption
    amount  standard deviation of the noise (gaussian), or probability for each pixel
    """

    name: Annotated[str, one_of(CORRUPTIONS)] = "none"
    amount: Annotated[float, at_least(0.0)] = 0.0

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.name in ("masking", "salt_and_pepper") and self.amount > 1.0:
            yield f"amount {self.amount} is the probability of {self.name}: it must be at most 1"
