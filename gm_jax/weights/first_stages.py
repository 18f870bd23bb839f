"""The KL autoencoder of Stable Diffusion in files: a first stage for other models, too.

A table of names (`Table`) is by diffusers' names; the original checkpoints have others.
"""

import re
from collections.abc import Callable
from pathlib import Path

from gm_jax.errors import UserError
from gm_jax.model import PyTree
from gm_jax.weights.assigning import Table, assign, check, layout_of, renamed, torch_names
from gm_jax.weights.reading import open_weights
from gm_jax.weights.stored import below

VAE = "first_stage_model."
# The names that libraries give to a folder's weights, the best first.
FILES = tuple(
    f"{stem}{variant}{suffix}"
    for suffix in (".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json")
    for variant in ("", ".fp16")
    for stem in ("diffusion_pytorch_model", "model", "pytorch_model")
)
IGNORED = (r"(.*\.)?(loss|model_ema)\..*",)
_VAE = (
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0", "mid.attn_1"),
    (r"\.resnets\.", ".block."),
    (r"(down|up)samplers\.0", r"\1sample"),
    ("conv_shortcut", "nin_shortcut"),
    ("conv_norm_out", "norm_out"),
    ("group_norm", "norm"),
    (r"attn_1\.to_(q|k|v)\.", r"attn_1.\1."),
    (r"to_out\.0", "proj_out"),
    (r"down_blocks\.", "down."),
)
_VAE_OLD = (
    (r"\.to_q\.", ".query."), (r"\.to_k\.", ".key."), (r"\.to_v\.", ".value."),
    (r"\.to_out\.0\.", ".proj_attn."),
)  # fmt: skip


def vae_tables(table: Table) -> dict[str, Table]:
    """A KL autoencoder's tables by layout; the original's attention is of 1x1 convolutions."""
    levels = 1 + max(int(n.split(".")[2]) for n in table if n.startswith("decoder.up_blocks."))

    def original(name):
        def reversed_level(match):
            return f"up.{levels - 1 - int(match[1])}"

        return VAE + re.sub(r"up_blocks\.(\d+)", reversed_level, renamed(name, _VAE))

    def convolution(name, entry):
        path, kind = entry
        return path, "conv_as_dense" if kind == "dense" else kind

    return {
        "diffusers": dict(table),
        "diffusers, old": {renamed(name, _VAE_OLD): e for name, e in table.items()},
        "original": {original(name): convolution(name, e) for name, e in table.items()},
    }


def open_vae(path: str | Path, shapes: PyTree) -> Callable[[], PyTree]:
    """() -> the parameters of a `KLAutoencoder` with these shapes; names and shapes are checked.

    path  a folder in diffusers' layout, of a whole pipeline or of its `vae` alone, or a file
    Raises UserError, in one line, if it is not there, or of another architecture.
    """
    path = Path(path).expanduser()
    folders = [f for f in (path, path / "vae") if f.is_dir()]
    files = [f / name for f in folders for name in FILES if (f / name).is_file()]
    files += [path] * path.is_file()
    if not files:
        raise UserError(f"{path} holds no weights of a first stage: {FILES[0]} is missing")
    tensors, tables = open_weights(files[0]), vae_tables(torch_names(shapes))
    if any(name.startswith(VAE) for name in tensors):  # A checkpoint of a whole pipeline.
        tensors = below(tensors, VAE)
    tables["original"] = {n.removeprefix(VAE): e for n, e in tables["original"].items()}
    table, what = tables[layout_of(tables, tensors)], f"first stage of {path}"
    check(table, tensors, shapes, what, IGNORED)
    return lambda: assign(table, tensors, shapes, what, IGNORED)
