"""Players and phases: how every system's `build` ends."""

from collections.abc import Callable, Iterator, Mapping

import optax

from gm_jax.errors import UserError
from gm_jax.model import GenerativeModel, Move, Phase, Player, Spec, Stage
from gm_jax.optimizers import optimizer, warmed_up


def player(
    name: str, owns: tuple[str, ...], moves: Mapping, settings, average: float = 0.0,
    average_start: int = 0,
) -> Player:  # fmt: skip
    """A player with an optimizer.

    moves     {name: objective, or (objective, times)}, in order; times: step -> how often
    settings  the part of the recipe that holds its `optimizer`; if that accumulates gradients, each
              move is played so many times as often
    average   decay of the moving average of what it owns; 0 for no average
    average_start
              rounds in which the average is a copy; 0 for a decay that rises
    """
    parts = settings.optimizer.accumulate

    def move(name, played):
        move = Move(name, *played) if isinstance(played, tuple) else Move(name, played)
        if parts == 1:
            return move
        return move._replace(times=lambda step: parts * move.times(step))

    moves = tuple(move(name, played) for name, played in moves.items())
    average = warmed_up(average, average_start)
    return Player(name, owns, optimizer(settings.optimizer), moves, average)


def untrained(*owns: str) -> Player:
    """A player without moves: what it owns is read, and stays as it is."""
    return Player(owns[0], owns, optax.set_to_zero(), ())


def phase(
    settings, init: Callable, players: tuple[Player, ...], functions: Mapping,
    spec: Spec | None = None, stages: Mapping[str, Stage] | None = None,
    calibrate: Callable | None = None,
) -> Phase:  # fmt: skip
    """The one phase of a recipe: `spec` and `calibrate` as `GenerativeModel` has them, `stages` as
    `Phase` has."""
    model = GenerativeModel(init, players, dict(functions), spec or {}, calibrate)
    return Phase("train", model, settings.data, settings.steps, stages or {})


def every(rounds: int) -> Callable[[int], int]:
    """step -> 1 in the first of every `rounds` rounds, else 0: the times of a lazy regulariser."""
    return lambda step: int(step % rounds == 0)


def without_features(settings) -> Iterator[str]:
    """A line if a recipe's `perceptual` term has no stage whose features it compares."""
    if settings.perceptual and "features" not in settings.stages:
        yield (
            "perceptual compares the features of a network: say which with stages.features, a"
            " workdir or a recipe (system backbone or classifier), or set perceptual=0"
        )


def feature_distances(stages: Mapping[str, Stage]) -> Callable:
    """(variables, x, y, key) -> {its name: d(x, y) [B]}, of `stages.features`.

    Raises UserError if that has no distance.
    """
    own = _of_features(stages, "distance", "distance of images")

    def distances(variables, x, y, key):
        return own(variables.frozen["features"], {"image": x, "image_b": y}, key)

    return distances


def feature_maps(stages: Mapping[str, Stage]) -> Callable:
    """(variables, x, key) -> {layer: its map [B, h, w, C]}, of `stages.features`.

    Raises UserError if that has no maps.
    """
    own = _of_features(stages, "features", "maps of images")

    def maps(variables, x, key):
        return own(variables.frozen["features"], {"image": x}, key)

    return maps


def _of_features(stages: Mapping[str, Stage], name: str, meaning: str) -> Callable:
    functions = stages["features"].model.functions
    if name not in functions:
        raise UserError(
            f"stages.features has no {meaning} (it has the functions {', '.join(functions)}): take"
            " a backbone or a classifier"
        )
    return functions[name]
