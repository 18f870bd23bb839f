"""Scores of label maps, and a small network that reads them from pictures.

A picture made of a label map is judged by the labels that are found in it ("FCN score", Isola et
al. 2017, section 3.3): by a network trained on real pictures and their label maps.
"""

import os
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.evaluation.classifier import fitted, predict, rectified


class Scores(NamedTuple):
    """Of one confusion matrix over all pictures. Long et al. 2015 (arXiv 1411.4038), section 5.

    pixel      share of pixels with the right class
    class_     that share of each class, the mean over the classes that occur
    iou        pixels rightly given a class, of those that have it or are given it; the same mean
    confusion  [K, K] counts: rows are true classes, columns those found
    """

    pixel: float
    class_: float
    iou: float
    confusion: np.ndarray


def scores(truth: np.ndarray, found: np.ndarray, classes: int) -> Scores:
    """Of classes of pixels, [N, H, W] int each."""
    pairs = classes * truth.astype(np.int64).ravel() + found.ravel()
    confusion = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    right, true, given = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    occurs = true > 0
    accuracy = right[occurs] / true[occurs]
    iou = right[occurs] / (true + given - right)[occurs]
    pixel = right.sum() / confusion.sum()
    return Scores(float(pixel), float(accuracy.mean()), float(iou.mean()), confusion)


class FCN(nn.Module):
    """uint8 images [B, H, W, C] to (smallest map, logits [B, H, W, num_classes]).

    Long et al. 2015: maps of four sizes are each scored, and coarse scores enlarged and added to
    finer ones.
    """

    num_classes: int

    @nn.compact
    def __call__(self, images):
        def score(x):
            return nn.Dense(self.num_classes, use_bias=False, precision="highest")(x)

        x = rectified(self, images.astype(jnp.float32) / 127.5 - 1, 16, 1)
        maps = [x]
        for width in (32, 64, 64):
            x = rectified(self, x, width, 2)
            maps.append(x)
        logits = score(maps.pop())
        for finer in reversed(maps):
            shape = (*finer.shape[:-1], self.num_classes)
            logits = jax.image.resize(logits, shape, "bilinear") + score(finer)
        return x, logits


class Segmenter(NamedTuple):
    """What finds classes in pictures, and the share of held-out pixels for which it is right.

    predict  uint8 images [N, H, W, C] -> classes [N, H, W]
    """

    predict: partial
    accuracy: float


def train_segmenter(
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    dataset: str,
    directory: str | os.PathLike | None = None,
    test=None,
    epochs: int = 4,
) -> Segmenter:
    """Trains an `FCN` on uint8 images [N, H, W, C] and classes [N, H, W].

    The result is kept in `directory`, as a classifier's is; `test` (images, labels) is what its
    accuracy is measured on, by default a tenth.
    """
    network = FCN(classes)
    params, accuracy = fitted(
        network, f"segmenter_{dataset}", images, labels, 0, directory, test, epochs, batch=16
    )
    return Segmenter(partial(predict, network, params), accuracy)
