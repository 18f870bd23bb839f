"""The variables before the first move, and as functions see them."""

import jax
import jax.numpy as jnp

from gm_jax.model import Array, Batch, GenerativeModel, Phase, Variables


def create(
    model: GenerativeModel, key: Array, batch: Batch, previous: Variables | None
) -> Variables:
    """`model.init`'s variables with fresh optimizer states and moving averages.

    A leaf that `init` took over from the previous phase keeps the average it had there; all other
    averages start as the parameters. Raises ValueError unless the players own every subtree of the
    parameters exactly once.
    """
    variables = jax.jit(model.init)(key, batch, previous)
    owned = sorted(name for player in model.players for name in player.owns)
    if owned != sorted(variables.params):
        raise ValueError(
            f"the players own {owned}, the parameters are {sorted(variables.params)}:"
            " every subtree of the parameters needs exactly one owner"
        )
    return variables._replace(
        opt={p.name: p.optimizer.init(_owned(p, variables.params)) for p in model.players},
        average={
            p.name: _averages(_owned(p, variables.params), previous)
            for p in model.players
            if p.average
        },
    )


def frozen(phase: Phase) -> dict[str, Variables]:
    """What `Variables.frozen` holds in a phase: its stages' variables, by name."""
    return {name: stage.variables for name, stage in phase.stages.items()}


def fixed(phase: Phase) -> dict[str, Variables]:
    """The part of `frozen` that training reads: it must be the same whenever the run continues."""
    return {name: stage.variables for name, stage in phase.stages.items() if not stage.late}


def averaged(model: GenerativeModel, variables: Variables) -> Variables:
    """The variables that functions receive: moving averages in place of parameters, if any.

    If the model calibrates its state, it is that for these parameters.
    """
    averaged = {name: tree for owned in variables.average.values() for name, tree in owned.items()}
    seen = variables._replace(params={**variables.params, **averaged}, opt={}, average={})
    if model.calibrate is None:
        return seen
    return seen._replace(state={**seen.state, **jax.jit(model.calibrate)(seen)})


def _averages(params, previous: Variables | None):
    """Moving averages at the start of a phase: unchanged leaves keep their former ones."""
    if previous is None:
        return params
    before = _by_path(previous.params)
    for average in previous.average.values():
        before |= {path: (before[path][0], x) for path, (x, _) in _by_path(average).items()}

    def begin(path, x):
        old, average = before.get(jax.tree_util.keystr(path), (None, None))
        if old is None or (old.shape, old.dtype) != (x.shape, x.dtype):
            return x
        return jnp.where(jnp.all(old == x), average, x)

    return jax.tree_util.tree_map_with_path(begin, params)


def _by_path(tree) -> dict:
    """{path: (leaf, leaf)}."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): (x, x) for path, x in leaves}


def _owned(player, params):
    return {name: params[name] for name in player.owns}
