"""A linen module as a part of a game: its subtree of the parameters, its entry in the state."""

from typing import NamedTuple

import flax.linen as nn
import jax

from gm_jax.model import Array, PyTree, Variables


class Network(NamedTuple):
    """A module that takes `train`, under the name it has in `params` and `state`."""

    name: str
    module: nn.Module


def begin(key: Array, *calls: tuple) -> Variables:
    """Fresh variables of several networks, each given as (network, inputs...)."""
    params, state = {}, {}
    keys = jax.random.split(key, len(calls))
    for (network, *inputs), own_key in zip(calls, keys, strict=True):
        made = dict(network.module.init(own_key, *inputs, train=True))
        params[network.name] = made.pop("params")
        state[network.name] = made
    return Variables(params, state)


def train(network: Network, variables: Variables, *inputs) -> tuple[PyTree, PyTree]:
    """What the network makes of its inputs in training, and its new entry of the state.

    Batch normalisation takes the statistics of these inputs, spectral normalisation turns its
    vectors by one step.
    """
    state = variables.state[network.name]
    return network.module.apply(
        {"params": variables.params[network.name], **state},
        *inputs, train=True, mutable=list(state),
    )  # fmt: skip


def work(network: Network, variables: Variables, *inputs) -> PyTree:
    """What the trained network makes of its inputs, with the statistics it has gathered."""
    known = {"params": variables.params[network.name], **variables.state[network.name]}
    return network.module.apply(known, *inputs, train=False)


def hidden(network: Network, variables: Variables, *inputs) -> tuple[PyTree, Array, PyTree]:
    """As `train`, and between the two the map that the module sows as intermediates/hidden."""
    state = variables.state[network.name]
    outputs, new = network.module.apply(
        {"params": variables.params[network.name], **state},
        *inputs, train=True, mutable=[*state, "intermediates"],
    )  # fmt: skip
    (sown,) = new["intermediates"]["hidden"]
    return outputs, sown, {name: new[name] for name in state}
