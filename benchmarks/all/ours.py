"""This library's side of a row: the rounds of a recipe as `training.loop` plays them."""

import itertools
import string
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

import gm_jax
from benchmarks.all.subjects import Side
from gm_jax.data import open_source
from gm_jax.recipes import changed
from gm_jax.run import batches_of
from gm_jax.training import checkpoint, loop, step

CONFIGS = Path(__file__).parents[2] / "configs"
SEEN = 16  # rounds over which operations are averaged: StyleGAN2's longest interval


def random_data(folder: Path, side: int = 0, channels: int = 1, symbols: int = 0) -> dict:
    """Settings of a data set of random images (10 classes), or of random characters, written to
    `folder`."""
    rng = np.random.default_rng(0)
    if symbols:
        drawn = rng.choice(list("\n" + string.printable[: symbols - 1]), 20_000)
        (folder / "text.txt").write_text("".join(drawn))
        return {"name": "text", "path": str(folder / "text.txt")}
    images = rng.integers(0, 256, (512, side, side, channels), np.uint8)
    np.savez(folder / "images.npz", image=images, label=np.arange(512) % 10)
    return {"name": "npz", "path": str(folder / "images.npz")}


def settings_of(recipe: str, data: dict | None, folder: Path) -> ConfigDict:
    """A recipe, `NAME[:VARIANT]`, on random data if `data` says of which kind."""
    name, _, variant = recipe.partition(":")
    config = gm_jax.load_config(f"{CONFIGS / name}.py:{variant}")
    if data is None:
        return config
    drawn = random_data(folder, **data)
    if drawn["name"] == "text":
        drawn |= {"context": 1}
    return ConfigDict(changed(config.to_dict(), {"data": drawn}))


def of_recipe(recipe: str, data: dict | None) -> tuple[Side, dict, dict]:
    """The side, the raw batch that every round is played on, and what its twin must know besides:
    the recipe's settings, and how many values each entry of the batch takes."""
    with tempfile.TemporaryDirectory() as folder:
        config = settings_of(recipe, data, Path(folder))
        phase = gm_jax.build(config)[-1]
        batches = batches_of(phase, config, slice(0, config.batch_size))
        variables = loop.fresh(phase, batches, config.seed, None)
        spec = open_source(phase.data).spec
    same = batches._replace(start=lambda position, put: itertools.repeat(put(batches.first)))
    key = jax.random.key(config.seed)
    operations = _operations(phase.model, variables, same, key)
    game = loop.rounds(phase.model, variables, same, key, checkpoint.Progress())

    def play(count: int) -> None:
        (*_, last) = itertools.islice(game, count)
        jax.block_until_ready(last[2:])

    parameters = sum(x.size for x in jax.tree.leaves(variables.params))
    side = Side(play, config.batch_size, parameters, operations)
    values = {name: field.cardinality for name, field in spec.items()}
    return side, dict(batches.first), {"settings": config.to_dict(), "values": values}


def _operations(model, variables, batches, key) -> float:
    """Floating-point operations of a round as XLA counts them before it optimises, on average.

    A loop's body counts once, so rounds with loops have too few.
    """
    return sum(
        np.mean([move.times(number) for number in range(SEEN)])
        * counted(step.make_move(player, move, batches.prepare), variables, batches.first, key)
        for player in model.players
        for move in player.moves
    )


def counted(program: Callable, variables, batch, key) -> float:
    """Operations of a move on one device."""
    variables, frozen = variables._replace(frozen=()), variables.frozen
    numbers = [np.int32(0)] * 3
    lowered = jax.jit(program).lower(variables, frozen, batch, key, *numbers, np.bool_(True))
    return lowered.cost_analysis()["flops"]
