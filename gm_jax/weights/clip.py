"""The names of CLIP's tensors: in transformers' files, and in those of openai/CLIP and OpenCLIP.

Our towers are named as transformers names them; `openai_name` is the other name. There queries,
keys and values of a block are one tensor, which `split_joint` cuts, and projections are not
transposed.
"""

import re
from collections.abc import Mapping

from gm_jax.model import PyTree
from gm_jax.weights.assigning import Table, join_rows, split_rows, torch_names
from gm_jax.weights.stored import Tensors

JOINT = ("q_proj.", "k_proj.", "v_proj.")
PROJECTIONS = ("text_projection.weight", "visual_projection.weight")
IGNORED = (
    r"(.*\.)?position_ids", r"(.*\.)?num_batches_tracked", "input_resolution", "context_length",
    "vocab_size", "attn_mask",
)  # fmt: skip
_OPENAI = (
    (r"^embeddings\.token_embedding", "token_embedding"),
    (r"^embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"^embeddings\.class_embedding", "class_embedding"),
    (r"^embeddings\.patch_embedding", "conv1"),
    (r"^pre_layrnorm", "ln_pre"),
    (r"^post_layernorm", "ln_post"),
    (r"^final_layer_norm", "ln_final"),
    (r"^encoder\.layers\.", "transformer.resblocks."),
    (r"self_attn\.(.)_proj\.(weight|bias)", r"attn.\1_proj.\2"),
    (r"self_attn\.", "attn."),
    (r"layer_norm(\d)", r"ln_\1"),
    (r"mlp\.fc1", "mlp.c_fc"),
    (r"mlp\.fc2", "mlp.c_proj"),
    (r"^text_projection\.weight", "text_projection"),
    (r"^visual_projection\.weight", "proj"),
)


def tables(text: PyTree, image: PyTree, statistics: PyTree) -> dict[str, Table]:
    """The tables of a CLIP by layout; parameters are in a tree of text, image, statistics, scale.

    text, image  the shapes of the towers' parameters
    statistics   those of a ResNet's running statistics; {} of a ViT
    """
    text, image = _below("text", torch_names(text)), _below("image", torch_names(image))
    scale = {"logit_scale": (("scale", "log"), "plain")}
    openai = {openai_name(name): _untransposed(name, entry) for name, entry in text.items()}
    openai |= {
        f"visual.{openai_name(name)}": _untransposed(name, entry) for name, entry in image.items()
    }
    if statistics:
        running = _below("statistics", torch_names(statistics))
        openai |= {
            "visual." + re.sub(r"(mean|var)$", r"running_\1", name): entry
            for name, entry in running.items()
        }
        return {"openai": openai | scale}
    transformers = {
        name if name in PROJECTIONS else f"{part}_model.{name}": entry
        for part, names in (("text", text), ("vision", image)) for name, entry in names.items()
    }  # fmt: skip
    return {"transformers": transformers | scale, "openai": openai | scale}


def openai_name(name: str) -> str:
    """The name of openai/CLIP for one of transformers, without "visual."."""
    for pattern, other in _OPENAI:
        name = re.sub(pattern, other, name)
    return name


def _below(part: str, table: Table) -> Table:
    return {name: ((part, *path), kind) for name, (path, kind) in table.items()}


def _untransposed(name: str, entry):
    return (entry[0], "plain") if name in PROJECTIONS else entry


def split_joint(tensors: Tensors) -> dict:
    """Joint queries, keys and values as three tensors: "in_proj_weight" and bias of each."""
    for leaf in ("weight", "bias"):
        tensors = split_rows(tensors, f"in_proj_{leaf}", tuple(part + leaf for part in JOINT))
    return dict(tensors)


def join_parts(arrays: Mapping) -> dict:
    """The inverse of `split_joint`, of arrays."""
    for leaf in ("weight", "bias"):
        parts = tuple(f"attn.{part}{leaf}" for part in JOINT)  # Not those of attention pooling.
        arrays = join_rows(arrays, f"attn.in_proj_{leaf}", parts)
    return dict(arrays)
