"""Distances between images by the features of a network that sees both.

Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric (LPIPS),
arXiv 1801.03924. No network appears here: which features they are decides what a distance means.
"""

from collections.abc import Sequence

import jax.numpy as jnp

from gm_jax.model import Array


def feature_distance(
    x: Sequence[Array], y: Sequence[Array], weights: Sequence[Array] | None = None
) -> Array:
    """sum over layers of the mean over positions of sum_c w_c (x_c - y_c)^2, [B]. Eq. 1.

    x, y     maps of the same layers, [B, h, w, C] each; every position is scaled to length 1 here
    weights  [C] for each layer, as LPIPS learns them; None for ones
    """
    weights = [1.0] * len(x) if weights is None else weights
    terms = [
        jnp.mean(jnp.sum(w * (_unit(a) - _unit(b)) ** 2, axis=-1), axis=(1, 2))
        for a, b, w in zip(x, y, weights, strict=True)
    ]
    return sum(terms)


def feature_error(
    x: Sequence[Array], y: Sequence[Array], power: int = 2, weights: Sequence[float] = ()
) -> Array:
    """sum over layers of the mean over positions and channels of |x - y|^power, as they are, [B].

    Johnson et al. 2016 (arXiv 1603.08155), section 3.2: squares. With `weights` of the layers.
    """
    terms = [jnp.mean(jnp.abs(a - b) ** power, axis=(1, 2, 3)) for a, b in zip(x, y, strict=True)]
    return sum(w * term for w, term in zip(weights or [1.0] * len(terms), terms, strict=True))


def _unit(x: Array) -> Array:
    """Channels scaled to length 1 at each position; its slope is finite at 0."""
    return x / (jnp.sqrt(jnp.sum(x**2, axis=-1, keepdims=True) + 1e-20) + 1e-10)
