"""Which earlier codes of a grid each code reads, as tables of booleans: data, not networks.

Ramesh et al. 2021 (DALL-E, arXiv 2102.12092), appendix B.1 and figure 11. Codes are numbered row by
row; every code reads itself.
"""

from collections.abc import Callable

import numpy as np


def full(height: int, width: int, kernel: int) -> np.ndarray:
    """All codes before, [N, N]."""
    return _before(height * width) >= 0


def row(height: int, width: int, kernel: int) -> np.ndarray:
    """The codes back to the one above, across the border of rows."""
    apart = _before(height * width)
    return (apart >= 0) & (apart <= width)


def column(height: int, width: int, kernel: int) -> np.ndarray:
    """The codes above."""
    apart = _before(height * width)
    return (apart >= 0) & (apart % width == 0)


def convolution(height: int, width: int, kernel: int) -> np.ndarray:
    """Those within a square of `kernel` sides around the code; it wraps around like `row`."""
    apart, reach = _before(height * width), kernel // 2
    rows, columns = np.mgrid[0 : reach + 1, -reach : reach + 1]
    return (apart >= 0) & np.isin(apart, rows * width + columns)


def _before(count: int) -> np.ndarray:
    """By how many a code comes after another, [N, N]."""
    return np.arange(count)[:, None] - np.arange(count)


MASKS: dict[str, Callable[[int, int, int], np.ndarray]] = {
    "full": full,
    "row": row,
    "column": column,
    "convolution": convolution,
}


def of_layers(layers: int) -> tuple[str, ...]:
    """The published order: columns in every fourth layer, a convolution in the last, else rows."""
    names = ["column" if (layer - 2) % 4 == 0 else "row" for layer in range(1, layers + 1)]
    return (*names[:-1], "convolution")


def after_text(mask: np.ndarray, length: int) -> np.ndarray:
    """The table of a start, `length` symbols of text and codes but the last, [length + N] squared.

    Text reads all before it; a code reads the text, and codes as its mask [N, N] says.
    """
    count = length + len(mask)
    table = np.tri(count, dtype=bool)
    table[length + 1 :, length + 1 :] = mask[:-1, :-1]
    return table
