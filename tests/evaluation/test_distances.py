import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from gm_jax.evaluation import (
    EvaluationError,
    distances,
    frechet_distance,
    frechet_of_features,
    frechet_of_moments,
    kernel_distance,
    moments,
    real_floor,
)


def features(n, d, seed, decay=0.0):
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(7).normal(size=(d, d)) * np.exp(-decay * np.arange(d))[:, None]
    return rng.normal(size=(n, d)) @ mix + rng.normal(size=d)


def fitted(x):
    return x.mean(axis=0), np.cov(x, rowvar=False)


def relative(a, b):
    return abs(a - b) / abs(b)


@settings(max_examples=25, deadline=None)
@given(d=st.integers(1, 40), seed=st.integers(0, 999))
def test_diagonal_closed_form(d, seed):
    rng = np.random.default_rng(seed)
    mean1, mean2 = rng.normal(size=(2, d))
    s1, s2 = rng.uniform(0, 3, size=(2, d))
    value = frechet_distance(mean1, np.diag(s1**2), mean2, np.diag(s2**2))
    assert relative(value, np.sum((mean1 - mean2) ** 2) + np.sum((s1 - s2) ** 2)) < 1e-9


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999))
def test_a_rotation_changes_nothing(seed):
    x, y = features(200, 30, seed), features(150, 30, seed + 1)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(30, 30)))[0]
    assert (
        relative(frechet_of_features(x @ rotation, y @ rotation), frechet_of_features(x, y)) < 1e-9
    )


def dual(x, y):
    """The distance by way of the [N1, N2] Gram matrix of centred rows, for any N."""
    xc = (x - x.mean(axis=0)) / np.sqrt(len(x) - 1)
    yc = (y - y.mean(axis=0)) / np.sqrt(len(y) - 1)
    nuclear = np.linalg.svd(xc @ yc.T, compute_uv=False).sum()
    between = np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2)
    return between + np.sum(xc**2) + np.sum(yc**2) - 2 * nuclear


@pytest.mark.parametrize("n1, n2", [(40, 60), (40, 300), (300, 40), (2, 2), (300, 300)])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_fewer_images_than_dimensions_against_the_gram_dual(n1, n2, decay):
    x, y = features(n1, 128, 0, decay), features(n2, 128, 1, decay)
    expected = dual(x, y)
    assert relative(frechet_distance(*fitted(x), *fitted(y)), expected) < 1e-9
    assert relative(frechet_of_features(x, y), expected) < 1e-9
    sums = [moments.update(moments.init(128), z) for z in (x, y)]
    assert relative(frechet_of_moments(*sums), expected) < 1e-9


def test_the_root_of_the_product_is_what_fails_there():
    """The mistake: sqrtm of a singular product is off in the fifth digit or so."""
    x, y = features(40, 128, 0, 0.05), features(60, 128, 1, 0.05)
    (mean1, c1), (mean2, c2) = fitted(x), fitted(y)
    root = np.trace(scipy.linalg.sqrtm(c1 @ c2)).real
    plain = np.sum((mean1 - mean2) ** 2) + np.trace(c1) + np.trace(c2) - 2 * root
    assert not relative(plain, dual(x, y)) < 1e-9


@pytest.mark.parametrize("shape", [(300, 300), (300, 350), (350, 300)])
@pytest.mark.parametrize("decades", [0, 2, 4, 9])
@pytest.mark.parametrize("pivots", [0.0, 1.0])
def test_nuclear_norm_of_known_singular_values(shape, decades, pivots):
    """Nine decades, and a caller who says all is well: their squares are below the rounding."""
    rng = np.random.default_rng(0)
    sigma = np.logspace(0, -decades, 300)
    left, right = (np.linalg.qr(rng.normal(size=(n, 300)))[0] for n in shape)
    assert relative(distances.nuclear_norm((left * sigma) @ right.T, pivots), sigma.sum()) < 1e-11


