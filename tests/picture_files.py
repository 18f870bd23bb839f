"""Picture files for tests, and what a folder of them is read as."""

import numpy as np
from PIL import Image

from gm_jax import data

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (8, 8, 3), np.uint8)


def write(root, *names, image=None, **options):
    """Writes a picture, by default of 8x8 RGB noise, under each name."""
    image = Image.fromarray(NOISE) if image is None else image
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(root / name, **options)
    return root


def grey(*shape):
    return Image.fromarray(RNG.integers(0, 256, shape or (8, 8), np.uint8))


def source_of(root, split="train", **settings):
    return data.open_source({"name": "folder", "path": str(root), **settings}, split)


def read(root, split="train", **settings):
    """All images of a folder, [N, H, W, C]."""
    source = source_of(root, split, **settings)
    return source.load(np.arange(source.size))["image"]
