"""The discretised mixture of logistics (Salimans et al. 2017, arXiv 1701.05517, eq. 1 to 3).

A pixel's channels share their mixture component; the mean of a channel moves linearly with the
channels before it. Values are levels in [-1, 1]; a level's mass is that of the interval between
the midpoints to its neighbours, and the two end levels take the tails.
"""

import jax
import jax.numpy as jnp

from gm_jax.losses.likelihoods import sum_over_example
from gm_jax.model import Array

MIN_LOG_SCALE = -7.0


def parameters(components: int, colors: int) -> int:
    """The number of parameters of a pixel's mixture: weights, means, log scales, coefficients."""
    return components * (1 + 2 * colors + colors * (colors - 1) // 2)


def split(raw: Array, components: int, colors: int) -> tuple[Array, Array, Array, Array]:
    """A network's output [..., parameters(M, C)], split into the mixture's parameters.

    Returns logits of the weights [..., M], means [..., C, M], log scales [..., C, M] and
    coefficients [..., C, C, M], entry (c, d) of channel c on channel d < c, in [-1, 1].
    """
    pairs = colors * (colors - 1) // 2
    ends = (1, 1 + colors, 1 + 2 * colors)
    shape = (*raw.shape[:-1], 1 + 2 * colors + pairs, components)
    logits, means, log_scales, below = jnp.split(raw.reshape(shape), ends, axis=-2)
    rows, columns = jnp.tril_indices(colors, -1)
    coefficients = jnp.zeros((*raw.shape[:-1], colors, colors, components), raw.dtype)
    coefficients = coefficients.at[..., rows, columns, :].set(jnp.tanh(below))
    return logits[..., 0, :], means, jnp.maximum(log_scales, MIN_LOG_SCALE), coefficients


def log_mass(x: Array, mean: Array, log_scale: Array, levels: int = 256) -> Array:
    """log of the mass that a logistic puts on level x; all broadcast together. Eq. 2.

    If the difference of the distribution function is too small for float32, it is approximated by
    the density at the level times the width of its interval.
    """
    half = 1.0 / (levels - 1)
    inverse = jnp.exp(-log_scale)
    middle = inverse * (x - mean)
    upper, lower = inverse * (x - mean + half), inverse * (x - mean - half)
    difference = jax.nn.sigmoid(upper) - jax.nn.sigmoid(lower)
    tiny = difference < 1e-5
    # The logarithm that is not used must be finite too, or its gradient is NaN times zero.
    exact = jnp.log(jnp.where(tiny, 1.0, difference))
    density = middle - log_scale - 2.0 * jax.nn.softplus(middle) + jnp.log(2.0 * half)
    inside = jnp.where(tiny, density, exact)
    lowest, highest = x < -1.0 + half, x > 1.0 - half
    ends = jnp.where(lowest, jax.nn.log_sigmoid(upper), jax.nn.log_sigmoid(-lower))
    return jnp.where(lowest | highest, ends, inside)


def log_prob(x: Array, raw: Array, components: int, levels: int = 256) -> Array:
    """log p(x) of images [B, H, W, C] in [-1, 1] in nats, [B]; raw [B, H, W, parameters(M, C)]."""
    logits, means, log_scales, coefficients = split(raw, components, x.shape[-1])
    means = means + jnp.einsum("...d,...cdm->...cm", x, coefficients)
    masses = jnp.sum(log_mass(x[..., None], means, log_scales, levels), axis=-2)
    return sum_over_example(jax.nn.logsumexp(jax.nn.log_softmax(logits) + masses, axis=-1))


def conditionals(x: Array, raw: Array, components: int, levels: int = 256) -> Array:
    """p(channel | channels before it) as mixtures, [..., C, 3, M]: weights' logits, means, scales.

    x [..., C]. The weights include what the channels before say about the component: they are
    multiplied by the masses of those channels, as in `log_prob`.
    """
    logits, means, log_scales, coefficients = split(raw, components, x.shape[-1])
    means = means + jnp.einsum("...d,...cdm->...cm", x, coefficients)
    masses = log_mass(x[..., None], means, log_scales, levels)
    before = jnp.cumsum(jnp.zeros_like(masses).at[..., 1:, :].set(masses[..., :-1, :]), axis=-2)
    logits = jax.nn.log_softmax(logits[..., None, :] + before, axis=-1)
    return jnp.stack([logits, means, log_scales], axis=-2)


def level_logits(x: Array, raw: Array, components: int, levels: int = 256) -> Array:
    """log p(level | channels before it) of each channel, [..., C, levels], for x [..., C]."""
    every = 2.0 * jnp.arange(levels, dtype=raw.dtype)[:, None] / (levels - 1) - 1.0
    parts = conditionals(x, raw, components, levels)
    logits, means, log_scales = jnp.moveaxis(parts[..., None, :], -3, 0)
    return jax.nn.logsumexp(logits + log_mass(every, means, log_scales, levels), axis=-1)
