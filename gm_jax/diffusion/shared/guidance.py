"""Guidance and thresholding: wrappers of what a network predicts, or of its x0_hat."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gm_jax.diffusion.shared.processes import Predict
from gm_jax.model import Array


def classifier_free(
    conditional: Predict, unconditional: Predict, weight: float | Array, learned: bool = False
) -> Predict:
    """(1 + w) conditional - w unconditional. Ho & Salimans 2022 (arXiv 2207.12598), eq. 6.

    Elsewhere the scale is 1 + w. At weight 0 it is `conditional` itself. `unconditional` may see
    another condition: a negative prompt.
    learned  whether the second half of the channels is a variance: that is the conditional one's
    """
    if not isinstance(weight, Array) and not weight:
        return conditional

    def predict(x, level):
        output = conditional(x, level)
        if not learned:
            return output + weight * (output - unconditional(x, level))
        mean, variance = jnp.split(output, 2, axis=-1)
        null, _ = jnp.split(unconditional(x, level), 2, axis=-1)
        return jnp.concatenate([mean + weight * (mean - null), variance], axis=-1)

    return predict


def classifier(denoise: Callable, log_prob: Callable, scale: float) -> Callable:
    """eps_hat - scale sigma grad log p(y given x_t): x0_hat + scale sigma^2 / alpha grad log p.

    Dhariwal & Nichol 2021 (arXiv 2105.05233), algorithm 2. At scale 0 it is `denoise` itself.
    log_prob  (x_t [B, ...], its level) -> log p(y | x_t) [B], of a classifier of noised images
    """
    if not scale:
        return denoise

    def guided(x, at):
        found = denoise(x, at)
        gradient = jax.grad(lambda x: jnp.sum(log_prob(x, at)))(x)
        shift = scale * at.sigma**2 / at.alpha * gradient
        return (found[0] + shift, *found[1:]) if isinstance(found, tuple) else found + shift

    return guided


def clipped(x0: Array) -> Array:
    """x0_hat within [-1, 1]."""
    return jnp.clip(x0, -1.0, 1.0)


def dynamically(share: float) -> Callable[[Array], Array]:
    """x0_hat within [-s, s], divided by s: the quantile of |x0_hat| at `share` of an example, >= 1.

    Saharia et al. 2022 (arXiv 2205.11487), section 2.3.
    """

    def threshold(x0):
        flat = jnp.abs(x0).reshape(x0.shape[0], -1)
        largest = jnp.maximum(jnp.quantile(flat, share, axis=1), 1.0)
        largest = largest.reshape(-1, *[1] * (x0.ndim - 1))
        return jnp.clip(x0, -largest, largest) / largest

    return threshold


def thresholded(denoise: Callable, threshold: Callable[[Array], Array]) -> Callable:
    """A denoiser whose x0_hat is thresholded."""

    def limited(x, at):
        found = denoise(x, at)
        return (threshold(found[0]), *found[1:]) if isinstance(found, tuple) else threshold(found)

    return limited
