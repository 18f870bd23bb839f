"""Windows of one length over long sequences, so that each symbol is predicted exactly once."""

from typing import NamedTuple

import numpy as np

from gm_jax.errors import UserError


class Windows(NamedTuple):
    """Where each window begins, [W], and how many of its last places no window before it held."""

    start: np.ndarray
    fresh: np.ndarray


def check(config) -> None:
    """Raises UserError where `context`, `length` or `stride` of a recipe's data make no windows."""
    for name, least in (("context", 0), ("length", 1), ("stride", 1)):
        if config.get(name, least) < least:
            raise UserError(f"data.{name} is {config.get(name)}: it must be {least} or more")


def cover(first: int, last: int, context: int, length: int) -> Windows:
    """The fewest windows of context + length places whose fresh places are first .. last - 1.

    Each predicts up to `length` places and sees at least `context` before them. The last window
    ends at `last`, and what of it the one before has predicted is not fresh: it may begin
    `length` places before `first - context`.
    """
    ends = np.minimum(np.arange(first, last, length) + length, last)
    return Windows(ends - length - context, np.diff(ends, prepend=first))


def weights(windows: Windows, places: int) -> np.ndarray:
    """What each place counts, [W, places] float32: nothing unless fresh, and all fresh the same.

    A row adds up to 1 on average, so that the mean over windows of a weighted sum over places is
    the mean over all symbols, each counted once.
    """
    fresh = np.arange(places) >= places - windows.fresh[:, None]
    return fresh.astype(np.float32) * np.float32(len(fresh) / windows.fresh.sum())
