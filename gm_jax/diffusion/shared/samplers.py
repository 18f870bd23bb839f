"""Samplers of one step: tables in which a step depends on the point before it alone.

A sampler is a function of a grid, whose points are p_0 (noise), ..., p_S (data). With r = sigma /
alpha and eps_hat = (x - alpha x0_hat) / sigma, the probability flow is d(x / alpha) = eps_hat dr
(Song, Meng & Ermon 2021, eq. 14), for every schedule. So Euler's method is `ddim` without noise.
"""

import itertools
from typing import NamedTuple

import numpy as np

from gm_jax.diffusion.shared.grids import Grid
from gm_jax.diffusion.shared.schedules import Points
from gm_jax.diffusion.shared.tables import STAY, X0, Row, Table, noise_estimate, table


class Transition(NamedTuple):
    """q(x_s | x_t, x_0) = N(x0_weight x_0 + x_weight x_t, small) for pairs of levels s < t.

    Ho et al. 2020, eq. 6-7, for any s < t: with alpha_ts = alpha_t / alpha_s,
    large = sigma_t^2 - alpha_ts^2 sigma_s^2 (their beta_t) and small = large sigma_s^2 / sigma_t^2
    (their beta~_t).
    """

    x0_weight: np.ndarray
    x_weight: np.ndarray
    small: np.ndarray
    large: np.ndarray


def transition(t: Points, s: Points) -> Transition:
    """The transitions from levels t to levels s, [S] each."""
    with np.errstate(divide="ignore"):
        log_snr_t, log_snr_s = (2.0 * (np.log(v.alpha) - np.log(v.sigma)) for v in (t, s))
    share = -np.expm1(log_snr_t - log_snr_s)  # of x_t's noise that x_s has not: 1 - SNR_t / SNR_s
    return Transition(
        s.alpha * share,
        t.alpha / s.alpha * s.sigma**2 / t.sigma**2,
        share * s.sigma**2,
        share * t.sigma**2,
    )


VARIANCES = ("large", "small", "learned")


def ancestral(grid: Grid, variance: str = "large") -> Table:
    """Draws x_s from q(x_s | x_t, x0_hat). Ho et al. 2020, algorithm 2.

    variance  "large" (beta_t) or "small" (beta~_t), section 3.2; none in the last step; "learned"
              is the small one, and the denoiser returns what is to be changed (`tables.run`)
    """
    return ancestral_steps(*_pairs(grid), variance)


def ancestral_steps(
    t: Points, s: Points, variance: str = "large", noisy: np.ndarray | None = None
) -> Table:
    """`ancestral` from levels t to levels s, [N] each, that need not follow one another.

    noisy  which steps add noise, if not all but those to sigma 0, [N]
    """
    q = transition(t, s)
    variances = {"large": q.large, "small": q.small, "learned": q.small}[variance]
    noise = np.sqrt(np.where(s.sigma > 0 if noisy is None else noisy, variances, 0.0))
    return _of_x0(t, s, q.x0_weight, q.x_weight, noise)


def ddim(grid: Grid, eta: float = 0.0, after: Points | None = None) -> Table:
    """x_s = alpha_s x0_hat + sqrt(sigma_s^2 - c^2) eps_hat + c z, c^2 = eta^2 beta~.

    Song, Meng & Ermon 2021, eq. 12 and 16: eta 0 is deterministic, eta 1 is `ancestral` "small".
    after  the level that each step is taken to, if not that of the next evaluation
    """
    t, s = _pairs(grid)
    s = s if after is None else after
    fresh = eta * np.sqrt(transition(t, s).small)
    kept = np.sqrt(np.maximum(s.sigma**2 - fresh**2, 0.0)) / t.sigma
    return _of_x0(t, s, s.alpha - kept * t.alpha, kept, fresh)


def inversion(grid: Grid) -> Table:
    """DDIM from data to noise: the steps of `ddim` with eta 0 backwards, each by the estimate at
    its less noisy end. Song, Meng & Ermon 2021, section 4.3; Dhariwal & Nichol 2021, appendix F.

    The first step, from sigma 0, takes its estimate at p_{S-1}: there is no noise to estimate at 0.
    """
    points = [grid.points.take(i) for i in range(grid.steps, -1, -1)]
    rows = []
    for start, end in itertools.pairwise(points):
        at = start if start.sigma else end
        rows.append(Row(at, noise_estimate(at), flow_step(start, end, {0: 1.0})))
    return table(rows, points[-1])


def flow_step(start: Points, end: Points, noise: dict[int, float], fresh: float = 0.0) -> tuple:
    """Weights of a step along the probability flow, x / alpha + (r_end - r_start) eps_hat.

    noise  {slot: weight} of what is taken for eps_hat
    fresh  deviation of the noise that is added, in units of x / alpha
    """
    stride = end.alpha * (end.ratio - start.ratio)
    weights = {slot: stride * weight for slot, weight in noise.items()}
    return end.alpha / start.scale, weights, end.alpha * fresh


class Churn(NamedTuple):
    """Noise added before a step of Euler's, Heun's or DPM-Solver-2's. Karras et al. 2022,
    algorithm 2.

    amount        S_churn, shared out over the steps; at most sqrt(2) - 1 of a step's sigma
    least, most   S_min and S_max, the sigma / alpha between which noise is added
    noise         S_noise, the deviation of the noise
    """

    amount: float = 0.0
    least: float = 0.0
    most: float = float("inf")
    noise: float = 1.0


