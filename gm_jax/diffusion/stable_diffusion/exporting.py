"""A fine-tuned U-Net as files that other tools read, in the layout that it came in."""

import shutil
from pathlib import Path

from safetensors.numpy import save_file

from gm_jax import outputs
from gm_jax.diffusion.stable_diffusion import files, tuning
from gm_jax.diffusion.stable_diffusion.system import STAGE, Settings
from gm_jax.errors import UserError
from gm_jax.model import Variables
from gm_jax.settings import read
from gm_jax.weights import export as by_name
from gm_jax.weights import open_weights

LORA = "pytorch_lora_weights.safetensors"


def export(trained, path: str | Path, merge: bool = True) -> Path:
    """Writes a run's U-Net to `path`: a folder as the weights' own, or a .safetensors file.

    merge  of train=lora: False writes the updates alone, as diffusers' load_lora_weights reads them
    Everything else is copied. Returns the path. Raises UserError if something is there already.
    """
    settings, path = read(Settings, trained.config), Path(path).expanduser()
    if path.exists():
        raise UserError(f"{path} exists: choose another path to export to")
    opened = files.open_published(settings.weights, architecture=settings.architecture)
    component, variables = opened.components["unet"], trained.variables
    outputs.check(path, "choose another path to export to")
    if not merge:
        diffusers = component.tables["diffusers"]
        lora = variables.params["lora"]
        path.mkdir(parents=True)
        save_file(tuning.lora_tensors(lora, settings.lora.scale, diffusers), path / LORA)
        return path
    table = component.tables[opened.layout["unet"]]
    tensors = by_name(table, _unet(settings, variables))
    stored = opened.tensors["unet"]
    tensors = {name: values.astype(stored[name].dtype) for name, values in tensors.items()}
    if opened.path.is_dir():
        weights = shutil.ignore_patterns(*files.FILES, "*-of-*")
        shutil.copytree(opened.path, path, ignore=lambda folder, names: (
            weights(folder, names) if Path(folder).name == "unet" else set()
        ))  # fmt: skip
        save_file(tensors, path / "unet" / files.FILES[0])
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    everything = open_weights(opened.path)
    whole = {name: tensors.get(name) for name in everything}
    save_file(
        {n: everything[n].load() if x is None else x for n, x in whole.items()}, path
    )  # fmt: skip
    return path


def _unet(settings: Settings, variables: Variables):
    base = variables.frozen[STAGE].params["unet"]
    if settings.train == "unet":
        return variables.params["unet"]
    if settings.train == "lora":
        return tuning.merged(base, variables.params["lora"], settings.lora.scale)
    return base
