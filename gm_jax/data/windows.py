"""Windows of one length over long sequences, so that each symbol is predicted exactly once."""

from typing import NamedTuple

import numpy as np


class Windows(NamedTuple):
    """Where each window begins, [W], and how many of its last positions are new."""

    start: np.ndarray
    fresh: np.ndarray


def cover(first: int, last: int, context: int, length: int) -> Windows:
    """The fewest windows of context + length positions whose fresh ones are first .. last - 1.

    Each predicts up to `length` positions and sees at least `context` before them. The last window
    ends at `last`, and positions that the one before has predicted are not fresh: it may begin
    `length` positions before `first - context`.
    """
    ends = np.minimum(np.arange(first, last, length) + length, last)
    return Windows(ends - length - context, np.diff(ends, prepend=first))


def weights(windows: Windows, positions: int) -> np.ndarray:
    """The weight of each position, [W, positions] float32: zero unless fresh, equal for all fresh.

    A row adds up to 1 on average, so that the mean over windows of a weighted sum over positions is
    the mean over all symbols, each counted once.
    """
    fresh = np.arange(positions) >= positions - windows.fresh[:, None]
    return fresh.astype(np.float32) * np.float32(len(fresh) / windows.fresh.sum())
