"""Published networks: the authors' pickles, with their sizes, or files that `export` wrote."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.adversarial.stylegan2 import networks
from gm_jax.adversarial.stylegan2.networks import Networks
from gm_jax.adversarial.stylegan2.settings import Settings
from gm_jax.errors import UserError
from gm_jax.model import Variables
from gm_jax.nn.stylegan2 import noise_sides
from gm_jax.weights import Tensors, assign, open_weights
from gm_jax.weights.assigning import check
from gm_jax.weights.network_pickle import Module, open_modules, tensors
from gm_jax.weights.stored import below
from gm_jax.weights.stylegan2 import IGNORED, table

# Options of the authors' classes that no published network has otherwise.
USUAL = {
    "activation": "lrelu", "resample_filter": [1, 3, 3, 1], "use_noise": True,
    "lr_multiplier": 0.01,
}  # fmt: skip
PREFIXES = {"mapping": "mapping.", "synthesis": "synthesis.", "discriminator": ""}


class Opened(NamedTuple):
    """A file's networks, whose names and shapes fit.

    settings  the recipe's, with the file's sizes if it states them
    read      () -> variables: G and D as they were trained on, G's average, and the state
    """

    settings: Settings
    nets: Networks
    read: Callable[[], Variables]


def open_published(settings: Settings) -> Opened:
    """Opens `settings.weights`, and checks every name and shape.

    Raises UserError, in one line, if it is of another network or no such file.
    """
    path = Path(settings.weights).expanduser()
    if path.suffix == ".pkl":
        modules = open_modules(path)
        settings, shape, classes = _sizes(settings, modules, path)
        files = {name: tensors(module) for name, module in modules.items()}
    else:
        everything = open_weights(path)
        files = {name: below(everything, f"{name}.") for name in ("G", "G_ema", "D")}
        shape, classes = _shape(files["G_ema"], path)
    nets = networks.make(settings, shape, classes)
    shapes = jax.eval_shape(functools.partial(networks.init, nets), jax.random.key(0)).params
    for name, tree in (("G_ema", "mapping"), ("G_ema", "synthesis"), ("D", "discriminator")):
        own = _part(files.get(name) or {}, tree)
        if own or name == "G_ema":
            where = f"{tree} of {path}"
            check(table(shapes[tree], PREFIXES[tree]), own, shapes[tree], where, IGNORED)
    return Opened(settings, nets, lambda: _read(nets, shapes, files, path))


def _part(found: Tensors, tree: str) -> Tensors:
    """The tensors of one of our networks, without the buffers."""
    own = {n: x for n, x in found.items() if n.startswith(PREFIXES[tree])}
    return {n: x for n, x in own.items() if not n.endswith(("noise_const", "w_avg"))}


def _sizes(settings: Settings, modules: dict[str, Module], path: Path):
    """The recipe's settings with the sizes of a pickle's networks; an image's shape; classes.

    Raises UserError if G_ema is no generator of StyleGAN2-ADA.
    """
    generator, critic = modules["G_ema"].state, modules.get("D")
    try:
        own = generator["_init_kwargs"]
        synthesis, mapping = own.get("synthesis_kwargs", {}), own.get("mapping_kwargs", {})
        _check_usual({**synthesis, **mapping}, path)
        side, channels = int(own["img_resolution"]), int(own["img_channels"])
        player = dataclasses.replace(
            settings.generator, latents=int(own["z_dim"]), styles=int(own["w_dim"]),
            mapping=int(mapping.get("num_layers", 8)), **_widths(synthesis),
            architecture=synthesis.get("architecture", "skip"),
        )  # fmt: skip
        other = settings.discriminator
        if critic is not None:
            kwargs = critic.state["_init_kwargs"]
            last = kwargs.get("epilogue_kwargs", {})
            other = dataclasses.replace(
                other, architecture=kwargs.get("architecture", "resnet"), **_widths(kwargs),
                group=int(last.get("mbstd_group_size", 4) or 0),
                deviations=int(last.get("mbstd_num_channels", 1)),
                mapping=int(kwargs.get("mapping_kwargs", {}).get("num_layers", 8)),
            )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} does not state the sizes of its networks: {error}") from None
    changed = dataclasses.replace(settings, generator=player, discriminator=other)
    return changed, (side, side, channels), int(own.get("c_dim", 0))


def _check_usual(kwargs, path: Path) -> None:
    """Raises UserError if networks have options that are not built here."""
    for name, usual in USUAL.items():
        if kwargs.get(name) not in (None, usual):
            raise UserError(f"{path}: its networks have {name}={kwargs[name]}, not {usual}")


def _widths(kwargs) -> dict:
    return {
        "base": int(kwargs.get("channel_base", 32768)),
        "most": int(kwargs.get("channel_max", 512)),
        "clamp": kwargs.get("conv_clamp"),
    }


def _shape(found: Tensors, path: Path):
    """An image's shape, and the number of classes, of tensors by the authors' names."""
    sides = [int(n.split(".")[1][1:]) for n in found if n.endswith("conv1.weight")]
    if not sides:
        raise UserError(f"{path} holds no G_ema.synthesis: `export` writes such files")
    last = found[f"synthesis.b{max(sides)}.torgb.weight"]
    embed = found.get("mapping.embed.weight")
    return (max(sides), max(sides), last.shape[0]), embed.shape[1] if embed else 0


def _read(nets: Networks, shapes, files, path: Path) -> Variables:
    def part(name, tree):
        own = _part(files[name], tree)
        where = f"{tree} of {path}"
        return assign(table(shapes[tree], PREFIXES[tree]), own, shapes[tree], where, IGNORED)

    average = {tree: part("G_ema", tree) for tree in ("mapping", "synthesis")}
    raw = {tree: part("G", tree) for tree in average} if files.get("G") else average
    critic = {"discriminator": part("D", "discriminator")} if files.get("D") else {}
    held, names = files["G_ema"], noise_names(nets.shape[0])
    noise = [np.float32(held[name].load())[None, :, :, None] for name in names]
    state = {"noise": noise, "w_average": np.float32(held["mapping.w_avg"].load())}
    return Variables({**raw, **critic}, state, average={"generator": average})


def noise_names(resolution: int) -> list[str]:
    """The authors' names of the constant noise maps, in order."""
    sides = noise_sides(resolution)
    numbers = [int(i == 0 or sides[i - 1] == side) for i, side in enumerate(sides)]
    return [
        f"synthesis.b{side}.conv{number}.noise_const"
        for side, number in zip(sides, numbers, strict=True)
    ]


def begun(fresh: Variables, previous: Variables) -> Variables:
    """Fresh variables with what a file holds in their place."""
    params, state = jax.tree.map(jnp.asarray, (previous.params, previous.state))
    return fresh._replace(params={**fresh.params, **params}, state={**fresh.state, **state})
