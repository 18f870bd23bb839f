"""Stable Diffusion in files: a folder in diffusers' layout, or an original checkpoint."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp

from gm_jax import tokenizers
from gm_jax.diffusion.stable_diffusion import layouts, networks
from gm_jax.diffusion.stable_diffusion.networks import NETWORKS, Component, Config
from gm_jax.errors import UserError, note
from gm_jax.model import Variables
from gm_jax.weights import Tensors, assign, open_weights
from gm_jax.weights.assigning import check, layout_of
from gm_jax.weights.clip import split_joint
from gm_jax.weights.first_stages import FILES, VAE

PREFIXES = {"text_encoder": layouts.TEXT, "unet": layouts.UNET, "vae": VAE}
# Of both versions as they were published first; a folder brings its own.
SCHEDULER = {
    "_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "set_alpha_to_one": False,
    "skip_prk_steps": True, "steps_offset": 1, "prediction_type": "epsilon",
}  # fmt: skip


class Opened(NamedTuple):
    """What is known of the files before any number is read.

    components  {text_encoder, unet, vae: Component}
    tensors     of each
    layout      of each: the key of its `tables`
    scheduler   the scheduler_config.json
    tokenizer   () -> tokenizers.Tokenizer, if it can be had
    """

    path: Path
    components: dict[str, Component]
    tensors: dict[str, Tensors]
    layout: dict[str, str]
    scheduler: Config
    tokenizer: Callable[[], tokenizers.Tokenizer]


def open_published(path: str | Path, dtype=jnp.float32, architecture: str = "") -> Opened:
    """Opens a folder or a file, and checks every name and shape.

    architecture  of a single file: a folder with the config.json of each network in diffusers'
                  layout; "" recognises Stable Diffusion 1.x and 2.x by their shapes
    Raises UserError, in one line, if a part is missing, or if it is of another architecture.
    """
    if not str(path):
        raise UserError("weights is empty: give a folder or a checkpoint, --config.weights=PATH")
    path = Path(path).expanduser()
    if not path.exists():
        raise UserError(f"{path} is not there: give --config.weights=, a folder or a checkpoint")
    opened = (_open_folder if path.is_dir() else _open_file)(path, dtype, architecture)
    for name, component in opened.components.items():
        table, tensors = component.tables[opened.layout[name]], opened.tensors[name]
        check(table, tensors, component.shapes, f"{name} of {path}", _ignored(component))
    channels = {name: c.config for name, c in opened.components.items()}
    width, wanted = channels["text_encoder"]["hidden_size"], channels["unet"]["cross_attention_dim"]
    if width != wanted:
        raise UserError(
            f"{path}: the text encoder gives {width} features and the U-Net reads {wanted}: they do"
            " not belong together"
        )
    return opened


def read(opened: Opened, dtype=jnp.float32) -> Variables:
    """The parameters of the three networks, as arrays on the host."""
    params = {}
    for name, component in opened.components.items():
        table = component.tables[opened.layout[name]]
        what = f"{name} of {opened.path}"
        params[name] = assign(
            table, opened.tensors[name], component.shapes, what, _ignored(component), dtype
        )
    return Variables(params)


def _ignored(component: Component) -> tuple[str, ...]:
    """Names that are left out on purpose."""
    if component.network.name != "text_encoder":
        return layouts.IGNORED
    # OpenCLIP's last block is in the file, but the penultimate state is what is read.
    last = component.network.module.layers
    return (
        *layouts.IGNORED, rf"{re.escape(layouts.TEXT)}model\.transformer\.resblocks\.{last}\..*"
    )  # fmt: skip


def _open_folder(path: Path, dtype, architecture: str) -> Opened:
    if architecture:
        raise UserError(f"architecture is for a single file: {path} is a folder and has its own")
    components, tensors, layout = {}, {}, {}
    for name, make in NETWORKS.items():
        component = make(_json(path / name / "config.json", path, name), dtype, f"{path}/{name}")
        files = [path / name / file for file in FILES if (path / name / file).is_file()]
        if not files:
            raise UserError(f"{path / name} holds no weights: {FILES[0]} or {FILES[1]} is missing")
        components[name], tensors[name] = component, open_weights(files[0])
        layout[name] = layout_of(component.tables, tensors[name])
    scheduler = _json(path / "scheduler" / "scheduler_config.json", path, "scheduler")
    return Opened(path, components, tensors, layout, scheduler, _folder_tokenizer(path, components))


def _json(file: Path, path: Path, name: str) -> Config:
    """A configuration of a folder's part. Raises UserError if the folder has no such part."""
    if not file.is_file():
        raise UserError(
            f"{path} has no {name}: {file.relative_to(path)} is missing, and a folder in diffusers'"
            " layout holds text_encoder, unet, vae, scheduler and tokenizer"
        )
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{file} is broken: {error}") from None


