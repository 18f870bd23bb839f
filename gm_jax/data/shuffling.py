"""An endless order of examples in which each epoch is a permutation of its own."""

import functools

import numpy as np


def shuffled(positions: np.ndarray, size: int, seed: int) -> np.ndarray:
    """The number of the example at each position [n], by position and seed alone."""
    epochs, offsets = np.divmod(positions, size)
    indices = np.empty_like(offsets)
    for epoch in np.unique(epochs):
        own = epochs == epoch
        indices[own] = _permutation(size, seed, int(epoch))[offsets[own]]
    return indices


@functools.lru_cache(maxsize=8)
def _permutation(size: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(size)
