"""Noise schedules: x_t = alpha_t x_0 + sigma_t eps, by tables of T steps or by the log-SNR.

Time runs from 0 (data) to T (noise), as in the papers: beta_t and abar_t are those of t = 1 .. T.
Both kinds have the same two doors: `draw` gives the levels of a training batch, `at` and
`of_ratio` give those of a sampler, in float64 on the host.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from gm_jax.model import Array, Field

# sigma / alpha at an SNR of 0, so that it is a number.
LARGEST_RATIO = 2.0**12


class Points(NamedTuple):
    """Noise levels of a sampler, float64 [N] each or numbers; ratio = sigma / alpha."""

    time: np.ndarray
    alpha: np.ndarray
    sigma: np.ndarray

    @property
    def scale(self) -> np.ndarray:
        """alpha, above 0 at an SNR of 0, too."""
        return np.where(self.alpha > 0, self.alpha, 1.0 / LARGEST_RATIO)

    @property
    def ratio(self) -> np.ndarray:
        """sigma / alpha."""
        return self.sigma / self.scale

    def take(self, index) -> "Points":
        """Those at an index or a slice."""
        return Points(*(column[index] for column in self))


class Level(NamedTuple):
    """Noise levels of a training batch, [B] each.

    slope  -d log_snr / du for the u in (0, 1) that time is drawn by; for a table its steps times T
    """

    time: Array
    alpha: Array
    sigma: Array
    log_snr: Array
    slope: Array


class Schedule(NamedTuple):
    """alpha, sigma and log-SNR at t = 0 .. T, float64 [T + 1]; x_t = alpha x_0 + sigma eps."""

    alpha: np.ndarray
    sigma: np.ndarray
    log_snr: np.ndarray

    @property
    def steps(self) -> int:
        """T."""
        return len(self.alpha) - 1

    @property
    def ratio(self) -> np.ndarray:
        """sigma / alpha at t = 0 .. T."""
        return Points(np.arange(self.steps + 1), self.alpha, self.sigma).ratio

    def at(self, time: np.ndarray) -> Points:
        """The levels of times: 0, or 1 to T; log(sigma / alpha) is linear between whole ones."""
        time = np.asarray(time)
        whole = np.rint(time).astype(int)
        log_ratio = np.interp(time, np.arange(1, self.steps + 1), np.log(self.ratio[1:]))
        between = _preserving(-2.0 * log_ratio)
        exact = time == whole
        alpha = np.where(exact, self.alpha[whole], between[0])
        sigma = np.where(exact, self.sigma[whole], between[1])
        return Points(time, alpha, sigma)

    def of_ratio(self, ratio: np.ndarray) -> Points:
        """The levels of given sigma / alpha > 0; their times are fractions within 1 .. T."""
        ratio = np.asarray(ratio, np.float64)
        log_ratio = np.log(self.ratio[1:])
        time = np.interp(np.log(ratio), log_ratio, np.arange(1.0, self.steps + 1))
        return Points(time, *_preserving(-2.0 * np.log(ratio)))

    def draw(self, keys: Array) -> Level:
        """The levels of a batch: t uniform on 1 .. T, one key per example."""
        t = jax.vmap(lambda k: jax.random.randint(k, (), 1, self.steps + 1))(keys)
        return self.level(t)

    def level(self, t: Array) -> Level:
        """The levels of whole times t [B] from 1 to T."""
        columns = (*self, self._slope)
        return Level(t, *(jnp.asarray(column)[t] for column in columns))

    @property
    def _slope(self) -> np.ndarray:
        """T (SNR_{t-1} / SNR_t - 1). At t = 1, where SNR_0 is infinite, the weight of the decoder
        of Ho et al. 2020: its variance is beta~_2 (`bound`)."""
        slope = np.zeros(self.steps + 1)
        slope[2:] = self.steps * np.expm1(self.log_snr[1:-1] - self.log_snr[2:])
        second = -(self.sigma[1] ** 2) * np.expm1(self.log_snr[2] - self.log_snr[1])
        slope[1] = self.steps / (second * np.exp(self.log_snr[1]))
        return slope


class Continuous(NamedTuple):
    """A schedule by its log-SNR, a decreasing function of u in (0, 1); time is `steps` times u.

    log_snr   (u, np or jnp) -> log-SNR: u is uniform in training
    path      log-SNR -> (alpha, sigma)
    ratios    the least and the largest sigma / alpha of training and sampling
    """

    log_snr: Callable
    path: Callable
    ratios: tuple[float, float]
    steps: int

    def at(self, time: np.ndarray) -> Points:
        """The levels of times from 0 to `steps`."""
        time = np.asarray(time, np.float64)
        with np.errstate(divide="ignore"):
            clean = np.where(time == 0, np.inf, self._clipped(time / self.steps, np))
        return Points(time, *self.path(clean))

    def of_ratio(self, ratio: np.ndarray) -> Points:
        """The levels of given sigma / alpha > 0, with their times."""
        u = np.linspace(0.0, 1.0, 100_001)
        with np.errstate(divide="ignore"):
            log_snr = self.log_snr(u, np)
        log_ratio = np.log(np.asarray(ratio, np.float64))
        time = self.steps * np.interp(log_ratio, -0.5 * log_snr, u)
        return Points(time, *self.path(-2.0 * log_ratio))

    def draw(self, keys: Array) -> Level:
        """The levels of a batch: u uniform, one key per example."""
        u = jax.vmap(lambda k: jax.random.uniform(k, minval=1e-6))(keys)
        log_snr, slope = jax.vmap(jax.value_and_grad(lambda u: self._clipped(u, jnp)))(u)
        return Level(self.steps * u, *self.path(log_snr, jnp), log_snr, -slope)

    def _clipped(self, u, xp):
        most, least = (-2.0 * math.log(ratio) for ratio in self.ratios)
        return xp.clip(self.log_snr(u, xp), least, most)


def _preserving(log_snr, xp=np):
    """alpha^2 + sigma^2 = 1."""
    return (1.0 + xp.exp(-log_snr)) ** -0.5, (1.0 + xp.exp(log_snr)) ** -0.5


def _exploding(log_snr, xp=np):
    """alpha = 1. Song et al. 2021 (arXiv 2011.13456), section 3.4; Karras et al. 2022."""
    return xp.ones_like(log_snr), xp.exp(-0.5 * log_snr)


def _straight(log_snr, xp=np):
    """alpha + sigma = 1. Liu, Gong & Liu 2022 (arXiv 2209.03003), eq. 1."""
    return 1.0 / (1.0 + xp.exp(-0.5 * log_snr)), 1.0 / (1.0 + xp.exp(0.5 * log_snr))


def linear(steps: int, first: float = 1e-4, last: float = 0.02) -> Schedule:
    """beta_t from `first` to `last` in equal steps. Ho et al. 2020, section 4."""
    return from_betas(np.linspace(first, last, steps))


def scaled_linear(steps: int, first: float = 0.00085, last: float = 0.012) -> Schedule:
    """sqrt(beta_t) in equal steps: the "linear" of Rombach et al. 2022 (arXiv 2112.10752)."""
    return from_betas(np.linspace(first**0.5, last**0.5, steps) ** 2)


def cosine(steps: int, offset: float = 0.008, largest: float = 0.999) -> Schedule:
    """abar_t = f(t) / f(0), f(t) = cos^2((t/T + s) / (1 + s) pi/2), beta_t <= .999.

    Nichol & Dhariwal 2021, eq. 17.
    """
    f = np.cos((np.arange(steps + 1) / steps + offset) / (1 + offset) * np.pi / 2) ** 2
    return from_betas(np.minimum(1 - f[1:] / f[:-1], largest))


def sigmoid(steps: int, start: float = -3.0, end: float = 3.0, largest: float = 0.999) -> Schedule:
    """abar_t falls as a sigmoid between `start` and `end`, rescaled to 1 .. 0.

    Jabri, Fleet & Chen 2022 (arXiv 2212.11972), algorithm 4; Chen 2023 (arXiv 2301.10972).
    """
    f = _sigmoid_alpha_bar(np.arange(steps + 1) / steps, np, start, end)
    return from_betas(np.minimum(1 - f[1:] / f[:-1], largest))


def from_betas(betas: np.ndarray) -> Schedule:
    """The schedule of beta_1 .. beta_T: abar_t = prod (1 - beta_s)."""
    log_alpha_bar = np.concatenate([[0.0], np.cumsum(np.log1p(-np.asarray(betas, np.float64)))])
    variance = -np.expm1(log_alpha_bar)
    with np.errstate(divide="ignore"):
        log_snr = log_alpha_bar - np.log(variance)
    return Schedule(np.exp(log_alpha_bar / 2), np.sqrt(variance), log_snr)


def zero_terminal_snr(schedule: Schedule) -> Schedule:
    """alpha shifted and scaled so that alpha_T is 0 and alpha_1 stays.

    Lin et al. 2023 (arXiv 2305.08891), algorithm 1. Predict v: the noise says nothing of x_0 there.
    """
    first, last = schedule.alpha[1], schedule.alpha[-1]
    alpha = (schedule.alpha - last) * first / (first - last)
    alpha[0] = 1.0
    variance = 1.0 - alpha**2
    with np.errstate(divide="ignore"):
        log_snr = 2.0 * np.log(alpha) - np.log(variance)
    return Schedule(alpha, np.sqrt(variance), log_snr)


def respaced(schedule: Schedule, times: np.ndarray) -> Schedule:
    """The schedule of some of its times, 0 = times[0] < ...: their beta follow from their abar.

    Nichol & Dhariwal 2021, section 4.
    """
    return Schedule(*(column[times] for column in schedule))


def _sigmoid_alpha_bar(u, xp, start, end):
    low, high = (1.0 / (1.0 + math.exp(-v)) for v in (start, end))
    return (high - 1.0 / (1.0 + xp.exp(-(u * (end - start) + start)))) / (high - low)


def _continuous_linear(u, xp):
    """beta(u) from .1 to 20. Song et al. 2021 (arXiv 2011.13456), appendix C."""
    return -xp.log(xp.expm1(0.1 * u + 9.95 * u**2))


def _continuous_scaled_linear(u, xp):
    """The integral of beta(u), whose root goes from that of .85 to that of 12 (scaled_linear)."""
    a, b = 0.85**0.5, 12.0**0.5 - 0.85**0.5
    return -xp.log(xp.expm1(a**2 * u + a * b * u**2 + b**2 * u**3 / 3.0))


def _continuous_cosine(u, xp):
    """alpha = cos(pi u / 2). Nichol & Dhariwal 2021; Hoogeboom et al. 2023 (arXiv 2301.11093)."""
    return -2.0 * xp.log(xp.tan(0.5 * math.pi * u))


def _continuous_sigmoid(u, xp):
    """As `sigmoid`."""
    alpha_bar = _sigmoid_alpha_bar(u, xp, -3.0, 3.0)
    return xp.log(alpha_bar) - xp.log1p(-alpha_bar)


def _edm(u, xp, mean=-1.2, deviation=1.2):
    """ln(sigma) ~ N(-1.2, 1.2^2). Karras et al. 2022 (arXiv 2206.00364), table 1."""
    ndtri = scipy.special.ndtri if xp is np else jax.scipy.special.ndtri
    return -2.0 * (mean + deviation * ndtri(u))


def _flow(u, xp):
    """alpha = 1 - u, sigma = u. Liu, Gong & Liu 2022; Lipman et al. 2022 (arXiv 2210.02747)."""
    return 2.0 * (xp.log1p(-u) - xp.log(u))


def _by(log_snr, path, least, largest):
    return lambda steps: Continuous(log_snr, path, (least, largest), steps)


# Each: T -> schedule.
SCHEDULES = {
    "linear": linear,
    "scaled_linear": scaled_linear,
    "cosine": cosine,
    "sigmoid": sigmoid,
    "continuous_linear": _by(_continuous_linear, _preserving, 1e-3, 200.0),
    "continuous_scaled_linear": _by(_continuous_scaled_linear, _preserving, 1e-3, 200.0),
    "continuous_cosine": _by(_continuous_cosine, _preserving, 1e-3, 1e3),
    "continuous_sigmoid": _by(_continuous_sigmoid, _preserving, 1e-3, 1e3),
    "edm": _by(_edm, _exploding, 0.002, 80.0),
    "flow": _by(_flow, _straight, 1e-3, LARGEST_RATIO),
}


def time_field(name: str, steps: int) -> Field:
    """The times of a schedule, 0 .. T: only those of one schedule and T mean the same noise."""
    return Field((), steps + 1, domain=name)
