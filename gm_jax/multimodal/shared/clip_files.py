"""CLIP in files: a folder in transformers' layout, or one file of openai/CLIP's or OpenCLIP's.

Every name and shape is checked before any number is read.
"""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.errors import UserError
from gm_jax.model import PyTree, Variables
from gm_jax.nn.clip_layers import ACTIVATIONS
from gm_jax.nn.clip_resnet import ClipResNet
from gm_jax.nn.text_tower import TextTower
from gm_jax.nn.vit import ViT
from gm_jax.weights import Table, Tensors, assign, open_weights
from gm_jax.weights.assigning import check, layout_of
from gm_jax.weights.clip import IGNORED, split_joint, tables

FILES = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)  # fmt: skip
HEAD = 64  # features of a head, where a file does not say
# Of a folder's config.json what it leaves out, as transformers has it.
TEXT = {
    "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
    "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu",
}  # fmt: skip
VISION = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "image_size": 224, "patch_size": 32, "hidden_act": "quick_gelu",
}  # fmt: skip
EMBEDDING = 512


class Towers(NamedTuple):
    """Both modules, and the side of the images that they were made for."""

    image: ViT | ClipResNet
    text: TextTower
    side: int

    @property
    def embedding(self) -> int:
        """Numbers of an embedding."""
        return self.text.projection


class Opened(NamedTuple):
    """What is known of the files before any number is read."""

    path: Path
    towers: Towers
    tensors: Tensors
    table: Table
    shapes: PyTree


def open_clip(path: str | Path, dtype=jnp.float32, activation: str = "") -> Opened:
    """Opens a folder or a file.

    activation  of a file, which does not say it: quick_gelu of openai's weights, gelu of OpenCLIP's
    Raises UserError, in one line, if it is not there, or is another network.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise UserError(f"{path} is not there: give --config.weights=, a folder or a file")
    if path.is_dir():
        if activation:
            raise UserError(f"activation is for a single file: {path} has it in its config.json")
        towers, file = _of_folder(path, dtype)
        tensors = dict(open_weights(file))
    else:
        tensors = split_joint(open_weights(path))
        towers = _of_shapes(path, tensors, dtype, activation or "quick_gelu")
    shapes = shapes_of(towers)
    named = tables(shapes["text"], shapes["image"], shapes.get("statistics", {}))
    table = named[layout_of(named, tensors)]
    check(table, tensors, shapes, str(path), IGNORED)
    return Opened(path, towers, tensors, table, shapes)


def read(opened: Opened, dtype=np.float32) -> Variables:
    """The parameters of both towers and the temperature, as arrays on the host."""
    tree = assign(
        opened.table, opened.tensors, opened.shapes, str(opened.path), IGNORED, dtype
    )  # fmt: skip
    statistics = tree.pop("statistics", None)
    return Variables(tree, {"image": {"batch_stats": statistics}} if statistics else {})


def shapes_of(towers: Towers) -> PyTree:
    """Of the parameters text, image and scale, and of a ResNet's running statistics."""
    key, image = jax.random.key(0), jnp.zeros((1, towers.side, towers.side, 3))
    ids = jnp.zeros((1, towers.text.length), jnp.int32)
    mode = {"train": False} if isinstance(towers.image, ClipResNet) else {}
    of_image = jax.eval_shape(lambda: towers.image.init(key, image, **mode))
    of_text = jax.eval_shape(lambda: towers.text.init(key, ids))
    running = {"statistics": of_image["batch_stats"]} if "batch_stats" in of_image else {}
    scale = {"log": jax.ShapeDtypeStruct((), jnp.float32)}
    return {"image": of_image["params"], "text": of_text["params"], "scale": scale, **running}


def _of_folder(path: Path, dtype) -> tuple[Towers, Path]:
    """The towers that config.json describes, and the file of their weights."""
    try:
        config = dict(json.loads((path / "config.json").read_text("utf-8")))
        text, vision = (
            {**d, **config[p]} for d, p in ((TEXT, "text_config"), (VISION, "vision_config"))
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} has no config.json of a CLIP, with text_config and vision_config: {error!r}"
        ) from None
    files = [path / name for name in FILES if (path / name).is_file()]
    if not files:
        raise UserError(f"{path} holds no weights: {FILES[0]} or {FILES[2]} is missing")
    embedding = config.get("projection_dim", EMBEDDING)
    shared = {"projection": embedding, "dtype": dtype}
    # Old files state the end 2 and mean the vocabulary's last symbol.
    end = text.get("eos_token_id", 2)
    return Towers(
        ViT(patch=vision["patch_size"], **_sizes(path, vision), **shared),
        TextTower(
            symbols=text["vocab_size"], end=text["vocab_size"] - 1 if end == 2 else end,
            length=text["max_position_embeddings"], **_sizes(path, text), **shared,
        ),
        vision["image_size"],
    ), files[0]  # fmt: skip


def _sizes(path: Path, config: Mapping[str, Any]) -> dict:
    if config["hidden_act"] not in ACTIVATIONS:
        raise UserError(f"{path}: hidden_act is {config['hidden_act']!r}, which no CLIP has")
    return {
        "width": config["hidden_size"], "layers": config["num_hidden_layers"],
        "heads": config["num_attention_heads"], "hidden": config["intermediate_size"],
        "activation": config["hidden_act"],
    }  # fmt: skip


def _of_shapes(path: Path, tensors: Tensors, dtype, activation: str) -> Towers:
    """The towers that a file's shapes tell of, as openai/CLIP does; heads have 64 features."""

    def shape(name):
        if name not in tensors:
            raise UserError(
                f"{path} has no {name}: it is no CLIP of openai's or OpenCLIP's; a folder in"
                " transformers' layout is given as the folder"
            )
        return tensors[name].shape

    def count(pattern):
        return len({m[1] for m in map(re.compile(pattern).match, tensors) if m})

    def transformer(prefix, width):
        hidden = shape(f"{prefix}transformer.resblocks.0.mlp.c_fc.weight")[0]
        layers = count(rf"{re.escape(prefix)}transformer\.resblocks\.(\d+)\.")
        return {"width": width, "layers": layers, "heads": max(1, width // HEAD), "hidden": hidden}

    width, embedding = shape("text_projection")
    (length, _), (symbols, _) = shape("positional_embedding"), shape("token_embedding.weight")
    text = TextTower(
        symbols, symbols - 1, length, **transformer("", width), activation=activation,
        projection=embedding, dtype=dtype,
    )  # fmt: skip
    if "visual.proj" in tensors:
        width, _, _, patch = shape("visual.conv1.weight")
        side = patch * math.isqrt(shape("visual.positional_embedding")[0] - 1)
        own = transformer("visual.", width)
        image = ViT(patch, **own, activation=activation, projection=embedding, dtype=dtype)
    else:
        layers = tuple(count(rf"visual\.layer{n}\.(\d+)\.") for n in range(1, 5))
        side = 32 * math.isqrt(shape("visual.attnpool.positional_embedding")[0] - 1)
        width = shape("visual.layer1.0.conv1.weight")[0]
        image = ClipResNet(width, layers, embedding, dtype)
    return Towers(image, text, side)
