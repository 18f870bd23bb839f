"""What of a picture is its style: statistics of a network's maps that forget where things are.

Gatys, Ecker & Bethge 2016 (Image Style Transfer Using Convolutional Neural Networks): products of
channels. Huang & Belongie 2017 (arXiv 1703.06868), eq. 13: means and deviations. No network appears
here: which maps they are decides what a style is. One value per example.
"""

import jax.numpy as jnp

from gm_jax.model import Array

EPSILON = 1e-5  # Added to a variance: the deviation has a finite slope where a channel is constant.


def gram(x: Array) -> Array:
    """The mean over positions of the products of channels: [B, H, W, C] to [B, C, C].

    Divided by H W and not by C.
    """
    positions = x.shape[1] * x.shape[2]
    return jnp.einsum("bhwc,bhwd->bcd", x, x) / positions


def gram_error(x: Array, y: Array) -> Array:
    """The mean of squares of the difference of the maps' Gram matrices, [B]."""
    return jnp.mean((gram(x) - gram(y)) ** 2, axis=(1, 2))


def moments(x: Array) -> tuple[Array, Array]:
    """Each channel's mean and deviation over positions, [B, C]; of the unbiased variance."""
    variance = jnp.var(x, axis=(1, 2), ddof=1)
    return jnp.mean(x, axis=(1, 2)), jnp.sqrt(variance + EPSILON)


def moment_error(x: Array, y: Array) -> Array:
    """The mean of squares of the difference of means, and that of deviations, summed, [B]."""
    pairs = zip(moments(x), moments(y), strict=True)
    return sum(jnp.mean((a - b) ** 2, axis=-1) for a, b in pairs)
