"""What a network predicts from x_t = alpha x_0 + sigma eps, with exact conversions to x_0.

alpha and sigma broadcast with x [B, H, W, C]; all kinds are affine in x_0 at a given x_t.
"""

from collections.abc import Callable
from typing import NamedTuple

from gm_jax.model import Array


class Prediction(NamedTuple):
    """target(x_0, eps, alpha, sigma) is what the network learns to predict;
    to_x0(output, x_t, alpha, sigma) is the x_0 that its output implies;
    weight(alpha, sigma) = |target - output|^2 / |x_0 - x0_hat|^2."""

    target: Callable[[Array, Array, Array, Array], Array]
    to_x0: Callable[[Array, Array, Array, Array], Array]
    weight: Callable[[Array, Array], Array]


def noise_of(x0: Array, x_t: Array, alpha: Array, sigma: Array) -> Array:
    """eps = (x_t - alpha x_0) / sigma, for sigma > 0."""
    return (x_t - alpha * x0) / sigma


NOISE = Prediction(
    target=lambda x0, noise, alpha, sigma: noise,
    to_x0=lambda output, x_t, alpha, sigma: (x_t - sigma * output) / alpha,
    weight=lambda alpha, sigma: (alpha / sigma) ** 2,
)
X0 = Prediction(
    target=lambda x0, noise, alpha, sigma: x0,
    to_x0=lambda output, x_t, alpha, sigma: output,
    weight=lambda alpha, sigma: 1.0,
)
# v = alpha eps - sigma x_0, so x_0 = alpha x_t - sigma v if alpha^2 + sigma^2 = 1. Salimans & Ho
# 2022, appendix D.
V = Prediction(
    target=lambda x0, noise, alpha, sigma: alpha * noise - sigma * x0,
    to_x0=lambda output, x_t, alpha, sigma: alpha * x_t - sigma * output,
    weight=lambda alpha, sigma: sigma**-2,
)
# The score of q(x_t | x_0), -eps / sigma. Song et al. 2021 (arXiv 2011.13456), eq. 7.
SCORE = Prediction(
    target=lambda x0, noise, alpha, sigma: -noise / sigma,
    to_x0=lambda output, x_t, alpha, sigma: (x_t + sigma**2 * output) / alpha,
    weight=lambda alpha, sigma: (alpha / sigma**2) ** 2,
)
# The velocity of a straight path from data to noise, eps - x_0. Liu, Gong & Liu 2022 (arXiv
# 2209.03003), eq. 1; Lipman et al. 2022 (arXiv 2210.02747), with time turned round.
VELOCITY = Prediction(
    target=lambda x0, noise, alpha, sigma: noise - x0,
    to_x0=lambda output, x_t, alpha, sigma: (x_t - sigma * output) / (alpha + sigma),
    weight=lambda alpha, sigma: ((alpha + sigma) / sigma) ** 2,
)

PREDICTIONS = {"noise": NOISE, "x0": X0, "v": V, "score": SCORE, "velocity": VELOCITY}


def edm(sigma_data: float = 0.5) -> Prediction:
    """What F learns in D = c_skip x + c_out F, at x / alpha and r = sigma / alpha.

    Karras et al. 2022 (arXiv 2206.00364), table 1.
    """

    def skip(alpha, sigma):
        return sigma_data**2 / ((sigma / alpha) ** 2 + sigma_data**2)

    def out(alpha, sigma):
        ratio = sigma / alpha
        return ratio * sigma_data * (ratio**2 + sigma_data**2) ** -0.5

    def target(x0, noise, alpha, sigma):
        x = x0 + sigma / alpha * noise
        return (x0 - skip(alpha, sigma) * x) / out(alpha, sigma)

    def to_x0(output, x_t, alpha, sigma):
        return skip(alpha, sigma) * x_t / alpha + out(alpha, sigma) * output

    return Prediction(target, to_x0, lambda alpha, sigma: out(alpha, sigma) ** -2)
