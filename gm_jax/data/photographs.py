"""Grey crops of the two sample photographs of scikit-learn, which come with it.

Crops of the split train are all that fit into the columns before the last 160; those of the split
test lie beside one another in the last 160.
"""

import functools

import numpy as np
from PIL import Image

from gm_jax.data.source import SPLITS, Source
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field

SIDE = 32  # pixels, unless data.size says otherwise
TEST = 160  # columns


def photographs(config, split: str) -> Source:
    """Crops [S, S, 1]. Raises UserError if they do not fit into the test columns."""
    one_of("split of photographs", split, SPLITS)
    side = config.size or SIDE
    if side > TEST:
        raise UserError(f"data.size is {side}: crops of photographs have at most {TEST} pixels")
    pictures = _pictures()
    pictures = pictures[..., :-TEST] if split == "train" else pictures[..., -TEST:]
    views = np.lib.stride_tricks.sliding_window_view(pictures, (side, side), axis=(1, 2))
    if split == "test":
        views = views[:, ::side, ::side]
    counts = views.shape[:3]

    def load(indices):
        return {"image": views[np.unravel_index(indices, counts)][..., None]}

    return Source("photographs", int(np.prod(counts)), load, {"image": Field((side, side, 1), 256)})


@functools.cache
def _pictures() -> np.ndarray:
    """Both as luminance, uint8 [2, 427, 640]."""
    from sklearn.datasets import load_sample_images

    pictures = load_sample_images().images
    return np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in pictures])
