"""Golden weights as published files, opened by the library's own readers."""

import json
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


def write_folder(folder: Path, golden, name: str) -> Path:
    """A pipeline's case as a folder in diffusers' layout, without a tokenizer."""
    case = golden.cases[name]
    weights = golden.weights(case["keys"])
    files = {"text_encoder": "model", "unet": "diffusion_pytorch_model"}
    for part, config in case["config"].items():
        (folder / part).mkdir()
        (folder / part / "config.json").write_text(json.dumps(config))
        own = {k: x for k, x in weights.items() if k.startswith(f"{part}.")}
        own = {k.removeprefix(f"{part}."): x for k, x in own.items()}
        save_file(own, folder / part / f"{files.get(part, files['unet'])}.safetensors")
    kind, config = case["scheduler"]
    (folder / "scheduler").mkdir()
    scheduler = json.dumps({"_class_name": kind, **config})
    (folder / "scheduler" / "scheduler_config.json").write_text(scheduler)
    return folder
