"""The likelihood of a diffusion model by its probability-flow ODE."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.diffusion.shared.grids import Grid
from gm_jax.model import Array
from gm_jax.nn.layers import uniform


def log_prob(grid: Grid, denoise: Callable, x: Array, probe: Array, deviation: float) -> Array:
    """log p(x) in nats, [B], of real numbers x [B, ...], by the method of Runge and Kutta.

    y = x / alpha follows dy / d log r = y - x0_hat(y, r), r = sigma / alpha, from data to noise, so

        log p(x) = log p_T + integral of div (y - x0_hat) d log r

    with div by Hutchinson's estimate, e^T J e. Song et al. 2021 (arXiv 2011.13456), section 4.3.
    grid       its points but the last, whose sigma is 0, are integrated over; four evaluations each
    probe      e, of +1 and -1, [B, ...]: one for the whole trajectory, or the integrand would not
               be a function
    deviation  of the noise x_T that the model starts from
    """
    log_ratios = np.log(grid.points.ratio[-2::-1])
    middles = 0.5 * (log_ratios[:-1] + log_ratios[1:])
    of = [grid.of_ratio(np.exp(v)) for v in (log_ratios[:-1], middles, log_ratios[1:])]
    axes = tuple(range(1, x.ndim))

    def slope(y, at):
        """dy / d log r, and its divergence."""

        def velocity(y):
            found = denoise(at.alpha * y, at)
            return y - (found[0] if isinstance(found, tuple) else found)

        value, moved = jax.jvp(velocity, (y,), (probe,))
        return value, jnp.sum(moved * probe, axes)

    def step(state, row):
        (y, total), (h, first, middle, last) = state, row
        a, da = slope(y, first)
        b, db = slope(y + 0.5 * h * a, middle)
        c, dc = slope(y + 0.5 * h * b, middle)
        d, dd = slope(y + h * c, last)
        y = (y + h / 6.0 * (a + 2.0 * b + 2.0 * c + d)).astype(y.dtype)
        return (y, total + h / 6.0 * (da + 2.0 * db + 2.0 * dc + dd)), None

    rows = jax.tree.map(jnp.asarray, (np.diff(log_ratios), *of))
    (y, total), _ = lax.scan(step, (x, jnp.zeros(x.shape[0], x.dtype)), rows)
    # p_T of y: x_T = alpha_T y is normal.
    alpha, size = float(grid.points.alpha[0]), math.prod(x.shape[1:])
    squares = jnp.sum((alpha / deviation * y) ** 2, axes)
    constant = size * (0.5 * math.log(2.0 * math.pi) + math.log(deviation / alpha))
    return total - 0.5 * squares - constant


def bits_per_dimension(grid: Grid, denoise: Callable, image: Array, keys: Array, deviation: float):
    """-log p of images with 256 levels in [-1, 1], in bits per dimension, [B]: an upper bound.

    keys  one per example: uniform noise within each level (dequantisation), and the probe
    """
    shape = image.shape[1:]
    uniform_keys, probe_keys = jnp.swapaxes(jax.vmap(jax.random.split)(keys), 0, 1)
    x = image + (uniform(uniform_keys, shape) - 0.5) * (2.0 / 255.0)
    signs = jax.vmap(lambda key: jax.random.rademacher(key, shape, image.dtype))(probe_keys)
    nats = log_prob(grid, denoise, x, signs, deviation)
    return -nats / (math.log(2.0) * math.prod(shape)) + math.log2(255.0 / 2.0)
