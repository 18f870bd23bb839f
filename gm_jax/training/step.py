"""One move of one player: the program that is compiled."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from gm_jax import replicas
from gm_jax.model import Batch, Move, Player, Variables


def make_move(player: Player, move: Move, prepare: Callable) -> Callable:
    """The move as a function of one device's share of a batch, to be mapped over the devices.

    Returns (variables without frozen, frozen, raw batch, key, step, position, age, last, over) ->
    (variables, metrics). `key` is the run's; `position` counts the batches, so that (key,
    position) determines the noise of this move. Gradients and metrics are averaged over the
    devices; state is what the objective returns. The player's average moves in the
    player's `last` move of a round, with the decay of `age` rounds. If the program is not mapped,
    `over` maps its first half, which depends on the batch: objective and gradient.
    """

    def gradient(variables: Variables, frozen, batch: Batch, key, step):
        batch = prepare(batch, jax.random.fold_in(key, 0))

        def loss(owned):
            seen = variables._replace(params={**variables.params, **owned}, frozen=frozen)
            return move.objective(seen, batch, jax.random.fold_in(key, 1), step)

        owned = {name: variables.params[name] for name in player.owns}
        (value, aux), gradients = jax.value_and_grad(loss, has_aux=True)(owned)
        return replicas.mean((gradients, {"loss": value, **aux.metrics})), aux.state

    def program(
        variables: Variables, frozen, batch: Batch, key, step, position, age, last,
        over: Callable = lambda half: half,
    ):  # fmt: skip
        key = jax.random.fold_in(key, position)
        (gradients, metrics), state = over(gradient)(variables, frozen, batch, key, step)
        owned = {name: variables.params[name] for name in player.owns}
        updates, opt = player.optimizer.update(gradients, variables.opt[player.name], owned)
        owned = optax.apply_updates(owned, updates)
        average = variables.average
        if player.average:
            decay = jnp.where(last, player.average(age), 1.0)
            average = {
                **average,
                player.name: optax.incremental_update(owned, average[player.name], 1.0 - decay),
            }
        variables = variables._replace(
            params={**variables.params, **owned},
            state={**variables.state, **state},
            opt={**variables.opt, player.name: opt},
            average=average,
        )
        return variables, metrics

    return program
