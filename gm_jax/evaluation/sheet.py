"""Samples beside their nearest training images, to see whether a model copies."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from gm_jax import outputs
from gm_jax.evaluation.errors import EvaluationError


def nearest(samples, batches: Iterable[np.ndarray], k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """The k images nearest to each of samples [M, H, W, C], in pixels, among uint8 [b, H, W, C].

    Returns (images [M, k, H, W, C], root mean square differences [M, k]), the nearest first.
    """
    samples = np.asarray(samples)
    flat = samples.reshape(len(samples), -1).astype(np.float64)
    best = np.full((len(samples), k), np.inf)
    images = np.zeros((len(samples), k, *samples.shape[1:]), np.uint8)
    for batch in batches:
        if batch.shape[1:] != samples.shape[1:]:
            raise EvaluationError(
                f"a sheet needs images of one shape, got {samples.shape[1:]} and {batch.shape[1:]}"
            )
        others = batch.reshape(len(batch), -1).astype(np.float64)
        # Sums of whole numbers below 2^53: exact.
        squared = (flat**2).sum(1)[:, None] + (others**2).sum(1) - 2 * flat @ others.T
        both = np.concatenate([best, squared], axis=1)
        order = np.argsort(both, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(both, order, axis=1)
        for m, rows in enumerate(order):
            images[m] = np.concatenate([images[m], batch])[rows]
    if not np.isfinite(best).all():
        raise EvaluationError(f"a sheet of {k} neighbours needs at least {k} images")
    return images, np.sqrt(best / flat.shape[1])


def save_sheet(path, samples, neighbours) -> None:
    """Writes a PNG: a row for each of samples [M, H, W, C], then its neighbours [M, k, H, W, C]."""
    columns = np.concatenate([np.asarray(samples)[:, None], neighbours], axis=1)
    m, k, h, w, c = columns.shape
    gap = max(1, h // 16)
    page = np.full((m, h + gap, k, w + gap, c), 255, np.uint8)
    page[:, :h, :, :w] = columns.transpose(0, 2, 1, 3, 4)
    page = page.reshape(m * (h + gap), k * (w + gap), c)
    with outputs.whole(path) as file:
        Image.fromarray(page[..., 0] if c == 1 else page).save(file, format="PNG")
