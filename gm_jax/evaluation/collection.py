"""The one pass over a set of images from which all metrics are made."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gm_jax.evaluation import inception_score, moments, sharing, sliced, uncertainty
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.features import Features, extract
from gm_jax.evaluation.protocols import Protocol, Provenance
from gm_jax.evaluation.ssim import ms_ssim
from gm_jax.evaluation.statistics import Statistics

PAIRS = 10_000
# Rows that are collected before a product with the covariances: enough for a fast one.
_CHUNK = 4096


class Needs(NamedTuple):
    """What a pass collects, and its memory.

    moments   layers whose Gaussians are needed: 11 d² float64 each, for any number of images
    keep      layers whose features are kept: 4 d bytes per image
    score     whether the Inception score is needed: constant
    patches   number of images to cut patches from: 25 kB per image, level and channel
    ssim      whether the MS-SSIM of images 2 i and 2 i + 1 is needed, for 10,000 pairs: constant
    """

    moments: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    score: bool = False
    patches: int = 0
    ssim: bool = False


def collect(
    features: Features,
    protocol: Protocol,
    batches: Iterable[np.ndarray],
    size: int,
    needs: Needs,
    batch_size: int = 64,
    devices: Sequence | None = None,
) -> Statistics:
    """One pass over `size` uint8 images, in batches [b, H, W, C] of any length.

    In a program of several processes all must call it with the same images: each computes the
    features of its share, and all return the statistics that one process alone would. Raises
    EvaluationError for fewer than two images, and if `extract` or a metric raises it.
    """
    if size < 2:
        raise EvaluationError(f"statistics need at least 2 images, not {size}")
    layers = {*needs.moments, *needs.keep, *(["logits_unbiased"] if needs.score else [])}
    groups = {
        layer: [moments.init(features.layers[layer])] * uncertainty.GROUPS
        for layer in needs.moments
    }
    sums = inception_score.init(size) if needs.score else None
    kept = {layer: [] for layer in needs.keep}
    pixels = _Pixels(needs)
    seen = 0
    watched = sharing.shares(pixels.watch(batches))
    if not layers:
        deque(watched, maxlen=0)
        watched = ()
    for chunk in _chunks(extract(features, watched, layers, batch_size, devices)):
        numbers = sharing.numbers(seen, len(next(iter(chunk.values()))))
        for layer, group in groups.items():
            groups[layer] = _deal(group, chunk[layer], numbers)
        for layer, parts in kept.items():
            parts.append(chunk[layer])
        if needs.score:
            sums = inception_score.update(sums, chunk["logits_unbiased"], numbers)
        seen += len(numbers)
    groups = {k: tuple(map(moments.over_processes, g)) for k, g in groups.items()}
    return Statistics(
        Provenance(protocol, features.name, features.fingerprint),
        pixels.seen,
        {k: moments.mean_and_covariance(uncertainty.merged(g)) for k, g in groups.items()},
        groups,
        {k: _joined(parts, features.layers[k], size) for k, parts in kept.items()},
        inception_score.score(inception_score.over_processes(sums)) if needs.score else None,
        pixels.ssim(),
        pixels.patches(),
    )


def _chunks(parts: Iterable[dict[str, np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
    """Joins {layer: [b, d]} into chunks of at least `_CHUNK` rows, and the rest."""
    waiting, rows = [], 0
    for part in parts:
        waiting.append(part)
        rows += len(next(iter(part.values())))
        if rows >= _CHUNK:
            yield {k: np.concatenate([p[k] for p in waiting]) for k in part}
            waiting, rows = [], 0
    if waiting:
        yield {k: np.concatenate([p[k] for p in waiting]) for k in waiting[0]}


def _joined(parts: list[np.ndarray], dimension: int, size: int) -> np.ndarray:
    """Features [size, dimension] of all images, from the parts that each process has kept."""
    return sharing.interleaved(np.concatenate([np.zeros((0, dimension), np.float32), *parts]), size)


def _deal(groups, rows: np.ndarray, numbers: np.ndarray) -> list[moments.Moments]:
    """Adds rows [n, d], of the images with these numbers [n], to the groups in turn."""
    turn = numbers % len(groups)
    return [moments.update(group, rows[turn == g]) for g, group in enumerate(groups)]


class _Pixels:
    """What is computed from the pixels while the images pass on to the features."""

    def __init__(self, needs: Needs):
        self.needs, self.seen = needs, 0
        self._patches, self._values, self._odd = [], [], None

    def watch(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for images in batches:
            images = np.asarray(images)
            first = images[: max(0, self.needs.patches - self.seen)]
            if len(first):
                self._patches.append(sliced.patches(first, self.seen))
            if self.needs.ssim and sum(map(len, self._values)) < PAIRS:
                self._pair(images)
            self.seen += len(images)
            yield images

    def _pair(self, images):
        if self._odd is not None:
            images = np.concatenate([self._odd, images])
        even = len(images) - len(images) % 2
        if even:
            self._values.append(np.asarray(ms_ssim(images[:even:2], images[1:even:2])))
        self._odd = images[even:] if even < len(images) else None

    def ssim(self) -> tuple[float, int] | None:
        if not self._values:
            return None
        values = np.concatenate(self._values)[:PAIRS].astype(np.float64)
        return float(values.mean()), len(values)

    def patches(self) -> dict[int, np.ndarray]:
        sides = self._patches[0] if self._patches else ()
        return {side: np.concatenate([part[side] for part in self._patches]) for side in sides}
