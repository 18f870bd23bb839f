"""How far to trust a score: intervals, and of a Fréchet distance its limit and its floor.

The latter use the moments of ten groups to which the images are assigned in turn, so they need no
second pass and no memory that grows with the number of images.
"""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit  # scipy.stats would take a second to import.

from gm_jax.evaluation import moments as moments_lib
from gm_jax.evaluation.distances import Gaussian, frechet, gaussian_of_moments
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.moments import Moments

GROUPS = 10


class Uncertainty(NamedTuple):
    """interval: 95% by the jackknife; infinity: FID∞, the intercept at 1/N = 0; both for set A."""

    interval: tuple[float, float]
    infinity: float


def merged(groups: Sequence[Moments]) -> Moments:
    """The moments of all groups together."""
    return reduce(moments_lib.merge, groups)


def uncertainty(
    groups: Sequence[Moments], other: Gaussian, value: float, seed: int = 0
) -> Uncertainty:
    """The uncertainty of `value`, the distance of all groups together from `other`.

    The interval is value ± t s with s² = (G - 1) / G Σ_g (d_(g) - mean d_(.))², d_(g) being the
    distance with group g left out (Efron & Stein 1981): the spread over other draws of A's images,
    with `other` fixed. The limit is that of a line in 1/N through the distances of
    5 to 10 groups in random order (Chong & Forsyth 2020, arXiv:1911.07023), in the number of A's
    images alone. Raises EvaluationError with fewer than two images in a group.
    """
    if min(g.n for g in groups) < 2:
        raise EvaluationError(f"an interval needs at least {2 * len(groups)} images")
    total, count = merged(groups), len(groups)
    without = [frechet(gaussian_of_moments(moments_lib.remove(total, g)), other) for g in groups]
    spread = np.sqrt((count - 1) * np.var(without))
    half = stdtrit(count - 1, 0.975) * spread
    order = np.random.default_rng(seed).permutation(count)
    sizes, values = [total.n], [value]
    for k in range(count // 2, count):
        part = merged([groups[i] for i in order[:k]])
        sizes.append(part.n)
        values.append(frechet(gaussian_of_moments(part), other))
    intercept = np.polyfit(1 / np.asarray(sizes), values, 1)[1]
    return Uncertainty((float(value - half), float(value + half)), float(intercept))


def floor(groups: Sequence[Moments], splits: int = 10, seed: int = 0) -> tuple[float, float, int]:
    """The distance of half of the groups from the other half: (mean, std, images a side).

    What a model of the true distribution would score with that many images a side, over random
    splits; copies of the reference score less.
    """
    if min(g.n for g in groups) < 2:
        raise EvaluationError(f"a floor needs at least {2 * len(groups)} images")
    rng = np.random.default_rng(seed)
    half, values = len(groups) // 2, []
    for _ in range(splits):
        order = rng.permutation(len(groups))
        a, b = (merged([groups[i] for i in part]) for part in (order[:half], order[half:]))
        values.append(frechet(gaussian_of_moments(a), gaussian_of_moments(b)))
    side = merged(groups).n // 2
    return float(np.mean(values)), float(np.std(values, ddof=1)), side


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a probability of which `hits` of n draws are known: Wilson's (1927)."""
    z = ndtri(0.975)
    centre = (hits + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(hits * (n - hits) / n + z**2 / 4)
    return float(centre - half), float(centre + half)
