"""What a network predicts from x_t = alpha x_0 + sigma eps, with exact conversions to x_0.

alpha and sigma broadcast with x [B, H, W, C]; all kinds are affine in x_0 at a given x_t.
"""

from collections.abc import Callable
from typing import NamedTuple

from gm_jax.model import Array


class Prediction(NamedTuple):
    """target(x_0, eps, alpha, sigma) is what the network learns to predict;
    to_x0(output, x_t, alpha, sigma) is the x_0 that its output implies."""

    target: Callable[[Array, Array, Array, Array], Array]
    to_x0: Callable[[Array, Array, Array, Array], Array]


def noise_of(x0: Array, x_t: Array, alpha: Array, sigma: Array) -> Array:
    """eps = (x_t - alpha x_0) / sigma, for sigma > 0."""
    return (x_t - alpha * x0) / sigma


NOISE = Prediction(
    target=lambda x0, noise, alpha, sigma: noise,
    to_x0=lambda output, x_t, alpha, sigma: (x_t - sigma * output) / alpha,
)
X0 = Prediction(
    target=lambda x0, noise, alpha, sigma: x0,
    to_x0=lambda output, x_t, alpha, sigma: output,
)
# v = alpha eps - sigma x_0, so x_0 = alpha x_t - sigma v. Salimans & Ho 2022, appendix D.
V = Prediction(
    target=lambda x0, noise, alpha, sigma: alpha * noise - sigma * x0,
    to_x0=lambda output, x_t, alpha, sigma: alpha * x_t - sigma * output,
)

PREDICTIONS = {"noise": NOISE, "x0": X0, "v": V}
