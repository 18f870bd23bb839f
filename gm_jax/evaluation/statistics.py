"""The statistics of one set of images after a pass over it, and their file."""

import json
import zipfile
from typing import NamedTuple

import numpy as np

from gm_jax import outputs
from gm_jax.evaluation.distances import checked_gaussian
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.inception import LAYERS
from gm_jax.evaluation.moments import Moments
from gm_jax.evaluation.protocols import Protocol, Provenance, from_json, to_json

_FORMAT = "gm_jax statistics 1"


class Statistics(NamedTuple):
    """One set of images under one protocol.

    n            number of images; None if a foreign file does not say
    gaussians    {layer: (mean [d], covariance [d, d])}, float64
    groups       {layer: the moments of every tenth image}, for uncertainty; may be empty
    features     {layer: float32 [n, d]}, if kept
    score        the Inception score's mean and standard deviation
    ssim         mean MS-SSIM of pairs, and their number
    patches      {side: float32 [.., C, 49]} for the sliced Wasserstein distance; not saved
    """

    provenance: Provenance
    n: int | None
    gaussians: dict[str, tuple[np.ndarray, np.ndarray]]
    groups: dict[str, tuple[Moments, ...]] = {}
    features: dict[str, np.ndarray] = {}
    score: tuple[float, float] | None = None
    ssim: tuple[float, int] | None = None
    patches: dict[int, np.ndarray] = {}


def save(statistics: Statistics, path) -> None:
    """Writes all but the patches to an npz, whole or not at all.

    Gaussians are float64; the groups, which only the uncertainty uses, float32. One half of each
    symmetric matrix is saved.
    """
    head = {
        "format": _FORMAT,
        "provenance": to_json(statistics.provenance),
        "n": statistics.n,
        "layers": sorted(statistics.gaussians),
        "grouped": sorted(statistics.groups),
        "score": statistics.score,
        "ssim": statistics.ssim,
    }
    arrays = {"gm_jax": np.array(json.dumps(head))}
    for layer, (mean, covariance) in statistics.gaussians.items():
        arrays[f"{layer}/mean"], arrays[f"{layer}/covariance"] = mean, _half(covariance)
    for layer, group in statistics.groups.items():
        arrays[f"{layer}/group_n"] = np.array([g.n for g in group])
        arrays[f"{layer}/group_shift"] = np.stack([g.shift for g in group])
        arrays[f"{layer}/group_sum"] = np.stack([g.sum for g in group])
        arrays[f"{layer}/group_outer"] = np.stack([_half(g.outer).astype("f4") for g in group])
    for layer, rows in statistics.features.items():
        arrays[f"{layer}/features"] = rows
    with outputs.whole(path) as file:
        np.savez(file, **arrays)


def holds_statistics(path) -> bool:
    """Whether `load` reads a file, by its contents and not by its name."""
    try:
        members = set(zipfile.ZipFile(path).namelist())
    except (OSError, zipfile.BadZipFile):
        return False
    return bool(members & {"gm_jax.npy", "mu.npy", "sigma.npy"})


def load(path, stated: Protocol | None = None) -> Statistics:
    """Reads what `save` wrote, or a bare npz of `mu` and `sigma` whose protocol is `stated`.

    Raises EvaluationError for a broken file, a bare one without a stated protocol, and a matrix
    that is not a covariance.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise EvaluationError(
            f"{path} is broken or truncated, or holds Python objects: {error}"
        ) from None
    if {"mu", "sigma"} <= set(arrays):
        loaded = _bare(arrays["mu"], arrays["sigma"], path, stated)
    elif "gm_jax" not in arrays:
        raise EvaluationError(
            f"{path} is not a statistics file: it holds {', '.join(arrays)}, not mu and sigma"
        )
    else:
        try:
            loaded = _from_arrays(arrays)
        except (KeyError, ValueError, TypeError) as error:
            raise EvaluationError(
                f"{path} is not a statistics file of this version: {error}"
            ) from None
    for mean, covariance in loaded.gaussians.values():
        try:
            checked_gaussian(mean, covariance)
        except EvaluationError as error:
            raise EvaluationError(f"{path}: {error}") from None
    return loaded


def _from_arrays(arrays) -> Statistics:
    head = json.loads(str(arrays["gm_jax"]))
    if head["format"] != _FORMAT:
        raise ValueError(head["format"])
    gaussians = {
        k: (arrays[f"{k}/mean"], _whole(arrays[f"{k}/covariance"])) for k in head["layers"]
    }
    groups = {
        k: tuple(
            Moments(int(n), shift, sum_, _whole(outer.astype(np.float64)))
            for n, shift, sum_, outer in zip(
                *(arrays[f"{k}/group_{part}"] for part in ("n", "shift", "sum", "outer")),
                strict=True,
            )
        )
        for k in head["grouped"]
    }
    features = {
        name.removesuffix("/features"): rows
        for name, rows in arrays.items()
        if name.endswith("/features")
    }
    score, ssim = (tuple(head[k]) if head[k] else None for k in ("score", "ssim"))
    provenance = from_json(head["provenance"])
    return Statistics(provenance, head["n"], gaussians, groups, features, score, ssim)


def _bare(mean, covariance, path, stated: Protocol | None) -> Statistics:
    if stated is None:
        raise EvaluationError(
            f"{path} holds mu and sigma but not how they were made: state its protocol"
        )
    named = {d: layer for layer, d in LAYERS.items() if not layer.startswith("logits")}
    if mean.ndim != 1 or mean.size not in named or covariance.shape != 2 * mean.shape:
        raise EvaluationError(
            f"{path}: mu {mean.shape} and sigma {covariance.shape} are of no layer of Inception"
        )
    if {mean.dtype.kind, covariance.dtype.kind} != {"f"}:
        raise EvaluationError(
            f"{path}: mu {mean.dtype} and sigma {covariance.dtype} must both be of floats"
        )
    gaussian = mean.astype(np.float64), covariance.astype(np.float64)
    return Statistics(Provenance(stated, "inception", None), None, {named[mean.size]: gaussian})


def _half(matrix: np.ndarray) -> np.ndarray:
    return matrix[np.tril_indices(len(matrix))]


def _whole(half: np.ndarray) -> np.ndarray:
    d = round((np.sqrt(8 * half.size + 1) - 1) / 2)
    matrix = np.zeros((d, d))
    matrix[np.tril_indices(d)] = half
    return matrix + np.tril(matrix, -1).T
