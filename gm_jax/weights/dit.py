"""DiT's published checkpoints (facebookresearch/DiT): the names of their tensors.

Peebles & Xie 2023 (arXiv 2212.09748). Queries, keys and values are all queries, all keys, all
values, as in our attention. Patches are embedded by a convolution as large as a patch, a dense
layer here; the positions in the file are fixed, and computed here.
"""

from collections.abc import Mapping
from typing import Any

from gm_jax.weights.assigning import Table
from gm_jax.weights.stored import Stored, Tensors

POSITIONS, PATCHES = "pos_embed", "x_embedder.proj.weight"


def table(dit: Mapping[str, Any]) -> Table:
    """The names of a checkpoint for a `nn.dit.DiT` of these arguments, patches as a dense layer."""
    found = {}

    def dense(name, *path):
        found[f"{name}.weight"] = ((*path, "kernel"), "dense")
        found[f"{name}.bias"] = ((*path, "bias"), "plain")

    dense("x_embedder.proj", "patches")
    dense("t_embedder.mlp.0", "level_in")
    dense("t_embedder.mlp.2", "level_out")
    if dit["classes"]:
        found["y_embedder.embedding_table.weight"] = (("labels", "embedding"), "embedding")
    for number in range(dit["layers"]):
        for theirs, ours in BLOCK:
            dense(f"blocks.{number}.{theirs}", f"block_{number}", ours)
    dense("final_layer.adaLN_modulation.1", "last_modulation")
    dense("final_layer.linear", "last")
    return found


def as_dense(tensors: Tensors) -> dict[str, Stored]:
    """The tensors of a checkpoint as `table` expects them: of a patch row by row, channels last."""

    def flat(tensor):
        outputs, channels, *sides = tensor.shape
        shape = outputs, sides[0] * sides[1] * channels
        return tensor._replace(
            shape=shape, load=lambda: tensor.load().transpose(0, 2, 3, 1).reshape(shape)
        )

    return {
        name: flat(t) if name == PATCHES and len(t.shape) == 4 else t for name, t in tensors.items()
    }


BLOCK = (
    ("attn.qkv", "query_key_value"),
    ("attn.proj", "mix"),
    ("mlp.fc1", "up"),
    ("mlp.fc2", "down"),
    ("adaLN_modulation.1", "modulation"),
)
