"""Where Inception's weights are found, how they are checked, and what they become.

They are looked for at a given path, then at the one in $GM_JAX_INCEPTION, then in the cache. A file
is accepted by its hash; a metric is called FID only with weights that are known to be Inception's.
"""

import hashlib
import os
import tempfile
import urllib.request
import zipfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
from flax import traverse_util
from safetensors.numpy import load_file

from gm_jax.cache import cache_directory
from gm_jax.evaluation import inception
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.pth import read_pth
from gm_jax.fingerprint import fingerprint

VARIABLE = "GM_JAX_INCEPTION"
OFFICIAL = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{OFFICIAL}"
OFFICIAL_SHA256 = "6726825d"  # how it begins: the file is named after it
# Fingerprints of the same network as others have kept it: folded, up to Mixed_6e.
KNOWN = {"f72f14ae9ad3e048": "folded, up to Mixed_6e"}
BATCH_NORM_EPSILON = 1e-3


class Weights(NamedTuple):
    """Inception's parameters, folded.

    name         "inception" where they are known to be its own, else "inception_<hash>"
    fingerprint  hash of the parameters, whatever file they came in
    layers       {layer: dimension}: what they reach
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
    download  fetch the official file into the cache where nothing is found

    Raises EvaluationError, which says where it looked, what was expected and what to do.
    """
    path = _find(path, download)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    official = digest.startswith(OFFICIAL_SHA256)
    stated = bool(sha256) and len(sha256) >= 8 and digest.startswith(sha256.lower())
    if sha256 and not stated:
        raise EvaluationError(f"{path} has the sha256 {digest}, not {sha256} as stated")
    if path.suffix == ".pth" and not (official or stated):
        raise EvaluationError(_unknown(path, digest))
    params = _params(_read(path), path)
    mark = fingerprint(params)
    if not (official or stated or mark in KNOWN):
        raise EvaluationError(_unknown(path, digest))
    name = "inception" if official or mark in KNOWN else f"inception_{digest[:8]}"
    return Weights(name, mark, _served(params), params)


def _find(path, download: bool) -> Path:
    cached = cache_directory() / OFFICIAL
    path = Path(path or os.environ.get(VARIABLE) or cached)
    if path.is_file():
        return path
    if download and path == cached:
        return _download(cached)
    raise EvaluationError(
        f"no Inception weights at {path}; FID needs {OFFICIAL} (sha256 {OFFICIAL_SHA256}...): "
        f"download {URL} and give its path, or set {VARIABLE}, or allow the download"
    )


def _download(target: Path) -> Path:
    """Fetches the official file, and keeps it only if its hash is right."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(URL, timeout=60) as response:
            data = response.read()
    except OSError as error:
        raise EvaluationError(
            f"{URL} could not be downloaded ({error}): fetch it by hand to {target}"
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    if not digest.startswith(OFFICIAL_SHA256):
        raise EvaluationError(f"{URL} gave the sha256 {digest}, expected {OFFICIAL_SHA256}...")
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(data)
    os.replace(file.name, target)
    return target


def _unknown(path: Path, digest: str) -> str:
    return (
        f"{path} is not Inception's known weights: its sha256 is {digest}, {OFFICIAL} begins with "
        f"{OFFICIAL_SHA256} (truncated or altered?); if you trust it, state its sha256, and "
        "distances will be named after it instead of FID"
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".pth":
        return read_pth(path)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return dict(file)
        if path.suffix == ".safetensors":
            return load_file(path)
    except (
        OSError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        safetensors.SafetensorError,
    ) as error:
        raise EvaluationError(f"{path} is broken or truncated: {error}") from None
    raise EvaluationError(f"{path}: weights come as .pth, .npz or .safetensors")


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
