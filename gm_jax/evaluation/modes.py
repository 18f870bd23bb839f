"""Mode coverage: which modes of a known mixture the samples reach, and how evenly.

Srivastava et al. 2017 (VEEGAN, arXiv 1705.07761), section 4; Lin et al. 2018 (PacGAN,
arXiv 1712.04086), section 4.1; for stacked MNIST Metz et al. 2017, section 3.3.1.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

DEVIATIONS = 3.0  # a sample of high quality is at most this far from a centre


class Coverage(NamedTuple):
    """What N samples cover of M modes.

    modes         modes with at least one (high-quality) sample
    high_quality  share of high-quality samples, in [0, 1]; None if a classifier finds the modes
    reverse_kl    KL(samples' shares of the modes || uniform) in nats, >= 0
    """

    modes: int
    high_quality: float | None
    reverse_kl: float


def of_points(points: np.ndarray, centres: np.ndarray, deviation: float) -> Coverage:
    """Points [N, D] against a mixture of equal Gaussians at `centres` [M, D].

    A sample is of high quality within DEVIATIONS standard deviations of its nearest centre; a mode
    counts if it has one such sample; the shares in reverse_kl are those of high-quality samples.
    Without any such sample the KL is infinite.
    """
    distance = np.linalg.norm(points[:, None] - centres[None], axis=-1)
    nearest = distance.argmin(axis=1)
    good = distance.min(axis=1) <= DEVIATIONS * deviation
    return of_labels(nearest[good], len(centres))._replace(high_quality=float(good.mean()))


def of_labels(labels: np.ndarray, modes: int) -> Coverage:
    """Coverage from the mode that a classifier finds in each sample, [N] of 0 .. modes - 1."""
    if not len(labels):
        return Coverage(0, None, float("inf"))
    shares = np.bincount(labels, minlength=modes) / len(labels)
    present = shares[shares > 0]
    return Coverage(len(present), None, float(np.sum(present * np.log(present * modes))))


def clustering_accuracy(codes: np.ndarray, labels: np.ndarray) -> float:
    """Share of examples whose code [N] matches their label [N], codes matched one to one.

    The best one-to-one assignment of codes to labels (Kuhn 1955), found on these examples.
    """
    size = int(max(codes.max(), labels.max())) + 1
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (codes, labels), 1)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(codes))
