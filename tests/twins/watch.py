"""Small games of every recipe, and their networks watched while an objective or function runs.

What a network is given and returns is recorded by flax's own interceptor, so a twin needs to know
nothing of how a system calls its networks: it takes these numbers and the paper's equation.
"""

import contextlib
import functools
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from sklearn.datasets import load_digits

import gm_jax

KEY = jax.random.key(5)
COUNT = 16  # examples of a batch
ROW = 3
DRAWS = ("uniform",)  # of jax.random: what no network is given
FOLDER = Path(tempfile.mkdtemp(prefix="gm_jax_twins_"))


class Call(NamedTuple):
    """One call of a network: its method, the arrays it was given, what it returned.

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
        """The only move of a player (of the only player), on the batch with these changes."""
        (name,) = [name for name in self.moves if player in ("", name)]
        batch = {**self.batch, **changes}
        (value, aux), calls = self.moves[name](self.variables, batch, KEY, step)
        (owner,) = [p for p in self.model.players if p.name == name]
        _check_statistics(owner.owns, aux.state, calls, batch)
        return Played(float(value), aux.metrics, aux.state, calls)

    def work(self, name: str, moves: bool = True, **changes) -> tuple[dict, dict[str, list[Call]]]:
        """What a function returns for the batch with these changes, and the networks' calls.

        Checks on the way that a row depends on its own example alone: with example ROW exchanged,
        no other row changes, and that one does where it `moves`.
        """
        batch = {**self.batch, **changes}
        outputs, calls = self.functions[name](self.variables, batch, KEY)
        calls = {name: list(calls) for name, calls in calls.items()}
        others, _ = self.functions[name](self.variables, _exchanged(batch), KEY)
        for entry, values in outputs.items():
            for found, kept in zip(
                np.delete(others[entry], ROW, 0), np.delete(values, ROW, 0), strict=True
            ):
                np.testing.assert_allclose(found, kept, rtol=1e-4, atol=1e-4, err_msg=entry)
        changed = [not np.allclose(others[e][ROW], outputs[e][ROW]) for e in outputs]
        assert any(changed) or not moves
        return outputs, calls


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


def _exchanged(batch: dict) -> dict:
    """The batch with another example in row ROW: a later one, mirrored, of another class."""

    def exchange(name, x):
        if name == "index":
            return x.at[ROW].add(31)
        return jnp.asarray(x).at[ROW].set(jnp.flip(x[ROW + 1]) if x.ndim > 1 else x[ROW + 1])

    return {name: exchange(name, x) for name, x in batch.items()}


def game(recipe: str, side: int = 8, **overrides) -> Game:
    """The smoke variant of a recipe on digits of side 8, or 16 (where D has normalised layers)."""
    return _game(recipe, side, tuple(sorted(overrides.items())))


@functools.cache
def _game(recipe: str, side: int, overrides: tuple) -> Game:
    config = small(recipe, side, **dict(overrides))
    *earlier, phase = gm_jax.build(config)
    batch = batch_of(recipe, config)
    stages = [away_from_start(stage.model.init, batch) for stage in earlier]
    variables = away_from_start(phase.model.init, batch)
    if stages:
        variables = variables._replace(frozen=dict(zip(phase.stages, stages, strict=True)))
    moves = {
        player.name: watch(move.objective)
        for player in phase.model.players
        for move in player.moves
    }
    functions = {name: watch(function) for name, function in phase.model.functions.items()}
    return Game(config, phase.model, variables, batch, moves, functions)


def small(recipe: str, side: int = 8, **overrides):
    """The smoke variant of a recipe on data that is always at hand."""
    config = gm_jax.load_config(f"configs/{recipe}.py:smoke")
    changes = {}
    if config.data.name == "text":
        changes["data.path"] = str(text_file())
    elif config.data.name == "wav":
        changes["data.path"] = str(wav_folder())
    elif config.data.name == "two_domains":
        changes |= {"data.base": "npz", "data.path": str(digits_file(side))}
    elif config.data.name not in ("ring", "grid"):
        changes |= {"data.name": "npz", "data.path": str(digits_file(side))}
    for stage in config.stages:
        data = {name: value for name, value in changes.items() if name.startswith("data.")}
        changes |= {f"stages.{stage}.{name}": value for name, value in data.items()}
    with config.unlocked():
        config.update_from_flattened_dict({**changes, "batch_size": COUNT, **overrides})
    return config


def batch_of(recipe: str, config) -> dict:
    """A prepared batch, as an objective sees it."""
    index = jnp.arange(COUNT)
    rng = np.random.default_rng(0)
    if config.data.name == "text":
        places = config.data.context + config.data.length
        weight = np.float32(rng.uniform(0.0, 1.0, (COUNT, places)) * (np.arange(places) >= 2))
        text = jnp.int32(rng.integers(0, len(SYMBOLS), (COUNT, places)))
        position = jnp.arange(COUNT) * places
        return {"text": text, "weight": weight, "position": position, "index": index}
    label = jnp.int32(load_digits().target[:COUNT])
    if config.data.name == "wav":
        places = config.data.context + config.data.length
        audio = jnp.float32(rng.uniform(-1.0, 1.0, (COUNT, places)))
        weight = np.float32(rng.uniform(0.1, 1.0, (COUNT, places)))
        weight *= np.arange(places) >= config.data.context + rng.integers(0, 4, (COUNT, 1))
        return {"audio": audio, "weight": weight, "label": label % 2, "index": index}
    if config.data.name in ("ring", "grid"):
        point = jnp.float32(rng.normal(0.0, 2.0, (COUNT, 2)))
        return {"point": point, "label": label % 8, "index": index}
    image = jnp.float32(np.load(config.data.path)["image"][:COUNT]) / 127.5 - 1.0
    if config.data.binarize:
        image = jnp.where(image > 0.0, 1.0, -1.0)
    batch = {"image": image, "label": label, "index": index}
    return batch | ({"image_b": -image} if config.data.name == "two_domains" else {})


def away_from_start(init: Callable, batch: dict):
    """Variables of which no layer begins at zero and no statistic is fresh: both hide mistakes."""
    arguments = jax.random.key(0), batch, None
    shapes = jax.eval_shape(init, *arguments)
    # The state as it begins (a permutation, a codebook); compiling `init` whole would cost more.
    state = jax.jit(lambda *inputs: init(*inputs).state)(*arguments) if shapes.state else {}
    rng = np.random.default_rng(0)

    def fill(path, leaf):
        noise = rng.normal(0.0, 1.0, leaf.shape).astype(leaf.dtype)
        if leaf.ndim >= 2:
            return noise / np.sqrt(np.prod(leaf.shape[:-1]))
        return 0.1 * noise + ("scale" in jax.tree_util.keystr(path))

    def move(path, leaf):
        name = jax.tree_util.keystr(path)
        if "vectors" in name or "sums" in name:
            return 0.3 * leaf  # Codes among which the encoder chooses several.
        if "batch_stats" not in name:
            return leaf
        noise = rng.normal(0.0, 0.3, leaf.shape).astype(leaf.dtype)
        return leaf * np.exp(noise) + noise * ("mean" in name)

    along = jax.tree_util.tree_map_with_path
    return shapes._replace(params=along(fill, shapes.params), state=along(move, state))


def watch(function: Callable) -> Callable:
    """A function (variables, ...) as one compiled program that returns its networks' calls, too."""
    recorded = []  # Of each place in the program: (name, what was computed there).

    def place(name, as_call):
        """A new place of the program, and how it notes what is computed there."""
        records = []
        recorded.append((name, records))
        return lambda *values: records.append(as_call(*exact(values)))

    @jax.jit
    def program(variables, *arguments):
        depth, last, names = [0], [None], _names(variables)

        def intercept(called, inputs, options, context):
            if context.method_name == "setup":
                return called(*inputs, **options)
            if depth[0]:
                last[0] = inputs[0] if context.method_name == "__call__" else last[0]
                return called(*inputs, **options)
            depth[0], last[0] = 1, None
            try:
                output = called(*inputs, **options)
            finally:
                depth[0] = 0
            state = dict(context.module.variables)
            own = jax.tree.leaves(state.pop("params"))
            state.pop("intermediates", None)
            name = next((names[id(leaf)] for leaf in own if id(leaf) in names), "")
            module, method = context.module.clone(parent=None), context.method_name

            arrays = [x for x in (*inputs, *options.values()) if hasattr(x, "dtype")]
            kept = tuple(x for x in arrays if not jnp.issubdtype(x.dtype, jax.dtypes.prng_key))
            chosen = {key: x for key, x in options.items() if not hasattr(x, "dtype")}

            def as_call(*values):
                return Call(name, method, *values, len(arrays) - len(kept), module, chosen)

            noted(place(name, as_call), kept, output, last[0], state)
            return output

        def draw(name, original):
            """A function of jax.random whose draws are noted: one an example, in order."""

            def drawn(*inputs, **options):
                value = original(*inputs, **options)
                noted(place(name, lambda value: value), value)
                return value

            return drawn

        with contextlib.ExitStack() as stack:
            stack.enter_context(nn.intercept_methods(intercept))
            for name in DRAWS:
                drawn = draw(name, getattr(jax.random, name))
                stack.enter_context(mock.patch.object(jax.random, name, drawn))
            return function(variables, *arguments)

    def run(variables, *arguments):
        for _, records in recorded:
            records.clear()
        result = exact(program(variables, *arguments))
        jax.effects_barrier()
        calls = {}
        for name, records in recorded:
            records = [np.stack(records)] if name in DRAWS else records
            calls.setdefault(name, []).extend(records)
        return result, calls

    return run


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


