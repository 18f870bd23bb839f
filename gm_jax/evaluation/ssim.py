"""Structural similarity of pairs of images, at one scale and at several.

Wang, Bovik, Sheikh & Simoncelli 2004; Wang, Simoncelli & Bovik 2003.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.evaluation.errors import EvaluationError

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
# Four halvings, each rounded up, must leave one window.
SMALLEST = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1
SMALLEST_SHRUNK = 2 ** (len(WEIGHTS) - 1)


def ssim(x, y) -> jax.Array:
    """SSIM [B] of images [B, H, W, C] on the scale 0..255, by a Gaussian window; 1 if equal.

    Raises EvaluationError for images smaller than the window of 11 pixels.
    """
    if min(x.shape[1:3]) < WINDOW:
        raise EvaluationError(
            f"SSIM's window needs images of {WINDOW} pixels a side, these have {x.shape[1]} x"
            f" {x.shape[2]}"
        )
    return _ssim(x, y)


@jax.jit
def _ssim(x, y):
    luminance, contrast = _terms(x.astype(jnp.float32), y.astype(jnp.float32))
    return (luminance * contrast).mean(axis=(1, 2, 3))


def ms_ssim(x, y, shrink: bool = False) -> jax.Array:
    """MS-SSIM [B] in [0, 1] of images [B, H, W, C] on the scale 0..255 (eq. 7); 1 for equal ones.

    shrink  whether the window shrinks to an image that is smaller, and its deviation with it, as in
            the code of Karras et al. 2018 (ProGAN)

    Contrast and structure below 0 count as 0. Raises EvaluationError below 161 pixels a side, or 16
    if the window shrinks.
    """
    least = SMALLEST_SHRUNK if shrink else SMALLEST
    if min(x.shape[1:3]) < least:
        raise EvaluationError(
            f"MS-SSIM's five scales need images of {least} pixels a side, these have "
            f"{x.shape[1]} x {x.shape[2]}"
        )
    return _ms_ssim(x, y)


@jax.jit
def _ms_ssim(x, y):
    x, y = x.astype(jnp.float32), y.astype(jnp.float32)
    result = 1.0
    for scale, weight in enumerate(WEIGHTS):
        luminance, contrast = _terms(x, y)
        if scale == len(WEIGHTS) - 1:
            contrast = luminance * contrast
        result *= jnp.maximum(contrast.mean(axis=(1, 2, 3)), 0) ** weight
        x, y = _halve(x), _halve(y)
    return result


def _terms(x, y):
    """Luminance, and contrast times structure, at each position (eqs. 1 to 3)."""
    # Around mid-grey: float32 squares lose fewer digits there, and variances do not change.
    x, y = x - 128, y - 128
    mx, my, xx, yy, xy = _blur(jnp.stack([x, y, x * x, y * y, x * y]))
    vx, vy, vxy = xx - mx * mx, yy - my * my, xy - mx * my
    mx, my = mx + 128, my + 128
    luminance = (2 * mx * my + C1) / (mx * mx + my * my + C1)
    return luminance, (2 * vxy + C2) / (vx + vy + C2)


def _blur(x):
    """The Gaussian window over [..., H, W, C], where it lies inside; no larger than the image."""
    window = min(WINDOW, *x.shape[-3:-1])
    at = np.arange(window) - (window - 1) / 2
    kernel = np.exp(-(at**2) / (2 * (SIGMA * window / WINDOW) ** 2))
    kernel = kernel / kernel.sum()
    for axis in (-3, -2):
        size = x.shape[axis] - window + 1
        cut = partial(lax.slice_in_dim, x, axis=x.ndim + axis)
        x = sum(float(w) * cut(i, i + size) for i, w in enumerate(kernel))
    return x


def _halve(x):
    """Means of 2 x 2 pixels; an odd last row or column is doubled first."""
    b, h, w, c = x.shape
    x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode="symmetric")
    return x.reshape(b, (h + 1) // 2, 2, (w + 1) // 2, 2, c).mean(axis=(2, 4))
