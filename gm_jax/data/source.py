"""A source of data: random access to examples, and what they look like."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gm_jax.errors import UserError
from gm_jax.model import Spec

SPLITS = ("train", "test")  # of data whose splits are our own


class Source(NamedTuple):
    """Random access to a split: `load(indices [n])` gives arrays [n, ...], images as uint8.

    size is None where there is no end: every index from 0 on is an example of its own.
    """

    name: str
    size: int | None
    load: Callable[[np.ndarray], dict[str, np.ndarray]]
    spec: Spec


def from_arrays(name: str, arrays: dict[str, np.ndarray], spec: Spec) -> Source:
    """A source over arrays in memory, each [N, ...]."""
    size = len(next(iter(arrays.values())))
    if not size:
        raise UserError(f"{name} holds no examples")
    return Source(name, size, lambda indices: {k: v[indices] for k, v in arrays.items()}, spec)


def path_of(config) -> str:
    """The `path` of a recipe's data; raises UserError where it has none."""
    if not config.get("path"):
        raise UserError(
            f"data.name is {config.name!r}: say where it is with --config.data.path=..."
        )
    return config.path
