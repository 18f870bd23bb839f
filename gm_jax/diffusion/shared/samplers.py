"""Samplers as tables of coefficients: every step here is x_s = a x0_hat + b x_t + c z.

One loop runs any table. Times are those of a schedule, T = times[0] > ... > times[-1] = 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.diffusion.shared.schedules import Schedule
from gm_jax.model import Array
from gm_jax.nn.common import normal


class Table(NamedTuple):
    """One row per step: its time t, and the weights of x0_hat, x_t and fresh noise, [S]."""

    time: np.ndarray
    x0: np.ndarray
    x_t: np.ndarray
    noise: np.ndarray


class Transition(NamedTuple):
    """q(x_s | x_t, x_0) = N(x0_weight x_0 + x_weight x_t, small) for pairs of times s < t.

    Ho et al. 2020, eq. 6-7, for any s < t: with alpha_ts = alpha_t / alpha_s,
    large = 1 - alpha_ts^2 (their beta_t) and small = large sigma_s^2 / sigma_t^2 (their beta~_t).
    """

    x0_weight: np.ndarray
    x_weight: np.ndarray
    small: np.ndarray
    large: np.ndarray


def transition(schedule: Schedule, t: np.ndarray, s: np.ndarray) -> Transition:
    """The transitions from times t to times s, [S] each."""
    alpha_t, alpha_s = schedule.alpha[t], schedule.alpha[s]
    var_t, var_s = schedule.sigma[t] ** 2, schedule.sigma[s] ** 2
    alpha_ts = alpha_t / alpha_s
    large = -np.expm1(2 * (np.log(alpha_t) - np.log(alpha_s)))
    return Transition(
        alpha_s * large / var_t, alpha_ts * var_s / var_t, large * var_s / var_t, large
    )


def spaced_times(schedule: Schedule, steps: int) -> np.ndarray:
    """`steps` + 1 times from T down to 0, as evenly spaced as whole numbers allow."""
    if not 1 <= steps <= schedule.steps:
        raise ValueError(f"a sampler must take 1 to {schedule.steps} steps here, not {steps}")
    return np.round(np.linspace(schedule.steps, 0, steps + 1)).astype(int)


VARIANCES = ("large", "small")


def ancestral(schedule: Schedule, times: np.ndarray, variance: str = "large") -> Table:
    """Draws x_s from q(x_s | x_t, x0_hat). Ho et al. 2020, algorithm 2.

    variance  "large" (beta_t) or "small" (beta~_t), section 3.2; none in the last step.
    """
    t, s = times[:-1], times[1:]
    q = transition(schedule, t, s)
    variances = {"large": q.large, "small": q.small}[variance]
    return Table(t, q.x0_weight, q.x_weight, np.sqrt(np.where(s == 0, 0.0, variances)))


def ddim(schedule: Schedule, times: np.ndarray, eta: float = 0.0) -> Table:
    """x_s = alpha_s x0_hat + sqrt(sigma_s^2 - c^2) eps_hat + c z, c^2 = eta^2 beta~.

    Song, Meng & Ermon 2021, eq. 12 and 16: eta 0 is deterministic, eta 1 is `ancestral` "small".
    """
    t, s = times[:-1], times[1:]
    fresh = eta * np.sqrt(transition(schedule, t, s).small)
    kept = np.sqrt(np.maximum(schedule.sigma[s] ** 2 - fresh**2, 0.0)) / schedule.sigma[t]
    return Table(t, schedule.alpha[s] - kept * schedule.alpha[t], kept, fresh)


def run(table: Table, denoise: Callable[[Array, Array], Array], x: Array, keys: Array) -> Array:
    """Follows a table from x [B, ...] at its first time to time 0.

    denoise  (x_t [B, ...], t scalar) -> x0_hat [B, ...]
    keys     one per example, [B]
    Returns the whole chain [S + 1, B, ...]; the sample is its last entry.
    """

    def step(x, row):
        number, time, a, b, c = row
        z = normal(jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number), x.shape[1:])
        x = (a * denoise(x, time) + b * x + c * z).astype(x.dtype)
        return x, x

    rows = (jnp.arange(len(table.time)), *(jnp.asarray(column) for column in table))
    _, chain = lax.scan(step, x, rows)
    return jnp.concatenate([x[None], chain])
