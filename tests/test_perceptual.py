"""Distances of features, and how far a discriminator of patches sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.losses.perceptual import feature_distance, feature_error
from gm_jax.nn.patchgan import PatchGAN


def test_feature_distance_by_hand():
    rng = np.random.default_rng(0)
    x, y = ([rng.normal(size=(2, s, s, c)) for s, c in ((4, 3), (2, 5))] for _ in range(2))
    weights = [rng.uniform(size=c) for c in (3, 5)]
    expected = np.zeros(2)
    for a, b, w in zip(x, y, weights, strict=True):
        a, b = (m / np.linalg.norm(m, axis=-1, keepdims=True) for m in (a, b))
        expected += (w * (a - b) ** 2).sum(-1).mean((1, 2))
    found = feature_distance(*([jnp.asarray(m) for m in maps] for maps in (x, y)), weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Of what points the same way the distance is 0, and so is its slope where nothing is.
    far = feature_distance([jnp.asarray(m) for m in x], [3.0 * jnp.asarray(m) for m in x])
    np.testing.assert_allclose(far, 0.0, atol=1e-6)
    slope = jax.grad(lambda m: feature_distance([m], [m + 1.0])[0])(jnp.zeros((1, 2, 2, 3)))
    assert np.isfinite(slope).all()


def test_feature_error_by_hand():
    """Means of maps as they are: unlike a distance of directions, twice as long is not the same."""
    rng = np.random.default_rng(0)
    x, y = ([rng.normal(size=(2, s, s, c)) for s, c in ((4, 3), (2, 5))] for _ in range(2))
    for power, weights in ((2, (1.0, 1.0)), (1, (0.25, 3.0))):
        expected = sum(
            w * (np.abs(a - b) ** power).mean((1, 2, 3))
            for w, a, b in zip(weights, x, y, strict=True)
        )
        maps = ([jnp.asarray(m) for m in maps] for maps in (x, y))
        found = feature_error(*maps, power, () if power == 2 else weights)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.slow
def test_a_patch_is_70_pixels_wide():
    module = PatchGAN(width=2, normalization="none")
    x = jax.random.normal(jax.random.key(0), (1, 128, 128, 1))
    variables = module.init(jax.random.key(1), x, True)
    assert module.apply(variables, x, False).shape == (1, 14, 14)
    slope = jax.grad(lambda x: module.apply(variables, x, False)[0, 7, 7])(x)[0, ..., 0]
    rows, columns = np.nonzero(slope)
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == 70
