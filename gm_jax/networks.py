"""A linen module in a game: its subtree of the parameters, its entry in the state."""

import inspect
from typing import NamedTuple

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict, unflatten_dict

from gm_jax.model import Array, PyTree, Variables


class Network(NamedTuple):
    """A module, and its name in `Variables.params` and, if it has a state, in `.state`.

    A module with a state (batch statistics, spectral vectors) takes the argument `train`; one
    without does the same in training and evaluation, and is called the same way.
    """

    name: str
    module: nn.Module

    def __call__(self, variables: Variables, *inputs, **keywords) -> PyTree:
        """Its outputs in evaluation, by the statistics of its state."""
        mode = {"train": False} if self.has_modes else {}
        return self.module.apply(self._collections(variables), *inputs, **mode, **keywords)

    def train(self, variables: Variables, *inputs, **keywords) -> tuple[PyTree, PyTree]:
        """Its outputs in training, and its new entry of the state.

        Batch normalisation uses the statistics of these inputs; spectral normalisation takes one
        step of power iteration. A module without a state does as in evaluation, and returns {}.
        """
        if not self.has_modes:
            return self(variables, *inputs, **keywords), {}
        mutable = list(variables.state[self.name])
        return self.module.apply(
            self._collections(variables), *inputs, train=True, mutable=mutable, **keywords
        )

    def train_with_hidden(self, variables: Variables, *inputs) -> tuple[PyTree, Array, PyTree]:
        """As `train`; between the two, the map that the module sows as intermediates/hidden."""
        state = variables.state[self.name]
        outputs, new = self.module.apply(
            self._collections(variables), *inputs, train=True, mutable=[*state, "intermediates"]
        )
        (hidden,) = new["intermediates"]["hidden"]
        return outputs, hidden, {name: new[name] for name in state}

    def hidden(self, variables: Variables, *inputs) -> Array:
        """In evaluation, the map that the module sows as intermediates/hidden."""
        _, sown = self(variables, *inputs, mutable=["intermediates"])
        (hidden,) = sown["intermediates"]["hidden"]
        return hidden

    @property
    def has_modes(self) -> bool:
        """Whether the module takes `train`."""
        return "train" in inspect.signature(type(self.module).__call__).parameters

    def _collections(self, variables: Variables) -> dict:
        return {"params": variables.params[self.name], **variables.state.get(self.name, {})}


def init(keys: Array, *calls: tuple) -> Variables:
    """Fresh variables of several networks, each with a key; a call is (network, inputs...)."""
    params, state = {}, {}
    for (network, *inputs), key in zip(calls, keys, strict=True):
        mode = {"train": True} if network.has_modes else {}
        collections = dict(network.module.init(key, *inputs, **mode))
        params[network.name] = as_drawn(collections.pop("params"), collections)
        if network.has_modes:
            state[network.name] = collections
    return Variables(params, state)


def as_drawn(params: PyTree, state: PyTree) -> PyTree:
    """Parameters of which none is divided by its largest singular value.

    Flax's spectral normalisation divides what it initialises, too. A network is the same whatever
    the size of such a weight, but a step of Adam is as large for small ones as for large ones.
    """
    flat = flatten_dict(params)
    for (_, *path, name), value in flatten_dict(state).items():
        if name.endswith("/sigma"):
            flat[*path[:-1], *name.split("/")[:-1]] *= value
    return unflatten_dict(flat)


def split_init(key: Array, *calls: tuple) -> Variables:
    """`init` with the keys that one key splits into."""
    return init(jax.random.split(key, len(calls)), *calls)
