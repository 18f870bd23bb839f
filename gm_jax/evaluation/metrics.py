"""From the statistics of two sets to named metrics.

A is the set under evaluation, B the reference. `fid` is Inception's; the same distance of other
features is called `fd_<features>`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from gm_jax.evaluation import sliced
from gm_jax.evaluation.collection import Needs
from gm_jax.evaluation.distances import frechet, gaussian, kernel_distance
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.neighbours import neighbourhoods
from gm_jax.evaluation.protocols import refuse_mismatch, to_json
from gm_jax.evaluation.statistics import Statistics
from gm_jax.evaluation.uncertainty import floor, uncertainty

_FRECHET = ("fid", "fd", "sfid")
_ALONE = ("is", "msssim")  # metrics that need no reference
KINDS = ("fid", "fd", "sfid", "is", "kid", "prdc", "swd", "msssim")


class Metric(NamedTuple):
    """A kind of metric, and its layer (None: the default one)."""

    kind: str
    layer: str | None = None


def parse_metrics(text: str) -> tuple[Metric, ...]:
    """ "fid,fid_768,kid,prdc" as metrics; EvaluationError for one that does not exist."""
    metrics = []
    for word in filter(None, (w.strip() for w in text.split(","))):
        kind, _, layer = word.partition("_")
        if kind not in KINDS or (layer and kind in ("sfid", "is", "swd", "msssim")):
            known = (*KINDS, "fid_64", "fid_192", "fid_768")
            raise EvaluationError(f"unknown metric {word!r}; choose from: {', '.join(known)}")
        metrics.append(Metric(kind, "sfid" if kind == "sfid" else layer or None))
    if not metrics:
        raise EvaluationError(f"no metric in {text!r}")
    return tuple(metrics)


def with_layers(metrics: Sequence[Metric], layers: Sequence[str]) -> tuple[Metric, ...]:
    """The metrics with their default layers filled in: 2048, or the only one.

    `fid` without a layer is 2048 and nothing else. Raises EvaluationError for a missing layer.
    """

    def fill(metric: Metric) -> Metric:
        if metric.kind in ("swd", "msssim"):
            return metric
        layer = "logits_unbiased" if metric.kind == "is" else metric.layer
        if layer is None:
            alone = len(layers) == 1 and metric.kind != "fid"
            layer = layers[0] if alone else "2048"
        if layer not in layers:
            raise EvaluationError(
                f"{metric.kind} needs the layer {layer}, there are only {', '.join(layers)}"
                + (" (as in fid_768)" if "768" in layers else "")
            )
        return metric._replace(layer=layer)

    return tuple(map(fill, metrics))


def needs(metrics: Sequence[Metric], sizes: Sequence[int]) -> Needs:
    """What a pass must collect for these metrics of sets with these sizes."""

    def layers(*kinds):
        return tuple(sorted({m.layer for m in metrics if m.kind in kinds}))

    kinds = {m.kind for m in metrics}
    return Needs(
        layers(*_FRECHET),
        layers("kid", "prdc"),
        "is" in kinds,
        min(sliced.IMAGES, *sizes) if "swd" in kinds else 0,
        "msssim" in kinds,
    )


def compare(
    a: Statistics, b: Statistics | None, metrics: Sequence[Metric], with_uncertainty: bool = True
) -> dict[str, dict[str, Any]]:
    """{name of the metric: {"value": ..., and its details}} for A against B.

    Without B only the metrics of A alone (is, msssim). Raises EvaluationError if the two sides
    were not made in the same way, or a side lacks what a metric needs.
    """
    metrics = with_layers(metrics, _layers(a))
    if b is None:
        refuse_lacking("A", a, [m for m in metrics if m.kind in _ALONE])
    else:
        refuse_mismatch(a.provenance, b.provenance)
        refuse_lacking("A", a, metrics)
        refuse_lacking("B", b, metrics)
    results = {}
    for metric in metrics:

        def name(kind, metric=metric):
            return metric_name(kind, metric.layer, a.provenance.features, metrics)

        if metric.kind == "is":
            results[name("is")] = {"value": a.score[0], "std": a.score[1], "splits": 10}
        elif metric.kind == "msssim":
            results["msssim"] = _ssim(a, b)
        elif b is None:
            continue
        elif metric.kind in _FRECHET:
            results[name(metric.kind)] = _frechet(a, b, metric.layer, with_uncertainty)
        elif metric.kind == "kid":
            results[name("kid")] = _kernel(a.features[metric.layer], b.features[metric.layer])
        elif metric.kind == "prdc":
            shares = neighbourhoods(b.features[metric.layer], a.features[metric.layer])
            for kind, value in shares._asdict().items():
                results[name(kind)] = {"value": value}
        elif metric.kind == "swd":
            results |= _sliced(a, b)
    return results


def refuse_lacking(side: str, s: Statistics, metrics: Sequence[Metric]) -> None:
    """Raises EvaluationError if the statistics of a side, "A" or "B", lack what a metric needs.

    The metrics name their layers (`with_layers`).
    """
    for kind, layer in metrics:
        if kind in _FRECHET and layer not in s.gaussians:
            raise EvaluationError(f"the statistics of {side} have no layer {layer}")
        if kind in ("kid", "prdc") and layer not in s.features:
            raise EvaluationError(
                f"{kind} needs the features of every image, the statistics of {side} "
                f"do not keep them for layer {layer}"
            )
        if kind == "swd" and not s.patches:
            raise EvaluationError("swd needs the images of both sides, not their statistics")
        if kind == "is" and side == "A" and s.score is None:
            raise EvaluationError("the statistics of A have no Inception score")
        if kind == "msssim" and side == "A" and s.ssim is None:
            raise EvaluationError("MS-SSIM needs the images of A, not their statistics")


def metric_name(kind: str, layer: str, features: str, metrics: Sequence[Metric] = ()) -> str:
    """fid, fid_768, kid, ... with Inception's own weights; fd_<features>, kid_<features>, ... else.

    A layer is named unless it is Inception's 2048, or the only one in `metrics` of a network that
    is not Inception's.
    """
    if kind in _FRECHET:
        kind = {"sfid": "sfid", "fid": "fid", "fd": "fid"}[kind]
        kind = kind if features == "inception" else kind.replace("fid", "fd")
    parts = [kind] if features == "inception" else [kind, features]
    if features.startswith("inception"):
        implied = layer in ("2048", "sfid", "logits_unbiased")
    else:
        implied = len({m.layer for m in metrics if m.kind in (*_FRECHET, "kid", "prdc")}) <= 1
    return "_".join(parts if implied else [*parts, layer])


def report(
    a: Statistics, b: Statistics | None, metrics: Sequence[Metric], with_uncertainty: bool = True
) -> dict[str, Any]:
    """`compare`, with what must be stated beside the numbers: N1, N2, protocol, weights."""
    return {
        "n1": a.n,
        "n2": b.n if b else None,
        **to_json(a.provenance),
        "metrics": compare(a, b, metrics, with_uncertainty),
        "warnings": warnings(a, b),
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
    }


def warnings(a: Statistics, b: Statistics | None) -> list[str]:
    """Warnings that belong to the numbers, in sentences."""
    warnings = []
    for side, s in (("A", a), ("B", b)):
        if s is None:
            continue
        if s.n is None:
            warnings.append(f"{side}: the file does not say how many images it was made from")
            if any(np.all(np.abs(np.diag(c) - 1) < 1e-6) for _, c in s.gaussians.values()):
                warnings.append(f"{side}: sigma has ones on its diagonal: is it a correlation?")
        for layer, (mean, _) in s.gaussians.items():
            if s.n is not None and s.n < mean.size + 1:
                warnings.append(
                    f"{side}: {s.n} images for {mean.size} dimensions ({layer}); the value is "
                    f"mostly bias below {mean.size + 1}, compare only with values at the same N"
                )
        if s.provenance.weights is None:
            warnings.append(f"{side}: weights and protocol are stated by you, not by the file")
    return warnings


def _layers(a: Statistics) -> tuple[str, ...]:
    scored = ("logits_unbiased",) if a.score else ()
    return tuple(dict.fromkeys((*a.gaussians, *a.features, *scored)))


def _kernel(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    mean, std = kernel_distance(x, y)
    size = min(1000, len(x), len(y))
    return {"value": mean, "std": std, "subsets": 100, "subset_size": size}


def _frechet(a: Statistics, b: Statistics, layer: str, with_uncertainty: bool) -> dict[str, Any]:
    ga, gb = (gaussian(*s.gaussians[layer], s.n and s.n - 1) for s in (a, b))
    result: dict[str, Any] = {"value": frechet(ga, gb), "n1": a.n, "n2": b.n}
    groups = a.groups.get(layer), b.groups.get(layer)
    if with_uncertainty and groups[0] and min(g.n for g in groups[0]) > 1:
        interval, infinity = uncertainty(groups[0], gb, result["value"])
        result |= {"interval95": interval, "infinity": infinity}
    if with_uncertainty and groups[1] and min(g.n for g in groups[1]) > 1:
        mean, std, n = floor(groups[1])
        result["floor"] = {"value": mean, "std": std, "images_a_side": n}
    return result


def _ssim(a: Statistics, b: Statistics | None) -> dict[str, Any]:
    result = {"value": a.ssim[0], "pairs": a.ssim[1]}
    return result | ({"of_b": b.ssim[0]} if b is not None and b.ssim else {})


def _sliced(a: Statistics, b: Statistics) -> dict[str, dict[str, Any]]:
    if set(a.patches) != set(b.patches):
        raise EvaluationError(f"swd: images of {max(a.patches)} and {max(b.patches)} pixels a side")
    levels = {
        f"swd_{side}": {"value": sliced.sliced_wasserstein(a.patches[side], b.patches[side])}
        for side in a.patches
    }
    mean = float(np.mean([level["value"] for level in levels.values()]))
    n = len(next(iter(a.patches.values()))) // sliced.PATCHES
    return levels | {"swd": {"value": mean, "images_a_side": n}}
