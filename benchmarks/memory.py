"""What the variables of a published configuration take on a device, from their shapes alone.

    python benchmarks/memory.py [--devices=8] [--names=adm,dit]

Nothing is computed or allocated. Prints a table in Markdown, in GB of 10^9 bytes:

    parameters, optimizer, averages, frozen   what these take whole, with the state in parameters
    gradients                                 of the player that owns most
    copied                                    all of that: `parallel=pmap`, or one device
    split                                     `parallel=optimizer` on so many devices
    fits                                      the smallest accelerator that holds either

Activations come on top: they grow with the examples of a device, and are not counted.
"""

import argparse
import functools
import math
import os
from collections.abc import Iterator

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax

import gm_jax
from gm_jax import games, run
from gm_jax.diffusion.stable_diffusion import networks, tuning
from gm_jax.model import Aux, GenerativeModel, Phase, Stage, Variables
from gm_jax.optimizers import adam
from gm_jax.training import loop, sharding, state

CARDS = (16, 24, 40, 80)
PICTURES = dict(name="blank", path="", channels=3, flip=False)
# {row: (recipe, how it is given blank pictures of the size of its own)}
RECIPES = {
    "ddpm: DDPM, CIFAR-10": ("ddpm_cifar10", dict(size=32)),
    "adm: ADM, ImageNet 64": ("adm_imagenet64", dict(size=64, classes=1000)),
    "biggan: BigGAN, ImageNet 128": ("biggan_fashion:published", dict(size=128, classes=1000)),
    "deep: BigGAN-deep, ImageNet 128": ("biggan_fashion:deep", dict(size=128, classes=1000)),
    "dit: DiT-XL/2, ImageNet 256": ("dit_imagenet", dict(size=256, classes=1000)),
}
STABLE_DIFFUSION = {
    "1": (networks.SD1_TEXT, networks.SD1_UNET),
    "2": (networks.SD2_TEXT, networks.SD2_UNET),
}


def phases_of(recipe: str, pictures: dict) -> Iterator[tuple[Phase, Variables]]:
    """The phases of a recipe with the shapes of their variables."""
    name, _, variant = recipe.partition(":")
    config = gm_jax.load_config(f"configs/{name}.py:{variant}".removesuffix(":"))
    for part in (config, *(s for s in config.stages.values() if not isinstance(s, str))):
        with part.unlocked():
            part.batch_size = 8
            part.data.update({**PICTURES, **pictures})
    ended = {}
    for own, phases in run.plan(config):
        for phase in phases:
            phase = run.with_stages(phase, ended)
            batches = run.batches_of(phase, own, slice(0, 8))
            shapes = outline(phase, functools.partial(loop.fresh, phase, batches, 0, None))
            averaged = functools.partial(state.averaged, phase.model)
            ended[phase.name] = jax.eval_shape(averaged, shapes)
            yield phase, shapes


def outline(phase: Phase, begin) -> Variables:
    """The shapes of a phase's variables before its first move."""
    return jax.eval_shape(begin)._replace(frozen=state.frozen(phase))


def stable_diffusion(version: str, train: str) -> tuple[Phase, Variables]:
    """Fine-tuning of Stable Diffusion, as its recipe does it, without its files."""
    text, unet = STABLE_DIFFUSION[version]
    configs = {"text_encoder": text, "unet": unet, "vae": networks.VAE}
    shapes = {name: networks.NETWORKS[name](c, "float32").shapes for name, c in configs.items()}
    trained = shapes["unet"]
    if train == "lora":
        key = jax.random.key(0)
        trained = jax.eval_shape(lambda: tuning.init_lora(key, shapes["unet"], 4))
    stage = Stage(GenerativeModel(None, (), {}), Variables(shapes))
    own = argparse.Namespace(optimizer=adam(1e-5))
    player = games.player("denoiser", (train,), {"l_simple": lambda *_: (0.0, Aux())}, own)

    def begin():
        params = {train: jax.tree.map(lambda x: jax.numpy.zeros(x.shape, x.dtype), trained)}
        return Variables(params, opt={player.name: player.optimizer.init(params)})

    phase = Phase("train", GenerativeModel(None, (player,), {}), {}, 1, {"published": stage})
    return phase, outline(phase, begin)


def gigabytes(tree, count: int = 1) -> float:
    """What a device holds of a tree that is split over `count` devices."""

    def own(x):
        split = count > 1 and sharding.share(x.shape, count) != sharding.WHOLE
        return math.prod(x.shape) * x.dtype.itemsize / (count if split else 1)

    return sum(map(own, jax.tree.leaves(tree))) / 1e9


def row(phase: Phase, variables: Variables, devices: int) -> dict:
    """One configuration's figures."""
    found = {
        "parameters": gigabytes((variables.params, variables.state)),
        "gradients": max(
            gigabytes([variables.params[name] for name in player.owns])
            for player in phase.model.players
        ),
        "optimizer": gigabytes(variables.opt),
        "averages": gigabytes(variables.average),
        "frozen": gigabytes(variables.frozen),
    }
    copied = sum(found.values())
    split = copied - found["optimizer"] - found["averages"]
    split += gigabytes((variables.opt, variables.average), devices)
    found |= {"copied": copied, "split": split}
    return found | {"fits": " / ".join(map(card, (copied, split)))}


def card(size: float) -> str:
    """The smallest accelerator that holds so many GB, or "none"."""
    return next((f"{c} GB" for c in CARDS if size < c), "none")


def main(devices: int, names: str):
    heads = [
        "parameters",
        "gradients",
        "optimizer",
        "averages",
        "frozen",
        "copied",
        "split",
        "fits",
    ]
    print(f"| configuration | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")

    def show(name, phase, variables):
        cells = row(phase, variables, devices).values()
        cells = [c if isinstance(c, str) else f"{c:.2f}" for c in cells]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)

    chosen = tuple(filter(None, names.split(",")))
    for key, (recipe, pictures) in RECIPES.items():
        short, _, name = key.partition(": ")
        if not chosen or short in chosen:
            for phase, variables in phases_of(recipe, pictures):
                own = "" if phase.name == "train" else f", its stage `{phase.name}`"
                show(name + own, phase, variables)
    for version in STABLE_DIFFUSION if not chosen or "sd" in chosen else ():
        for train in ("unet", "lora"):
            show(f"Stable Diffusion {version}, `:{train}`", *stable_diffusion(version, train))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--names", default="", help="of rows, as ddpm,adm,biggan,deep,dit,sd")
    main(**vars(parser.parse_args()))
