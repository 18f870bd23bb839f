"""The golden outputs of the authors' StyleGAN2 modules: ../shared/data/stylegan2-golden/ABOUT.md.

Their arrangement is NCHW and OIHW; ours is NHWC and HWIO.
"""

import functools
import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(os.environ.get("GM_JAX_SHARED", Path(__file__).parents[2] / "shared"))
FOLDER = SHARED / "data" / "stylegan2-golden"
needs_golden = pytest.mark.skipif(
    not (FOLDER / "golden.npz").exists(), reason="the golden data is not beside the checkout"
)


@functools.cache
def description():
    return json.loads((FOLDER / "golden.json").read_text())


@functools.cache
def _arrays():
    with np.load(FOLDER / "golden.npz") as file:
        return dict(file)


def golden(name):
    """An array of golden.npz in float64, images as NHWC."""
    x = np.asarray(_arrays()[name])
    x = x if x.dtype == np.int32 else x.astype(np.float64)
    return np.moveaxis(x, 1, -1) if x.ndim == 4 and not name.startswith("in/w") else x


def kernel(name):
    """A golden convolution's weights, [h, w, in, out]."""
    return golden(name).transpose(2, 3, 1, 0)


def uniform(name, shape, salt):
    """u in (-1, 1) of ABOUT.md's formula, float64."""
    count = int(np.prod(shape, dtype=np.int64))
    start = zlib.crc32(f"{salt}/{name}".encode())
    x = (np.arange(count, dtype=np.uint64) * 2654435761 + start) % 2**32
    x = x.astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return ((x + 0.5) / 2.0**31 - 1.0).reshape(shape)


def fill(name, shape, salt="gm-a"):
    """The weights `name` = case/parameter, as float32 values in float64."""
    offset, scale = 0.0, 0.5
    if name.endswith("affine.bias"):
        offset = 1.0
    elif "mapping.fc" in name and name.endswith("weight"):
        scale = 100.0 * np.sqrt(3.0)
    elif "mapping.fc" in name and name.endswith("bias"):
        scale = 50.0
    elif name.endswith("noise_strength"):
        offset, scale = 0.2, 0.1
    elif name.endswith(("noise_const", "const", "weight")):
        scale = np.sqrt(3.0)
    return np.float64(np.float32(offset + scale * uniform(name, shape, salt)))


def weights(case, part):
    """{the authors' name: array} of a case; `part` is generators or discriminators."""
    listed = description()[part][case]["parameters"]
    return {
        name: fill(f"{case}/{name}", tuple(shape))
        for name, shape in listed
        if not name.endswith("resample_filter")
    }
