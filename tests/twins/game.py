"""A small game of a recipe, opened: its moves and functions, whose networks are watched."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax import run
from twins.inputs import away_from_start, batch_of, small
from twins.numbers import bernoulli, log_normal, sigmoid
from twins.watch import Call, watch

KEY = jax.random.key(5)

ROW = 3


class Played(NamedTuple):
    """What an objective returned, and the calls of each network, by its name in `params`."""

    value: float
    metrics: dict
    state: dict
    calls: dict[str, list[Call]]

    def metric(self, name: str) -> float:
        """A metric, by the last part of its name."""
        return next(float(v) for key, v in self.metrics.items() if key.split("/")[-1] == name)

    def outputs(self, name: str) -> list:
        """What a network returned, call by call."""
        return [call.output for call in self.calls[name]]

    def seen(self, name: str) -> list:
        """The first input of a network, call by call."""
        return [call.inputs[0] for call in self.calls[name]]


class Game(NamedTuple):
    """The last phase of a small recipe, its variables away from their start, and a batch."""

    config: Any
    model: gm_jax.model.GenerativeModel
    variables: gm_jax.model.Variables
    batch: dict
    moves: dict[str, Callable]
    functions: dict[str, Callable]

    def play(self, player: str = "", step: int = 0, **changes) -> Played:
        """The only move of a player (of the only player), on the batch with these changes.

        One of several is named, too: "generator/path".
        """
        (name,) = [n for n in self.moves if n == player or (not player and "/" not in n)]
        batch = {**self.batch, **changes}
        (value, aux), calls = self.moves[name](self.variables, batch, KEY, step)
        _check_keys(calls.pop("keys", []))
        (owner,) = [p for p in self.model.players if p.name == name.split("/")[0]]
        _check_statistics(owner.owns, aux.state, calls, batch)
        _check_modes(calls, set(self.variables.params))
        return Played(float(value), aux.metrics, aux.state, calls)

    def work(self, name: str, moves: bool = True, **changes) -> tuple[dict, dict[str, list[Call]]]:
        """What a function returns for the batch with these changes, and the networks' calls.

        Checks on the way that a row depends on its own example alone: with example ROW exchanged,
        no other row changes, and that one does where it `moves`.
        """
        batch = {**self.batch, **changes}
        outputs, calls = self.functions[name](self.variables, batch, KEY)
        calls = {name: list(calls) for name, calls in calls.items() if name != "keys"}
        _check_modes(calls, set())
        others, _ = self.functions[name](self.variables, _exchanged(batch), KEY)
        for entry, values in outputs.items():
            for found, kept in zip(
                np.delete(others[entry], ROW, 0), np.delete(values, ROW, 0), strict=True
            ):
                np.testing.assert_allclose(found, kept, rtol=1e-4, atol=1e-4, err_msg=entry)
        changed = [not np.allclose(others[e][ROW], outputs[e][ROW]) for e in outputs]
        assert any(changed) or not moves
        return outputs, calls


def game(recipe: str, **overrides) -> Game:
    """The last phase of the smoke variant of a recipe; the same settings are opened once."""
    return _game(recipe, tuple(sorted(overrides.items())))


@functools.cache
def _game(recipe: str, overrides: tuple) -> Game:
    config = small(recipe, **dict(overrides))
    *before, (_, phases) = run.plan(config)
    phase, batch = phases[-1], batch_of(config)
    ended = {}
    frames = {"image": batch["video"][:, 0]} if "video" in batch else {}  # For stages of images.
    for _, (*_, last) in (*before, (config, phases)):
        variables = away_from_start(last.model.init, {**frames, **batch})
        frozen = {name: ended[stage.variables] for name, stage in last.stages.items()}
        ended[last.name] = variables._replace(frozen=frozen)
    variables = ended[phase.name]
    moves = {
        name: watch(move.objective)
        for player in phase.model.players
        for move in player.moves
        for name in (player.name, f"{player.name}/{move.name}")
    }
    functions = {name: watch(function) for name, function in phase.model.functions.items()}
    return Game(config, phase.model, variables, batch, moves, functions)


def _check_statistics(owned: tuple, state: dict, calls: dict, batch: dict) -> None:
    """A move keeps what its own networks gather, of real examples if they see any; no other's."""
    for name in calls:
        if name not in owned:
            assert name not in state
        elif jax.tree.leaves(calls[name][0].state):
            given = [
                call for call in calls[name] for x in batch.values()
                if call.inputs[0].shape == x.shape and np.allclose(call.inputs[0], x)
            ]  # fmt: skip
            assert any(
                all(map(np.allclose, jax.tree.leaves(state[name]), jax.tree.leaves(call.state)))
                for call in given or calls[name]
            )


def _check_keys(keys: list) -> None:
    """No two draws of a move have one key: what should be independent would be the same."""
    rows = {tuple(np.ravel(key)) for key in keys}
    assert len(rows) == len(keys), f"{len(keys) - len(rows)} of {len(keys)} draws repeat a key"


def _check_modes(calls: dict, trained: set) -> None:
    """Networks of which training and use differ are in training where they are `trained`."""
    for name, own in calls.items():
        for call in own:
            mode = getattr(call, "options", {}).get("train")
            assert mode in (None, name in trained), name


def _exchanged(batch: dict) -> dict:
    """The batch with another example in row ROW: a later one, mirrored, of another class."""

    def exchange(name, x):
        if name == "index":
            return x.at[ROW].add(31)
        return jnp.asarray(x).at[ROW].set(jnp.flip(x[ROW + 1]) if x.ndim > 1 else x[ROW + 1])

    return {name: exchange(name, x) for name, x in batch.items()}


def also(*values):
    """Values of a test's parameters that are tested in test-all alone: another is of their kind."""
    return pytest.param(*values, marks=pytest.mark.slow)


def on(calls: list[Call], x) -> Call:
    """The one call of a network that was given x."""
    (call,) = [c for c in calls if c.inputs[0].shape == x.shape and np.allclose(c.inputs[0], x)]
    return call


def image_of(of: Game) -> np.ndarray:
    """The images of a game's batch."""
    return np.asarray(of.batch["image"], np.float64)


def likelihood(of: Game, x, output):
    """log p(x|z) by the recipe's likelihood, [B]."""
    if of.config.likelihood == "bernoulli":
        return bernoulli(x, output)
    return log_normal(x, output, float(of.variables.params["log_variance"]))


def mean_image(of: Game, output):
    """The mean of p(x|z) by the recipe's likelihood."""
    return 2 * sigmoid(output) - 1 if of.config.likelihood == "bernoulli" else output


def codebook(of):
    """The frozen stage's codes, wherever the stage keeps them."""
    paths = jax.tree_util.tree_leaves_with_path(of.variables.frozen)
    (vectors,) = [leaf for path, leaf in paths if "vectors" in jax.tree_util.keystr(path)]
    return np.float64(vectors)


def codes_of(of, vectors_found):
    """The numbers of the codes nearest to what the frozen encoder found, [B, h, w]."""
    return ((vectors_found[..., None, :] - codebook(of)) ** 2).sum(-1).argmin(-1)
