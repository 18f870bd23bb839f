"""Data whose denoiser is known exactly, and how the tests follow a table with it."""

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.diffusion.shared import schedules, tables

LINEAR, FLOW = schedules.linear(1000), schedules.SCHEDULES["flow"](1000)
MEANS, WEIGHTS, SPREAD = np.array([-0.8, 0.6]), np.array([0.3, 0.7]), 0.15


def mixture(x, at):
    """E[x_0 | x_t] for a mixture of two Gaussians, x [B, 1]."""
    variance = at.alpha**2 * SPREAD**2 + at.sigma**2
    share = jax.nn.softmax(log_joint(x, at), axis=-1)
    mean = MEANS + at.alpha * SPREAD**2 / variance * (x - at.alpha * MEANS)
    return (share * mean).sum(-1, keepdims=True)


def log_joint(x, at):
    """log p(x_t, component), [B, 2]."""
    variance = at.alpha**2 * SPREAD**2 + at.sigma**2
    square = (x - at.alpha * MEANS) ** 2 / variance
    return jnp.log(WEIGHTS) - 0.5 * (square + jnp.log(2 * jnp.pi * variance))


def gaussian(covariance):
    """E[x_0 | x_t] for N(0, covariance), x [B, D]."""

    def denoise(x, at):
        noisy = at.alpha**2 * covariance + at.sigma**2 * jnp.eye(len(covariance))
        return at.alpha * x @ jnp.linalg.solve(noisy, covariance)

    return denoise


def fresh(seed, shape):
    """number -> standard normal noise."""
    return lambda number: jax.random.normal(jax.random.fold_in(jax.random.key(seed), number), shape)


def draw(table, denoise, x, seed=0):
    """The end of a table."""
    return jax.jit(lambda x: tables.run(table, denoise, x, fresh(seed, x.shape))[0])(x)
