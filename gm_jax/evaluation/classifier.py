"""A small classifier of a data set: features for images on which Inception's mean little.

Its Fréchet distance is named `fd_classifier_<dataset>`, never FID, and compares only with values
from the same weights.
"""

import hashlib
import inspect
import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import traverse_util

from gm_jax import outputs
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.features import Features
from gm_jax.fingerprint import fingerprint


class Classifier(NamedTuple):
    """The features, the share of held-out images classified correctly, and what it sees in others.

    predict  uint8 images [N, H, W, C] -> labels [N]
    """

    features: Features
    accuracy: float
    predict: Callable


class Network(nn.Module):
    """uint8 images [B, H, W, C] -> (features [B, 64], logits [B, num_classes])."""

    num_classes: int

    @nn.compact
    def __call__(self, images):
        x = images.astype(jnp.float32) / 127.5 - 1
        x = rectified(self, x, 32, 1 if x.shape[1] <= 16 else 2)
        while x.shape[1] > 8:
            x = rectified(self, x, 64, 2)
        x = rectified(self, x, 64, 2)
        x = nn.relu(nn.Dense(64, precision="highest")(x.reshape(len(x), -1)))
        return x, nn.Dense(self.num_classes, precision="highest")(x)


def rectified(module: nn.Module, x, width: int, stride: int):
    """A convolution of 3x3 with its bias, rectified; a layer of `module`."""
    conv = nn.Conv(width, (3, 3), stride, use_bias=False, precision="highest")
    x = conv(x)
    bias = module.param(f"{conv.name}_bias", nn.initializers.zeros, (width,))
    return nn.relu(x + repeated(bias, math.prod(x.shape[:-1])).reshape(x.shape))


def repeated(row, n: int):
    """A row [C] repeated to [n, C], by doubling; so its gradient is a sum by halves.

    XLA on a CPU sums many rows in another order on one core than on several, and the gradients
    of convolutions' biases are the only such sums here. With this order the weights are the same
    on any number of cores (1, 2, 3, 8 and 64 threads compared).
    """
    rows = row[None]
    while len(rows) < n:
        rows = jnp.concatenate([rows, rows])
    return rows[:n]


def train_classifier(
    images,
    labels,
    num_classes: int,
    seed: int = 0,
    dataset: str = "data",
    directory: str | os.PathLike | None = None,
    test=None,
    epochs: int | None = None,
) -> Classifier:
    """Trains `Network` on uint8 images [N, H, W, C] and labels [N]; the layer is named "64".

    test       (images, labels) to measure the accuracy on; by default a tenth that is held out
    directory  where the result is kept, under a hash of the data, the settings and this file; a
               classifier found there is not trained again
    epochs     passes over the data, by default 4, or as many as make 500 steps
    """
    network = Network(num_classes)
    params, accuracy = fitted(
        network, f"classifier_{dataset}", images, labels, seed, directory, test, epochs
    )
    return _as_features(network, dataset, params, accuracy)


def fitted(
    network: nn.Module,
    name: str,
    images,
    labels,
    seed: int = 0,
    directory: str | os.PathLike | None = None,
    test=None,
    epochs: int | None = None,
    batch: int = 128,
):
    """The parameters of a network trained to give labels, and its accuracy; see `train_classifier`.

    network  uint8 images -> (features, logits), the logits of the labels' shape with a last axis of
             classes: labels are [N], or [N, H, W] with one for each pixel
    name     what the file of the result begins with
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(labels):
        raise EvaluationError(
            f"a classifier needs uint8 images [N, H, W, C] and labels [N], "
            f"got {images.dtype} {images.shape} and {labels.shape}"
        )
    if test is None:
        order = np.random.default_rng(seed).permutation(len(images))
        held = max(1, len(images) // 10)
        test = images[order[:held]], labels[order[:held]]
        images, labels = images[order[held:]], labels[order[held:]]
    if epochs is None:
        epochs = max(4, -(-500 * batch // len(images)))
    path = None
    if directory is not None:
        key = _key(network, images, labels, *test, network.num_classes, seed, epochs, batch)
        path = Path(directory) / f"{name}_{key}.npz"
    if path is not None and path.exists():
        return _load(path)
    if path is not None:
        outputs.check(path, "set XDG_CACHE_HOME to a folder that can be written to")
    params = _train(network, images, labels, seed, epochs, batch)
    accuracy = float(np.mean(predict(network, params, test[0]) == test[1]))
    if path is not None:
        _save(path, params, accuracy)
    return params, accuracy


def _as_features(network: Network, dataset: str, params, accuracy: float) -> Classifier:
    def apply(params, images):
        return {"64": network.apply(params, images)[0]}

    name = f"classifier_{dataset}"
    features = Features(name, fingerprint(params), {"64": 64}, params, apply)
    return Classifier(features, accuracy, partial(predict, network, params))


def _train(network: nn.Module, images, labels, seed: int, epochs: int, batch: int):
    steps = epochs * (len(images) // batch or 1)
    optimizer = optax.adamw(optax.cosine_onecycle_schedule(steps, 4e-3), weight_decay=1e-3)

    def loss(params, x, y):
        logits = network.apply(params, x)[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @jax.jit
    def step(params, state, x, y):
        updates, state = optimizer.update(jax.grad(loss)(params, x, y), state, params)
        return optax.apply_updates(params, updates), state

    params = network.init(jax.random.key(seed), images[:1])
    state = optimizer.init(params)
    rng = np.random.default_rng(seed)
    size = min(batch, len(images))
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - size + 1, size):
            rows = order[start : start + size]
            params, state = step(params, state, images[rows], labels[rows])
    return jax.device_get(params)


def predict(network: nn.Module, params, images) -> np.ndarray:
    """The labels that a fitted network gives to uint8 images [N, H, W, C]."""
    apply = jax.jit(lambda params, x: network.apply(params, x)[1].argmax(axis=-1))
    parts = [apply(params, images[i : i + 1000]) for i in range(0, len(images), 1000)]
    return np.concatenate(parts)


def _key(network: nn.Module, *things) -> str:
    """Of the data and settings, and of the files that say what is fitted and how."""
    digest = hashlib.sha256()
    for file in sorted({__file__, inspect.getfile(type(network))}):
        digest.update(Path(file).read_bytes())
    for thing in map(np.asarray, things):
        digest.update(f"{thing.dtype.str} {thing.shape};".encode())
        digest.update(np.ascontiguousarray(thing).tobytes())
    return digest.hexdigest()[:16]


def _save(path: Path, params, accuracy: float) -> None:
    with outputs.whole(path) as file:
        np.savez(file, accuracy=accuracy, **traverse_util.flatten_dict(params, sep="/"))


def _load(path: Path):
    with np.load(path, allow_pickle=False) as file:
        flat = dict(file)
    accuracy = float(flat.pop("accuracy"))
    return traverse_util.unflatten_dict(flat, sep="/"), accuracy
