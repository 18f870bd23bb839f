"""The samples of a run as images to evaluate."""

import json
from pathlib import Path

import jax

from gm_jax import data
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.image_sets import Images
from gm_jax.run import load
from gm_jax.trained import Trained, apply


def is_run(folder: Path) -> bool:
    """Whether a folder's config.json is that of a run, and not of another program.

    Raises EvaluationError if it cannot be read: pictures beside it may be grids of samples.
    """
    path = folder / "config.json"
    if not path.is_file():
        return False
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"{path} cannot be read ({error}): if {folder} holds only images, remove that file"
        ) from None
    return isinstance(config, dict) and "system" in config


def open_run(workdir: str, count: int) -> Images:
    """`count` samples of a run's model. Raises UserError if it is untrained or draws no images."""
    trained = load(workdir)
    outputs = _outputs(trained)
    if "image" not in outputs:
        raise EvaluationError(
            f"{workdir} generates no images: its samples are {', '.join(outputs)}, and only images "
            "are evaluated here"
        )

    def batches():
        return (batch["image"] for batch in apply(trained, "sample", count))

    return Images(workdir, count, "", batches)


def _outputs(trained: Trained) -> list[str]:
    """The entries of the model's samples, found without drawing any."""
    if "sample" not in trained.functions:
        return [f"none (it has {', '.join(trained.functions)})"]
    source = data.open_source(trained.phase.data)
    batch = next(data.ordered_batches(source, 1, 1, slice(0, 1)))
    key = jax.random.key(0)
    batch = jax.eval_shape(data.preparation(trained.phase.data, training=False), batch, key)
    sample = trained.phase.model.functions["sample"]
    return list(jax.eval_shape(sample, trained.variables, batch, key))
