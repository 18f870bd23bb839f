"""Fine-tuning the U-Net: all of it, or low-rank updates of its attention.

Hu et al. 2021 (arXiv 2106.09685), section 4.1: W + scale B A, with B zero at first.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from gm_jax.model import Array, PyTree
from gm_jax.weights import Table

# The dense layers of every attention of the U-Net.
ADAPTED = ("q", "k", "v", "out")
SEPARATOR = "/"


def adapted(shapes: PyTree) -> list[tuple[str, ...]]:
    """The paths of the kernels that have a low-rank update."""
    paths = traverse_util.flatten_dict(shapes)
    return [p for p in paths if p[-1] == "kernel" and p[-2] in ADAPTED and len(paths[p].shape) == 2]


def init_lora(key: Array, shapes: PyTree, rank: int) -> PyTree:
    """{path: {down [in, rank], up [rank, out]}}, at first a zero update; nothing for rank 0."""
    flat, found = traverse_util.flatten_dict(shapes), {}
    for number, path in enumerate(adapted(shapes) if rank else ()):
        inputs, outputs = flat[path].shape
        down = jax.random.normal(jax.random.fold_in(key, number), (inputs, rank)) / rank
        found[SEPARATOR.join(path)] = {"down": down, "up": jnp.zeros((rank, outputs))}
    return found


def merged(params: PyTree, lora: PyTree, scale: float) -> PyTree:
    """The parameters with the updates added. At scale 0, or without updates, they are the same."""
    if not scale:
        return params
    flat = traverse_util.flatten_dict(params)
    for name, update in lora.items():
        path = tuple(name.split(SEPARATOR))
        kernel = flat[path]
        flat[path] = (kernel + scale * update["down"] @ update["up"]).astype(kernel.dtype)
    return traverse_util.unflatten_dict(flat)


def lora_tensors(lora: PyTree, scale: float, table: Table) -> Mapping[str, np.ndarray]:
    """The updates by the names of diffusers' pytorch_lora_weights.safetensors.

    table  the U-Net's names in diffusers' layout
    """
    names = {SEPARATOR.join(path): name for name, (path, _) in table.items()}
    found = {}
    for path, update in lora.items():
        stem = f"unet.{names[path].removesuffix('.weight')}"
        found[f"{stem}.lora_A.weight"] = np.ascontiguousarray(np.asarray(update["down"]).T)
        found[f"{stem}.lora_B.weight"] = np.ascontiguousarray(scale * np.asarray(update["up"]).T)
    return found
