"""Stable Diffusion's three networks, from the config.json that diffusers writes of each."""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.diffusion.stable_diffusion import layouts
from gm_jax.errors import UserError
from gm_jax.model import PyTree
from gm_jax.networks import Network
from gm_jax.nn.clip_layers import ACTIVATIONS
from gm_jax.nn.latent_autoencoder import KLAutoencoder
from gm_jax.nn.text_tower import TextTower
from gm_jax.nn.unet import UNet
from gm_jax.weights import Table, torch_names
from gm_jax.weights.first_stages import vae_tables

Config = Mapping[str, Any]
CROSS_DOWN, CROSS_UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"

# The published configurations, as far as they differ from the libraries' defaults below.
SD1_TEXT = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "hidden_act": "quick_gelu",
}  # fmt: skip
SD2_TEXT = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
    "num_attention_heads": 16, "hidden_act": "gelu",
}  # fmt: skip
SD1_UNET = {"cross_attention_dim": 768}
SD2_UNET = {
    "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20],
    "use_linear_projection": True,
}  # fmt: skip
VAE = {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2}

TEXT_DEFAULTS = {
    "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
    "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu",
    "eos_token_id": 49407,
}  # fmt: skip
UNET_DEFAULTS = {
    "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2, "down_block_types": [CROSS_DOWN] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + [CROSS_UP] * 3, "attention_head_dim": 8,
    "num_attention_heads": None, "cross_attention_dim": 1280, "norm_num_groups": 32,
    "norm_eps": 1e-5, "use_linear_projection": False, "sample_size": 64,
}  # fmt: skip
VAE_DEFAULTS = {
    "in_channels": 3, "out_channels": 3, "block_out_channels": [64], "layers_per_block": 1,
    "latent_channels": 4, "norm_num_groups": 32, "scaling_factor": 0.18215,
    "down_block_types": None, "up_block_types": None,
}  # fmt: skip
# What these networks have, in settings that other networks of the same classes change.
TEXT_ONLY = {"layer_norm_eps": 1e-5, "attention_dropout": 0.0}
UNET_ONLY = {
    "act_fn": "silu", "flip_sin_to_cos": True, "freq_shift": 0, "downsample_padding": 1,
    "center_input_sample": False, "mid_block_scale_factor": 1, "only_cross_attention": False,
    "mid_block_type": "UNetMidBlock2DCrossAttn", "transformer_layers_per_block": 1,
    "dual_cross_attention": False, "class_embed_type": None, "num_class_embeds": None,
    "addition_embed_type": None, "encoder_hid_dim": None, "encoder_hid_dim_type": None,
    "time_embedding_type": "positional", "resnet_time_scale_shift": "default",
    "attention_type": "default", "conv_in_kernel": 3, "conv_out_kernel": 3,
}  # fmt: skip
VAE_ONLY = {
    "act_fn": "silu", "shift_factor": None, "use_quant_conv": True, "use_post_quant_conv": True,
    "mid_block_add_attention": True,
}  # fmt: skip


class Component(NamedTuple):
    """One of the three networks.

    network  its name in the parameters, and its module
    shapes   of its parameters; nothing is allocated
    tables   {layout: table of names}
    config   complete
    """

    network: Network
    shapes: PyTree
    tables: dict[str, Table]
    config: Config


def text_encoder(config: Config, dtype, where: str = "text_encoder") -> Component:
    """CLIP's text transformer. Raises UserError, naming the setting, for another architecture."""
    config = _complete(config, TEXT_DEFAULTS, TEXT_ONLY, where)
    if config["hidden_act"] not in ACTIVATIONS:
        raise _other(where, "hidden_act", config["hidden_act"])
    # Old files state the end 2 and mean the vocabulary's last symbol.
    end = config["eos_token_id"] if config["eos_token_id"] != 2 else config["vocab_size"] - 1
    module = TextTower(
        symbols=config["vocab_size"],
        end=end,
        length=config["max_position_embeddings"],
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        activation=config["hidden_act"],
        dtype=dtype,
    )
    shapes = _shapes(module, jnp.zeros((1, module.length), jnp.int32))
    tables = layouts.text_tables(torch_names(shapes))
    return Component(Network("text_encoder", module), shapes, tables, config)


