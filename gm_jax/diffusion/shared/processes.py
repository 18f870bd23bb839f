"""A diffusion process: one choice of schedule, prediction, weighting and preconditioning each.

`loss` and `denoiser` are all that a system needs: they turn predict(x, level) -> output, the
network as it is, into a loss per example and into x0_hat.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gm_jax.diffusion.shared import prediction as predictions
from gm_jax.diffusion.shared.bound import terms
from gm_jax.diffusion.shared.prediction import Prediction
from gm_jax.diffusion.shared.schedules import Continuous, Level, Points, Schedule
from gm_jax.diffusion.shared.weighting import Weighting, factor
from gm_jax.losses import diffusion as losses
from gm_jax.model import Array

Predict = Callable[[Array, Array], Array]


class Preconditioning(NamedTuple):
    """What the network is given: scale(alpha, sigma) times x_t, and level(time, alpha, sigma)."""

    scale: Callable | None
    level: Callable


PLAIN = Preconditioning(None, lambda time, alpha, sigma: time)


def edm_input(sigma_data: float) -> Preconditioning:
    """c_in and c_noise at x / alpha and sigma / alpha. Karras et al. 2022, table 1."""
    return Preconditioning(
        lambda alpha, sigma: (sigma**2 + (sigma_data * alpha) ** 2) ** -0.5,
        lambda time, alpha, sigma: 0.25 * jnp.log(sigma / alpha),
    )


# Published networks count the times of a table from 0, the least noise.
FROM_ZERO = Preconditioning(None, lambda time, alpha, sigma: time - 1.0)
PRECONDITIONINGS = ("none", "edm", "from_zero")


class Process(NamedTuple):
    """The choices of one model.

    learned  whether the second half of the network's channels is the variance: f = (v + 1) / 2,
             log variance = f log beta_t + (1 - f) log beta~_t. Nichol & Dhariwal 2021, eq. 15
    """

    schedule: Schedule | Continuous
    prediction: Prediction
    weighting: Weighting = Weighting()
    preconditioning: Preconditioning = PLAIN
    learned: bool = False


def process(
    schedule: Schedule | Continuous,
    prediction: str,
    weighting: Weighting = Weighting(),
    preconditioning: str = "none",
    learned: bool = False,
) -> Process:
    """The process of a recipe's names. "edm" goes with the prediction "x0": its F is between."""
    kind = predictions.PREDICTIONS[prediction]
    given = FROM_ZERO if preconditioning == "from_zero" else PLAIN
    if preconditioning == "edm":
        kind, given = predictions.edm(weighting.sigma_data), edm_input(weighting.sigma_data)
    return Process(schedule, kind, weighting, given, learned)


class Noised(NamedTuple):
    """A batch at its levels: x_0, eps and x_t [B, ...], level [B]."""

    x0: Array
    noise: Array
    x_t: Array
    level: Level


def noised(x0: Array, noise: Array, level: Level) -> Noised:
    """x_t = alpha x_0 + sigma eps. Ho et al. 2020, eq. 4."""
    alpha, sigma = (_over(x0, value) for value in (level.alpha, level.sigma))
    return Noised(x0, noise, alpha * x0 + sigma * noise, level)


def evaluate(process: Process, predict: Predict, x: Array, at: Points | Level) -> tuple:
    """The network's prediction and, if it is learned, the variance's v, at levels [B] or scalar."""
    scale, seen = process.preconditioning
    seen = seen(at.time, at.alpha, at.sigma)
    if scale is not None:
        x = _over(x, scale(at.alpha, at.sigma)) * x
    output = predict(x, jnp.broadcast_to(seen, x.shape[:1]))
    return tuple(jnp.split(output, 2, axis=-1)) if process.learned else (output, None)


def loss(process: Process, predict: Predict, batch: Noised) -> Array:
    """The weighted mean square of the prediction, [B]. Ho et al. 2020, eq. 14, if "simple"."""
    return _weighted(process, batch, evaluate(process, predict, batch.x_t, batch.level)[0])


def hybrid_loss(process: Process, predict: Predict, batch: Noised, weight: float) -> tuple:
    """L_hybrid and its two terms, [B] each: `loss` + weight T L_vlb.

    L_vlb in bits per dimension and with the mean's gradient stopped: it teaches the variance alone.
    Nichol & Dhariwal 2021, eq. 16.
    """
    output, v = evaluate(process, predict, batch.x_t, batch.level)
    simple = _weighted(process, batch, output)
    bits = _bits(process, batch, jax.lax.stop_gradient(output), v)
    return simple + weight * process.schedule.steps * bits, simple, bits


def bound_loss(process: Process, predict: Predict, batch: Noised) -> Array:
    """T L_vlb in bits per dimension, [B]: an unbiased value of the bound but for L_T.

    Nichol & Dhariwal 2021, section 3.3; a fixed variance is beta~_t.
    """
    output, v = evaluate(process, predict, batch.x_t, batch.level)
    return process.schedule.steps * _bits(process, batch, output, v)


def _weighted(process, batch, output):
    alpha, sigma = (_over(output, value) for value in (batch.level.alpha, batch.level.sigma))
    target = process.prediction.target(batch.x0, batch.noise, alpha, sigma)
    value = losses.l_simple(target, output)
    if process.weighting.name == "simple":
        return value
    return factor(process.weighting, process.prediction, batch.level) * value


def _bits(process, batch, output, v):
    x0, x_t, t = batch.x0, batch.x_t, batch.level.time
    alpha, sigma = (_over(x0, value) for value in (batch.level.alpha, batch.level.sigma))
    x0_hat = process.prediction.to_x0(output, x_t, alpha, sigma)
    rows = jax.tree.map(lambda c: _over(x0, jnp.asarray(c)[t - 1]), terms(process.schedule))
    nats = rows.nats(x0, x_t, x0_hat, rows.model_variance("small", v), _over(x0, t == 1))
    return nats / (jnp.log(2.0) * x0[0].size)


def denoiser(process: Process, predict: Predict, clip: bool = False) -> Callable:
    """(x_t [B, ...], its level, scalars) -> x0_hat, in [-1, 1] if `clip`; with a learned variance
    (x0_hat, f), f = (v + 1) / 2, as `tables.run` takes it."""

    def denoise(x, at):
        output, v = evaluate(process, predict, x, at)
        x0 = process.prediction.to_x0(output, x, at.alpha, at.sigma)
        x0 = jnp.clip(x0, -1.0, 1.0) if clip else x0
        return x0 if v is None else (x0, 0.5 * (v + 1.0))

    return denoise


def _over(x, value):
    """[B] or a scalar, shaped to broadcast against x [B, ...]."""
    value = jnp.asarray(value)
    return value.reshape(-1, *[1] * (x.ndim - 1)) if value.ndim else value
