"""Sparse coding: a dictionary of which few atoms make each example.

Olshausen & Field 1996 (Nature 381, 607-609); Mairal et al. 2010 (JMLR 11, 19-60).

    L(D) = min_z 1/2 |x - D z|^2 + lambda |z|_1,   |d_k| = 1
    dL = (D z* - x) z*'                             the envelope theorem: z* counts as a constant

z* comes from an optimizer of its own (shared/coding.py). Without the atoms' length D would grow,
codes shrink, and lambda cost nothing. After each step of D the last link of its optimizer's chain
brings the atoms back to length 1. The 1/2 belongs to the square: without it lambda is half as much.
"""

from typing import Annotated

import jax.numpy as jnp

from gm_jax import games
from gm_jax.energy.shared import coding
from gm_jax.energy.shared.coding import SOLVERS, Problem
from gm_jax.model import Aux, Phase, Variables
from gm_jax.nn.layers import product
from gm_jax.settings import Restartable, at_least, schema

STEPS = (20, 50, 100)  # of each solver, whose distance to the minimum is evaluated


@schema
class Settings(coding.Settings):
    """Sparse coding.

    minimum  steps of FISTA whose end is taken for the minimum when solvers are compared
    """

    minimum: Annotated[int, at_least(1), Restartable()] = 1000


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One dictionary in one phase; configs/sparse_coding_patches.py.

    Raises UserError if the data has neither patches nor images.
    """
    name, field = coding.signal_of(spec)
    dtype, atoms_count = jnp.dtype(settings.dtype), settings.atoms

    def init(key, batch, previous):
        size = coding.signals(batch, name).shape[1]
        return Variables({"dictionary": coding.dictionary(key, size, atoms_count)})

    def problem_of(d, batch):
        return Problem(d, coding.signals(batch, name), settings.penalty, dtype=dtype)

    def infer(problem):
        start = jnp.zeros((len(problem.x), atoms_count), problem.d.dtype)
        return coding.infer(settings.inference, problem, start)

    def objective(variables, batch, key, step):
        problem = problem_of(variables.params["dictionary"], batch)
        z = infer(problem)
        active = jnp.mean(jnp.sum(z != 0.0, axis=-1), dtype=z.dtype)
        return jnp.mean(problem.value(z)), Aux({"active": active})

    def coded(variables, batch):
        """The problem of each example, and its code."""
        problem = problem_of(coding.unit(variables.params["dictionary"]), batch)
        return problem, infer(problem)

    def atoms(variables, batch, key):
        """An atom, [B, H, W, C]."""
        return coding.columns(variables.params["dictionary"], batch, field.shape)

    def encode(variables, batch, key):
        """z*, [B, K]."""
        return {"latent": coded(variables, batch)[1]}

    def reconstruct(variables, batch, key):
        """The example beside D z*, [B, 2, H, W, C]."""
        problem, z = coded(variables, batch)
        return coding.pairs(problem.x, product(z, problem.d.T, dtype), field.shape)

    def cost(variables, batch, key):
        """What inference leaves, [B] each.

        objective      1/2 |x - D z*|^2 + lambda |z*|_1
        squared_error  |x - D z*|^2
        active         how many of z* are not 0
        """
        problem, z = coded(variables, batch)
        left = problem._replace(penalty=0.0).value(z)
        return {
            "objective": problem.value(z),
            "squared_error": 2.0 * left,
            "active": jnp.sum(z != 0.0, axis=-1).astype(z.dtype),
        }

    def gaps(variables, batch, key):
        """How far above the minimum each solver is after 20, 50 and 100 steps from 0, [B] each."""
        problem = problem_of(coding.unit(variables.params["dictionary"]), batch)
        zero = jnp.zeros((len(problem.x), atoms_count), problem.d.dtype)
        least = problem.value(coding.fista(problem, zero, settings.minimum))
        return {"minimum": least} | {
            f"{solver}_{steps}_gap": problem.value(solve(problem, zero, steps)) - least
            for solver, solve in SOLVERS.items()
            for steps in STEPS
        }

    moves, average = {"objective": objective}, settings.average
    player = games.player("coder", ("dictionary",), moves, settings, average)
    functions = {f.__name__: f for f in (encode, atoms, reconstruct, cost, gaps)}
    return (games.phase(settings, init, (coding.with_unit_atoms(player),), functions),)
