"""A run's generator and discriminator in a file, by the authors' names."""

from pathlib import Path

import jax
import numpy as np
from safetensors.numpy import save_file

from gm_jax import outputs
from gm_jax.adversarial.stylegan2.published import PREFIXES, noise_names
from gm_jax.errors import UserError
from gm_jax.weights import export as by_name
from gm_jax.weights.stylegan2 import table


def export(trained, path: str | Path) -> Path:
    """Writes `path`, a .safetensors or .npz: "G_ema...." and "D....", as the authors lay them out.

    `--config.weights=path` opens it again. Returns the path. Raises UserError if something is there
    already, or for another suffix.
    """
    path = Path(path).expanduser()
    if path.suffix not in (".safetensors", ".npz"):
        raise UserError(f"{path}: networks are exported as .safetensors or .npz")
    if path.exists():
        raise UserError(f"{path} exists: choose another path to export to")
    outputs.check(path, "choose another path to export to")
    params, state = jax.device_get((trained.variables.params, trained.variables.state))
    tensors = {}
    for tree, prefix in PREFIXES.items():
        owner = "D" if tree == "discriminator" else "G_ema"
        own = by_name(table(params[tree], prefix), params[tree])
        tensors |= {f"{owner}.{name}": x for name, x in own.items()}
    side = max(x.shape[1] for x in state["noise"])
    for name, x in zip(noise_names(side), state["noise"], strict=True):
        tensors[f"G_ema.{name}"] = np.array(x[0, :, :, 0], order="C")
    tensors["G_ema.mapping.w_avg"] = np.asarray(state["w_average"])
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        np.savez(path, **tensors)
    else:
        save_file(tensors, path)
    return path
