"""Distances between two sets of features: Fréchet (FID's) and kernel (KID).

With factors F Fᵀ = C of the covariances, the Fréchet distance of Gaussians (Heusel et al. 2017,
arXiv:1706.08500, eq. 6) is

    d² = ‖μ1 - μ2‖² + tr C1 + tr C2 - 2 ‖F1ᵀ F2‖_*

since tr (C1 C2)^½ is the sum of the singular values of F1ᵀ F2. In float64 this needs neither the
root of a non-symmetric matrix nor a multiple of the identity, and is exact for fewer images than
dimensions.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from gm_jax.evaluation import moments as moments_lib
from gm_jax.evaluation.errors import EvaluationError


class Gaussian(NamedTuple):
    """What the Fréchet distance is computed from.

    mean [d], factor [d, r] with F Fᵀ = C, trace tr C, and pivots: the last pivot of the factor
    over its first, about its smallest singular value over its largest; 0 if unknown.
    """

    mean: np.ndarray
    factor: np.ndarray
    trace: float
    pivots: float = 0.0


def frechet(a: Gaussian, b: Gaussian) -> float:
    """The squared Fréchet distance, >= 0 up to rounding (module docstring), in float64."""
    if a.mean.shape != b.mean.shape:
        raise EvaluationError(
            f"features of {a.mean.size} and {b.mean.size} dimensions cannot be compared"
        )
    nuclear = nuclear_norm(a.factor.T @ b.factor, a.pivots * b.pivots)
    return float(np.sum((a.mean - b.mean) ** 2) + a.trace + b.trace - 2 * nuclear)


def nuclear_norm(product: np.ndarray, pivots: float = 0.0) -> float:
    """The sum of the singular values σ of a matrix [r, s], to 1e-11 of itself.

    A large and well-conditioned product (`pivots` is about its smallest σ over its largest) goes by
    way of the eigenvalues σ² of its Gram matrix, three times as fast: rounding moves these by a few
    eps σ_max², hence each σ by that over 2 σ. If that bound is not small enough, and for all
    other products, the singular values are computed directly.
    """
    if pivots > 1e-4 and min(product.shape) >= 256:
        small = product if product.shape[0] <= product.shape[1] else product.T
        squares = scipy.linalg.eigvalsh(small @ small.T, check_finite=False, overwrite_a=True)
        sigma = np.sqrt(np.maximum(squares, np.finfo(float).tiny))
        error = 8 * np.finfo(float).eps * squares[-1] * np.sum(0.5 / sigma)
        if error < 1e-11 * sigma.sum():
            return float(sigma.sum())
    return float(scipy.linalg.svdvals(product, check_finite=False).sum())


def frechet_distance(mean1, covariance1, mean2, covariance2) -> float:
    """The squared Fréchet distance of two Gaussians, from means [d] and covariances [d, d].

    Raises EvaluationError for NaN, other shapes, and a matrix that is not a covariance
    (`checked_gaussian`).
    """
    return frechet(checked_gaussian(mean1, covariance1), checked_gaussian(mean2, covariance2))


def frechet_of_features(features1, features2) -> float:
    """The squared Fréchet distance of the Gaussians fitted to features [N1, d] and [N2, d]."""
    return frechet(gaussian_of_features(features1), gaussian_of_features(features2))


def frechet_of_moments(moments1, moments2) -> float:
    """The squared Fréchet distance of the Gaussians with these moments."""
    return frechet(gaussian_of_moments(moments1), gaussian_of_moments(moments2))


def gaussian(mean, covariance, rank: int | None = None) -> Gaussian:
    """Mean [d] and covariance [d, d], factored by a pivoted Cholesky into at most `rank` columns.

    The pivoting stops when only rounding is left: in a covariance of fewer images than dimensions
    that noise, once under a root, spoils the fifth digit of `sqrtm`'s answer.
    """
    mean = np.asarray(mean, np.float64)
    covariance = np.asarray(covariance, np.float64)
    d = mean.size
    if mean.ndim != 1 or covariance.shape != (d, d):
        raise EvaluationError(
            f"a mean {mean.shape} does not fit a covariance {covariance.shape}: [d] and [d, d]"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise EvaluationError("a mean or covariance holds NaN or infinity")
    # Sums of rows and columns: much cheaper than the difference from the transpose.
    asymmetry = np.abs(covariance.sum(axis=0) - covariance.sum(axis=1))
    if asymmetry.max(initial=0.0) > 1e-6 * np.abs(covariance).sum(axis=0).max(initial=0.0):
        raise EvaluationError("a covariance is not symmetric")
    # The transpose is the same matrix in the order that LAPACK takes without a rearrangement.
    factor, pivots, found, _ = scipy.linalg.lapack.dpstrf(covariance.T, lower=1)
    rank = found if rank is None else min(found, rank)
    unpivoted = np.empty((d, rank))
    unpivoted[pivots - 1] = np.tril(factor[:, :rank])
    ends = np.diag(factor)[[0, rank - 1]] if rank else (1.0, 0.0)
    return Gaussian(mean, unpivoted, float(np.trace(covariance)), float(ends[1] / ends[0]))


def checked_gaussian(mean, covariance) -> Gaussian:
    """`gaussian` of a mean and covariance from elsewhere, which may not be a covariance.

    Raises EvaluationError for a matrix that is not symmetric, or that has an eigenvalue below zero
    by more than rounding. Sums in float32, E[x xᵀ] - E[x] E[x]ᵀ, move the eigenvalues by up to two
    eps (‖mean‖² + tr C), and leave hundreds below zero for fewer images than dimensions: eight
    times as much is rounding, but never more than a tenth of the largest eigenvalue.
    """
    checked = gaussian(mean, covariance)
    mean, covariance = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
    size, eps = np.abs(np.diag(covariance)).sum(), np.finfo(np.float32).eps
    if np.abs(covariance - covariance.T).max(initial=0.0) > 1e-6 * size:
        raise EvaluationError("a covariance is not symmetric")
    # F Fᵀ has no eigenvalue below zero, and those of the matrix differ by no more than this norm.
    if np.linalg.norm(covariance - checked.factor @ checked.factor.T) <= eps * size:
        return checked
    values = scipy.linalg.eigvalsh(covariance, check_finite=False)
    if values[0] < -min(16 * eps * (mean @ mean + size), max(values[-1], 0) / 10):
        raise EvaluationError(
            f"a covariance has no negative eigenvalue, this matrix has {values[0]:.4g} (its "
            f"largest is {values[-1]:.4g})"
        )
    return checked


def gaussian_of_moments(moments: moments_lib.Moments) -> Gaussian:
    """The Gaussian with these moments (ddof 1); n vectors span at most n - 1 directions."""
    return gaussian(*moments_lib.mean_and_covariance(moments), rank=moments.n - 1)


def gaussian_of_features(features) -> Gaussian:
    """The Gaussian fitted to features [N, d] (ddof 1).

    With N <= d the centred features themselves are the factor, and no covariance is formed.
    """
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise EvaluationError(f"a covariance needs features [N >= 2, d], got {x.shape}")
    if len(x) > x.shape[1]:
        return gaussian_of_moments(moments_lib.update(moments_lib.init(x.shape[1]), x))
    if not np.isfinite(x).all():
        raise EvaluationError("features hold NaN or infinity")
    mean = x.mean(axis=0)
    factor = (x - mean).T / np.sqrt(len(x) - 1)
    return Gaussian(mean, factor, float(np.sum(factor**2)))


def real_floor(features, n: int, splits: int = 10, seed: int = 0) -> tuple[float, float]:
    """The Fréchet distance of real images from others: the score of the true distribution.

    Mean and standard deviation (ddof 1) over random disjoint pairs of n rows of features [N, d].
    It is not a lower bound: copies of the reference score less. Raises EvaluationError if 2 n > N.
    """
    features = np.asarray(features)
    if 2 * n > len(features):
        raise EvaluationError(
            f"a floor with {n} images a side needs {2 * n} real images, there are {len(features)}"
        )
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(splits):
        rows = rng.permutation(len(features))[: 2 * n]
        values.append(frechet_of_features(features[rows[:n]], features[rows[n:]]))
    return float(np.mean(values)), float(np.std(values, ddof=1))


def kernel_distance(
    features1, features2, subsets: int = 100, size: int = 1000, seed: int = 2020
) -> tuple[float, float]:
    """KID: the squared MMD with the kernel (x·y / d + 1)³ (Bińkowski et al. 2018, eq. 4).

    Mean and standard deviation (ddof 0) of the unbiased estimate over random subsets, drawn without
    replacement from features [N1, d] and [N2, d]; `size` shrinks to the smaller set. It may be
    negative. Raises EvaluationError for NaN, below two images, or if dimensions differ.
    """
    x, y = (np.asarray(f, np.float64) for f in (features1, features2))
    if x.shape[1] != y.shape[1]:
        raise EvaluationError(
            f"features of {x.shape[1]} and {y.shape[1]} dimensions cannot be compared"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise EvaluationError("features hold NaN or infinity")
    size = min(size, len(x), len(y))
    if size < 2:
        raise EvaluationError(f"KID needs at least 2 images a side, got {len(x)} and {len(y)}")
    rng = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        a = x[rng.choice(len(x), size, replace=False)]
        b = y[rng.choice(len(y), size, replace=False)]
        values.append(_squared_mmd(a, b))
    return float(np.mean(values)), float(np.std(values))


def _squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased squared MMD of x [m, d] and y [m, d]: no point is paired with itself."""
    m, d = x.shape
    kxx, kyy, kxy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = kxx.sum() - np.trace(kxx) + kyy.sum() - np.trace(kyy)
    return within / (m * (m - 1)) - 2 * kxy.mean()
