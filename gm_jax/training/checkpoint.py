"""Checkpoints: variables and the run's place, written by Orbax, found again after any death.

A checkpoint that cannot be read is set aside with a warning, and the one before it is taken.
"""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from gm_jax.errors import UserError
from gm_jax.fingerprint import fingerprint
from gm_jax.model import PyTree, Variables
from gm_jax.training import parallel


class Place(NamedTuple):
    """Where a run stands.

    step      rounds played
    position  batches drawn, the data's and the noise's place
    window    metrics of the rounds since the last report, [(step, {name: value}), ...]
    frozen    fingerprint of the phase's frozen variables, which are saved where they were trained
    """

    step: int = 0
    position: int = 0
    window: tuple = ()
    frozen: str = ""


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


def restore(
    checkpoints: Checkpoints, variables: Variables, frozen: PyTree
) -> tuple[Variables, Place] | None:
    """The newest readable checkpoint as host arrays in the structure of `variables`, or None.

    Raises UserError where it was made for other shapes, or upon other frozen variables.
    """
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
        _check_shapes(template, found.variables, checkpoints.directory / str(step))
        place = Place(**found.place)
        if place.frozen not in ("", fingerprint(frozen)):
            raise UserError(
                "the stage that this run builds upon is not as it was when it began: give the"
                " model it was begun with, or choose another --workdir"
            )
        return variables._replace(**found.variables), place
    return None


def _check_shapes(template, found, path: Path) -> None:
    """Orbax itself takes what was saved, whatever its shape."""
    for (key, a), b in zip(
        jax.tree_util.tree_leaves_with_path(template), jax.tree.leaves(found), strict=True
    ):
        if a.shape != np.shape(b):
            raise UserError(
                f"{path} has {jax.tree_util.keystr(key)} of shape {np.shape(b)}, and this model"
                f" one of {a.shape}: the data or the recipe is not that which it was trained with"
            )


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
