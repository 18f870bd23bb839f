"""One pass by several processes: each computes the features of its share of the images.

Of P processes, process p has images p, p + P, p + 2 P, ... All of them must call these functions.
Arrays travel as bytes, because JAX would round float64 to float32 on the way.
"""

from collections.abc import Iterable, Iterator

import jax
import numpy as np
from jax.experimental import multihost_utils


def shares(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The rows of batches [b, ...] that belong to this process."""
    first = 0
    for batch in batches:
        yield batch[(jax.process_index() - first) % jax.process_count() :: jax.process_count()]
        first += len(batch)


def numbers(first: int, count: int) -> np.ndarray:
    """The numbers, among all images, of the images first .. first + count - 1 of this process."""
    return jax.process_index() + jax.process_count() * (first + np.arange(count))


def gathered(values: np.ndarray) -> np.ndarray:
    """The arrays [...] of all processes, of one shape, [P, ...]."""
    values = np.asarray(values)
    if jax.process_count() == 1:
        return values[None]
    raw = np.frombuffer(values.tobytes(), np.uint8)
    rows = multihost_utils.process_allgather(raw)
    return np.stack([row.view(values.dtype).reshape(values.shape) for row in np.asarray(rows)])


def interleaved(rows: np.ndarray, count: int) -> np.ndarray:
    """All `count` rows [count, ...], in the order of their numbers, from each process' [n, ...]."""
    longest = -(-count // jax.process_count())
    padded = np.concatenate([rows, np.zeros((longest - len(rows), *rows.shape[1:]), rows.dtype)])
    return gathered(padded).swapaxes(0, 1).reshape(-1, *rows.shape[1:])[:count]


def everywhere(here: bool) -> bool:
    """Whether it is so on all processes."""
    return bool(gathered(np.array([here])).all())
