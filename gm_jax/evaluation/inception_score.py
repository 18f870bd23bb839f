"""The Inception score (Salimans et al. 2016, arXiv:1606.03498), in one pass and flat memory."""

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from gm_jax.evaluation import sharing
from gm_jax.evaluation.errors import EvaluationError

SPLITS = 10


class ScoreSums(NamedTuple):
    """Sums over the images of each contiguous split, in float64.

    size         number of images in all: split s starts at image s size // 10
    seen         images so far
    information  [10]        Σ_x Σ_y p(y|x) log p(y|x)
    marginal     [10, 1008]  Σ_x p(y|x)
    """

    size: int
    seen: int
    information: np.ndarray
    marginal: np.ndarray


def init(size: int, classes: int = 1008) -> ScoreSums:
    """The sums before the first of `size` images; EvaluationError below one image per split."""
    if size < SPLITS:
        raise EvaluationError(f"the Inception score's {SPLITS} splits need as many images: {size}")
    return ScoreSums(size, 0, np.zeros(SPLITS), np.zeros((SPLITS, classes)))


def update(sums: ScoreSums, logits, numbers) -> ScoreSums:
    """Adds the logits [B, 1008] of images, without the bias as in the original.

    numbers  [B], of these images among all
    """
    logp = log_softmax(np.asarray(logits, np.float64), axis=-1)
    p = np.exp(logp)
    starts = np.arange(SPLITS) * sums.size // SPLITS
    split = np.searchsorted(starts, numbers, side="right") - 1
    member = (split[:, None] == np.arange(SPLITS)).astype(np.float64)
    return ScoreSums(
        sums.size,
        sums.seen + len(p),
        sums.information + member.T @ np.sum(p * logp, axis=-1),
        sums.marginal + member.T @ p,
    )


def over_processes(sums: ScoreSums) -> ScoreSums:
    """The sums over the images of all processes."""
    seen, information, marginal = (
        sharing.gathered(np.asarray(part)).sum(axis=0) for part in sums[1:]
    )
    return ScoreSums(sums.size, int(seen), information, marginal)


def score(sums: ScoreSums) -> tuple[float, float]:
    """Mean and std (ddof 0) over the splits of exp(mean_x KL(p(y|x) ‖ p(y))), in 1..1008."""
    if sums.seen != sums.size:
        raise EvaluationError(f"expected {sums.size} images, got {sums.seen}")
    counts = np.diff(np.arange(SPLITS + 1) * sums.size // SPLITS)
    marginal = sums.marginal / counts[:, None]
    entropy = np.sum(marginal * np.log(np.maximum(marginal, 1e-300)), axis=-1)
    scores = np.exp(sums.information / counts - entropy)
    return float(scores.mean()), float(scores.std())
