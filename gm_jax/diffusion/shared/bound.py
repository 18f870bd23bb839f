"""The variational bound of a diffusion model, all its terms.

-log p(x_0) <= L_T + sum_{t>1} L_{t-1} + L_0               Ho, Jain & Abbeel 2020, eq. 5
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.diffusion.shared.samplers import transition
from gm_jax.diffusion.shared.schedules import Points, Schedule
from gm_jax.losses import diffusion as losses
from gm_jax.model import Array
from gm_jax.nn.common import normal


def variational_bound(
    schedule: Schedule,
    denoise: Callable[[Array, Points], Array],
    x0: Array,
    keys: Array,
    variance: str = "small",
) -> Array:
    """An unbiased value of the bound in nats per example, [B], of images with 256 levels.

    denoise   (x_t [B, ...], its level) -> x0_hat [B, ...]; called once for each t = T .. 1
    x0        images in [-1, 1], keys [B]: one draw of x_t for each t
    variance  of p(x_{t-1} | x_t): "large" (beta_t) or "small" (beta~_t)
    """
    shape = x0.shape[1:]
    times = np.arange(schedule.steps, -1, -1)
    q = transition(schedule.at(times[:-1]), schedule.at(times[1:]))
    # beta~_1 is 0; L_0 takes beta~_2 in its place, as Ho et al.'s code does.
    small = jnp.asarray(q.small).at[-1].set(q.small[-2])
    model_variance = {"large": jnp.asarray(q.large), "small": small}[variance]

    def term(total, row):
        t, alpha, sigma, x0_weight, x_weight, log_variance, log_model = row
        noise = normal(jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, t), shape)
        x_t = alpha * x0 + sigma * noise
        mean = x0_weight * x0 + x_weight * x_t
        model_mean = x0_weight * denoise(x_t, Points(t, alpha, sigma)) + x_weight * x_t
        nats = jnp.where(
            t == 1,
            losses.decoder_term(x0, model_mean, log_model),
            losses.transition_term(mean, log_variance, model_mean, log_model),
        )
        return total + nats, None

    alpha, sigma = jnp.asarray(schedule.alpha), jnp.asarray(schedule.sigma)
    last = losses.prior_term(alpha[-1] * x0, 2.0 * jnp.log(sigma[-1]))
    columns = (times[:-1], alpha[times[:-1]], sigma[times[:-1]], q.x0_weight, q.x_weight)
    rows = (*map(jnp.asarray, columns), jnp.log(small), jnp.log(model_variance))
    total, _ = lax.scan(term, last, rows)
    return total
