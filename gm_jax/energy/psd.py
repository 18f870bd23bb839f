"""Predictive sparse decomposition: sparse codes, and an encoder that learns to guess them.

Kavukcuoglu, Ranzato & LeCun 2010 (arXiv 1010.3467).

    E(x, z) = 1/2 |x - D z|^2 + lambda |z|_1 + alpha / 2 |z - f(x)|^2             eq. 3
    f(x) = G tanh(W'x + b),  G diagonal,  |d_k| = 1                               eq. 4
    z* = argmin_z E(x, z), from f(x); then a step of D, W, b and G on E(x, z*)    algorithm 1

The encoder pulls at the codes as the codes pull at the encoder: inference has the alpha term, too,
and its steps are shorter by it. Once trained, f(x) is a code without any inference.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games
from gm_jax.energy.shared import coding
from gm_jax.energy.shared.coding import Problem
from gm_jax.model import Aux, Phase, Variables
from gm_jax.nn.layers import product
from gm_jax.settings import at_least, schema


@schema
class Settings(coding.Settings):
    """Predictive sparse decomposition: as many units of the encoder as atoms.

    pull  alpha, weight of half the squared distance of code and encoder
    """

    pull: Annotated[float, at_least(0.0)] = 1.0


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A dictionary and its encoder in one phase; configs/psd_patches.py.

    Raises UserError if the data has neither patches nor images.
    """
    name, field = coding.signal_of(spec)
    dtype, atoms_count = jnp.dtype(settings.dtype), settings.atoms

    def init(key, batch, previous):
        size = coding.signals(batch, name).shape[1]
        d_key, w_key = jax.random.split(key)
        encoder = {
            "w": coding.dictionary(w_key, size, atoms_count),
            "b": jnp.zeros(atoms_count),
            "gain": jnp.ones(atoms_count),
        }
        return Variables(
            {"dictionary": coding.dictionary(d_key, size, atoms_count), "encoder": encoder}
        )

    def guess(variables, x):
        """f(x), [B, K]."""
        own = variables.params["encoder"]
        return own["gain"] * jnp.tanh(product(x, own["w"], dtype) + own["b"])

    def energy(variables, batch, key, step):
        x = coding.signals(batch, name)
        f = guess(variables, x)
        d = variables.params["dictionary"]
        problem = Problem(d, x, settings.penalty, settings.pull, f, dtype)
        z = coding.infer(settings.inference, problem, f)
        metrics = {
            "prediction_error": jnp.mean(jnp.sum((z - f) ** 2, axis=-1)),
            "active": jnp.mean(jnp.sum(z != 0.0, axis=-1), dtype=z.dtype),
        }
        return jnp.mean(problem.value(z)), Aux(metrics)

    def parts(variables, batch):
        """The lasso of each example, without the encoder's pull, and f(x)."""
        x, d = coding.signals(batch, name), coding.unit(variables.params["dictionary"])
        return Problem(d, x, settings.penalty, dtype=dtype), guess(variables, x)

    def encode(variables, batch, key):
        """f(x), [B, K]."""
        return {"latent": guess(variables, coding.signals(batch, name))}

    def atoms(variables, batch, key):
        """An atom, [B, H, W, C]."""
        return coding.columns(variables.params["dictionary"], batch, field.shape)

    def filters(variables, batch, key):
        """The weights of a unit of the encoder, [B, H, W, C]."""
        return coding.columns(variables.params["encoder"]["w"], batch, field.shape)

    def reconstruct(variables, batch, key):
        """The example beside D f(x), [B, 2, H, W, C]."""
        problem, f = parts(variables, batch)
        return coding.pairs(problem.x, product(f, problem.d.T, dtype), field.shape)

    def quality(variables, batch, key):
        """What the encoder's guess loses against inference, and what it saves, [B] each.

        objective          1/2 |x - D z|^2 + lambda |z|_1 of z from FISTA, from 0
        encoder_objective  that of z = f(x)
        begun_objective    that after a tenth of FISTA's steps, from f(x)
        encoder_error      |x - D f(x)|^2
        equal_steps        of FISTA from 0 that are needed to be as low as f(x)
        speedup            multiplications of these over those of f
        """
        problem, f = parts(variables, batch)
        zero, steps = jnp.zeros_like(f), settings.inference.steps
        reached, path = path_of(problem, zero, steps)
        own = problem.value(f)
        above_it = jnp.cumprod(path > own, axis=0)
        needed = jnp.sum(above_it, axis=0).astype(f.dtype)
        size = problem.d.shape[0]
        return {
            "objective": problem.value(reached),
            "encoder_objective": own,
            "begun_objective": problem.value(coding.fista(problem, f, -(-steps // 10))),
            "encoder_error": 2.0 * problem._replace(penalty=0.0).value(f),
            "equal_steps": needed,
            "speedup": (size + needed * atoms_count) / (size + 1.0),
        }

    owns, moves = ("dictionary", "encoder"), {"energy": energy}
    player = games.player("coder", owns, moves, settings, settings.average)
    functions = {f.__name__: f for f in (encode, atoms, filters, reconstruct, quality)}
    return (games.phase(settings, init, (coding.with_unit_atoms(player),), functions),)


def path_of(problem: Problem, start, steps: int):
    """z after `steps` of FISTA, and the values of the start and of all steps but the last."""
    step = coding.fista_step(problem)

    def one(carry, number):
        return step(number, carry), problem.value(carry[0])

    first = start, start, jnp.ones((), start.dtype)
    (z, _, _), values = lax.scan(one, first, jnp.arange(steps))
    return z, values
