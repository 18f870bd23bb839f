"""Published weights of VGG, AlexNet and SqueezeNet, and the heads that LPIPS learned on them.

The networks are `nn/backbones.py`; their files are torchvision's state dicts. The heads come with
the library (LICENSE.lpips).
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gm_jax.errors import UserError
from gm_jax.model import PyTree
from gm_jax.weights.assigning import assign, torch_names
from gm_jax.weights.assigning import check as check_names
from gm_jax.weights.published import Published, check, find, unknown
from gm_jax.weights.reading import open_weights


def _published(network: str, file: str, sha256: str) -> Published:
    return Published(
        name=network, needed_for="a distance of its features, such as LPIPS,", file=file,
        url="", sha256=sha256, variable=f"GM_JAX_{network.upper()}", kind="weights of torchvision",
    )  # fmt: skip


# torchvision names its files after their hash.
PUBLISHED = {
    "vgg16": _published("vgg16", "vgg16-397923af.pth", "397923af"),
    "vgg19": _published(
        "vgg19", "vgg19-dcbb9e9d.pth",
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
    ),
    "alexnet": _published("alexnet", "alexnet-owt-7be5be79.pth", "7be5be79"),
    "squeezenet": _published("squeezenet", "squeezenet1_1-b8a52dc0.pth", "b8a52dc0"),
}  # fmt: skip
HEADS = {"vgg16": "vgg", "alexnet": "alex", "squeezenet": "squeeze"}  # {network: their prefix}
IGNORED = (r"classifier\..*",)


class Opened(NamedTuple):
    """A file of weights, all names and shapes checked, nothing read.

    name  the network's, with the hash of its file if it is not the published one
    read  () -> the parameters, arrays on the host
    """

    name: str
    sha256: str
    read: Callable[[], PyTree]


def open_backbone(network: str, shapes: PyTree, path: str = "", sha256: str = "") -> Opened:
    """The published weights of one of `PUBLISHED`.

    shapes  of the network's parameters
    path    the file; by default where the environment variable says, else in the cache
    sha256  its hash as you state it, for a file that is not the published one
    Raises UserError, in one line, if it is not there, not known, or of another network.
    """
    published = PUBLISHED[network]
    file = find(published, Path(path).expanduser() if path else None)
    digest, official, stated = check(published, file, sha256 or None)
    name = network if official else f"{network}_{digest[:8]}"
    if not (official or stated):
        raise unknown(published, file, digest, "what is measured with it is named after it")
    tensors, what = open_weights(file), f"{network} of {file}"
    table = torch_names(shapes)
    check_names(table, tensors, shapes, what, IGNORED)
    return Opened(name, digest, lambda: assign(table, tensors, shapes, what, IGNORED))


def lpips_heads(network: str) -> tuple[np.ndarray, ...]:
    """The weights of each layer's channels, float32 [C], none negative. Raises UserError if none.

    Zhang et al. 2018 (arXiv 1801.03924), version 0.1 ("lin").
    """
    if network not in HEADS:
        raise UserError(
            f"LPIPS has no heads for {network}: choose {', '.join(HEADS)}, or distance=plain"
        )
    with np.load(Path(__file__).parent / "lpips_v0.1_heads.npz") as file:
        count = sum(name.startswith(f"{HEADS[network]}.") for name in file)
        return tuple(file[f"{HEADS[network]}.lin{number}"] for number in range(count))