def vae(config: Config, dtype, where: str = "vae") -> Component:
    """The KL autoencoder. Raises UserError, naming the setting, for another architecture."""
    config = _complete(config, VAE_DEFAULTS, VAE_ONLY, where)
    levels = len(config["block_out_channels"])
    for setting, kind in (("down", "DownEncoderBlock2D"), ("up", "UpDecoderBlock2D")):
        found = config[f"{setting}_block_types"]
        if found is not None and list(found) != [kind] * levels:
            raise _other(where, f"{setting}_block_types", found)
    module = KLAutoencoder(
        channels=config["in_channels"],
        widths=tuple(config["block_out_channels"]),
        blocks=config["layers_per_block"],
        latents=config["latent_channels"],
        groups=config["norm_num_groups"],
        dtype=dtype,
    )
    side = 2 ** (levels - 1)
    shapes = _shapes(module, jnp.zeros((1, side, side, module.channels)))
    return Component(Network("vae", module), shapes, vae_tables(torch_names(shapes)), config)


def unet(config: Config, dtype, where: str = "unet") -> Component:
    """The denoiser. Raises UserError, naming the setting, for another architecture."""
    config = _complete(config, UNET_DEFAULTS, UNET_ONLY, where)
    levels = len(config["block_out_channels"])
    attended = tuple(n for n, kind in enumerate(config["down_block_types"]) if kind == CROSS_DOWN)
    kinds = [CROSS_UP if n in attended else "UpBlock2D" for n in reversed(range(levels))]
    if list(config["up_block_types"]) != kinds:
        raise _other(where, "up_block_types", config["up_block_types"])
    # In these files the "head_dim" is the number of heads.
    heads = config["num_attention_heads"] or config["attention_head_dim"]
    first = config["block_out_channels"][0]
    module = UNet(
        width=first,
        multipliers=tuple(width / first for width in config["block_out_channels"]),
        blocks=config["layers_per_block"],
        attention=(),
        attention_levels=attended,
        heads=(heads,) if isinstance(heads, int) else tuple(heads),
        transformer_blocks=1,
        symmetric=True,
        groups=config["norm_num_groups"],
        epsilon=config["norm_eps"],
        time_features="cosines_first",
        time_shift=0,
        out_channels=config["out_channels"],
        dtype=dtype,
    )
    side = 2 ** (levels - 1)
    shapes = _shapes(
        module, jnp.zeros((1, side, side, config["in_channels"])), jnp.zeros(1), None, None,
        jnp.zeros((1, 1, config["cross_attention_dim"])),
    )  # fmt: skip
    table = unet_table(config)
    tables = layouts.unet_tables(table, config["layers_per_block"])
    return Component(Network("unet", module), shapes, tables, config)


NETWORKS = {"text_encoder": text_encoder, "unet": unet, "vae": vae}


def _complete(config: Config, defaults: Config, only: Config, where: str) -> Config:
    for setting, value in only.items():
        if config.get(setting, value) not in (value, None):
            raise _other(where, setting, config[setting])
    return {**defaults, **{name: config[name] for name in defaults if name in config}}


def _other(where: str, setting: str, value) -> UserError:
    return UserError(
        f"{where}: {setting} is {value!r}, which no Stable Diffusion 1.x or 2.x has: this is"
        " another architecture"
    )


def _shapes(module: nn.Module, *inputs) -> PyTree:
    return jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]


