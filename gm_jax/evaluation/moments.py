"""Mean and covariance of features that arrive in any split, in float64 on the host.

With a shift s near the mean, (n, Σ(x-s), Σ(x-s)(x-s)ᵀ) loses nothing to cancellation and merges
over batches, devices and processes. The features come to the host as float32 [B, d]: less to move
than a [d, d] sum per batch, and sums in float64 agree with `np.cov` to 1e-8.
"""

from typing import NamedTuple

import numpy as np

from gm_jax.evaluation import sharing
from gm_jax.evaluation.errors import EvaluationError


class Moments(NamedTuple):
    """Sums over n feature vectors x, in float64.

    shift  [d]     s
    sum    [d]     Σ (x - s)
    outer  [d, d]  Σ (x - s)(x - s)ᵀ
    """

    n: int
    shift: np.ndarray
    sum: np.ndarray
    outer: np.ndarray


def init(dimension: int) -> Moments:
    """The moments of no vectors; the first update chooses the shift."""
    zeros = np.zeros(dimension)
    return Moments(0, zeros, zeros, np.zeros((dimension, dimension)))


def update(moments: Moments, features, mask=None) -> Moments:
    """Adds features [B, d], of which only the rows with mask [B] true count (padded tails).

    Raises EvaluationError if such a row holds NaN or infinity.
    """
    x = np.asarray(features, np.float64)
    if mask is not None:
        x = x[np.asarray(mask, bool)]
    if not np.isfinite(x).all():
        bad = int(np.sum(~np.isfinite(x).all(axis=1)))
        raise EvaluationError(
            f"{bad} of {len(x)} feature vectors hold NaN or infinity: look at these images "
            "and at the feature network's weights"
        )
    if len(x) == 0:
        return moments
    shift = moments.shift if moments.n else x.mean(axis=0)
    x = x - shift
    return Moments(moments.n + len(x), shift, moments.sum + x.sum(axis=0), moments.outer + x.T @ x)


def merge(a: Moments, b: Moments) -> Moments:
    """The moments of both sets together; b is moved to a's shift."""
    if a.shift.shape != b.shift.shape:
        raise EvaluationError(
            f"moments of {a.shift.size} and {b.shift.size} dimensions cannot be merged"
        )
    if a.n == 0 or b.n == 0:
        return b if a.n == 0 else a
    delta = b.shift - a.shift
    cross = np.outer(b.sum, delta)
    outer = b.outer + cross + cross.T + b.n * np.outer(delta, delta)
    return Moments(a.n + b.n, a.shift, a.sum + b.sum + b.n * delta, a.outer + outer)


def remove(total: Moments, part: Moments) -> Moments:
    """The moments of `total` without the vectors of `part`, which are among them."""
    minus = Moments(-part.n, part.shift, -part.sum, -part.outer)
    return merge(total, minus)


def over_processes(moments: Moments) -> Moments:
    """The moments of all processes' vectors together, the same in each process."""
    packed = np.concatenate([[moments.n], moments.shift, moments.sum, moments.outer.ravel()])
    d = moments.shift.size
    total = init(d)
    for row in sharing.gathered(packed):
        n, shift, sum_, outer = np.split(row, [1, 1 + d, 1 + 2 * d])
        total = merge(total, Moments(int(n[0]), shift, sum_, outer.reshape(d, d)))
    return total


def mean_and_covariance(moments: Moments) -> tuple[np.ndarray, np.ndarray]:
    """Mean [d] and covariance [d, d] with ddof 1, in float64; EvaluationError below two vectors."""
    n = moments.n
    if n < 2:
        raise EvaluationError(f"a covariance needs at least 2 images, not {n}")
    mean = moments.sum / n
    covariance = (moments.outer - n * np.outer(mean, mean)) / (n - 1)
    return moments.shift + mean, covariance
