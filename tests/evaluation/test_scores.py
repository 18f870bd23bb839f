"""Inception score, MS-SSIM, sliced Wasserstein distance, nearest neighbours, uncertainty."""

from functools import partial

import jax
import numpy as np
import pytest
from PIL import Image
from scipy import signal

from gm_jax.evaluation import EvaluationError, inception_score, moments, sheet, sliced, ssim
from gm_jax.evaluation.distances import frechet, frechet_distance, gaussian, gaussian_of_moments
from gm_jax.evaluation.uncertainty import floor, merged, uncertainty


def images(n, side, seed=0, channels=3):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, side // 4 + 1, side // 4 + 1, channels))
    fine = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :side, :side]
    return np.clip(fine + rng.integers(-9, 10, fine.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("n", [10, 97, 100])
def test_inception_score_is_that_of_contiguous_splits_whatever_the_batches(n):
    logits = 3 * np.random.default_rng(0).normal(size=(n, 1008)).astype(np.float32)
    p = np.exp(logits.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    scores = []
    for s in range(10):
        part = p[s * n // 10 : (s + 1) * n // 10]
        divergence = part * (np.log(part) - np.log(part.mean(axis=0)))
        scores.append(np.exp(divergence.sum(axis=1).mean()))
    sums = inception_score.init(n)
    for part in np.split(logits, [3, 4, 9]):
        sums = inception_score.update(sums, part, sums.seen + np.arange(len(part)))
    np.testing.assert_allclose(
        inception_score.score(sums), (np.mean(scores), np.std(scores)), rtol=1e-9, atol=1e-9
    )


def test_inception_score_refuses_too_few():
    with pytest.raises(EvaluationError, match="10 splits need as many images: 9"):
        inception_score.init(9)
    with pytest.raises(EvaluationError, match="expected 12 images, got 0"):
        inception_score.score(inception_score.init(12))


def ms_ssim_of_one_pair(x, y):
    """Float64, with SciPy's convolution, one channel at a time; even sizes only."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    result = 1.0
    for scale, weight in enumerate([0.0448, 0.2856, 0.3001, 0.2363, 0.1333]):
        values = []
        size = min(11, len(x))
        at = np.arange(size) - (size - 1) / 2
        window = np.exp(-(at**2) / (2 * (1.5 * size / 11) ** 2))
        window = np.outer(window, window) / window.sum() ** 2
        for a, b in zip(np.moveaxis(x, -1, 0), np.moveaxis(y, -1, 0), strict=True):
            mean = partial(signal.convolve2d, in2=window, mode="valid")
            ma, mb = mean(a), mean(b)
            va, vb, vab = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
            value = (2 * vab + c2) / (va + vb + c2)
            if scale == 4:
                value = value * (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
            values.append(value)
        result *= max(np.mean(values), 0) ** weight
        x, y = (z.reshape(z.shape[0] // 2, 2, -1, 2, 3).mean(axis=(1, 3)) for z in (x, y))
    return result


def test_ms_ssim_against_scipy():
    x = images(3, 192)
    noise = np.random.default_rng(1).normal(0, 25, x.shape)
    y = np.clip(x + noise, 0, 255).astype(np.uint8)
    expected = [
        ms_ssim_of_one_pair(a.astype(float), b.astype(float)) for a, b in zip(x, y, strict=True)
    ]
    assert 0.1 < expected[0] < 0.99
    np.testing.assert_allclose(ssim.ms_ssim(x, y), expected, rtol=1e-4)
    np.testing.assert_allclose(ssim.ms_ssim(x, x), 1, rtol=1e-5)


def test_ms_ssim_of_small_images_has_windows_no_larger_than_they_are():
    """Of 32 pixels a side: windows of 11, 11, 8, 4 and 2, as wide in proportion."""
    x = images(3, 32)
    noise = np.random.default_rng(1).normal(0, 40, x.shape)
    y = np.clip(x + noise, 0, 255).astype(np.uint8)
    expected = [
        ms_ssim_of_one_pair(a.astype(float), b.astype(float)) for a, b in zip(x, y, strict=True)
    ]
    assert 0.1 < expected[0] < 0.99
    np.testing.assert_allclose(ssim.ms_ssim(x, y, shrink=True), expected, rtol=1e-4)
    with pytest.raises(EvaluationError, match="16 pixels a side, these have 15 x 15"):
        ssim.ms_ssim(images(1, 15), images(1, 15), shrink=True)


def test_ms_ssim_refuses_images_too_small_for_five_scales():
    assert jax.eval_shape(ssim.ms_ssim, images(1, 161), images(1, 161)).shape == (1,)
    with pytest.raises(EvaluationError, match="161 pixels a side, these have 160 x 160"):
        ssim.ms_ssim(images(1, 160), images(1, 160))


def test_the_pyramid_takes_apart_what_adds_up_again():
    x = images(2, 64).astype(np.float32)
    pyramid = sliced._laplacian(x, sliced.levels(64, 64))
    assert [p.shape[1] for p in pyramid.values()] == [64, 32, 16]
    up = pyramid[16]
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 64
    for side in (32, 64):
        spread = np.zeros((2, side, side, 3))
        spread[:, ::2, ::2] = up
        padded = np.pad(spread, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
        smooth = [
            [signal.convolve2d(padded[b, :, :, c], kernel, mode="valid") for c in range(3)]
            for b in range(2)
        ]
        up = pyramid[side] + np.moveaxis(np.array(smooth), 1, -1)
    np.testing.assert_allclose(up, x, atol=1e-3)


def test_sliced_wasserstein():
    a, b = sliced.patches(images(40, 32)), sliced.patches(images(40, 32, seed=1))
    noise = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    far = sliced.patches(noise)
    assert set(a) == {32, 16} and a[32].shape == (40 * 128, 3, 49)
    for side in a:
        assert sliced.sliced_wasserstein(a[side], a[side]) == 0
        near = sliced.sliced_wasserstein(a[side], b[side])
        assert 0 < near < sliced.sliced_wasserstein(a[side], far[side])


def test_patches_do_not_depend_on_the_batches():
    x = images(6, 32)
    whole, parts = sliced.patches(x), [sliced.patches(x[:2]), sliced.patches(x[2:], first=2)]
    for side in whole:
        np.testing.assert_array_equal(whole[side], np.concatenate([p[side] for p in parts]))


def test_sliced_wasserstein_in_closed_form():
    """Against sets of one and the same patch, whose projections are one point."""
    rng = np.random.default_rng(0)
    p = sliced._normalise(rng.normal(size=(500, 2, 49)))
    np.testing.assert_allclose(p.reshape(500, 2, 49).mean(axis=(0, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(p.reshape(500, 2, 49).std(axis=(0, 2)), 1, rtol=1e-5)
    same = np.full((500, 2, 49), 7.0)
    value = sliced.sliced_wasserstein(rng.normal(size=(500, 2, 49)), same)
    assert abs(value / 1e3 - np.sqrt(2 / np.pi)) < 0.02


def test_sliced_wasserstein_refuses_what_has_no_pyramid():
    for shape in ((1, 15, 15, 3), (1, 32, 64, 3)):
        with pytest.raises(EvaluationError, match="square images of at least 16"):
            sliced.patches(np.zeros(shape, np.uint8))
    assert sliced.levels(28, 28) == [28] and sliced.levels(256, 256)[-1] == 16


def test_nearest_neighbours_in_pixels(tmp_path):
    train, samples = images(50, 8), images(3, 8, seed=1)
    samples[1] = train[37]
    found, distance = sheet.nearest(samples, np.split(train, [1, 20]), k=3)
    difference = samples[:, None].astype(float) - train[None]
    expected = np.sqrt((difference**2).mean(axis=(2, 3, 4)))
    order = np.argsort(expected, axis=1)[:, :3]
    np.testing.assert_array_equal(found, train[order])
    np.testing.assert_allclose(distance, np.take_along_axis(expected, order, axis=1), atol=1e-6)
    sheet.save_sheet(tmp_path / "sheet.png", samples, found)
    page = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert page.shape == (3 * 9, 4 * 9, 3)
    np.testing.assert_array_equal(page[9:17, :8], samples[1])
    np.testing.assert_array_equal(page[9:17, 9:17], train[37])
    with pytest.raises(EvaluationError, match="at least 3 images"):
        sheet.nearest(samples, [train[:2]], k=3)


def grouped(x):
    return [moments.update(moments.init(x.shape[1]), x[g::10]) for g in range(10)]


def test_the_interval_covers_and_the_limit_removes_the_bias():
    """Of normal samples against their own law: the true distance is 0, all that shows is bias."""
    law = gaussian(np.zeros(8), np.eye(8))
    values, limits, widths = [], [], []
    for seed in range(40):
        groups = grouped(np.random.default_rng(seed).normal(size=(400, 8)))
        value = frechet(gaussian_of_moments(merged(groups)), law)
        interval, limit = uncertainty(groups, law, value)
        assert interval[0] < value < interval[1]
        values.append(value), limits.append(limit), widths.append(interval[1] - interval[0])
    assert abs(np.mean(limits)) < 0.15 * np.mean(values)
    expected = 2 * 2.262 * np.std(values)
    assert 0.5 * expected < np.mean(widths) < 2 * expected


def test_the_jackknife_leaves_out_one_group_at_a_time():
    x, law = np.random.default_rng(0).normal(size=(95, 4)), gaussian(np.ones(4), np.eye(4))
    keep = lambda g: x[np.arange(95) % 10 != g]  # noqa: E731
    without = [
        frechet_distance(keep(g).mean(0), np.cov(keep(g), rowvar=False), np.ones(4), np.eye(4))
        for g in range(10)
    ]
    half = 2.2621571628 * np.sqrt(9 / 10 * np.sum((without - np.mean(without)) ** 2))
    interval, _ = uncertainty(grouped(x), law, 3.0)
    np.testing.assert_allclose(interval, (3.0 - half, 3.0 + half), rtol=1e-8)


def test_the_floor_is_made_of_disjoint_halves():
    groups = grouped(np.random.default_rng(0).normal(size=(400, 8)))
    mean, std, side = floor(groups)
    assert side == 200 and 0 < std < mean
    # For n a side the bias of a standard normal is about (d + d (d + 1) / 4) 2 / n.
    assert 0.5 < mean / ((8 + 18) * 2 / 200) < 1.5
    with pytest.raises(EvaluationError, match="at least 20 images"):
        floor(grouped(np.zeros((19, 2))))
