"""Checkpoints: variables and the run's place, written by Orbax, found again after any death.

A checkpoint that cannot be read is set aside with a warning, and the one before it is taken.
"""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from gm_jax.model import Variables
from gm_jax.training import parallel


class Place(NamedTuple):
    """Where a run stands.

    step      rounds played
    position  batches drawn, the data's and the noise's place
    window    metrics of the rounds since the last report, [(step, {name: value}), ...]
    """

    step: int = 0
    position: int = 0
    window: tuple = ()


class Checkpoints(NamedTuple):
    """The checkpoints of one phase, in one folder, numbered by step."""

    manager: ocp.CheckpointManager
    directory: Path


def open_checkpoints(directory: Path, keep: int | None) -> Checkpoints:
    """The checkpoints below `directory`, of which the newest `keep` are kept; None for all."""
    options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
    directory = Path(directory).resolve()
    return Checkpoints(ocp.CheckpointManager(directory, options=options), directory)


def save(checkpoints: Checkpoints, variables: Variables, place: Place) -> None:
    """Writes variables (without `frozen`, which belongs to another run) and place."""
    if place.step in checkpoints.manager.all_steps():
        return
    tree = parallel.to_host(_as_dict(variables))
    checkpoints.manager.save(
        place.step,
        args=ocp.args.Composite(
            variables=ocp.args.StandardSave(tree), place=ocp.args.JsonSave(place._asdict())
        ),
    )


def restore(checkpoints: Checkpoints, variables: Variables) -> tuple[Variables, Place] | None:
    """The newest readable checkpoint as host arrays in the structure of `variables`, or None."""
    template = jax.tree.map(lambda x: np.empty(x.shape, x.dtype), _as_dict(variables))
    for step in sorted(checkpoints.manager.all_steps(), reverse=True):
        try:
            found = checkpoints.manager.restore(
                step,
                args=ocp.args.Composite(
                    variables=ocp.args.StandardRestore(template), place=ocp.args.JsonRestore()
                ),
            )
        except Exception as error:  # Orbax and TensorStore raise many kinds for a damaged file.
            _set_aside(checkpoints, step, error)
            continue
        return variables._replace(**found.variables), Place(**found.place)
    return None


def _set_aside(checkpoints: Checkpoints, step: int, error: Exception) -> None:
    broken = checkpoints.directory / f"broken-{step}"
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    warnings.warn(
        f"checkpoint {step} cannot be read ({reason[:200]}); it is moved to {broken} and the one"
        " before it is taken",
        RuntimeWarning,
        stacklevel=3,
    )
    if jax.process_index() == 0:
        (checkpoints.directory / str(step)).rename(broken)
    checkpoints.manager.reload()


def _as_dict(variables: Variables) -> dict[str, Any]:
    return {k: v for k, v in variables._asdict().items() if k != "frozen"}
