"""Mixtures of Gaussians in the plane, the toy data of mode coverage: endless, and by position.

    ring   `modes` centres on a circle of `radius`
    grid   25 centres at {-4, -2, 0, 2, 4}^2

Point number i is a pure function of i, of `deviation` and of the split.
"""

import numpy as np

from gm_jax.data.source import SPLITS, Source
from gm_jax.errors import one_of
from gm_jax.model import Field
from gm_jax.settings import Data, read

# Of each mode, unless `data.deviation` is set: Metz et al. 2017, Srivastava et al. 2017 (VEEGAN).
DEVIATIONS = {"ring": 0.02, "grid": 0.05}


def centres(config: Data) -> np.ndarray:
    """The modes of a recipe's mixture, [M, 2]."""
    if config.name == "grid":
        side = np.arange(-4.0, 5.0, 2.0)
        return np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    # Without an endpoint: the first centre would occur twice, and one mode would be missing.
    angle = 2.0 * np.pi * np.arange(config.modes) / config.modes
    return config.radius * np.stack([np.cos(angle), np.sin(angle)], -1)


def deviation(config: Data) -> float:
    """The standard deviation of each mode, along each axis."""
    return DEVIATIONS[config.name] if config.deviation is None else config.deviation


def mixture(config, split: str) -> Source:
    """Points [n, 2] float32 and the number of their mode as label; all modes are equally likely."""
    config = read(Data, config, "data.")
    one_of(f"split of {config.name}", split, SPLITS)
    at, spread = centres(config), deviation(config)
    stream = 3 * (split == "test")

    def load(indices):
        label = (uniform(indices, stream) * len(at)).astype(np.int32)
        radius = np.sqrt(-2.0 * np.log1p(-uniform(indices, stream + 1)))
        angle = 2.0 * np.pi * uniform(indices, stream + 2)
        noise = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        return {"point": (at[label] + spread * noise).astype(np.float32), "label": label}

    return Source(config.name, None, load, {"point": Field((2,)), "label": Field((), len(at))})


def uniform(indices: np.ndarray, stream: int) -> np.ndarray:
    """A number in [0, 1) for each index, a pure function of both: splitmix64's mixing.

    Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", figure 16.
    """
    with np.errstate(over="ignore"):  # Arithmetic is modulo 2^64.
        z = np.asarray(indices).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = _mix(z + _mix(np.uint64(stream + 1) * np.uint64(0x9E3779B97F4A7C15)))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
