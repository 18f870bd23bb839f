"""Predictive sparse decomposition: sparse codes, and an encoder that learns to guess them.

Kavukcuoglu, Ranzato & LeCun 2010 (arXiv 1010.3467).

    E(x, z) = 1/2 |x - D z|^2 + lambda |z|_1 + alpha / 2 |z - f(x)|^2             eq. 3
    f(x) = G tanh(W'x + b),  G diagonal,  |d_k| = 1                               eq. 4
    z* = argmin_z E(x, z), from f(x); then a step of D, W, b and G on E(x, z*)    algorithm 1

The encoder pulls at the codes as the codes pull at the encoder: inference has the alpha term, too,
and its steps are shorter by it. Once trained, f(x) is a code without any inference. Other encoders
are in shared/encoders.py.

Phase "train" has both. In a second one, "encoder", the dictionary stays as it is, codes are no
longer pulled, and the encoder is trained on 1/2 |f(x) - z*|^2, or on what its own codes leave,
1/2 |x - D f(x)|^2 + lambda |f(x)|_1.

With stages.below, another model of this kind, x is what that one's codes give of larger patches,
rectified and pooled (shared/signals.py): a second layer.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games
from gm_jax.energy.shared import coding, encoders, signals
from gm_jax.energy.shared.coding import Problem
from gm_jax.energy.shared.signals import Pooling
from gm_jax.model import Aux, Field, Phase, Variables
from gm_jax.nn.layers import product
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Restartable, at_least, one_of, schema

STEPS = (1, 2, 4, 8)  # of FISTA, beside which the encoder's guess is evaluated


@schema
class Refinement:
    """The encoder's training by itself, on the finished dictionary.

    steps      rounds; 0 for none
    error      half the squared distance to inferred codes (codes), or what inference minimises
               (objective)
    optimizer  one of optax's
    """

    steps: Annotated[int, at_least(0), Restartable(trains=True)] = 0
    error: Annotated[str, one_of(("codes", "objective"))] = "codes"
    optimizer: Optimizer = adam(1e-3)


@schema
class Settings(coding.Settings):
    """Predictive sparse decomposition: as many units of the encoder as atoms.

    pull        alpha, weight of half the squared distance of code and encoder
    encoder     what guesses the codes
    refinement  of the encoder, with the dictionary as it is
    pooling     of the codes of stages.below, if there is one
    """

    pull: Annotated[float, at_least(0.0)] = 1.0
    encoder: encoders.Settings = encoders.Settings()
    refinement: Refinement = Refinement()
    pooling: Pooling = Pooling()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A dictionary and its encoder, then the encoder alone; configs/psd_patches.py.

    Raises UserError if the data has neither patches nor images, or the layer below does not fit.
    """
    signal = signals.of_stages(stages, spec, settings.pooling)
    dtype, own = jnp.dtype(settings.dtype), settings.refinement
    encoder = encoders.encoder_of(settings.encoder)

    def init(key, batch, previous):
        d_key, w_key = jax.random.split(key)
        d = coding.dictionary(d_key, signal.size, settings.atoms)
        return Variables({"dictionary": d, "encoder": encoder.init(w_key, d, settings.penalty)})

    def init_refinement(key, batch, previous):
        params = (previous or init(key, batch, None)).params
        return Variables({"encoder": params["encoder"]}, {"dictionary": params["dictionary"]})

    def guess(variables, x):
        """f(x), [B, K]."""
        return encoder.guess(variables.params["encoder"], x, dtype)

    def lasso(variables, batch):
        """The problem of each example with atoms of length 1, without the encoder's pull."""
        d = coding.unit(dictionary(variables))
        return Problem(d, signal.rows(variables, batch), settings.penalty, dtype=dtype)

    def energy(variables, batch, key, step):
        x = signal.rows(variables, batch)
        f = guess(variables, x)
        d = variables.params["dictionary"]
        problem = Problem(d, x, settings.penalty, settings.pull, f, dtype)
        z = coding.infer(settings.inference, problem, f)
        return jnp.mean(problem.value(z)), Aux(metrics(z, f))

    def prediction(variables, batch, key, step):
        problem = lasso(variables, batch)
        f = guess(variables, problem.x)
        z = coding.infer(settings.inference, problem, f)
        far = 0.5 * jnp.sum((z - f) ** 2, axis=-1)
        error = far if own.error == "codes" else problem.value(f)
        return jnp.mean(error), Aux(metrics(z, f))

    functions = functions_of(settings, signal, guess, lasso)
    moves, owns = {"energy": energy}, ("dictionary", "encoder")
    player = games.player("coder", owns, moves, settings, settings.average)
    players = (coding.with_unit_atoms(player),)
    fields = dict(spec) | {"latent": Field((settings.atoms,))}
    first = games.phase(settings, init, players, functions, fields, stages)
    if not own.steps:
        return (first,)
    moves = {"prediction": prediction}
    players = (games.player("encoder", ("encoder",), moves, own, settings.average),)
    last = games.phase(settings, init_refinement, players, functions, fields, stages)
    return first, last._replace(name="encoder", steps=own.steps)


