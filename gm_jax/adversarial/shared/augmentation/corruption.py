"""What is done to an image's values: gains of four bands of frequencies, and a hole.

Karras et al. 2020 (ADA, arXiv 2006.06676), appendix B, "image-space filtering": with H the low
filter of the wavelet sym2, and L(z) = H(z) H(1/z) / 2, the bands are

    [0, pi/8]       L(z) L(z^2) L(z^4)
    [pi/8, pi/4]    L(z) L(z^2) L(-z^4)
    [pi/4, pi/2]    L(z) L(-z^2)
    [pi/2, pi]      L(-z)

Their sum leaves an image as it is.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.adversarial.shared.augmentation.draws import BANDS
from gm_jax.model import Array

SYM2 = np.array([-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025])
POWER = np.array([10.0, 1.0, 1.0, 1.0]) / 13.0  # expected of natural images in each band


def bank() -> np.ndarray:
    """The filters of the four bands, from the lowest one, symmetric about their middle, [4, T]."""
    low = np.convolve(SYM2, SYM2[::-1]) / 2.0
    high = low * (-1.0) ** np.arange(-3, 4)

    def spread(taps, by):
        """taps of z^by."""
        wide = np.zeros((len(taps) - 1) * by + 1)
        wide[::by] = taps
        return wide

    bands, lowest = [], np.ones(1)
    for by in [2**k for k in range(BANDS - 1)]:
        bands.append(np.convolve(lowest, spread(high, by)))
        lowest = np.convolve(lowest, spread(low, by))
    bands = [lowest, *bands[::-1]]
    return np.stack([np.pad(x, (len(lowest) - len(x)) // 2) for x in bands])


BANK = bank()


def gains(factors: Array) -> Array:
    """The gain of each band [B, 4], if they are changed by factors [B, 4] one after another.

    After each change all bands are scaled, so that an image of the expected power keeps it.
    """
    power = 1.0 + POWER * (factors**2 - 1.0)  # after the change of one band alone
    return factors / jnp.sqrt(jnp.prod(power, axis=-1, keepdims=True))


def banded(x: Array, factors: Array) -> Array:
    """Images [B, H, W, C] with each band of frequencies changed by its factor, [B, 4].

    They are mirrored beyond their border, as often as the filters are longer than they are.
    """
    taps = gains(factors) @ BANK
    for axis in (1, 2):
        x = _correlated(x, taps.astype(x.dtype), axis)
    return x


def _correlated(x: Array, taps: Array, axis: int) -> Array:
    """Each example filtered along an axis by its own symmetric taps [B, T]."""
    length, reach = x.shape[axis], taps.shape[1] // 2
    margins = [(reach, reach) if i == axis else (0, 0) for i in range(x.ndim)]
    x, taps = jnp.pad(x, margins, mode="reflect"), taps.T[:, :, None, None, None]

    def shifted(by):
        return lax.slice_in_dim(x, reach + by, reach + by + length, axis=axis)

    y = taps[reach] * shifted(0)
    for by in range(1, reach + 1):
        y = y + taps[reach + by] * (shifted(by) + shifted(-by))
    return y


def cut(x: Array, holes: Array) -> Array:
    """Images [B, H, W, C] that are 0 in a rectangle [B, 3]: its centre (x, y) and its size.

    All by shares of the width and height; a size of 0 changes nothing.
    """
    height, width = x.shape[1:3]

    def inside(count, centre):
        positions = (jnp.arange(count) + 0.5) / count
        return jnp.abs(positions - centre[:, None]) < holes[:, 2:] / 2.0

    row, column = inside(height, holes[:, 1]), inside(width, holes[:, 0])
    return jnp.where((row[:, :, None] & column[:, None])[..., None], 0.0, x).astype(x.dtype)
