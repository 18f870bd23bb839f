"""A trained model at work: its functions over data, shown and saved."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from gm_jax import data, files
from gm_jax.errors import UserError
from gm_jax.model import Phase, Spec, Variables, field_of
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
        name: parallel.map_function(function, prepare, data.finish, devices)
        for name, function in phase.model.functions.items()
    }


def apply(
    trained: Trained, name: str, count: int, split: str = "train", given: Mapping | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """One of the model's functions on the first `count` examples of a split, batch by batch.

    `given` takes the place of what the examples hold, one value for each or one for all:
    {"label": 7}. Yields host arrays; images as uint8. Raises UserError where the model has no such
    function, or the data no such values.
    """
    if name not in trained.functions:
        known = ", ".join(trained.functions)
        raise UserError(f"the model has no function {name!r}; it has: {known}")
    devices = len(jax.devices() if trained.devices is None else trained.devices)
    size = min(trained.config.evaluate.batch_size, count)
    size = -(-size // devices) * devices
    source = data.open_source(trained.phase.data, split)
    batches = data.ordered_batches(source, size, count, parallel.rows(size, trained.devices))
    if given:
        batches = _with(batches, _checked(given, source.spec, count), count)
    key = jax.random.key(trained.config.seed + 1)
    return trained.functions[name](trained.variables, batches, key)


def _checked(given: Mapping, spec: Spec, count: int) -> dict[str, np.ndarray]:
    """What is given in place of examples, [count, ...] each."""
    checked = {}
    for name, value in given.items():
        field, value = field_of(spec, name), np.asarray(value)
        shape = (count, *field.shape)
        try:
            checked[name] = np.broadcast_to(value, shape)
        except ValueError as error:
            raise UserError(f"{name} given in shape {value.shape}, not {shape}") from error
        most = 256 if data.is_image(name) else field.cardinality
        if most and not (value.min() >= 0 and value.max() < most):
            raise UserError(f"{name} given outside 0 to {most - 1}: the data has none such")
    return checked


def _with(batches: Iterator[dict], given: dict[str, np.ndarray], count: int) -> Iterator[dict]:
    for batch in batches:
        rows = np.minimum(batch["index"], count - 1)
        yield batch | {k: v[rows].astype(batch[k].dtype) for k, v in given.items()}


def sample(
    trained: Trained,
    count: int,
    function: str = "sample",
    split: str = "train",
    given: Mapping | None = None,
) -> dict[str, np.ndarray]:
    """The outputs of a function for `count` examples, [count, ...] each, images as uint8.

    Sevens of a conditional model: `sample(trained, 64, given={"label": 7})`; see `apply`.
    """
    parts = list(apply(trained, function, count, split, given))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def show(trained: Trained, folder: str | Path, prefix: str = "") -> list[Path]:
    """Writes what the recipe's `show.counts` asks for, one file a function (0: none)."""
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
