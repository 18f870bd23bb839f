"""Machines on top of each other, each trained on what those below make of the image."""

import itertools

import jax

from gm_jax.energy.shared import machine
from gm_jax.energy.shared.machine import Machine
from gm_jax.model import Array, Variables


def fresh(key: Array, sizes: tuple[int, ...], deviation: float) -> list:
    """Machines before training, between layers of these sizes, from the image on."""
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        machine.parameters(own, *pair, deviation)
        for own, pair in zip(keys, itertools.pairwise(sizes), strict=True)
    ]


def trained(variables: Variables) -> list:
    """The machines at the end of one's phase, from the image on."""
    return [*variables.state["below"], variables.params["machine"]]


def climbed(rbm: Machine, layers: list, v: Array) -> Array:
    """The means of the last layer's hidden units, of means in between, [B, H]."""
    for layer in layers:
        v = rbm.hidden(layer, v)
    return v
