"""Log-likelihoods in nats, one value per example: [B, ...] to [B], summed over all other axes."""

import jax
import jax.numpy as jnp

from gm_jax.model import Array

LOG_2PI = 1.8378770664093453


def sum_over_example(x: Array) -> Array:
    """Sum over all axes but the first."""
    return jnp.sum(x, axis=tuple(range(1, x.ndim)))


def bernoulli(x: Array, logits: Array) -> Array:
    """sum x log p + (1 - x) log(1 - p), p = sigmoid(logits), for x in [0, 1].

    Finite at any finite logit, as log-sigmoid is taken of the logits and never of p.
    """
    return sum_over_example(
        x * jax.nn.log_sigmoid(logits) + (1.0 - x) * jax.nn.log_sigmoid(-logits)
    )


def gaussian(x: Array, mean: Array, log_variance: Array) -> Array:
    """log N(x; mean, exp(log_variance)), the log-variance of a shape that broadcasts with x."""
    return sum_over_example(
        -0.5 * (LOG_2PI + log_variance + (x - mean) ** 2 * jnp.exp(-log_variance))
    )


def categorical(x: Array, logits: Array, weight: Array | float = 1.0) -> Array:
    """sum over places of weight * log p(x), p = softmax(logits), for symbols x [B, ...].

    Logits are [B, ..., K]; the weight has a shape that broadcasts with x.
    """
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    chosen = jnp.take_along_axis(logits, x[..., None], axis=-1)[..., 0]
    return sum_over_example(weight * (chosen - jax.nn.logsumexp(logits, axis=-1)))