def test_large_full_rank_against_the_dual():
    x, y = features(700, 300, 0), features(650, 300, 1)
    assert relative(frechet_distance(*fitted(x), *fitted(y)), dual(x, y)) < 1e-9
    assert abs(frechet_distance(*fitted(x), *fitted(x))) < 1e-6


def test_full_rank_agrees_with_sqrtm():
    (mean1, c1), (mean2, c2) = fitted(features(500, 64, 0)), fitted(features(400, 64, 1))
    root = np.trace(scipy.linalg.sqrtm(c1 @ c2)).real
    plain = np.sum((mean1 - mean2) ** 2) + np.trace(c1) + np.trace(c2) - 2 * root
    assert relative(frechet_distance(mean1, c1, mean2, c2), plain) < 1e-9


@pytest.mark.parametrize("n", [50, 500])
def test_a_set_is_at_distance_zero_of_itself(n):
    x = features(n, 128, 0)
    assert abs(frechet_of_features(x, x)) < 1e-6
    assert abs(frechet_distance(*fitted(x), *fitted(x))) < 1e-6


def test_bad_gaussians_are_refused():
    mean, covariance = np.zeros(3), np.eye(3)
    with pytest.raises(EvaluationError, match="NaN"):
        frechet_distance(mean, covariance * np.nan, mean, covariance)
    with pytest.raises(EvaluationError, match="does not fit"):
        frechet_distance(mean, np.eye(4), mean, covariance)
    with pytest.raises(EvaluationError, match="3 and 4 dimensions"):
        frechet_distance(mean, covariance, np.zeros(4), np.eye(4))
    with pytest.raises(EvaluationError, match="not symmetric"):
        frechet_distance(mean, covariance + np.triu(np.ones((3, 3)), 1), mean, covariance)
    with pytest.raises(EvaluationError, match="N >= 2"):
        frechet_of_features(np.ones((1, 3)), np.ones((5, 3)))


def test_real_floor_is_the_bias_of_n_and_refuses_what_it_cannot_split():
    x = features(400, 16, 0)
    mean, std = real_floor(x, 200)
    smaller, _ = real_floor(x, 100)
    assert 0 < std < mean < smaller
    assert real_floor(x, 200) == (mean, std) != real_floor(x, 200, seed=1)
    with pytest.raises(EvaluationError, match="needs 402 real images, there are 400"):
        real_floor(x, 201)


def kernel_distance_by_loops(x, y, subsets, size, seed):
    rng = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        a = x[rng.choice(len(x), size, replace=False)]
        b = y[rng.choice(len(y), size, replace=False)]
        total = 0.0
        for i in range(size):
            for j in range(size):
                if i != j:
                    total += (a[i] @ a[j] / x.shape[1] + 1) ** 3 / (size * (size - 1))
                    total += (b[i] @ b[j] / x.shape[1] + 1) ** 3 / (size * (size - 1))
                total -= 2 * (a[i] @ b[j] / x.shape[1] + 1) ** 3 / size**2
        values.append(total)
    return np.mean(values), np.std(values)


def test_kernel_distance_at_a_fixed_seed():
    x, y = features(60, 8, 0), features(50, 8, 1)
    expected = kernel_distance_by_loops(x, y, 3, 20, 5)
    np.testing.assert_allclose(kernel_distance(x, y, 3, 20, 5), expected, rtol=1e-6)


def test_kernel_distance_is_unbiased_and_may_be_negative():
    rng = np.random.default_rng(0)
    values = [distances.kernel_distance(*rng.normal(size=(2, 50, 4)), 1)[0] for _ in range(400)]
    assert min(values) < 0
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_kernel_distance_refusals():
    with pytest.raises(EvaluationError, match="at least 2 images"):
        kernel_distance(np.ones((1, 3)), np.ones((5, 3)))
    with pytest.raises(EvaluationError, match="3 and 4 dimensions"):
        kernel_distance(np.ones((5, 3)), np.ones((5, 4)))