def dictionary(variables: Variables):
    """That of either phase, as it is."""
    return (variables.params | variables.state)["dictionary"]


def metrics(z, f) -> dict:
    """Of codes z and guesses f."""
    return {
        "prediction_error": jnp.mean(jnp.sum((z - f) ** 2, axis=-1)),
        "active": jnp.mean(jnp.sum(z != 0.0, axis=-1), dtype=z.dtype),
    }


def functions_of(settings: Settings, signal, guess, lasso) -> dict:
    """What both phases can do; lasso: (variables, batch) -> the problem of each example."""
    dtype = jnp.dtype(settings.dtype)

    def columns(variables, matrix, batch):
        rows = matrix.T[batch["index"] % matrix.shape[1]]
        return {"image": coding.pictures(signal.image(variables, rows), signal.shape)}

    def atoms(variables, batch, key):
        """An atom, [B, H, W, C]."""
        return columns(variables, dictionary(variables), batch)

    def filters(variables, batch, key):
        """The weights of a unit of the encoder, [B, H, W, C]."""
        return columns(variables, variables.params["encoder"]["w"], batch)

    def encode(variables, batch, key):
        """f(x), [B, K]."""
        return {"latent": guess(variables, signal.rows(variables, batch))}

    def decode(variables, batch, key):
        """D z as pixels, [B, H, W, C]; of a second layer the picture of it."""
        rows = product(batch["latent"], coding.unit(dictionary(variables)).T, dtype)
        return {signal.name: signal.image(variables, rows).reshape(-1, *signal.shape)}

    def reconstruct(variables, batch, key):
        """The example beside D f(x), [B, 2, H, W, C]."""
        x = signal.image(variables, signal.rows(variables, batch))
        y = decode(variables, encode(variables, batch, key), key)[signal.name]
        return coding.pairs(x, y.reshape(x.shape), signal.shape)

    def quality(variables, batch, key):
        """What the encoder's guess loses against inference, and what it saves, [B] each.

        objective          1/2 |x - D z|^2 + lambda |z|_1 of z from FISTA, from 0
        fista_N            that after N steps of it. The first takes a product with D alone, each
                           other one a product with D'D, too
        encoder_objective  that of z = f(x), which takes a product with W, and lista's with S
        begun_objective    that after a tenth of FISTA's steps, from f(x)
        encoder_error      |x - D f(x)|^2
        encoder_active     how many of f(x) are not 0
        equal_steps        of FISTA from 0 that are needed to be as low as f(x)
        """
        problem = lasso(variables, batch)
        f = guess(variables, problem.x)
        zero, steps = jnp.zeros_like(f), settings.inference.steps
        reached, path = path_of(problem, zero, steps)
        own = problem.value(f)
        return {
            "objective": problem.value(reached),
            "encoder_objective": own,
            "begun_objective": problem.value(coding.fista(problem, f, -(-steps // 10))),
            "encoder_error": 2.0 * problem._replace(penalty=0.0).value(f),
            "encoder_active": jnp.sum(f != 0.0, axis=-1).astype(f.dtype),
            "equal_steps": jnp.sum(jnp.cumprod(path > own, axis=0), axis=0).astype(f.dtype),
        } | {f"fista_{n}": problem.value(coding.fista(problem, zero, n)) for n in STEPS}

    return {f.__name__: f for f in (atoms, filters, encode, decode, reconstruct, quality)}


def path_of(problem: Problem, start, steps: int):
    """z after `steps` of FISTA, and the values of the start and of all steps but the last."""
    step = coding.fista_step(problem)

    def one(carry, number):
        return step(number, carry), problem.value(carry[0])

    first = start, start, jnp.ones((), start.dtype)
    (z, _, _), values = lax.scan(one, first, jnp.arange(steps))
    return z, values
