"""Scores of generated images, each with its protocol.

For images made elsewhere there is the command `python -m gm_jax.evaluation A B`. In a program:

    features = inception_features(load_inception(path), PROTOCOLS["tf2015"])
    real = collect(features, PROTOCOLS["tf2015"], real_batches, n, Needs(moments=("2048",)))
    fake = collect(features, PROTOCOLS["tf2015"], fake_batches, m, Needs(moments=("2048",)))
    report(fake, real, parse_metrics("fid"))["metrics"]["fid"]["value"]

    features      Features(name, fingerprint, layers, params, apply)
                  extract(features, batches, layers=None, batch_size=64, devices=None)
                      -> iterator of {layer: float32 [b, d]}
    classifier    train_classifier(images, labels, num_classes, seed=0, dataset="data",
                      directory=None, test=None, epochs=None) -> Classifier(features, accuracy)
    weights       load_inception(path=None, sha256=None, download=False) -> Weights
    protocols     PROTOCOLS["tf2015" | "pytorch_fid" | "clean"], NATIVE for other networks
                  quantise(floats in [-1, 1], "round" | "truncate") -> uint8
                  inception_features(weights, protocol) -> Features
    collection    Needs(moments, keep, score, patches, ssim)
                  collect(features, protocol, batches, size, needs, batch_size=64) -> Statistics
    statistics    save(statistics, path), load(path, stated=None)
    metrics       parse_metrics(text), compare(a, b, metrics, with_uncertainty=True) -> dict
                  report(a, b, metrics, with_uncertainty=True) -> the same with protocol, N1, N2
    distances     frechet_distance(mean1, covariance1, mean2, covariance2)
                  frechet_of_features(x, y), frechet_of_moments(m1, m2)
                  real_floor(features, n, splits=10, seed=0) -> (mean, std)
                  kernel_distance(x, y, subsets=100, size=1000, seed=2020) -> (mean, std)
    lpips         load_lpips(network="alexnet", path="", sha256="") -> Lpips
                  distances(lpips, a, b) -> LPIPS of pairs of uint8 images, [N]
    moments       init(d), update(m, x, mask=None), merge(a, b), over_processes(m),
                  mean_and_covariance(m); Moments(n, shift, sum, outer)
    sheet         nearest(samples, batches, k=3), save_sheet(path, samples, neighbours)

Images are uint8 [B, H, W, C]. Input that cannot be evaluated raises `EvaluationError`, in one line.
"""

from gm_jax.evaluation.classifier import Classifier, train_classifier
from gm_jax.evaluation.collection import Needs, collect
from gm_jax.evaluation.distances import (
    frechet_distance,
    frechet_of_features,
    frechet_of_moments,
    kernel_distance,
    real_floor,
)
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.features import Features, extract
from gm_jax.evaluation.metrics import compare, parse_metrics, report
from gm_jax.evaluation.moments import Moments
from gm_jax.evaluation.protocols import NATIVE, PROTOCOLS, inception_features, quantise
from gm_jax.evaluation.statistics import Statistics
from gm_jax.evaluation.weights import load_inception

__all__ = [
    "NATIVE",
    "PROTOCOLS",
    "Classifier",
    "EvaluationError",
    "Features",
    "Moments",
    "Needs",
    "Statistics",
    "collect",
    "compare",
    "extract",
    "frechet_distance",
    "frechet_of_features",
    "frechet_of_moments",
    "inception_features",
    "kernel_distance",
    "load_inception",
    "parse_metrics",
    "quantise",
    "real_floor",
    "report",
    "train_classifier",
]