def _folder_tokenizer(path: Path, components) -> Callable[[], tokenizers.Tokenizer]:
    def tokenizer():
        folder = path / "tokenizer"
        if not folder.is_dir():
            raise UserError(f"{path} has no tokenizer: vocab.json and merges.txt are missing")
        vocabulary = tokenizers.read_vocabulary(folder)
        padding = vocabulary.numbers.get(_padding_symbol(folder))
        return tokenizers.clip(vocabulary, "transformers", padding, _length(components))

    return tokenizer


def _padding_symbol(folder: Path) -> str | None:
    """What the tokenizer's own settings pad with: the end in 1.x, "!" in 2.x."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            found = _json(folder / name, folder, name).get("pad_token")
            found = found.get("content") if isinstance(found, dict) else found
            if found:
                return found
    return None


def _length(components) -> int:
    return components["text_encoder"].network.module.length


def _open_file(path: Path, dtype, architecture: str) -> Opened:
    tensors = split_joint(open_weights(path))
    for name, prefix in PREFIXES.items():
        if not any(tensor.startswith(prefix) for tensor in tensors):
            raise UserError(
                f"{path} has no {name} ({prefix}...): it is no original checkpoint of Stable"
                f" Diffusion 1.x or 2.x; it holds {', '.join(sorted(tensors)[:2])}, ..."
            )
    known = re.compile("|".join(layouts.IGNORED))
    rest = [n for n in tensors if not n.startswith(tuple(PREFIXES.values()))]
    if strange := [name for name in rest if not known.fullmatch(name)]:
        raise UserError(
            f"{path} holds {len(strange)} tensors of another network, such as {strange[0]}"
        )
    configs, scheduler, second = _configs(path, tensors, architecture)
    components = {
        name: NETWORKS[name](config, dtype, f"{path}: {name}") for name, config in configs.items()
    }
    own = {
        name: {t: x for t, x in tensors.items() if t.startswith(PREFIXES[name])}
        for name in components
    }
    layout = {name: layout_of(c.tables, own[name]) for name, c in components.items()}
    if architecture and (Path(architecture) / "tokenizer").is_dir():
        tokenizer = _folder_tokenizer(Path(architecture), components)
    else:
        tokenizer = _published_tokenizer(components, second)
    return Opened(path, components, own, layout, scheduler, tokenizer)


def _published_tokenizer(components, second: bool) -> Callable[[], tokenizers.Tokenizer]:
    def tokenizer():
        vocabulary, padding = tokenizers.published_vocabulary(), 0 if second else None
        return tokenizers.clip(vocabulary, "transformers", padding, _length(components))

    return tokenizer


def _configs(path: Path, tensors: Tensors, architecture: str):
    """Each network's configuration, the scheduler's, and whether it is version 2.x."""
    if architecture:
        folder = Path(architecture).expanduser()
        configs = {name: _json(folder / name / "config.json", folder, name) for name in NETWORKS}
        scheduler = _json(folder / "scheduler" / "scheduler_config.json", folder, "scheduler")
        return configs, scheduler, configs["text_encoder"].get("hidden_act") == "gelu"
    outer = tensors.get(f"{layouts.UNET}input_blocks.0.0.weight")
    cross = f"{layouts.UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    width = tensors[cross].shape[-1] if cross in tensors else None
    if outer is None or width not in (768, 1024):
        raise UserError(
            f"{path} is of another architecture: the U-Net of Stable Diffusion 1.x reads 768"
            f" features of the text, that of 2.x 1024, and this one {width} (architecture=DIR names"
            " a folder with its config.json files)"
        )
    second = width == 1024
    text, unet = (
        (networks.SD2_TEXT, networks.SD2_UNET) if second else (networks.SD1_TEXT, networks.SD1_UNET)
    )
    unet = unet | {"in_channels": outer.shape[1]}
    scheduler = dict(SCHEDULER)
    if second:
        scheduler["prediction_type"] = "v_prediction"
        note(
            f"{path} does not say what its network predicts: v is taken, as in 2.x at 768 pixels;"
            " the base model at 512 needs --config.prediction=noise"
        )
    return {"text_encoder": text, "unet": unet, "vae": networks.VAE}, scheduler, second
