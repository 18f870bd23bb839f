"""Noise schedules of T steps, in float64 on the host.

Time runs from 0 (data) to T (noise), as in the papers: beta_t and abar_t are those of t = 1 .. T.
"""

from typing import NamedTuple

import numpy as np


class Schedule(NamedTuple):
    """alpha, sigma and log-SNR at t = 0 .. T, float64 [T + 1]; x_t = alpha x_0 + sigma eps."""

    alpha: np.ndarray
    sigma: np.ndarray
    log_snr: np.ndarray

    @property
    def steps(self) -> int:
        """T."""
        return len(self.alpha) - 1


def linear(steps: int, first: float = 1e-4, last: float = 0.02) -> Schedule:
    """beta_t from `first` to `last` in equal steps. Ho et al. 2020, section 4."""
    return from_betas(np.linspace(first, last, steps))


def cosine(steps: int, offset: float = 0.008, largest: float = 0.999) -> Schedule:
    """abar_t = f(t) / f(0), f(t) = cos^2((t/T + s) / (1 + s) pi/2), beta_t <= .999.

    Nichol & Dhariwal 2021, eq. 17.
    """
    f = np.cos((np.arange(steps + 1) / steps + offset) / (1 + offset) * np.pi / 2) ** 2
    return from_betas(np.minimum(1 - f[1:] / f[:-1], largest))


def from_betas(betas: np.ndarray) -> Schedule:
    """The schedule of beta_1 .. beta_T: abar_t = prod (1 - beta_s)."""
    log_alpha_bar = np.concatenate([[0.0], np.cumsum(np.log1p(-np.asarray(betas, np.float64)))])
    variance = -np.expm1(log_alpha_bar)
    with np.errstate(divide="ignore"):
        log_snr = log_alpha_bar - np.log(variance)
    return Schedule(np.exp(log_alpha_bar / 2), np.sqrt(variance), log_snr)


SCHEDULES = {"linear": linear, "cosine": cosine}
