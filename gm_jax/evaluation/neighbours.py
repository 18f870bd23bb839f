"""Precision, recall, density and coverage: which images lie within the radii of others.

In float64, a block of rows at a time: the memory beside the features is a few blocks of
`_BLOCK` distances, whatever N is; the time is that of three products [N, d] x [d, N].
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gm_jax.evaluation.errors import EvaluationError

_BLOCK = 2**24


class Neighbourhoods(NamedTuple):
    """precision, recall, coverage in [0, 1]; density >= 0, 1 for equal distributions."""

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(real, fake, k: int = 3, k_density: int = 5) -> Neighbourhoods:
    """The four from features [N, d] of real and [M, d] of generated images.

    With radius R_i^k the distance of real image i from its k-th nearest other real image:

        precision  share of fakes j with d(j, i) <= R_i^k for some i   (Kynkäänniemi 2019, eq. 1)
        recall     the same with the roles exchanged
        density    Σ_j Σ_i 1[d(j, i) < R_i^k'] / (k' M)                (Naeem 2020, eq. 3)
        coverage   share of reals i with d(j, i) < R_i^k' for some j   (Naeem 2020, eq. 4)

    The counts are exact: comparisons too close for the rounding of products are repeated with
    differences. Raises EvaluationError if a set has no more than k images.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    most = max(k, k_density)
    if min(len(real), len(fake)) <= most:
        raise EvaluationError(
            f"the {most}-th neighbour needs more than {most} images a side, "
            f"got {len(real)} and {len(fake)}"
        )
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise EvaluationError("features hold NaN or infinity")
    # Moving both sets by one of their points saves digits, and keeps integers exact.
    real, fake = real - real[0], fake - real[0]
    reach, reach_density = _squared_radii(real, (k, k_density))
    (reach_fake,) = _squared_radii(fake, (k,))
    precise, within = 0, 0
    recalled, covered = np.zeros((2, len(real)), bool)
    for rows, squared, slack in _blocks(fake, real):

        def compare(bound, strict, rows=rows, squared=squared, slack=slack):
            return _within(squared, slack, bound, fake[rows], real, strict)

        precise += int(compare(reach, False).any(axis=1).sum())
        recalled |= compare(reach_fake[rows, None], False).any(axis=0)
        inside = compare(reach_density, True)
        within += int(inside.sum())
        covered |= inside.any(axis=0)
    return Neighbourhoods(
        precise / len(fake),
        float(recalled.mean()),
        within / (k_density * len(fake)),
        float(covered.mean()),
    )


def _blocks(x, y) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """(rows of x, their squared distances from y [b, N], how far these may be off)."""
    step = max(1, _BLOCK // len(y))
    norms = np.einsum("nd,nd->n", y, y)
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        scale = np.einsum("nd,nd->n", x[rows], x[rows])[:, None] + norms
        yield rows, scale - 2 * x[rows] @ y.T, 1e-11 * scale


def _direct(x, y, rows, columns) -> np.ndarray:
    """Squared distances of the pairs (x[rows], y[columns]) from their differences."""
    parts = [
        np.sum((x[rows[i : i + 4096]] - y[columns[i : i + 4096]]) ** 2, axis=1)
        for i in range(0, len(rows), 4096)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _squared_radii(x, ks) -> list[np.ndarray]:
    """For each k the squared distances [N] of all points from their k-th nearest other point."""
    radii = [np.empty(len(x)) for _ in ks]
    for rows, squared, _ in _blocks(x, x):
        index = np.arange(len(x))[rows]
        squared[np.arange(len(index)), index] = np.inf
        for radius, k in zip(radii, ks, strict=True):
            neighbour = np.argpartition(squared, k - 1, axis=1)[:, k - 1]
            radius[rows] = _direct(x, x, index, neighbour)
    return radii


def _within(squared, slack, bound, x, y, strict: bool) -> np.ndarray:
    """Whether squared distances [b, N] of x from y are <= (or <) bound [N] or [b, 1]; exactly."""
    result = squared < bound if strict else squared <= bound
    rows, columns = np.nonzero(np.abs(squared - bound) <= slack)
    exact = _direct(x, y, rows, columns)
    limit = np.broadcast_to(bound, squared.shape)[rows, columns]
    result[rows, columns] = exact < limit if strict else exact <= limit
    return result
