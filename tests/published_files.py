"""Golden weights as published files, opened by the library's own readers."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

from gm_jax.diffusion.stable_diffusion.networks import NETWORKS
from gm_jax.multimodal.shared import clip_files
from gm_jax.nn.text_tower import TextTower
from gm_jax.nn.vit import ViT
from gm_jax.tokenizers.clip import vocabulary_of
from gm_jax.weights import assign, export, open_weights
from gm_jax.weights.clip import join_parts, tables


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


TINY = {
    "text_encoder": {
        "vocab_size": 520, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 7, "eos_token_id": 519,
    },
    "unet": {
        "block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "sample_size": 8,
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "attention_head_dim": 2,
        "cross_attention_dim": 8,
    },
    "vae": {"block_out_channels": [4, 8], "norm_num_groups": 4, "latent_channels": 4},
}  # fmt: skip
SCHEDULER = {"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012,
             "beta_schedule": "scaled_linear", "clip_sample": False}  # fmt: skip


def tiny_tensors(changed: dict | None = None, layouts: dict | None = None) -> dict:
    """{part: {name: array}} of a Stable Diffusion of TINY size, with random weights.

    changed  {part: settings that differ}
    layouts  {part: layout}; diffusers' unless stated
    """
    rng, found = np.random.default_rng(0), {}
    for part, config in TINY.items():
        made = NETWORKS[part](config | (changed or {}).get(part, {}), jnp.float32)
        params = jax.tree.map(
            lambda x: np.float32(rng.normal(size=x.shape) / max(1.0, np.prod(x.shape[:-1])) ** 0.5),
            made.shapes,
        )
        layout = (layouts or {}).get(part, next(iter(made.tables)))
        found[part] = export(made.tables[layout], params)
    return found


def write_tiny(folder: Path, changed: dict | None = None) -> Path:
    """A folder in diffusers' layout with those weights and a tokenizer of six merges."""
    for part, tensors in tiny_tensors(changed).items():
        (folder / part).mkdir(parents=True)
        config = TINY[part] | (changed or {}).get(part, {})
        (folder / part / "config.json").write_text(json.dumps(config))
        save_file(tensors, folder / part / "model.safetensors")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    (folder / "tokenizer").mkdir()
    pairs = ["c a", "ca t</w>", "a a", "aa aa", "aa a</w>", "! !</w>"]
    vocabulary = vocabulary_of([tuple(pair.split()) for pair in pairs])
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps(vocabulary.numbers))
    (folder / "tokenizer" / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs]))
    return folder


TINY_CLIP = clip_files.Towers(
    ViT(4, 8, 1, 2, 16, projection=6), TextTower(9, 8, 5, 8, 1, 2, 16, projection=6), 8
)  # fmt: skip


def write_tiny_clip(folder, **vision):
    """A tiny CLIP in transformers' layout, and beside it as openai.safetensors; its parameters.

    vision  settings of the image tower's config.json that differ
    """
    shapes = clip_files.shapes_of(TINY_CLIP)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda x: np.float32(rng.normal(size=x.shape)), shapes)
    table = tables(shapes["text"], shapes["image"], {})
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1}
    sizes["num_attention_heads"] = 2
    text = sizes | {"vocab_size": 9, "max_position_embeddings": 5, "eos_token_id": 2}
    vision = sizes | {"image_size": 8, "patch_size": 4} | vision
    made = {"text_config": text, "vision_config": vision, "projection_dim": 6}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(made))
    save_file(export(table["transformers"], params), folder / "model.safetensors")
    openai = join_parts(export(table["openai"], params))
    save_file({k: np.array(x) for k, x in openai.items()}, folder.parent / "openai.safetensors")
    return folder, params
