"""Sliced Wasserstein distance of Laplacian-pyramid patches (Karras et al. 2018, section 5).

The patches are kept: 128 x 49 x C float32 per image and level, 75 kB for RGB.
"""

import numpy as np
from scipy import ndimage

from gm_jax.evaluation.errors import EvaluationError

IMAGES = 16_384
PATCHES, PATCH, SMALLEST = 128, 7, 16
REPEATS, DIRECTIONS = 4, 128
_KERNEL = np.array([1, 4, 6, 4, 1], np.float32) / 16


def levels(height: int, width: int) -> list[int]:
    """The sides of the pyramid, halved down to 16; EvaluationError if images are too small."""
    if height != width or height < SMALLEST:
        raise EvaluationError(
            f"the sliced Wasserstein distance needs square images of at least {SMALLEST} pixels "
            f"a side, these have {height} x {width}"
        )
    sides = [height]
    while sides[-1] % 2 == 0 and sides[-1] // 2 >= SMALLEST:
        sides.append(sides[-1] // 2)
    return sides


def patches(images, first: int = 0, seed: int = 0) -> dict[int, np.ndarray]:
    """128 patches of each level of uint8 images [B, H, W, C]: {side: float32 [B * 128, C, 49]}.

    Positions are drawn by the seed and the image's number in its set, `first` + its row.
    """
    result = {}
    pyramid = _laplacian(images.astype(np.float32), levels(*images.shape[1:3]))
    for side, level in pyramid.items():
        windows = np.lib.stride_tricks.sliding_window_view(level, (PATCH, PATCH), axis=(1, 2))
        cut = []
        for row in range(len(images)):
            rng = np.random.default_rng([seed, side, first + row])
            y, x = rng.integers(0, side - PATCH + 1, (2, PATCHES))
            cut.append(windows[row, y, x].reshape(PATCHES, images.shape[-1], -1))
        result[side] = np.concatenate(cut)
    return result


def sliced_wasserstein(a, b, seed: int = 0) -> float:
    """1000 x the mean over random directions of the L1 distance of the sorted projections.

    a, b  one level's patches [n, C, 49]; of the larger set the first n of the smaller are taken
    """
    n = min(len(a), len(b))
    a, b = (_normalise(p[:n]) for p in (a, b))
    rng = np.random.default_rng(seed)
    total = 0.0
    for _ in range(REPEATS):
        directions = rng.normal(size=(a.shape[1], DIRECTIONS))
        directions = (directions / np.linalg.norm(directions, axis=0)).astype(np.float32)
        for some in np.split(directions.T, 16):
            sorted_a, sorted_b = (np.sort(some @ p.T, axis=1) for p in (a, b))
            total += np.abs(sorted_a - sorted_b).mean(axis=1, dtype=np.float64).sum()
    return float(1e3 * total / (REPEATS * DIRECTIONS))


def _normalise(p: np.ndarray) -> np.ndarray:
    """Patches [n, C, 49] with mean 0 and deviation 1 in each channel, as rows [n, C * 49]."""
    std = p.std(axis=(0, 2), keepdims=True, dtype=np.float64)
    mean = p.mean(axis=(0, 2), keepdims=True, dtype=np.float64)
    return ((p - mean) / np.maximum(std, 1e-12)).astype(np.float32).reshape(len(p), -1)


def _smooth(x, gain: float = 1.0):
    for axis in (1, 2):
        x = ndimage.correlate1d(x, _KERNEL * np.float32(gain), axis=axis, mode="mirror")
    return x


def _laplacian(x, sides: list[int]) -> dict[int, np.ndarray]:
    """What each level adds to the next smaller one; the smallest as it is."""
    result = {}
    for side in sides[:-1]:
        smaller = _smooth(x)[:, ::2, ::2]
        spread = np.zeros_like(x)
        spread[:, ::2, ::2] = smaller
        result[side] = x - _smooth(spread, gain=2.0)
        x = smaller
    return result | {sides[-1]: x}