def euler(grid: Grid, churn: Churn = Churn()) -> Table:
    """Euler's method on the probability flow, with churn. Karras et al. 2022, algorithm 2."""

    def rows(start, end):
        return [Row(start, noise_estimate(start), flow_step(start, end, {0: 1.0}))]

    return _churned(grid, churn, rows)


def heun(grid: Grid, churn: Churn = Churn()) -> Table:
    """Heun's method: Euler's, then again with the mean of both slopes; Euler's where sigma is 0.

    Karras et al. 2022, algorithm 2: 2 S - 1 evaluations.
    """

    def rows(start, end):
        first = Row(start, noise_estimate(start), flow_step(start, end, {0: 1.0}), STAY)
        if end.sigma == 0:
            return [first._replace(x=None)]
        mean = flow_step(start, end, {0: 0.5, 1: 0.5})
        return [first, Row(end, noise_estimate(end), mean, slot=1)]

    return _churned(grid, churn, rows)


def dpm_2(grid: Grid, churn: Churn = Churn()) -> Table:
    """The midpoint method in log(sigma / alpha). Lu et al. 2022 (arXiv 2206.00927), algorithm 1,
    as Karras et al. 2022 parametrise it; Euler's where sigma is 0.
    """

    def rows(start, end):
        if end.sigma == 0:
            return [Row(start, noise_estimate(start), flow_step(start, end, {0: 1.0}))]
        middle = grid.of_ratio(np.sqrt(start.ratio * end.ratio))
        return [
            Row(start, noise_estimate(start), flow_step(start, middle, {0: 1.0}), STAY),
            Row(middle, noise_estimate(middle), flow_step(start, end, {0: 1.0})),
        ]

    return _churned(grid, churn, rows)


def dpmpp_2s_ancestral(grid: Grid) -> Table:
    """DPM-Solver++(2S), algorithm 1 of Lu et al. 2022 (arXiv 2211.01095), as an ancestral sampler:
    each step goes to the deviation of q(x_s | x_t, x_0)'s mean, and the rest is fresh noise.
    """
    rows = []
    for start, end in itertools.pairwise(each(grid)):
        fresh = np.sqrt(end.ratio**2 * (1.0 - (end.ratio / start.ratio) ** 2))
        down = np.sqrt(end.ratio**2 - fresh**2)
        if down == 0:
            rows.append(Row(start, X0, (0.0, {0: end.alpha}, 0.0)))
            continue
        middle = grid.of_ratio(np.sqrt(start.ratio * down))
        rows += [
            Row(start, X0, _exponential(start, middle, middle.ratio), STAY),
            Row(middle, X0, _exponential(start, end, down, fresh)),
        ]
    return table(rows, grid.points.take(-1))


def _exponential(start, end, ratio, fresh=0.0):
    """x / alpha at a ratio: (ratio / r) x / alpha + (1 - ratio / r) x0_hat, plus fresh noise."""
    share = ratio / start.ratio
    return share * end.alpha / start.scale, {0: (1.0 - share) * end.alpha}, fresh * end.alpha


def each(grid: Grid) -> list[Points]:
    """The S + 1 points one by one."""
    return [grid.points.take(i) for i in range(grid.steps + 1)]


def _pairs(grid):
    """The levels that steps start from and end at, [S] each."""
    return grid.points.take(slice(None, -1)), grid.points.take(slice(1, None))


def _of_x0(t, s, x0, x_t, noise):
    """The table of x_s = x0 x0_hat + x_t x_t + noise z."""
    steps = enumerate(zip(x0, x_t, noise, strict=True))
    rows = [Row(t.take(i), X0, (kept, {0: new}, fresh)) for i, (new, kept, fresh) in steps]
    return table(rows, s.take(-1))


def _churned(grid, churn, rows):
    """The rows of all steps, each from its level with more noise; the noise comes with the row
    before, and for the first step with the noise that sampling starts from."""
    points = each(grid)
    largest = min(churn.amount / grid.steps, np.sqrt(2.0) - 1.0)
    starts, fresh = [], []
    for point in points[:-1]:
        inside = largest > 0 and churn.least <= point.ratio <= churn.most
        start = grid.of_ratio(point.ratio * (1.0 + largest)) if inside else point
        starts.append(start)
        added = max(start.ratio**2 - point.ratio**2, 0.0) if inside else 0.0
        fresh.append(churn.noise * np.sqrt(added))
    found = []
    for number, (start, end) in enumerate(zip(starts, points[1:], strict=True)):
        found += rows(start, end)
        if number + 1 < grid.steps and fresh[number + 1]:
            found[-1] = _noised(found[-1], end, starts[number + 1], fresh[number + 1])
    return table(found, points[-1])


def _noised(row, end, start, fresh):
    """A row whose result goes on to a level with more noise."""
    x, memory, _ = row.y
    scale = start.alpha / end.alpha
    weights = {slot: scale * weight for slot, weight in memory.items()}
    return row._replace(y=(scale * x, weights, start.alpha * fresh))
