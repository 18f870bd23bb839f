"""Points found in pictures, and how far off they are."""

import numpy as np
import pytest

from gm_jax.evaluation import keypoints


def test_the_distance_is_of_coordinates_in_pixels():
    true = np.zeros((2, 3, 2))
    found = true + np.array([[[0.5, 0.0]], [[0.25, -0.25]]])
    np.testing.assert_allclose(keypoints.distance(found, true, 16), [2.0, 2.0])


@pytest.mark.slow
def test_bright_pixels_are_found_at_their_centres():
    """Two points of an image, red and green; x to the right, y down."""
    rng = np.random.default_rng(0)
    pixel = rng.integers(0, 8, (256, 2, 2))
    images = np.zeros((256, 8, 8, 3), np.uint8)
    for number in range(2):
        images[np.arange(256), pixel[:, number, 1], pixel[:, number, 0], number] = 255
    points = (pixel + 0.5) / 8 * 2 - 1
    finder = keypoints.train_finder(images, points, "pixels", epochs=12)
    np.testing.assert_allclose(np.median(np.abs(finder.predict(images) - points)), 0.0, atol=1e-9)
