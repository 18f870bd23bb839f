"""Tensors in files: known by name, shape and type before any number is read."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np


class Stored(NamedTuple):
    """A tensor of a file. `load()` reads its numbers; what cannot be read raises UserError."""

    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], np.ndarray]


Tensors = Mapping[str, Stored]


def of_array(values: np.ndarray) -> Stored:
    """An array in memory as if it were in a file."""
    return Stored(values.shape, values.dtype, lambda: values)


def below(tensors: Tensors, prefix: str) -> dict[str, Stored]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    size = len(prefix)
    return {name[size:]: t for name, t in tensors.items() if name.startswith(prefix)}
