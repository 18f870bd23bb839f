"""Golden weights as published files, opened by the library's own readers."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

from gm_jax.weights import assign, open_weights


def nchw(x: np.ndarray):
    """NCHW, as PyTorch has images, to NHWC."""
    return jnp.moveaxis(jnp.asarray(x), 1, -1)


def relative(ours, theirs: np.ndarray) -> float:
    """The largest difference, relative to the largest value; theirs in NCHW if it has four axes."""
    ours = np.asarray(ours)
    ours = np.moveaxis(ours, -1, 1) if ours.ndim == 4 else ours
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def open_golden(golden, name, module, example, table_of, folder: Path) -> dict:
    """The variables of a module with a case's weights, written as a file and read again."""
    file = folder / f"{name}.safetensors"
    save_file(golden.weights(golden.cases[name]["keys"]), file)
    shapes = jax.eval_shape(module.init, jax.random.key(0), example)["params"]
    return {"params": assign(table_of(shapes), open_weights(file), shapes, str(file))}
