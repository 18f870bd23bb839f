"""The names of Stable Diffusion's tensors: in diffusers' folders, and in the original checkpoints.

A network's table (`gm_jax.weights.Table`) is by diffusers' names. The functions here make from it
the tables of the other layouts in which the same network is published.
"""

import re

from gm_jax.weights import Table
from gm_jax.weights.clip import openai_name

UNET, TEXT = "model.diffusion_model.", "cond_stage_model."
# What a single file holds beside the three networks: averages, the schedule, a loss, remains.
IGNORED = (
    r"model_ema\..*", r"first_stage_model\.(loss|model_ema)\..*", r"(sqrt_)?(one_minus_)?alphas_.*",
    r"sqrt_.*", r"log_one_minus_.*", r"posterior_.*", "betas", "logvar", "lvlb_weights",
    "scale_factor", r"cond_stage_model\.(model\.)?(attn_mask|logit_scale|text_projection)",
    r"(.*\.)?position_ids", r"text_projection\.weight",
)  # fmt: skip

_UNET_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_UNET_OUTER = {
    "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2", "conv_norm_out": "out.0", "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}  # fmt: skip


def unet_tables(table: Table, blocks: int) -> dict[str, Table]:
    """A U-Net's tables by layout; `blocks` are a level's residual blocks on the way down."""
    attended = {name.partition(".attentions")[0] for name in table if ".attentions" in name}
    original = {UNET + _unet_name(name, blocks, attended): entry for name, entry in table.items()}
    return {"diffusers": dict(table), "original": original}


def _unet_name(name: str, blocks: int, attended: set[str]) -> str:
    for own, other in _UNET_OUTER.items():
        if name.startswith(own + "."):
            return _unet_part(other + name.removeprefix(own))
    way, level, part, number, rest = re.fullmatch(
        r"(down|up)_blocks\.(\d+)\.(\w+?)\.(\d+)\.(.*)", name
    ).groups()
    level, number = int(level), int(number)
    if way == "down":  # A level's blocks, and what halves the resolution, are numbered through.
        first = 1 + level * (blocks + 1)
        if part == "downsamplers":
            return f"input_blocks.{first + blocks}.0.{rest.replace('conv', 'op')}"
        position = f"input_blocks.{first + number}"
    else:  # What doubles the resolution is the last part of a level's last block.
        first = level * (blocks + 1)
        if part == "upsamplers":
            last = 2 if f"up_blocks.{level}" in attended else 1
            return f"output_blocks.{first + blocks}.{last}.{rest}"
        position = f"output_blocks.{first + number}"
    return _unet_part(f"{position}.{0 if part == 'resnets' else 1}.{rest}")


def _unet_part(name: str) -> str:
    """The name with a residual block's layers as the original numbers them."""
    block, _, leaf = name.rpartition(".")
    stem, _, part = block.rpartition(".")
    if ".transformer_blocks." in name or part not in _UNET_RESNET:
        return name
    return f"{stem}.{_UNET_RESNET[part]}.{leaf}"


def text_tables(table: Table) -> dict[str, Table]:
    """A text encoder's tables by layout."""

    def prefixed(prefix):
        return {prefix + name: entry for name, entry in table.items()}

    return {
        "transformers": prefixed("text_model."),
        "transformers 5": prefixed(""),
        "original": prefixed(TEXT + "transformer.text_model."),
        "original 5": prefixed(TEXT + "transformer."),
        "openclip": {TEXT + "model." + openai_name(name): entry for name, entry in table.items()},
    }
