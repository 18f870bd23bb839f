"""Annealed importance sampling: an estimate of a partition function.

Neal 2001 (Statistics and Computing 11); Salakhutdinov & Murray 2008 (ICML).

    log w = log Z_0 + sum_k (log f_k(v_{k-1}) - log f_{k-1}(v_{k-1})),   v_k ~ T_k(v | v_{k-1})

f_0 is one whose Z_0 is known and that v_0 is drawn from, f_K the model's; T_k leaves f_k as it is.
E w = Z, whatever the number of steps. A run's weight is counted at the old v: to move first is
another estimate, whose mean is not Z. `gm_jax.judging.partition` takes log of the mean of w.
"""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.energy.shared.machine import Machine, fold_in
from gm_jax.model import Array, PyTree
from gm_jax.settings import at_least, schema

Steps = Annotated[int, at_least(0)]
BOUNDS = (0.0, 0.5, 0.9, 1.0)  # of beta, between which steps are even


@schema
class Annealing:
    """How evaluation estimates the partition function.

    steps  of beta from 0 to .5, to .9 and to 1
    """

    steps: tuple[Steps, Steps, Steps] = (500, 4000, 10_000)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if not sum(self.steps):
            yield "steps are all 0: beta has to get from 0 to 1"


def betas(steps: tuple[int, ...]) -> np.ndarray:
    """Rising from 0 to 1, [1 + sum(steps)]; a stretch of no steps is jumped over."""
    ends = [np.linspace(*BOUNDS[i : i + 2], n + 1)[1:] for i, n in enumerate(steps)]
    values = np.concatenate([[0.0], *ends])
    values[-1] = 1.0
    return values


def between(start: PyTree, end: PyTree, beta) -> PyTree:
    """Parameters on the straight line from `start` (beta 0) to `end` (beta 1)."""
    return jax.tree.map(lambda a, b: (1.0 - beta) * a + beta * b, start, end)


def log_weights(
    log_density: Callable, move: Callable, v: Array, betas: np.ndarray, keys: Array
) -> Array:
    """log of Z_K / Z_0 estimated by each run, [B].

    log_density  (v [B, D], beta) -> log f_beta(v), [B]
    move         (keys [B], v, beta) -> v after a step that leaves f_beta as it is
    v            draws of f_0, a run each
    """

    def step(carry, inputs):
        v, total = carry
        number, before, beta = inputs
        total = total + log_density(v, beta) - log_density(v, before)
        return (move(fold_in(keys, number), v, beta), total), None

    path = jnp.asarray(betas, v.dtype)
    numbers = jnp.arange(len(betas) - 1)
    (_, total), _ = lax.scan(step, (v, jnp.zeros(len(v), v.dtype)), (numbers, path[:-1], path[1:]))
    return total


def of_machine(rbm: Machine, params: PyTree, b: Array, keys: Array, steps) -> Array:
    """log w of runs of AIS by keys [B], from an RBM of biases b without weights to one, [B]."""
    start = jax.tree.map(jnp.zeros_like, params) | {"b": b}

    def log_density(v, beta):
        return -rbm.free_energy(between(start, params, beta), v)

    def move(keys, v, beta):
        return rbm._replace(drawn=True).sweep(between(start, params, beta), keys, v)

    first, path = rbm.independent(fold_in(keys, 0), b), betas(steps)
    log_ratio = log_weights(log_density, move, first, path, fold_in(keys, 1))
    log_z = rbm.visible.log_sum(b, 0.0 * b) + len(params["c"]) * jnp.log(2.0)
    return log_ratio + log_z
