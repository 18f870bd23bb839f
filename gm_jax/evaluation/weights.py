"""Inception's weights: recognised by their hash, and folded.

A metric is called FID only if the weights are known to be Inception's.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from gm_jax import weights
from gm_jax.evaluation import inception
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.fingerprint import fingerprint

_FILE = "pt_inception-2015-12-05-6726825d.pth"
OFFICIAL = weights.Published(
    name="Inception",
    needed_for="FID",
    file=_FILE,
    url=f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{_FILE}",
    sha256="6726825d",  # the file is named after it
    variable="GM_JAX_INCEPTION",
)
# Fingerprints of the same network from other sources.
KNOWN = {"f72f14ae9ad3e048": "folded, up to Mixed_6e"}
BATCH_NORM_EPSILON = 1e-3


class Weights(NamedTuple):
    """Inception's parameters, folded.

    name         "inception" if they are known to be Inception's, else "inception_<hash>"
    fingerprint  hash of the parameters, independent of the file
    layers       {layer: dimension} that they reach
    params       {block: {branch: {"kernel", "bias"}}}, as `inception.InceptionV3` takes them
    """

    name: str
    fingerprint: str
    layers: dict[str, int]
    params: Any


def load_inception(path=None, sha256: str | None = None, download: bool = False) -> Weights:
    """Reads Inception's weights from a .pth, .npz or .safetensors.

    path      the file; by default $GM_JAX_INCEPTION, else the official file in the cache
    sha256    the file's hash as you state it: accepts weights that are not known here, whose
              distances are then not called FID
    download  download the official file into the cache if no file is found

    Raises UserError that says where it looked, what it expected and what to do.
    """
    path = weights.find(OFFICIAL, path, download)
    digest, official, stated = weights.check(OFFICIAL, path, sha256)
    trusted = official or stated
    unknown = weights.unknown(
        OFFICIAL, path, digest, "distances will be named after it instead of FID"
    )
    if path.suffix == ".pth" and not trusted:
        raise unknown
    params = _params(weights.read(path), path)
    mark = fingerprint(params)
    if not (trusted or mark in KNOWN):
        raise unknown
    name = "inception" if official or mark in KNOWN else f"inception_{digest[:8]}"
    return Weights(name, mark, _served(params), params)


@cache
def parameter_shapes(layer: str) -> dict[tuple[str, ...], tuple[int, ...]]:
    """The parameters that a layer needs: {path in the tree: shape}."""
    net = inception.InceptionV3(layers=(layer,))
    image = jax.ShapeDtypeStruct((1, 299, 299, 3), jnp.float32)
    tree = jax.eval_shape(net.init, jax.random.key(0), image)["params"]
    return {key: leaf.shape for key, leaf in traverse_util.flatten_dict(tree).items()}


def _served(params) -> dict[str, int]:
    have = set(traverse_util.flatten_dict(params))
    return {n: d for n, d in inception.LAYERS.items() if have >= set(parameter_shapes(n))}


def _params(tensors: dict[str, np.ndarray], path: Path):
    """Tensors under the official file's names, or folded ones, as the network's parameters."""
    if any(name.startswith("AuxLogits") for name in tensors):
        raise EvaluationError(
            f"{path} is torchvision's Inception v3: another network, whose distances are not FID"
        )
    present = {
        name.rpartition(".")[0].removesuffix(".conv").removesuffix(".bn") for name in tensors
    }
    shapes = {
        key[:-1]: shape for key, shape in parameter_shapes("logits").items() if key[-1] == "kernel"
    }
    flat = {}
    for key, shape in shapes.items():
        name = ".".join(key)
        if name not in present:
            continue
        try:
            kernel, bias = _folded(tensors, name)
        except KeyError as error:
            raise EvaluationError(f"{path} lacks {error.args[0]}") from None
        if kernel.shape != shape or bias.shape != shape[-1:]:
            raise EvaluationError(f"{path}: {name} is {kernel.shape}, expected {shape}")
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise EvaluationError(f"{path}: {name} holds NaN or infinity")
        flat[(*key, "kernel")], flat[(*key, "bias")] = kernel, bias
    params = traverse_util.unflatten_dict(flat)
    if not _served(params):
        raise EvaluationError(f"{path} holds no layers of Inception that features can be made of")
    return params


def _folded(tensors, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Kernel [kh, kw, in, out] and bias [out] with any batch normalisation folded in, float32.

    gamma (w x - mean) / sqrt(var + eps) + beta is a convolution with w gamma / sqrt(var + eps).
    """
    if name == "fc" and "fc.weight" in tensors:
        kernel, bias = tensors["fc.weight"].T[None, None], tensors["fc.bias"]
    elif f"{name}.kernel" in tensors:
        kernel, bias = tensors[f"{name}.kernel"], tensors[f"{name}.bias"]
    else:
        weight = tensors[f"{name}.conv.weight"].astype(np.float64).transpose(2, 3, 1, 0)
        gamma, beta, mean, variance = (
            tensors[f"{name}.bn.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        kernel, bias = weight * scale, beta - mean * scale
    return np.ascontiguousarray(kernel, np.float32), np.ascontiguousarray(bias, np.float32)
