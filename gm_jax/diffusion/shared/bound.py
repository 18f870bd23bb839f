"""The variational bound of a diffusion model, all its terms.

-log p(x_0) <= L_T + sum_{t>1} L_{t-1} + L_0               Ho, Jain & Abbeel 2020, eq. 5
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.diffusion.shared.samplers import transition
from gm_jax.diffusion.shared.schedules import Points, Schedule
from gm_jax.losses import diffusion as losses
from gm_jax.model import Array
from gm_jax.nn.layers import normal


class Terms(NamedTuple):
    """q(x_{t-1} | x_t, x_0) at t = 1 .. T, or at some of them.

    x0, x_t       weights of its mean
    small, large  beta~_t and beta_t; beta~_1 is 0 and beta~_2 takes its place, as Ho et al.'s code
    """

    x0: Array
    x_t: Array
    small: Array
    large: Array

    def model_variance(self, variance: str, v: Array | None = None) -> Array:
        """The log variance of p(x_{t-1} | x_t): "small", "large", or learned where v is given."""
        if v is None:
            return jnp.log({"large": self.large, "small": self.small}[variance])
        f = 0.5 * (v + 1.0)
        return f * jnp.log(self.large) + (1.0 - f) * jnp.log(self.small)

    def nats(self, x0, x_t, x0_hat, log_variance, last) -> Array:
        """L_{t-1} in nats, [B]; L_0 of images with 256 levels if `last` (t is 1)."""
        mean, model_mean = (self.x0 * value + self.x_t * x_t for value in (x0, x0_hat))
        return jnp.where(
            jnp.reshape(last, (-1,)),
            losses.decoder_term(x0, model_mean, log_variance),
            losses.transition_term(mean, jnp.log(self.small), model_mean, log_variance),
        )


def terms(schedule: Schedule) -> Terms:
    """Those of t = 1 .. T, float64 [T] each."""
    t = np.arange(1, schedule.steps + 1)
    q = transition(schedule.at(t), schedule.at(t - 1))
    small = np.concatenate([q.small[1:2], q.small[1:]])
    return Terms(q.x0_weight, q.x_weight, small, q.large)


def variational_bound(
    schedule: Schedule,
    denoise: Callable[[Array, Points], Array],
    x0: Array,
    keys: Array,
    variance: str = "small",
) -> Array:
    """An unbiased value of the bound in nats per example, [B], of images with 256 levels.

    denoise   (x_t [B, ...], its level) -> x0_hat [B, ...], or (x0_hat, f) if the variance is
              learned; called once for each t = T .. 1
    x0        images in [-1, 1], keys [B]: one draw of x_t for each t
    variance  of p(x_{t-1} | x_t) unless it is learned: "large" (beta_t) or "small" (beta~_t)
    """
    shape = x0.shape[1:]

    def term(total, row):
        at, q = row
        noise = normal(jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, at.time), shape)
        x_t = at.alpha * x0 + at.sigma * noise
        found = denoise(x_t, at)
        x0_hat, f = found if isinstance(found, tuple) else (found, None)
        log_variance = q.model_variance(variance, None if f is None else 2.0 * f - 1.0)
        return total + q.nats(x0, x_t, x0_hat, log_variance, at.time == 1), None

    t = np.arange(schedule.steps, 0, -1)
    rows = (schedule.at(t), Terms(*(column[t - 1] for column in terms(schedule))))
    alpha, sigma = jnp.asarray(schedule.alpha)[-1], jnp.asarray(schedule.sigma)[-1]
    last = losses.prior_term(alpha * x0, 2.0 * jnp.log(sigma))
    total, _ = lax.scan(term, last, jax.tree.map(jnp.asarray, rows))
    return total
