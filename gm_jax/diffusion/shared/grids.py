"""Where a sampler evaluates its network: S + 1 noise levels of any schedule, from noise to data."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gm_jax.diffusion.shared.schedules import LARGEST_RATIO, Continuous, Points, Schedule


class Grid(NamedTuple):
    """Levels from noise to data, and those between them.

    points    time, alpha and sigma, float64 [S + 1]; the last is where the sampler ends
    of_ratio  sigma / alpha -> Points, for samplers that evaluate between the points
    """

    points: Points
    of_ratio: Callable[[np.ndarray], Points]

    @property
    def steps(self) -> int:
        """S."""
        return len(self.points.time) - 1

    def after(self, first: int) -> "Grid":
        """The rest of the way from entry `first` on."""
        return Grid(self.points.take(slice(first, None)), self.of_ratio)


def grid(schedule: Schedule | Continuous, times: np.ndarray) -> Grid:
    """The grid of times T >= times[0] > ... > times[-1] = 0."""
    return Grid(schedule.at(times), schedule.of_ratio)


def grid_of_ratios(schedule: Schedule | Continuous, ratios: np.ndarray) -> Grid:
    """The grid of sigma / alpha = ratios, decreasing, to which 0 is added as the last."""
    points, clean = schedule.of_ratio(ratios), schedule.at(np.zeros(1))
    pairs = zip(points, clean, strict=True)
    return Grid(Points(*(np.concatenate(pair) for pair in pairs)), schedule.of_ratio)


def karras(largest: float, least: float, steps: int, rho: float = 7.0) -> np.ndarray:
    """sigma_i of Karras et al. 2022, eq. 5: equal steps of sigma^(1 / rho), [steps]."""
    return np.linspace(largest ** (1.0 / rho), least ** (1.0 / rho), steps) ** rho


def spaced_times(schedule: Schedule | Continuous, steps: int) -> np.ndarray:
    """`steps` + 1 times from T down to 0, as evenly spaced as whole numbers allow."""
    if not 1 <= steps <= schedule.steps:
        raise ValueError(f"a sampler must take 1 to {schedule.steps} steps here, not {steps}")
    return np.round(np.linspace(schedule.steps, 0, steps + 1)).astype(int)


def _even(schedule, steps):
    """T to 0 in equal steps."""
    if isinstance(schedule, Continuous):
        return grid(schedule, np.linspace(schedule.steps, 0.0, steps + 1))
    return grid(schedule, spaced_times(schedule, steps))


def _leading(schedule, steps):
    """1, 1 + T // S, ...: the last time is below T. As the DDIM of Rombach et al. 2022."""
    times = 1 + np.arange(steps)[::-1] * (schedule.steps // steps)
    return grid(schedule, np.append(times, 0))


def _trailing(schedule, steps):
    """T, T - T / S, ...: each rounded. Lin et al. 2023 (arXiv 2305.08891), table 2."""
    times = np.round(np.arange(steps, 0, -1) * (schedule.steps / steps))
    return grid(schedule, np.append(times, 0))


def _linspace(schedule, steps):
    """T to 1 in equal steps, then 0; fractions between the table's times."""
    return grid(schedule, np.append(np.linspace(schedule.steps, 1.0, steps), 0.0))


def _respaced(schedule, steps):
    """T to 1 in equal steps, rounded, then 0. Nichol & Dhariwal 2021, section 4; ADM, DiT."""
    times = 1.0 + np.round(np.linspace(schedule.steps - 1, 0.0, steps))  # Theirs are from 0.
    return grid(schedule, np.append(times, 0.0))


def _quadratic(schedule, steps):
    """T (i / S)^2: short steps near the data. Song, Meng & Ermon 2021, appendix D.2."""
    counts = np.arange(steps, -1, -1)
    times = schedule.steps * (counts / steps) ** 2
    if isinstance(schedule, Schedule):
        times = np.maximum(np.round(times), counts)
    return grid(schedule, times)


def _ends(schedule):
    """The largest and the least ratio; no step is spent above LARGEST_RATIO, where all is noise."""
    if isinstance(schedule, Continuous):
        return schedule.ratios[::-1]
    return min(schedule.ratio[-1], LARGEST_RATIO), schedule.ratio[1]


def _karras(schedule, steps, rho=7.0):
    """Equal steps of (sigma / alpha)^(1 / rho), then 0. Karras et al. 2022, eq. 5."""
    return grid_of_ratios(schedule, karras(*_ends(schedule), steps, rho))


def _log_snr(schedule, steps):
    """Equal steps of log-SNR, then 0. Lu et al. 2022 (arXiv 2206.00927), section 3.3."""
    return grid_of_ratios(schedule, np.geomspace(*_ends(schedule), steps))


# Each: (schedule, steps) -> grid of `steps` + 1 points.
SPACINGS = {
    "even": _even,
    "leading": _leading,
    "trailing": _trailing,
    "linspace": _linspace,
    "respaced": _respaced,
    "quadratic": _quadratic,
    "karras": _karras,
    "log_snr": _log_snr,
}