SYMBOLS = "\n abcde"


@functools.cache
def text_file() -> Path:
    """A text of SYMBOLS."""
    drawn = np.random.default_rng(0).integers(0, len(SYMBOLS), 1500)
    path = FOLDER / "text.txt"
    path.write_text("".join(SYMBOLS[i] for i in drawn) + SYMBOLS, newline="")
    return path


@functools.cache
def wav_folder() -> Path:
    """Recordings of two digits, named as the Free Spoken Digit Dataset's."""
    rng = np.random.default_rng(0)
    folder = FOLDER / "recordings"
    folder.mkdir()
    for number in range(8):
        with wave.open(str(folder / f"{number % 2}_nobody_{3 + number // 2}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(rng.normal(0, 5000, 200).astype("<i2").tobytes())
    return folder


@functools.cache
def digits_file(side: int) -> Path:
    """Sixty-four digits of a side of 8 or 16, and their labels."""
    digits, factor = load_digits(), side // 8
    image = (digits.images[:64] * 15).astype(np.uint8).repeat(factor, 1).repeat(factor, 2)
    image, label = image[..., None], digits.target[:64].astype(np.int32)
    path = FOLDER / f"digits{side}.npz"
    np.savez(path, image=image, label=label, test_image=image, test_label=label)
    return path
