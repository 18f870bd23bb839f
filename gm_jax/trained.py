"""A trained model at work: its functions over data, shown and saved."""

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
    """A model at work.

    functions  the model's, mapped over the devices; each is compiled when it is first called
    variables  with the averaged parameters where there are any
    step       rounds it was trained for
    """

    config: ConfigDict
    phase: Phase
    functions: dict[str, Callable]
    variables: Variables
    devices: parallel.Devices = None
    step: int = 0


def mapped_functions(phase: Phase, devices: parallel.Devices = None) -> dict[str, Callable]:
    """The functions of a phase's model over the devices, from raw batches to uint8 images."""
    prepare = data.preparation(phase.data, training=False)
    return {
        name: parallel.map_function(_naming(function), prepare, data.finish, devices)
        for name, function in phase.model.functions.items()
    }


class _Entries(dict):
    """A batch that says in one line which entry a function lacks."""

    def __missing__(self, name: str):
        raise UserError(
            f"this function needs {name}, which the data does not hold: give it, with"
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

    `given` takes the place of what the examples hold, one value for each or one for all:
    {"label": 7}. It is as the data is on the host: images uint8, audio int16. Of another `seed`
    (default: the recipe's `sample.seed`) all that is random is drawn anew. Yields host arrays;
    images as uint8. Raises UserError if the model has no such function, or the function has no use
    for what is given, or the data could not hold it.
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
    """A whole number below 2^32 as Python has it. Raises UserError if it is none."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and least <= value < 2**32):
        raise UserError(
            f"{name} is {value!r}: it must be a whole number from {least} on, below 2^32"
        )
    return int(value)


def _checked(given: Mapping, spec: Spec, count: int) -> dict[str, np.ndarray]:
    """What is given in place of examples, [count, ...] each."""
    if not isinstance(given, Mapping):
        raise UserError(f"given is {given!r}: it must be a dict such as {{'label': 7}}")
    for name in given:
        if name not in spec:
            raise UserError(
                f"given holds {name!r}, and the data {', '.join(spec)}: give one of these"
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


def show(trained: Trained, folder: str | Path, prefix: str = "") -> list[Path]:
    """Writes what the recipe's `show.counts` asks for, one file a function and kind (0: none)."""
    written, folder = [], writable(folder)
    asked = {name: count for name, count in trained.config.show.counts.items() if count}
    for name, count in asked.items():
        outputs = sample(trained, count, name)
        if jax.process_index() == 0:
            with files.writing(folder, files.TO_GO_ON), files.local_folder(folder) as here:
                written += [folder / f.name for f in data.show(outputs, here / f"{prefix}{name}")]
    return written


def save_samples(trained: Trained, folder: str | Path) -> Path:
    """Writes `sample.count` samples as an npz of uint8 images (and whatever else sample gives)."""
    folder = writable(folder)
    outputs = sample(trained, trained.config.sample.count)
    if jax.process_index() == 0:
        with files.writing(folder, files.TO_GO_ON), files.local_folder(folder) as here:
            np.savez(here / "samples.npz", **outputs)
    return folder / "samples.npz"
