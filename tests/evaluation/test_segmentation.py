"""Scores of label maps by hand, and a small network that finds classes in pictures."""

import numpy as np
import pytest

from gm_jax import data
from gm_jax.evaluation import EvaluationError, segmentation
from gm_jax.evaluation.ssim import ssim


def test_scores_of_one_confusion_matrix_by_hand():
    """Of class 0 three of four, of class 1 one of two; a class that never occurs does not count."""
    truth, found = np.array([[0, 0, 0, 0, 1, 1]]), np.array([[0, 0, 0, 1, 1, 3]])
    scores = segmentation.scores(truth, found, 4)
    assert scores.pixel == 4 / 6
    assert scores.class_ == (3 / 4 + 1 / 2) / 2
    assert scores.iou == (3 / 4 + 1 / 3) / 2
    np.testing.assert_array_equal(scores.confusion[:2], [[3, 1, 0, 0], [0, 1, 0, 1]])
    # Over the set, not the mean of pictures' own scores.
    two = segmentation.scores(np.array([[0], [1]]), np.array([[0], [0]]), 2)
    assert (two.pixel, two.class_, two.iou) == (0.5, 0.5, 0.25)


@pytest.mark.slow
def test_a_segmenter_finds_the_classes_of_photographs(tmp_path):
    source = data.open_source({"name": "scenes", "size": 16})
    real = source.load(np.arange(256))

    def train():
        images, labels = real["image_b"], real["segmentation"]
        return segmentation.train_segmenter(images, labels, 5, "scenes", tmp_path, epochs=6)

    segmenter = train()
    scores = segmentation.scores(real["segmentation"], segmenter.predict(real["image_b"]), 5)
    assert min(scores.pixel, segmenter.accuracy) > 0.85
    (file,) = tmp_path.iterdir()
    when = file.stat().st_mtime_ns
    assert train().accuracy == segmenter.accuracy and file.stat().st_mtime_ns == when


def test_ssim_is_one_for_equal_pictures_and_by_hand_for_flat_ones():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    np.testing.assert_allclose(ssim(x, x), 1.0, atol=1e-5)
    flat = [np.full((1, 11, 11, 1), level, np.uint8) for level in (100, 150)]
    constant = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + constant) / (100**2 + 150**2 + constant)
    np.testing.assert_allclose(ssim(*flat), expected, rtol=1e-4)
    assert ssim(x, 255 - x).max() < 0
    with pytest.raises(EvaluationError, match="needs images of 11 pixels a side, these have 8 x 8"):
        ssim(x[:, :8, :8], x[:, :8, :8])
