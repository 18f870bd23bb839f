"""Embeddings as short sequences of codes: principal components, each in buckets.

Ramesh et al. 2022 (arXiv 2204.06125), section 2.2: components in order of falling variance, "and
quantize each dimension into discrete buckets". Buckets are equally wide and cover `SPAN`
deviations of a component on either side of its mean; what lies beyond is in the first or last.
"""

from typing import NamedTuple

import jax.numpy as jnp

from gm_jax.model import Array

SPAN = 4.0


class Moments(NamedTuple):
    """Of vectors seen so far: their number, mean [D] and mean of outer products [D, D]."""

    count: Array
    mean: Array
    outer: Array


class Components(NamedTuple):
    """The mean [D], the axes [K, D] of length 1 and the deviations along them [K]."""

    mean: Array
    axes: Array
    deviation: Array


def nothing_seen(width: int) -> Moments:
    """Moments of no vector."""
    return Moments(jnp.zeros(()), jnp.zeros(width), jnp.zeros((width, width)))


def seen(moments: Moments, z: Array) -> Moments:
    """The moments after more vectors z [N, D]."""
    count = moments.count + len(z)
    share = len(z) / count
    mean, outer = jnp.mean(z, axis=0), z.T @ z / len(z)
    return Moments(
        count,
        moments.mean + share * (mean - moments.mean),
        moments.outer + share * (outer - moments.outer),
    )


def principal(moments: Moments, kept: int) -> Components:
    """The `kept` components of largest variance, in falling order."""
    covariance = moments.outer - jnp.outer(moments.mean, moments.mean)
    variance, axes = jnp.linalg.eigh(covariance)
    first = slice(None, -kept - 1, -1)
    deviation = jnp.sqrt(jnp.maximum(variance[first], 0.0))
    return Components(moments.mean, axes.T[first], deviation)


def encode(components: Components, z: Array, buckets: int) -> Array:
    """Vectors [B, D] to codes 0 .. buckets - 1, [B, K] int32."""
    along = (z - components.mean) @ components.axes.T
    return bucket(along, components.deviation, buckets)


def decode(components: Components, codes: Array, buckets: int) -> Array:
    """Codes [B, K] to the vectors [B, D] at the middles of their buckets."""
    middle = (codes + 0.5) * (2.0 * SPAN / buckets) - SPAN
    return components.mean + (middle * components.deviation) @ components.axes


def bucket(value: Array, deviation: Array, buckets: int) -> Array:
    """The bucket of a value of mean 0, int32 in 0 .. buckets - 1."""
    least = jnp.finfo(value.dtype).tiny
    share = (value / jnp.maximum(deviation, least) + SPAN) / (2.0 * SPAN)
    return jnp.clip(jnp.floor(share * buckets), 0, buckets - 1).astype(jnp.int32)
