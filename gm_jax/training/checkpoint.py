"""Checkpoints: variables and the run's progress, written by Orbax.

A checkpoint that cannot be read is set aside with a warning, and the one before it is used.
"""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from gm_jax import files
from gm_jax.errors import NotFinite, UserError
from gm_jax.fingerprint import of_stages
from gm_jax.model import PyTree, Variables
from gm_jax.training import parallel


class Progress(NamedTuple):
    """How far a run has come.

    step      rounds played
    position  batches drawn: the position in the data and in the noise
    window    metrics of the rounds since the last report, [(step, {name: value}), ...]
    frozen    fingerprint of the phase's frozen variables, which are saved where they were trained
    """

    step: int = 0
    position: int = 0
    window: tuple = ()
    frozen: str = ""


class Checkpoints(NamedTuple):
    """The checkpoints of one phase, in one folder, numbered by step. A `reader` changes none."""

    manager: ocp.CheckpointManager
    directory: Path
    reader: bool


def open_checkpoints(directory: Path, keep: int | None, reader: bool = False) -> Checkpoints:
    """The checkpoints below `directory`, of which the newest `keep` are kept (None: all).

    A reader may open them while the run continues, or in a folder it cannot write to.
    """
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep, enable_async_checkpointing=False,
        read_only=reader, create=not reader,
    )  # fmt: skip
    directory = files.absolute(directory)
    handlers = {
        "variables": ocp.StandardCheckpointHandler(),
        "place": ocp.JsonCheckpointHandler(),  # The progress; old checkpoints have this name.
    }
    manager = ocp.CheckpointManager(directory, options=options, item_handlers=handlers)
    return Checkpoints(manager, directory, reader)


def latest_step(directory: Path) -> int:
    """The step of the newest checkpoint below `directory`; 0 if there is none."""
    return max(ocp.utils.checkpoint_steps(directory), default=0) if directory.exists() else 0


def save(checkpoints: Checkpoints, variables: Variables, progress: Progress) -> None:
    """Writes variables (without `frozen`, which belongs to another run) and progress.

    Raises NotFinite if any variable is NaN or infinite: such a checkpoint is useless.
    """
    if progress.step in checkpoints.manager.all_steps():
        return
    tree = parallel.to_host(_as_dict(variables))
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if jnp.issubdtype(leaf.dtype, jnp.inexact) and not np.all(np.isfinite(leaf)):
            raise NotFinite(
                f"step {progress.step}: {jax.tree_util.keystr(path)} became NaN or infinite, and is"
                " not saved. Lower the learning rate, or clip the gradients"
            )
    advice = f"the last good checkpoint is {newest(checkpoints)}; {files.TO_CONTINUE}"
    with files.writing(checkpoints.directory, advice):
        checkpoints.manager.save(
            progress.step,
            args=ocp.args.Composite(
                variables=ocp.args.StandardSave(tree),
                place=ocp.args.JsonSave(progress._asdict()),
            ),
        )


def newest(checkpoints: Checkpoints) -> str:
    """The folder of the newest checkpoint, or "none"."""
    step = checkpoints.manager.latest_step()
    return "none" if step is None else str(checkpoints.directory / str(step))


def restore(
    checkpoints: Checkpoints, variables: Variables, frozen: PyTree
) -> tuple[Variables, Progress] | None:
    """The newest readable checkpoint as host arrays in the structure of `variables`, or None.

    Raises UserError if it was made for other shapes, or on top of other frozen variables.
    """
    template = jax.tree.map(lambda x: np.empty(x.shape, x.dtype), _as_dict(variables))
    steps = sorted(checkpoints.manager.all_steps(), reverse=True)
    if not parallel.all_equal(repr(steps)):
        raise UserError(
            f"{checkpoints.directory} does not hold the same checkpoints on every process: give all"
            " of them the same --workdir, on a disk that they share"
        )
    for step in steps:
        _check_structure(checkpoints, step, template)
        failure = None
        try:
            saved = checkpoints.manager.restore(
                step,
                args=ocp.args.Composite(
                    variables=ocp.args.StandardRestore(template), place=ocp.args.JsonRestore()
                ),
            )
        except Exception as error:  # Orbax and TensorStore raise many kinds for a damaged file.
            failure = error
        if parallel.any_process(failure is not None):
            if checkpoints.reader and not (checkpoints.directory / str(step)).exists():
                checkpoints.manager.reload()  # The run continues and has replaced it since.
                return restore(checkpoints, variables, frozen)
            _set_aside(checkpoints, step, failure or "not by another process")
            continue
        progress = Progress(**saved.place)
        if progress.frozen not in ("", of_stages(frozen)):
            raise UserError(
                "the stage that this run builds on has changed since the run began: restore the"
                " stage it began with, or choose another --workdir"
            )
        return variables._replace(**saved.variables), progress
    return None


def _check_structure(checkpoints: Checkpoints, step: int, template) -> None:
    """Raises UserError if a checkpoint is readable but belongs to another model."""
    try:
        saved = checkpoints.manager.item_metadata(step)["variables"].tree
    except Exception:  # Damaged: reading it will say how.
        return
    then, now = _shapes(saved), _shapes(template)
    differ = sorted(k for k in {*then, *now} if then.get(k) != now.get(k))
    if differ:
        key = differ[0]
        raise UserError(
            f"{checkpoints.directory / str(step)} belongs to another model: its {key} has shape"
            f" {then.get(key)}, this model's {now.get(key)}: the data, the recipe or the code has"
            " changed since it was trained"
        )


def _shapes(tree) -> dict[str, tuple[int, ...]]:
    """{path: shape} of the leaves, the same for tuples, dicts and what is read from disk."""

    def path(keys):
        return "/".join(str(jax.tree_util.keystr((key,), simple=True)) for key in keys)

    return {path(keys): tuple(x.shape) for keys, x in jax.tree_util.tree_leaves_with_path(tree)}


def _set_aside(checkpoints: Checkpoints, step: int, error: Exception | str) -> None:
    broken = checkpoints.directory / f"broken-{step}"
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    moved = "" if checkpoints.reader else f"it is moved to {broken} and "
    warnings.warn(
        f"checkpoint {step} cannot be read ({reason[:200]}); {moved}the one before it is used",
        RuntimeWarning,
        stacklevel=3,
    )
    if checkpoints.reader:
        return
    if jax.process_index() == 0:
        (checkpoints.directory / str(step)).rename(broken)
    parallel.barrier()  # No process lists it any longer, or some would wait for it.
    checkpoints.manager.reload()


def _as_dict(variables: Variables) -> dict[str, Any]:
    return {k: v for k, v in variables._asdict().items() if k != "frozen"}
