"""The evidence lower bound, in nats per example.

    log p(x) >= E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z))      Kingma & Welling 2014, eq. 3

Sums run over pixels and latents; nothing here averages over the batch.
"""

import jax
import jax.numpy as jnp

from gm_jax.model import Array


def elbo(reconstruction: Array, kl: Array, beta: float | Array = 1.0) -> Array:
    """log p(x|z) - beta KL, [B]. beta 1 is the bound; Higgins et al. 2017, eq. 4, weight the KL."""
    return reconstruction - beta * kl


def gaussian_kl(mean: Array, log_variance: Array) -> Array:
    """KL(N(mean, variance) || N(0, I)) of means and log-variances [B, D], summed to [B].

    Kingma & Welling 2014, appendix B: -1/2 sum(1 + log variance - mean^2 - variance).
    """
    return -0.5 * jnp.sum(1.0 + log_variance - mean**2 - jnp.exp(log_variance), axis=-1)


def importance_weighted(log_weights: Array) -> Array:
    """log 1/K sum_k w_k of log-weights [K, B], [B]: a bound on log p(x) that tightens with K.

    log w = log p(x|z) + log p(z) - log q(z|x) with z ~ q(z|x). Burda et al. 2016, eq. 8.
    """
    count = log_weights.shape[0]
    return jax.nn.logsumexp(log_weights, axis=0) - jnp.log(count)
