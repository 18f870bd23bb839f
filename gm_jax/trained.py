"""A trained model: its functions applied to data, shown and saved."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from gm_jax import data, files
from gm_jax.errors import UserError
from gm_jax.model import Batch, Phase, Spec, Variables
from gm_jax.training import parallel
from gm_jax.workdir import writable


class Trained(NamedTuple):
    """A trained model.

    functions  the model's, mapped over the devices; each is compiled at its first call
    variables  with averaged parameters if the model has them
    step       rounds of training
    """

    config: ConfigDict
    phase: Phase
    functions: dict[str, Callable]
    variables: Variables
    devices: parallel.Devices = None
    step: int = 0


def mapped_functions(
    phase: Phase, devices: parallel.Devices = None, form: str = "pmap"
) -> dict[str, Callable]:
    """The functions of a phase's model over the devices, from raw batches to uint8 images."""
    prepare = data.preparation(phase.data, training=False)
    return {
        name: parallel.map_function(_naming(function), prepare, data.finish, devices, form)
        for name, function in phase.model.functions.items()
    }


class _Entries(dict):
    """A batch that says in one line which entry a function needs and does not find."""

    def __missing__(self, name: str):
        raise UserError(
            f"this function needs {name}, which the data does not have: pass"
            f" given={{{name!r}: ...}}"
        )


def _naming(function: Callable) -> Callable:
    return lambda variables, batch, key: function(variables, _Entries(batch), key)


def apply(
    trained: Trained,
    name: str,
    count: int,
    split: str = "train",
    given: Mapping | None = None,
    seed: int | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """One of the model's functions on the first `count` examples of a split, batch by batch.

    `given` replaces entries of the examples, by one value for each or one for all: {"label": 7}.
    Values are as on the host: images uint8, audio int16. Another `seed` (default: the recipe's
    `sample.seed`) draws other random numbers. Yields host arrays, images as uint8. Raises UserError
    if the model has no such function, if the function does not depend on what is given, or if it
    does not fit the data.
    """
    if name not in trained.functions:
        known = ", ".join(trained.functions)
        raise UserError(f"the model has no function {name!r}; it has: {known}")
    count = _whole("count", count, 1)
    seed = _whole("seed", trained.config.sample.seed if seed is None else seed, 0)
    devices = len(jax.devices() if trained.devices is None else trained.devices)
    size = min(trained.config.evaluate.batch_size, count)
    size = -(-size // devices) * devices
    source = data.open_source(trained.phase.data, split)
    batches = data.ordered_batches(source, size, count, parallel.rows(size, trained.devices))
    if given is not None:
        values = _checked(given, trained.phase.model.spec | source.spec, count)
        _check_use(trained, name, source, values)
        batches = _with(batches, values, count)
    return trained.functions[name](trained.variables, batches, _key(trained.config.seed, seed))


def _key(seed: int, draw: int) -> jax.Array:
    """The key of a function's noise, into which `parallel.map_function` folds 0 and 1."""
    key = jax.random.key(seed + 1)
    return jax.random.fold_in(jax.random.fold_in(key, 2), np.uint32(draw)) if draw else key


def _whole(name: str, value, least: int) -> int:
    """`value` as an int. Raises UserError unless it is a whole number from `least` to 2^32."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and least <= value < 2**32):
        raise UserError(
            f"{name} must be a whole number of at least {least} and below 2^32, not {value!r}"
        )
    return int(value)


def _checked(given: Mapping, spec: Spec, count: int) -> dict[str, np.ndarray]:
    """The arrays of `given`, [count, ...] each. Raises UserError if they do not fit the data."""
    if not isinstance(given, Mapping):
        raise UserError(f"given must be a dict such as {{'label': 7}}, not {given!r}")
    for name in given:
        if name not in spec:
            raise UserError(
                f"given has {name!r}, which the data does not have: choose from {', '.join(spec)}"
            )
    return {name: data.checked(name, value, spec[name], count) for name, value in given.items()}


def _check_use(trained: Trained, name: str, source: data.Source, given: dict) -> None:
    """Raises UserError if a function's outputs do not depend on what is given."""
    prepare = data.preparation(trained.phase.data, training=False)
    function, key = _naming(trained.phase.model.functions[name]), jax.random.key(0)
    example = {**source.load(np.zeros(1, int)), "index": np.zeros(1, np.int32)}
    example |= {entry: values[:1] for entry, values in given.items()}
    used = _used(lambda v, b: function(v, prepare(b, key), key), trained.variables, example)
    for entry in given:
        if entry not in used:
            raise UserError(
                f"{name} of this model does not depend on {entry}, only on"
                f" {', '.join(sorted(used)) or 'nothing'}: leave it out of `given`"
            )


def _used(function: Callable, variables: Variables, batch: Batch) -> set[str]:
    """The entries of a batch on which the outputs of function(variables, batch) depend."""
    shapes = jax.eval_shape(lambda *inputs: inputs, variables, batch)
    jaxpr = jax.make_jaxpr(function)(*shapes).jaxpr
    needed = set(map(id, jaxpr.outvars))
    for equation in reversed(jaxpr.eqns):
        if not needed.isdisjoint(map(id, equation.outvars)):
            needed.update(map(id, equation.invars))
    inputs = jaxpr.invars[-len(batch) :]  # In the order in which JAX flattens a dict.
    return {name for name, x in zip(sorted(batch), inputs, strict=True) if id(x) in needed}


def _with(batches: Iterator[dict], given: dict[str, np.ndarray], count: int) -> Iterator[dict]:
    for batch in batches:
        rows = np.minimum(batch["index"], count - 1)
        yield batch | {name: values[rows] for name, values in given.items()}


def sample(
    trained: Trained,
    count: int,
    function: str = "sample",
    split: str = "train",
    given: Mapping | None = None,
    seed: int | None = None,
) -> dict[str, np.ndarray]:
    """The outputs of a function for `count` examples, [count, ...] each, images as uint8.

    Sevens of a conditional model: `sample(trained, 64, given={"label": 7})`, and others with
    `seed=1`. See `apply`.
    """
    parts = list(apply(trained, function, count, split, given, seed))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def show(
    trained: Trained, folder: str | Path, prefix: str = "", drawn: Mapping | None = None
) -> list[Path]:
    """Writes the outputs of the functions in `show.counts`, one file for each function and kind.

    drawn  {function: outputs} that are there already: their first examples are shown if they are
           enough
    """
    written, folder = [], writable(folder)
    for name, count in trained.config.show.counts.items():
        if not count:
            continue
        outputs = {entry: x[:count] for entry, x in (drawn or {}).get(name, {}).items()}
        if any(len(x) < count for x in outputs.values()) or not outputs:
            outputs = sample(trained, count, name)
        if jax.process_index() == 0:
            with files.writing(folder, files.TO_CONTINUE), files.local_folder(folder) as local:
                paths = data.show(outputs, local / f"{prefix}{name}")
                written += [folder / path.name for path in paths]
    return written


def save_samples(trained: Trained, folder: str | Path, drawn: Mapping | None = None) -> Path:
    """Writes `sample.count` samples as an npz: uint8 images, and whatever else `sample` returns.

    drawn  the outputs of `sample`, if they are there already
    """
    folder = writable(folder)
    outputs = drawn or sample(trained, trained.config.sample.count)
    if jax.process_index() == 0:
        with files.writing(folder, files.TO_CONTINUE), files.local_folder(folder) as local:
            np.savez(local / "samples.npz", **outputs)
    return folder / "samples.npz"
