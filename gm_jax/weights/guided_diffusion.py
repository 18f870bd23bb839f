"""The U-Nets of guided-diffusion (ADM), in its own configuration and under its own names.

Dhariwal & Nichol 2021 (arXiv 2105.05233). `arguments` makes a configuration into arguments of our
U-Net, and `table` names the tensors of its checkpoint.

One layer makes queries, keys and values. Its rows are those of the first head (q, k, v), of the
second, and so on, as in our attention; with use_new_attention_order (the published network of
64x64) they are all queries, all keys, all values, head after head in each: `by_heads` puts a
checkpoint's rows into the first order, `by_parts` back into the second.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from gm_jax.errors import UserError
from gm_jax.weights.assigning import Table
from gm_jax.weights.stored import Stored, Tensors

# Of UNetModel's settings those that change its function, and what they are if not given.
DEFAULTS = {
    "dropout": 0.0, "channel_mult": (1, 2, 4, 8), "num_classes": None, "num_heads": 1,
    "num_head_channels": -1, "use_scale_shift_norm": False, "resblock_updown": False,
}  # fmt: skip
ONLY = {"conv_resample": True, "dims": 2, "num_heads_upsample": -1}


def arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `nn.unet.UNet` for what UNetModel was made with.

    Raises UserError, naming the setting, for a network that ours cannot be.
    """
    for setting, value in ONLY.items():
        if config.get(setting, value) != value:
            raise UserError(
                f"{setting} is {config[setting]!r}: of guided-diffusion's U-Nets only those with"
                f" {setting}={value!r} can be read"
            )
    config = {**DEFAULTS, **config}
    # Its resolutions are factors of downsampling: 1 at level 0, 2 at level 1, ...
    levels = tuple(int(factor).bit_length() - 1 for factor in config["attention_resolutions"])
    return {
        "width": config["model_channels"],
        "multipliers": tuple(config["channel_mult"]),
        "blocks": config["num_res_blocks"],
        "attention": (),
        "attention_levels": tuple(sorted(levels)),
        "heads": (config["num_heads"],),
        "head_width": max(0, config["num_head_channels"]),
        "dropout": config["dropout"],
        "adaptive_norm": config["use_scale_shift_norm"],
        "residual_resampling": config["resblock_updown"],
        "symmetric": True,
        "groups": 32,
        "epsilon": 1e-5,
        "time_features": "cosines_first",
        "time_shift": 0,
        "classes": config["num_classes"] or 0,
        "null_label": False,
        "out_channels": config["out_channels"],
    }


def table(unet: Mapping[str, Any]) -> Table:
    """The names of a checkpoint for a U-Net of these `arguments`.

    Our modules are numbered, kind by kind, in the order of their calls; its layers stand in
    numbered blocks, a resolution's change in one of its own on the way down.
    """
    numbers = defaultdict(itertools.count)
    widths = [round(unet["width"] * multiplier) for multiplier in unet["multipliers"]]
    found = {}

    def numbered(kind):
        return f"{kind}_{next(numbers[kind])}"

    def part(name, kind, parts, without=""):
        module = numbered(kind)
        for own, path, layout in parts:
            if own != without:
                found.update(_layer(f"{name}.{own}", (module, *path), layout))

    def residual(name, inputs, outputs):
        without = "skip_connection" if inputs == outputs else ""
        part(name, "ResidualBlock", RESIDUAL, without)

    def block(name, depth, inputs):
        residual(f"{name}.0", inputs, widths[depth])
        if depth in unet["attention_levels"]:
            part(f"{name}.1", "SelfAttention", ATTENTION)

    def resample(name, channels, convolution):
        if unet["residual_resampling"]:
            residual(name, channels, channels)
        else:
            found.update(_layer(f"{name}.{convolution}", (numbered("Conv"),), "conv"))

    for number in (0, 1):
        found |= _layer(f"time_embed.{2 * number}", (f"Dense_{number}",), "dense")
    if unet["classes"]:
        found["label_emb.weight"] = (("Embed_0", "embedding"), "embedding")
    found |= _layer("input_blocks.0.0", (numbered("Conv"),), "conv")
    skips, entry = [unet["width"]], itertools.count(1)
    for depth, width in enumerate(widths):
        if depth:
            resample(f"input_blocks.{next(entry)}.0", skips[-1], "op")
            skips.append(skips[-1])
        for _ in range(unet["blocks"]):
            block(f"input_blocks.{next(entry)}", depth, skips[-1])
            skips.append(width)

    residual("middle_block.0", widths[-1], widths[-1])
    part("middle_block.1", "SelfAttention", ATTENTION)
    residual("middle_block.2", widths[-1], widths[-1])

    inputs, entry = widths[-1], itertools.count()
    for depth, width in reversed(list(enumerate(widths))):
        for _ in range(unet["blocks"] + 1):
            name = f"output_blocks.{next(entry)}"
            block(name, depth, inputs + skips.pop())
            inputs = width
        if skips:
            last = 2 if depth in unet["attention_levels"] else 1
            resample(f"{name}.{last}", width, "conv")
    found |= _layer("out.0", ("Norm_0", "GroupNorm_0"), "plain")
    found |= _layer("out.2", (numbered("Conv"),), "conv")
    return found


def _layer(name, path, kind):
    leaf = "scale" if kind == "plain" else "kernel"
    return {
        f"{name}.weight": ((*path, leaf), kind),
        f"{name}.bias": ((*path, "bias"), "plain"),
    }


def by_heads(tensors: Tensors, unet: Mapping[str, Any]) -> dict[str, Stored]:
    """The tensors of a checkpoint with use_new_attention_order, as `table` expects them."""

    def turned(tensor):
        return tensor._replace(load=lambda: _exchanged(tensor.load(), (3, -1), unet))

    return {name: turned(t) if ".qkv." in name else t for name, t in tensors.items()}


def by_parts(arrays: Mapping[str, np.ndarray], unet: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The inverse of `by_heads`, of arrays."""
    return {
        name: _exchanged(x, (-1, 3), unet) if ".qkv." in name else x for name, x in arrays.items()
    }


def _exchanged(rows, order, unet):
    """Rows numbered by part and head, or by head and part, with the two exchanged."""
    width = unet["head_width"] or len(rows) // 3 // unet["heads"][0]
    return rows.reshape(*order, width, *rows.shape[1:]).swapaxes(0, 1).reshape(rows.shape)


RESIDUAL = (
    ("in_layers.0", ("Norm_0", "GroupNorm_0"), "plain"),
    ("in_layers.2", ("Conv_0",), "conv"),
    ("emb_layers.1", ("Dense_0",), "dense"),
    ("out_layers.0", ("Norm_1", "GroupNorm_0"), "plain"),
    ("out_layers.3", ("Conv_1",), "conv"),
    ("skip_connection", ("Dense_1",), "conv_as_dense"),
)
ATTENTION = (
    ("norm", ("Norm_0", "GroupNorm_0"), "plain"),
    ("qkv", ("Dense_0",), "conv1d_as_dense"),
    ("proj_out", ("Dense_1",), "conv1d_as_dense"),
)
