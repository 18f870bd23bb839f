"""Scores of generated images that state what they are.

    features      Features(name, fingerprint, layers, params, apply)
                  extract(features, batches, layers=None, batch_size=64, devices=None)
                      -> iterator of {layer: float32 [b, d]}
    classifier    train_classifier(images, labels, num_classes, seed=0, dataset="data",
                      directory=None, test=None, epochs=None) -> Classifier(features, accuracy)
    moments       init(d), update(m, x, mask=None), merge(a, b), over_processes(m),
                  mean_and_covariance(m); Moments(n, shift, sum, outer)
    distances     frechet_distance(mean1, covariance1, mean2, covariance2)
                  frechet_of_features(x, y), frechet_of_moments(m1, m2)
                  real_floor(features, n, splits=10, seed=0) -> (mean, std)
                  kernel_distance(x, y, subsets=100, size=1000, seed=2020) -> (mean, std)

Images come in as uint8 [B, H, W, C]. What cannot be judged raises `EvaluationError`, in one line.
"""

from gm_jax.evaluation.classifier import Classifier, train_classifier
from gm_jax.evaluation.distances import (
    frechet_distance,
    frechet_of_features,
    frechet_of_moments,
    kernel_distance,
    real_floor,
)
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.features import Features, extract
from gm_jax.evaluation.moments import Moments

__all__ = [
    "Classifier",
    "EvaluationError",
    "Features",
    "Moments",
    "extract",
    "frechet_distance",
    "frechet_of_features",
    "frechet_of_moments",
    "kernel_distance",
    "real_floor",
    "train_classifier",
]
