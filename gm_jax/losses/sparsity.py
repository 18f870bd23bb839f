"""What holds back units of which few should be active."""

import jax.numpy as jnp
from jax.scipy.special import xlogy

from gm_jax.model import Array


def kl_from_target(mean: Array, target: float) -> Array:
    """KL(Bernoulli(target) || Bernoulli(mean)) of each unit, in nats: mean [K] in (0, 1), [K].

    The mean of a unit is over the whole batch, not an example's own: an example may have active
    units, if they are others than those of most examples. Lee, Ekanadham & Ng 2008; Ng 2011.
    """
    on = xlogy(target, target) - target * jnp.log(mean)
    off = xlogy(1.0 - target, 1.0 - target) - (1.0 - target) * jnp.log1p(-mean)
    return on + off
