"""Patches of natural images: scikit-learn's two photographs, grey and whitened; endless.

Olshausen & Field 1996: spectra of natural images fall with frequency; the filter

    rho exp(-(rho / 0.4)^4),  rho in cycles a pixel

flattens them up to where noise begins. A whitened photograph has mean 0 and variance 1. Patch
number i is a pure function of (split, i): the last COLUMNS of each photograph are the test split,
whose border the filter crosses by a few pixels.
"""

import functools

import numpy as np

from gm_jax.data.mixtures import uniform
from gm_jax.data.source import SPLITS, Source
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field

SIZE = 12  # if data.size is not set
COLUMNS = 160  # of each photograph, to test
CUT = 0.4  # cycles a pixel


def patches(config, split: str) -> Source:
    """`patch` [n, size, size, 1] float32. Raises UserError if they do not fit the photographs."""
    one_of("split of patches", split, SPLITS)
    size = config.size or SIZE
    if size > COLUMNS:
        raise UserError(f"data.size is {size}: patches have at most {COLUMNS} pixels a side")
    images = photographs()
    images = images[:, :, -COLUMNS:] if split == "test" else images[:, :, :-COLUMNS]
    rows, columns = (side - size + 1 for side in images.shape[1:])
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), (1, 2))
    stream = 3 * (split == "test")

    def load(indices):
        draws = (uniform(indices, stream + number) for number in range(3))
        chosen = zip(draws, (len(images), rows, columns), strict=True)
        return {"patch": windows[tuple((u * n).astype(int) for u, n in chosen)][..., None]}

    return Source("patches", None, load, {"patch": Field((size, size, 1))})


@functools.lru_cache(maxsize=1)
def photographs() -> np.ndarray:
    """Both, grey and whitened, [2, 427, 640] float32."""
    from sklearn.datasets import load_sample_images

    return np.stack([whitened(image.mean(-1)) for image in load_sample_images().images])


def whitened(image: np.ndarray) -> np.ndarray:
    """A grey image [H, W], filtered, with variance 1: float32."""
    frequencies = np.meshgrid(*map(np.fft.fftfreq, image.shape), indexing="ij")
    rho = np.hypot(*frequencies)
    flat = np.fft.ifft2(np.fft.fft2(image) * rho * np.exp(-((rho / CUT) ** 4))).real
    return (flat / flat.std()).astype(np.float32)
