"""Losses between a picture and what it should be, one value per example."""

import jax.numpy as jnp

from gm_jax.model import Array


def l1(x: Array, y: Array) -> Array:
    """The mean of |x - y| over pixels and channels, [B]. Isola et al. 2017, eq. 3."""
    return jnp.mean(jnp.abs(x - y), axis=tuple(range(1, x.ndim)))
