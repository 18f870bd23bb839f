"""Log-likelihoods and the evidence lower bound, in nats, one value per example.

    log p(x) >= E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z))      Kingma & Welling 2014, eq. 3

Sums run over all axes but the first, such as pixels and latents; nothing averages over the batch.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gm_jax.model import Array

LOG_2PI = 1.8378770664093453


def sum_over_example(x: Array) -> Array:
    """Sum over all axes but the first."""
    return jnp.sum(x, axis=tuple(range(1, x.ndim)))


def bernoulli(x: Array, logits: Array) -> Array:
    """sum x log p + (1 - x) log(1 - p), p = sigmoid(logits), for x in [0, 1].

    Finite at any finite logit: log-sigmoid is applied to the logits, never log to p.
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
    """sum over positions of weight * log p(x), p = softmax(logits), for symbols x [B, ...].

    Logits are [B, ..., K]; the weight has a shape that broadcasts with x.
    """
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    of_x = jnp.take_along_axis(logits, x[..., None], axis=-1)[..., 0]
    return sum_over_example(weight * (of_x - jax.nn.logsumexp(logits, axis=-1)))


def smoothed_categorical(
    x: Array, logits: Array, share: float, weight: Array | float = 1.0
) -> Array:
    """`categorical` with a `share` of the target spread evenly over all values: label smoothing.

    Szegedy et al. 2016 (arXiv 1512.00567), section 7.
    """
    exact = categorical(x, logits, weight)
    log_p = jax.nn.log_softmax(logits.astype(jnp.promote_types(logits.dtype, jnp.float32)))
    return (1.0 - share) * exact + share * sum_over_example(weight * jnp.mean(log_p, axis=-1))


def logit_laplace(x: Array, mean: Array, log_scale: Array) -> Array:
    """log of exp(-|logit x - mean| / b) / (2 b x (1 - x)), b = exp(log_scale), for x in (0, 1).

    The density of a sigmoid of a Laplace variable. Ramesh et al. 2021 (arXiv 2102.12092), app. A.3.
    """
    logit = jnp.log(x) - jnp.log1p(-x)
    distance = jnp.abs(logit - mean) * jnp.exp(-log_scale)
    return sum_over_example(-distance - log_scale - jnp.log(2.0) - jnp.log(x) - jnp.log1p(-x))


def map_pixels(x: Array) -> Array:
    """[0, 1] to [0.1, 0.9], where the logit-Laplace density has no pole. Ramesh et al., A.3."""
    return 0.8 * x + 0.1


def unmap_pixels(x: Array) -> Array:
    """The inverse of `map_pixels`, cut to [0, 1]."""
    return jnp.clip((x - 0.1) / 0.8, 0.0, 1.0)


def grey_logit_laplace(image: Array, noise: Array, mean: Array, log_scale: Array) -> Array:
    """`logit_laplace` of mapped pixels as log-likelihood of 256 grey values, images in [-1, 1].

    Noise, uniform in [0, 1), spreads each grey value over its bin: exp of the result is unbiased,
    so the result is a lower bound. Without noise the density of flat areas has no limit.
    """
    grey = (jnp.round((image + 1.0) * 127.5) + noise) / 256.0
    bins = math.log(0.8 / 256) * math.prod(image.shape[1:])
    return logit_laplace(map_pixels(grey), mean, log_scale) + bins


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


class Likelihood(NamedTuple):
    """p(x|z) of images in [-1, 1] as a function of a decoder's output.

    log_prob  (image, output, params) -> [B]; of the model's params it reads those in `learned`
    mean      output -> image
    learned   names of its parameters, scalars that start at 0
    """

    log_prob: Callable
    mean: Callable
    learned: tuple[str, ...] = ()


LIKELIHOODS = {
    # Of black and white pixels, or of grey values taken as probabilities.
    "bernoulli": Likelihood(
        lambda x, logits, params: bernoulli((x + 1.0) / 2.0, logits),
        lambda logits: 2.0 * jax.nn.sigmoid(logits) - 1.0,
    ),
    # A density with one learned variance for all pixels.
    "gaussian": Likelihood(
        lambda x, mean, params: gaussian(x, mean, params["log_variance"]),
        lambda mean: mean,
        learned=("log_variance",),
    ),
}
