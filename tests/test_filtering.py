"""Filters, resampling and resampling convolutions: SciPy's, and the authors' modules' outputs."""

import jax
import numpy as np
import pytest
import scipy.signal
from stylegan2_golden import description, golden, kernel, needs_golden, uniform

from gm_jax.nn import filtering
from gm_jax.nn.equalized import convolution

F1 = np.array([1.0, 2.0, 4.0, 1.0]) / 8.0


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def pair(value):
    return value if isinstance(value, list) else [value, value]


@pytest.mark.parametrize("up, down", [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (2, 3)])
@pytest.mark.parametrize("pads", [(3, 3), (5, 4)])
def test_filtered_is_scipys_upfirdn(up, down, pads):
    x, taps = np.random.default_rng(0).normal(size=(2, 7)), np.array([0.3, 1.0, -2.0, 0.5])
    before, after = pads
    stuffed = np.zeros((2, 7 * up))
    stuffed[:, ::up] = x
    stuffed = np.pad(stuffed, ((0, 0), (before, after)))
    expected = [scipy.signal.convolve(row, taps, "valid")[::down] for row in stuffed]
    y = filtering.filtered(x, taps, 1, pads, up, down)
    np.testing.assert_allclose(y, np.array(expected), atol=1e-14)


@pytest.mark.parametrize("up, down", [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (2, 3)])
@pytest.mark.parametrize("pads", [(3, 3), (5, 4), (0, 2), (-1, 1), (7, 0)])
def test_gradients_of_filters_are_the_transposed_matrix(up, down, pads):
    """The Jacobian, of the gradient too, against the matrix that filtering unit vectors gives."""
    taps = np.array([0.3, 1.0, -2.0, 0.5])

    def filtered(x):
        return filtering.filtered(x, taps, 0, pads, up, down)

    matrix = np.stack([filtered(row) for row in np.eye(7)], 1)
    x, weights = np.random.default_rng(0).normal(size=(2, 7))
    np.testing.assert_allclose(jax.jacrev(filtered)(x), matrix, atol=1e-14)

    def slope(x):
        return jax.grad(lambda x: np.sum(filtered(x) ** 2) / 2)(x) @ weights

    np.testing.assert_allclose(jax.grad(slope)(x), matrix.T @ matrix @ weights, atol=1e-13)


@needs_golden
def test_the_formula_of_the_golden_weights():
    for name, values in description()["check_of_fill"].items():
        np.testing.assert_array_equal(uniform(name, (4,), "gm-a"), values)


@needs_golden
@pytest.mark.parametrize("case", [str(i) for i in range(8)])
def test_upfirdn(case):
    """The authors' filter of two dimensions is a sum of separable ones: a row each."""
    setting = description()["upfirdn2d"][case]
    taps = np.array(description()["filters"][setting["filter"]])
    taps = np.outer(taps, taps) if taps.ndim == 1 else taps
    taps = taps / taps.sum() * setting.get("gain", 1)
    taps = taps[::-1, ::-1] if setting.get("flip_filter") else taps
    left, right, top, bottom = setting["padding"]
    (up_x, up_y), (down_x, down_y) = pair(setting["up"]), pair(setting["down"])
    total = 0.0
    for row, unit in zip(taps, np.eye(len(taps)), strict=True):
        y = filtering.filtered(golden("in/x_filter"), row, 2, (left, right), up_x, down_x)
        total = total + filtering.filtered(y, unit, 1, (top, bottom), up_y, down_y)
    np.testing.assert_allclose(total, golden(f"op/upfirdn2d_{case}"), atol=1e-13)


@needs_golden
@pytest.mark.parametrize("suffix, taps", [("", filtering.BINOMIAL), ("_f1", F1)])
def test_resampling(suffix, taps):
    x = golden("in/x_filter")
    up, down = filtering.upsampled(x, taps), filtering.downsampled(x, taps)
    np.testing.assert_allclose(up, golden(f"op/upsample2d{suffix}"), atol=1e-13)
    np.testing.assert_allclose(down, golden(f"op/downsample2d{suffix}"), atol=1e-13)


CONVOLUTIONS = {
    "up1_down1": convolution,
    "up2_down1": filtering.convolution_up,
    "up1_down2": filtering.convolution_down,
}


@needs_golden
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("flip", [0, 1])
def test_resampling_convolutions(size, name, flip):
    """flip 1 is correlation, as ours; flip 0 convolution, as in the authors' generator."""
    weights = kernel(f"in/w{size}")
    weights = weights if flip else weights[::-1, ::-1]
    y = CONVOLUTIONS[name](golden("in/x_conv"), weights)
    np.testing.assert_allclose(y, golden(f"op/conv_k{size}_{name}_flip{flip}"), atol=1e-13)


def test_a_constant_stays_inside():
    x = np.ones((1, 8, 8, 1))
    np.testing.assert_allclose(filtering.upsampled(x)[:, 2:-2, 2:-2], 1.0)
    np.testing.assert_allclose(filtering.downsampled(x)[:, 1:-1, 1:-1], 1.0)
