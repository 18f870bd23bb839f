"""A small network that finds known points, such as a person's joints, in pictures.

A picture made of a pose, or of how another picture moves, is judged by where the points are found
in it: the average keypoint distance of Siarohin et al. 2019 (arXiv 1812.08861).
"""

import os
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import numpy as np

from gm_jax.evaluation.classifier import fitted, predict
from gm_jax.evaluation.segmentation import FCN


class Finder(NamedTuple):
    """What finds points in pictures.

    predict  uint8 images [N, S, S, C] -> points [N, K, 2], (x, y) from -1 to 1 over the image
    """

    predict: partial


class PointNet(nn.Module):
    """uint8 images [B, S, S, C] to (a map, logits of points' pixels [B, num_classes, S * S])."""

    num_classes: int

    @nn.compact
    def __call__(self, images):
        x, logits = FCN(self.num_classes)(images)
        return x, logits.reshape(len(logits), -1, self.num_classes).swapaxes(1, 2)


def train_finder(
    images: np.ndarray,
    points: np.ndarray,
    dataset: str,
    directory: str | os.PathLike | None = None,
    epochs: int = 4,
) -> Finder:
    """Trains a `PointNet` on uint8 images [N, S, S, C] and points [N, K, 2] from -1 to 1.

    The result is kept in `directory`, as a classifier's is. Points beyond the image count as at its
    border.
    """
    side = images.shape[1]
    column, row = np.moveaxis(np.clip(np.floor((points + 1) / 2 * side), 0, side - 1), -1, 0)
    network = PointNet(points.shape[1])
    labels = (row * side + column).astype(np.int32)
    params, _ = fitted(
        network, f"finder_{dataset}", images, labels, 0, directory, epochs=epochs, batch=16
    )
    return Finder(partial(_found, network, params))


def _found(network: PointNet, params, images: np.ndarray) -> np.ndarray:
    side = images.shape[1]
    row, column = np.divmod(predict(network, params, images), side)
    return (np.stack([column, row], axis=-1) + 0.5) / side * 2 - 1


def distance(found: np.ndarray, true: np.ndarray, side: int) -> np.ndarray:
    """Mean |difference| of a coordinate in pixels of images of this side, [N]."""
    return np.abs(found - true).mean((1, 2)) * side / 2
