"""A source of data: random access to examples, and what they look like."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gm_jax.errors import UserError
from gm_jax.model import Spec

SPLITS = ("train", "test")  # of data whose splits are our own
# Names of a split's folder, in any case.
SPLIT_FOLDERS = (("train", "training"), ("test", "testing"), ("val", "valid", "validation"))


class Source(NamedTuple):
    """Random access to a split: `load(indices [n])` gives arrays [n, ...], images as uint8.

    size      None if it is endless: every index from 0 on is another example
    visit     (indices, draws [n, 2] in [0, 1)) -> as `load`, drawn again at each visit in training
              (random crops); None if visits do not differ
    captions  indices -> the caption of each; None if there are none
    wordings  of an endless source: captions that hold every word, and the longest of all
    classes   names of the labels, if they have any
    key       identifies the data, and changes if files changed; "" if unknown
    kept      whether `load` decodes each example once and then keeps it in memory
    """

    name: str
    size: int | None
    load: Callable[[np.ndarray], dict[str, np.ndarray]]
    spec: Spec
    visit: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]] | None = None
    captions: Callable[[np.ndarray], list[str]] | None = None
    wordings: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    key: str = ""
    kept: bool = False


def from_arrays(name: str, arrays: dict[str, np.ndarray], spec: Spec) -> Source:
    """A source over arrays in memory, each [N, ...]."""
    size = len(next(iter(arrays.values())))
    if not size:
        raise UserError(f"{name} holds no examples")
    return Source(name, size, lambda indices: {k: v[indices] for k, v in arrays.items()}, spec)


def path_of(config) -> Path:
    """The `path` of a recipe's data, "~" expanded; raises UserError if nothing is there."""
    if not config.path:
        raise UserError(
            f"data.name is {config.name!r}: say where it is with --config.data.path=..."
        )
    path = Path(config.path).expanduser()
    if not path.exists():
        raise UserError(
            f"{path.absolute()} cannot be read, as it does not exist: say where the data is with"
            " --config.data.path=..."
        )
    return path
