"""The networks of a system, watched while an objective or a function runs.

What a network is given and returns is recorded by flax's own interceptor, so a twin needs to know
nothing of how a system calls its networks: it takes these numbers and the paper's equation.
"""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback

DRAWS = ("uniform",)  # of jax.random: what no network is given
# Those whose keys are noted, as "keys".
KEYED = (
    "normal", "uniform", "bernoulli", "randint", "categorical", "gumbel", "permutation", "choice",
    "truncated_normal",
)  # fmt: skip


class Call(NamedTuple):
    """One call of a network: its method, the arrays it was given (leaves of trees), its output.

    last     what its last layer was given
    state    its entry of the state after the call
    keys     how many arrays of random keys it was given: one where it drops units
    module   the network, and the options of the call (`train`)
    """

    name: str
    method: str
    inputs: tuple
    output: Any
    last: np.ndarray | None
    state: dict
    keys: int
    module: nn.Module
    options: dict

    def again(self, variables, *inputs):
        """(output, new state) of the same call on other inputs: [B, ...] in, [B, ...] out."""
        state = variables.state.get(self.name, {})
        return self.module.apply(
            {"params": variables.params[self.name], **state},
            *inputs,
            **self.options,
            mutable=list(state),
        )


def watch(function: Callable) -> Callable:
    """A function (variables, ...) as one compiled program that returns its networks' calls, too."""
    recorded = []  # Of each noted operation of the program: (name, what it computed).

    def note_of(name: str, as_call: Callable) -> Callable:
        """A new operation to note, and the function that notes what it computed."""
        records = []
        recorded.append((name, records))
        return lambda *values: records.append(as_call(*exact(values)))

    @jax.jit
    def program(variables, *arguments):
        with contextlib.ExitStack() as stack:
            stack.enter_context(nn.intercept_methods(_interceptor(_names(variables), note_of)))
            of_key = note_of("keys", lambda data: data)
            for name in KEYED:
                own = note_of(name, lambda value: value) if name in DRAWS else None
                drawn = _noted_draw(getattr(jax.random, name), of_key, own)
                stack.enter_context(mock.patch.object(jax.random, name, drawn))
            return function(variables, *arguments)

    def run(variables, *arguments):
        for _, records in recorded:
            records.clear()
        result = exact(program(variables, *arguments))
        jax.effects_barrier()
        calls = {}
        for name, records in recorded:
            calls.setdefault(name, []).extend(records)
        return result, calls

    return run


def _interceptor(names: dict[int, str], note_of: Callable) -> Callable:
    """What flax calls in place of each method: it notes the calls of whole networks."""
    inside, last = [False], [None]

    def intercept(called, inputs, options, context):
        if inside[0] or context.method_name == "setup":
            last[0] = inputs[0] if inputs and context.method_name == "__call__" else last[0]
            return called(*inputs, **options)
        inside[0], last[0] = True, None
        try:
            output = called(*inputs, **options)
        finally:
            inside[0] = False
        state = dict(context.module.variables)
        own = jax.tree.leaves(state.pop("params"))
        state.pop("intermediates", None)
        name = next((names[id(leaf)] for leaf in own if id(leaf) in names), "")
        module, method = context.module.clone(parent=None), context.method_name
        arrays = [x for x in jax.tree.leaves((inputs, options)) if hasattr(x, "dtype")]
        kept = tuple(x for x in arrays if not jnp.issubdtype(x.dtype, jax.dtypes.prng_key))
        chosen = {key: x for key, x in options.items() if not hasattr(x, "dtype")}

        def as_call(*values):
            return Call(name, method, *values, len(arrays) - len(kept), module, chosen)

        noted(note_of(name, as_call), kept, output, last[0], state)
        return output

    return intercept


def _noted_draw(draw: Callable, of_key: Callable, note: Callable | None) -> Callable:
    """A function of jax.random whose keys are noted, and its draws if they are to be: under a vmap
    one an example, in order."""

    def drawn(key, *inputs, **options):
        value = draw(key, *inputs, **options)
        noted(of_key, jax.random.key_data(key))
        if note:
            noted(note, value)
        return value

    return drawn


def noted(note: Callable, *values) -> None:
    """`note(*values)` whenever they are computed; in vmaps row by row, the inner one outermost."""
    leaves, structure = jax.tree.flatten(values)

    def tell(*leaves):
        note(*jax.tree.unflatten(structure, [np.array(leaf) for leaf in leaves]))

    io_callback(tell, None, *jax.lax.stop_gradient(leaves))


def _names(variables) -> dict[int, str]:
    """The name in `params`, own or frozen, of each leaf by its identity."""
    names = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        keys = [getattr(entry, "name", getattr(entry, "key", None)) for entry in path]
        if "params" in keys:
            names[id(leaf)] = keys[keys.index("params") + 1]
    return names


def exact(tree):
    """Arrays on the host, floats as float64."""

    def convert(x):
        x = np.asarray(x)
        return x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x

    return jax.tree.map(convert, tree)
