import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm_jax.evaluation import EvaluationError, neighbours
from gm_jax.evaluation.neighbours import Neighbourhoods, neighbourhoods


def by_loops(real, fake, k, k_density):
    """From all pairwise differences, as the papers define them."""

    def distances(x, y):
        return ((x[:, None] - y[None]) ** 2).sum(axis=-1)

    def radii(x, k):
        d = distances(x, x)
        return np.array([np.sort(np.delete(d[i], i))[k - 1] for i in range(len(x))])

    cross = distances(fake, real)
    reach, dense, reach_fake = radii(real, k), radii(real, k_density), radii(fake, k)
    inside = cross < dense
    return Neighbourhoods(
        np.mean([(row <= reach).any() for row in cross]),
        np.mean([(column <= reach_fake).any() for column in cross.T]),
        inside.sum() / (k_density * len(fake)),
        inside.any(axis=0).mean(),
    )


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(7, 60),
    m=st.integers(7, 60),
    d=st.integers(1, 6),
    levels=st.integers(2, 50),
    seed=st.integers(0, 999),
)
def test_counts_are_exact_with_ties_and_duplicates(n, m, d, levels, seed):
    """On a coarse grid many points coincide and many distances are equal."""
    rng = np.random.default_rng(seed)
    real, fake = rng.integers(0, levels, (n, d)), rng.integers(0, levels, (m, d))
    assert neighbourhoods(real, fake) == by_loops(real, fake, 3, 5)


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_shared_images_are_ties_that_a_product_would_miss(offset):
    """Half of the fakes are real images: each lies exactly on some radius, and < is not <=."""
    rng = np.random.default_rng(0)
    real = (offset + rng.normal(size=(300, 64))).astype(np.float32).astype(np.float64)
    fake = np.concatenate([real[:150], rng.normal(size=(150, 64)) + offset])
    assert neighbourhoods(real, fake) == by_loops(real, fake, 3, 5)


def test_the_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(97, 8)), 0.8 * rng.normal(size=(101, 8))
    whole = neighbourhoods(real, fake)
    monkeypatch.setattr(neighbours, "_BLOCK", 700)
    assert neighbourhoods(real, fake) == whole == by_loops(real, fake, 3, 5)


def test_equal_and_disjoint_sets():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 8))
    assert neighbourhoods(x, x)[:2] == (1, 1) and neighbourhoods(x, x).coverage == 1
    assert neighbourhoods(x, x + 100) == (0, 0, 0, 0)
    a, b = rng.normal(size=(2, 2000, 8))
    assert abs(neighbourhoods(a, b).density - 1) < 0.1


def test_refusals():
    x = np.zeros((6, 2))
    with pytest.raises(EvaluationError, match="more than 5 images a side, got 5 and 6"):
        neighbourhoods(x[:5], x)
    with pytest.raises(EvaluationError, match="NaN"):
        neighbourhoods(x * np.nan, x)