def unet_table(config: Config) -> Table:
    """diffusers' names of the U-Net's tensors; the modules are numbered in the order of calls."""
    numbers = {kind: itertools.count() for kind in ("Conv", "ResidualBlock", "SpatialTransformer")}
    widths, blocks = config["block_out_channels"], config["layers_per_block"]
    projection = "dense" if config["use_linear_projection"] else "conv_as_dense"
    table = {}

    def layer(name, path, kind):
        """A layer's weight and bias; layers that are named in `NO_BIAS` have none."""
        table[f"{name}.weight"] = ((*path, "scale" if kind == "plain" else "kernel"), kind)
        if not name.endswith(NO_BIAS):
            table[f"{name}.bias"] = ((*path, "bias"), "plain")

    def numbered(kind):
        return f"{kind}_{next(numbers[kind])}"

    def residual(name, inputs, outputs):
        module = numbered("ResidualBlock")
        for part, path, kind in RESIDUAL:
            if part != "conv_shortcut" or inputs != outputs:
                layer(f"{name}.{part}", (module, *path), kind)

    def transformer(name):
        module = numbered("SpatialTransformer")
        layer(f"{name}.norm", (module, "norm", "GroupNorm_0"), "plain")
        layer(f"{name}.proj_in", (module, "enter"), projection)
        for part, path, kind in TRANSFORMER:
            layer(f"{name}.transformer_blocks.0.{part}", (module, "block_0", *path), kind)
        layer(f"{name}.proj_out", (module, "leave"), projection)

    for number in (1, 2):
        layer(f"time_embedding.linear_{number}", (f"Dense_{number - 1}",), "dense")
    layer("conv_in", (numbered("Conv"),), "conv")
    skips, inputs = [widths[0]], widths[0]
    for depth, width in enumerate(widths):
        name = f"down_blocks.{depth}"
        if depth:
            layer(f"down_blocks.{depth - 1}.downsamplers.0.conv", (numbered("Conv"),), "conv")
            skips.append(inputs)
        for number in range(blocks):
            residual(f"{name}.resnets.{number}", inputs, width)
            if config["down_block_types"][depth] == CROSS_DOWN:
                transformer(f"{name}.attentions.{number}")
            skips.append(inputs := width)
    residual("mid_block.resnets.0", inputs, inputs)
    transformer("mid_block.attentions.0")
    residual("mid_block.resnets.1", inputs, inputs)
    for depth, width in enumerate(reversed(widths)):
        name = f"up_blocks.{depth}"
        for number in range(blocks + 1):
            residual(f"{name}.resnets.{number}", inputs + skips.pop(), inputs := width)
            if config["up_block_types"][depth] == CROSS_UP:
                transformer(f"{name}.attentions.{number}")
        if skips:
            layer(f"{name}.upsamplers.0.conv", (numbered("Conv"),), "conv")
    layer("conv_norm_out", ("Norm_0", "GroupNorm_0"), "plain")
    layer("conv_out", (numbered("Conv"),), "conv")
    return table


NO_BIAS = ("to_q", "to_k", "to_v")
RESIDUAL = (
    ("norm1", ("Norm_0", "GroupNorm_0"), "plain"),
    ("conv1", ("Conv_0",), "conv"),
    ("time_emb_proj", ("Dense_0",), "dense"),
    ("norm2", ("Norm_1", "GroupNorm_0"), "plain"),
    ("conv2", ("Conv_1",), "conv"),
    ("conv_shortcut", ("Dense_1",), "conv_as_dense"),
)
TRANSFORMER = (
    ("norm1", ("self_norm",), "plain"),
    ("norm2", ("cross_norm",), "plain"),
    ("norm3", ("gated_norm",), "plain"),
    *(
        (f"{torch}.{part}", (ours, own), "dense")
        for torch, ours in (("attn1", "self_attention"), ("attn2", "cross_attention"))
        for part, own in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "out"))
    ),
    ("ff.net.0.proj", ("up",), "dense"),
    ("ff.net.2", ("down",), "dense"),
)
