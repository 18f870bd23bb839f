"""Losses of diffusion models, one value per example.

x_t = alpha x_0 + sigma eps. Ho, Jain & Abbeel 2020; weights are theirs unless said otherwise.
"""

import jax
import jax.numpy as jnp

from gm_jax.losses.likelihoods import gaussian_kl, sum_over_example
from gm_jax.model import Array


def l_simple(noise: Array, predicted: Array) -> Array:
    """mean over elements of (eps - eps_theta)^2, [B]. Ho et al. 2020, eq. 14."""
    return jnp.mean((noise - predicted) ** 2, axis=tuple(range(1, noise.ndim)))


def prior_term(mean: Array, log_variance: Array) -> Array:
    """L_T = KL(q(x_T | x_0) || N(0, I)) in nats, [B]. Ho et al. 2020, eq. 5."""
    flat = mean.reshape(mean.shape[0], -1)
    return gaussian_kl(flat, jnp.broadcast_to(log_variance.reshape(-1, 1), flat.shape))


def transition_term(
    mean: Array, log_variance: Array, model_mean: Array, model_log_variance: Array
) -> Array:
    """L_{t-1} = KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) of diagonal Gaussians, nats, [B]."""
    return sum_over_example(
        0.5
        * (
            model_log_variance
            - log_variance
            + jnp.exp(log_variance - model_log_variance)
            + (mean - model_mean) ** 2 * jnp.exp(-model_log_variance)
            - 1.0
        )
    )


def decoder_term(image: Array, mean: Array, log_variance: Array) -> Array:
    """L_0 = -log p(x_0 | x_1) of images with 256 levels in [-1, 1], nats, [B].

    The Gaussian's mass between the midpoints to the neighbouring levels; the two end levels take
    the tails. Ho et al. 2020, eq. 13.
    """
    scale = jnp.exp(-0.5 * log_variance)
    upper = (image + 1.0 / 255.0 - mean) * scale
    lower = (image - 1.0 / 255.0 - mean) * scale
    # Mass between two points of one tail: computed left of zero, where it does not cancel.
    flip = lower > 0.0
    low, high = jnp.where(flip, -upper, lower), jnp.where(flip, -lower, upper)
    log_low, log_high = jax.scipy.stats.norm.logcdf(low), jax.scipy.stats.norm.logcdf(high)
    inside = log_high + jnp.log1p(-jnp.exp(jnp.minimum(log_low - log_high, -1e-12)))
    log_mass = jnp.where(
        image < -0.999,
        jax.scipy.stats.norm.logcdf(upper),
        jnp.where(image > 0.999, jax.scipy.stats.norm.logcdf(-lower), inside),
    )
    return -sum_over_example(log_mass)
