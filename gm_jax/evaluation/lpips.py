"""LPIPS of pairs of images. Zhang et al. 2018 (arXiv 1801.03924), version 0.1.

Images are seen as they are, without a resize; grey ones as three equal channels. The number is
called LPIPS only with torchvision's published weights.
"""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.protocols import Protocol
from gm_jax.losses.perceptual import feature_distance
from gm_jax.model import PyTree
from gm_jax.nn import backbones
from gm_jax.nn.backbones import Backbone
from gm_jax.weights.backbones import HEADS, lpips_heads, open_backbone

NETWORKS = tuple(HEADS)
PROTOCOL = Protocol("lpips_v0.1", "none", "x/127.5-1, less ImageNet's mean", grey="repeat")


class Lpips(NamedTuple):
    """A network with its heads.

    name     lpips_NETWORK, with the file's hash if it is not the published one
    network  one of `NETWORKS`
    weights  the sha256 of its file
    params   its parameters
    """

    name: str
    network: str
    weights: str
    params: PyTree


def load_lpips(network: str = "alexnet", path: str = "", sha256: str = "") -> Lpips:
    """Reads the network's published weights; `path` and `sha256` as `open_backbone` takes them.

    Raises UserError that says which file is missing and where it looked.
    """
    layers = backbones.NETWORKS[network]
    whole = Backbone(layers, backbones.names(layers)[-1:])
    shapes = jax.eval_shape(whole.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))["params"]
    opened = open_backbone(network, shapes, path, sha256)
    return Lpips(f"lpips_{opened.name}", network, opened.sha256, opened.read())


def distances(lpips: Lpips, a: np.ndarray, b: np.ndarray, batch_size: int = 16) -> np.ndarray:
    """LPIPS of uint8 images [N, H, W, 1 or 3] and [N, H, W, 1 or 3], [N]; 0 for equal ones.

    Raises EvaluationError unless both are uint8, of one shape and at least one pair.
    """
    for x in (a, b):
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[-1] not in (1, 3):
            raise EvaluationError(
                f"LPIPS takes uint8 images [N, H, W, 1 or 3], not {x.dtype} {x.shape}"
            )
    if a.shape[:3] != b.shape[:3] or not len(a):
        raise EvaluationError(f"LPIPS takes pairs of images, not {a.shape} and {b.shape}")
    program = _program(lpips.network)
    rows = [slice(n, n + batch_size) for n in range(0, len(a), batch_size)]
    return np.concatenate([np.asarray(program(lpips.params, a[row], b[row])) for row in rows])


@cache
def _program(network: str):
    layers, heads = backbones.LPIPS[network], lpips_heads(network)
    module = Backbone(backbones.NETWORKS[network], layers, precision="highest")

    def maps(params, images):
        found = module.apply({"params": params}, backbones.normalized(images / 127.5 - 1.0))
        return [found[layer] for layer in layers]

    return jax.jit(lambda params, a, b: feature_distance(maps(params, a), maps(params, b), heads))
