"""Encoders that guess a sparse code by one matrix product, or by a few.

    tanh       f(x) = G tanh(W'x + b)                           Kavukcuoglu et al. 2010, eq. 4
    shrinkage  f(x) = G soft(W'x + b, theta)                    0 where the drive is small
    lista      z_0 = soft(W'x, theta_0)
               z_t = soft(W'x + S z_(t-1), theta_t)             Gregor & LeCun 2010, eq. 4
               f(x) = z_layers

G is diagonal; b and theta have an entry for each unit, theta also for each layer. theta is learned
as its logarithm, so it stays positive. The last two start as the first steps of ISTA from 0 for the
dictionary as it starts: W = D / L, S = 1 - D'D / L, theta = lambda / L, L just above |D|_2^2. tanh
starts from random columns of length 1.
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax.numpy as jnp

from gm_jax.energy.shared import coding
from gm_jax.energy.shared.coding import soft
from gm_jax.model import Array, PyTree
from gm_jax.nn.layers import product
from gm_jax.settings import at_least, one_of, schema


class Encoder(NamedTuple):
    """How codes are guessed.

    init   (key, dictionary [P, K], penalty) -> parameters
    guess  (parameters, x [B, P], dtype) -> f(x) [B, K]
    """

    init: Callable[[Array, Array, float], PyTree]
    guess: Callable[[PyTree, Array, jnp.dtype], Array]


def tanh(settings) -> Encoder:
    """One product, squashed: no unit is ever 0."""

    def init(key, d, penalty):
        size, atoms = d.shape
        w = coding.dictionary(key, size, atoms)
        return {"w": w, "b": jnp.zeros(atoms), "gain": jnp.ones(atoms)}

    def guess(own, x, dtype):
        return own["gain"] * jnp.tanh(product(x, own["w"], dtype) + own["b"])

    return Encoder(init, guess)


def shrinkage(settings) -> Encoder:
    """One product, shrunk: units of small drive are 0."""

    def init(key, d, penalty):
        w, threshold, _ = ista_of(d, penalty)
        zeros = jnp.zeros_like(threshold)
        return {"w": w, "b": zeros, "gain": zeros + 1.0, "log_threshold": jnp.log(threshold)}

    def guess(own, x, dtype):
        drive = product(x, own["w"], dtype) + own["b"]
        return own["gain"] * soft(drive, jnp.exp(own["log_threshold"]))

    return Encoder(init, guess)


def lista(settings) -> Encoder:
    """Steps of ISTA whose matrices and thresholds are learned."""

    def init(key, d, penalty):
        w, threshold, s = ista_of(d, penalty)
        thresholds = jnp.tile(jnp.log(threshold), (settings.layers + 1, 1))
        return {"w": w, "s": s, "log_threshold": thresholds}

    def guess(own, x, dtype):
        drive = product(x, own["w"], dtype)
        first, *others = jnp.exp(own["log_threshold"])
        z = soft(drive, first)
        for threshold in others:
            z = soft(drive + product(z, own["s"], dtype), threshold)
        return z

    return Encoder(init, guess)


ENCODERS = {"tanh": tanh, "shrinkage": shrinkage, "lista": lista}


@schema
class Settings:
    """What guesses a code.

    name    one product, squashed (tanh) or shrunk (shrinkage), or unrolled steps of inference
            (lista)
    layers  of lista, after the first
    """

    name: Annotated[str, one_of(ENCODERS)] = "tanh"
    layers: Annotated[int, at_least(1)] = 2


def encoder_of(settings: Settings) -> Encoder:
    """The encoder of a recipe."""
    return ENCODERS[settings.name](settings)


def ista_of(d: Array, penalty: float) -> tuple[Array, Array, Array]:
    """A step of ISTA, z <- soft(W'x + S z, theta): W [P, K], theta [K] and S [K, K]."""
    gram = d.T @ d
    bound = coding.largest_eigenvalue(gram)
    atoms = len(gram)
    return d / bound, jnp.full(atoms, penalty / bound), jnp.eye(atoms) - gram / bound
