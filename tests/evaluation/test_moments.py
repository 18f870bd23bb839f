import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm_jax.evaluation import EvaluationError, moments


def data(n=500, d=12, offset=100.0, seed=0):
    rng = np.random.default_rng(seed)
    return (offset + rng.normal(size=(n, d)) @ rng.normal(size=(d, d))).astype(np.float32)


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def assert_moments(result, x):
    mean, covariance = moments.mean_and_covariance(result)
    assert result.n == len(x)
    assert relative(mean, x.astype(np.float64).mean(axis=0)) < 1e-8
    assert relative(covariance, np.cov(x.astype(np.float64), rowvar=False)) < 1e-8


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 500), max_size=8), seed=st.integers(0, 99))
def test_any_split_agrees_with_np_cov(cuts, seed):
    x = data(seed=seed)
    result = moments.init(x.shape[1])
    for part in np.split(x, sorted(cuts)):
        result = moments.update(result, part)
    assert_moments(result, x)


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(0, 500))
def test_merged_parts_agree_with_np_cov_and_can_be_removed_again(cut):
    x = data()
    a, b = (moments.update(moments.init(12), part) for part in (x[:cut], x[cut:] + 0))
    assert_moments(moments.merge(a, b), x)
    if cut > 20:
        assert_moments(moments.remove(moments.merge(a, b), b), x[:cut])


def test_a_mean_far_from_zero_costs_no_digits():
    """Without the shift, Σ xxᵀ - N μμᵀ loses eight digits here."""
    x = data(offset=1e6).astype(np.float64)
    result = moments.init(12)
    for part in np.array_split(x, 7):
        result = moments.update(result, part)
    assert_moments(result, x)
    plain = (x.T @ x - len(x) * np.outer(x.mean(0), x.mean(0))) / (len(x) - 1)
    assert relative(plain, np.cov(x, rowvar=False)) > 1e-8


def test_padded_rows_do_not_count_even_when_they_are_nan():
    x = data(n=30)
    padded = np.concatenate([x, np.full((10, 12), np.nan, np.float32)])
    assert_moments(moments.update(moments.init(12), padded, np.arange(40) < 30), x)


def test_one_process_is_all_processes_and_float64_survives():
    x = data(n=40)
    result = moments.update(moments.init(12), x)
    gathered = moments.over_processes(result)
    np.testing.assert_array_equal(gathered.outer, result.outer)
    np.testing.assert_array_equal(gathered.sum, result.sum)


def test_refusals_are_one_line():
    empty = moments.init(3)
    with pytest.raises(EvaluationError, match="at least 2 images, not 1"):
        moments.mean_and_covariance(moments.update(empty, np.ones((1, 3))))
    with pytest.raises(EvaluationError, match="1 of 2 feature vectors hold NaN"):
        moments.update(empty, np.array([[1.0, 2, 3], [1, np.nan, 3]]))
    with pytest.raises(EvaluationError, match="3 and 4 dimensions"):
        moments.merge(empty, moments.init(4))
