"""Embeddings of images and texts compared: retrieval, zero-shot classes, CLIP score and CMMD.

Embeddings are of length 1, [N, D]; row n of the images belongs to row n of the texts.
"""

import numpy as np

BANDWIDTH, SCALE = 10.0, 1000.0  # of CMMD


def recall(queries: np.ndarray, candidates: np.ndarray, k: int = 1) -> np.ndarray:
    """Whether each query's own candidate is among the k nearest of all, [N] bool.

    One that is no nearer than others does not count: where all are equal, nothing is found.
    """
    similarity = queries @ candidates.T
    own = np.diag(similarity)[:, None]
    return np.sum(similarity >= own, axis=1) <= k


def prompt_ensemble(texts: np.ndarray) -> np.ndarray:
    """One embedding of several texts of a class: [C, P, D] to [C, D].

    Radford et al. 2021 (arXiv 2103.00020), section 3.1.4: the mean of embeddings of length 1, again
    of length 1.
    """
    return _unit(_unit(texts).mean(axis=1))


def classify(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The nearest class [C, D] of each image, [N]."""
    return np.argmax(images @ classes.T, axis=1)


def clip_scores(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """2.5 max(cosine, 0) of each pair, [N]. Hessel et al. 2021 (arXiv 2104.08718), section 3."""
    return 2.5 * np.maximum(np.sum(_unit(images) * _unit(texts), axis=1), 0.0)


def cmmd(images: np.ndarray, reals: np.ndarray) -> float:
    """The squared MMD of two sets of embeddings, times 1000; with a Gaussian kernel of width 10.

    Jayasumana et al. 2024 (arXiv 2401.09603), eq. 4; as in the authors' code each point is also
    paired with itself, so that the value is never negative.
    """
    images, reals = _unit(images), _unit(reals)

    def kernel(x, y):
        squares = np.sum(x**2, 1)[:, None] + np.sum(y**2, 1) - 2.0 * x @ y.T
        return np.exp(-squares / (2.0 * BANDWIDTH**2)).mean()

    pairs = kernel(images, images) + kernel(reals, reals) - 2.0 * kernel(images, reals)
    return float(SCALE * pairs)


def _unit(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.float64)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)
