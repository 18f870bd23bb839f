"""The variables of a game at its first move, and as its functions see them."""

import jax

from gm_jax.model import Array, Batch, GenerativeModel, Variables


def create(
    model: GenerativeModel, key: Array, batch: Batch, previous: Variables | None
) -> Variables:
    """`model.init`'s variables with fresh optimizer states and moving averages.

    Raises ValueError where the players do not own every subtree of the parameters exactly once.
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
        average={p.name: _owned(p, variables.params) for p in model.players if p.average},
    )


def at_work(variables: Variables) -> Variables:
    """The variables that functions receive: moving averages in place of what has one."""
    averaged = {name: tree for owned in variables.average.values() for name, tree in owned.items()}
    return variables._replace(params={**variables.params, **averaged}, opt={}, average={})


def _owned(player, params):
    return {name: params[name] for name in player.owns}
