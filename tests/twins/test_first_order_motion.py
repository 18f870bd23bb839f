"""By hand, in float64: the first-order motion model's loss and functions."""

import numpy as np
import pytest

from gm_jax.model import example_keys
from gm_jax.translation.shared.warping import random_deformation
from twins.game import KEY, game, on
from twins.numbers import agree

RECIPE = "first_order_motion_dancers"
PLAIN = {"perceptual": 0.0, "pixels": 3.0}


def entry(of, name):
    """In [0, 1], as the networks see it."""
    return (np.asarray(of.batch[name], np.float64) + 1) / 2


def halved(image):
    """Blurred by five taps each way, every second pixel."""
    taps = np.exp(-(np.arange(-2, 3) ** 2) / 0.5)
    padded, (_, height, width, _) = np.pad(image, ((0, 0), (2, 2), (2, 2), (0, 0))), image.shape
    blurred = sum(
        a * b * padded[:, i : i + height, j : j + width]
        for i, a in enumerate(taps / taps.sum())
        for j, b in enumerate(taps / taps.sum())
    )
    return blurred[:, ::2, ::2]


def spline(deformation, points):
    """T and T' at points [K, 2], by T's own formula and by hand."""
    line = np.linspace(-1, 1, 5)
    controls = np.array([(x, y) for y in line for x in line])
    affine, bending = (np.asarray(x, np.float64) for x in deformation)
    away = points[:, None] - controls
    r = np.abs(away).sum(-1)
    moved = points @ affine[:, :2].T + affine[:, 2] + (r**2 * np.log(r + 1e-6) @ bending)[:, None]
    slope = (2 * r * np.log(r + 1e-6) + r**2 / (r + 1e-6)) * bending
    bent = np.einsum("kn,kni->ki", slope, np.sign(away))
    return moved, affine[:, :2] + np.stack([bent, bent], axis=1)


def parts(found, count):
    """Keypoints of source, driving and deformed frame, that were seen in one batch."""
    return [tuple(x[n * count : (n + 1) * count] for x in found) for n in range(3)]


def test_the_loss():
    """Errors of pixels at two scales, and 10 times both errors of keypoints."""
    of = game(RECIPE, **PLAIN)
    played, driving = of.play(), entry(of, "image_b")
    ((seen,), (found,)) = played.seen("detector"), played.outputs("detector")
    count = len(driving)
    np.testing.assert_allclose(seen[:count], entry(of, "image"), atol=1e-6)
    np.testing.assert_allclose(seen[count : 2 * count], driving, atol=1e-6)
    source, at_driving, at_bent = parts(found, count)
    (made,) = played.outputs("generator")
    pixels = np.abs(driving - made).mean((1, 2, 3))
    pixels += np.abs(halved(driving) - halved(made)).mean((1, 2, 3))
    points, maps = [], []
    for key, p, j, q, k in zip(example_keys(KEY, of.batch), *at_driving, *at_bent, strict=True):
        moved, slopes = spline(random_deformation(key), q)
        points.append(np.abs(p - moved).mean())
        maps.append(np.abs(np.eye(2) - np.linalg.inv(j) @ slopes @ k).mean())
    agree(played.metric("pixels"), pixels.mean())
    agree(played.metric("points"), np.mean(points))
    agree(played.metric("maps"), np.mean(maps))
    agree(played.value, 3 * pixels.mean() + 10 * np.mean(points) + 10 * np.mean(maps))
    dense, generator = played.calls["dense_motion"][0], played.calls["generator"][0]
    for x, y in zip(dense.inputs[1:], (*source, *at_driving), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)
    np.testing.assert_allclose(dense.inputs[0], entry(of, "image"), atol=1e-6)
    np.testing.assert_allclose(generator.inputs[0], entry(of, "image"), atol=1e-6)
    for x, y in zip(generator.inputs[1:], dense.output, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)


def test_the_deformed_frame_is_of_the_driving_frame():
    """D(T(z)): what is at z is D at T(z)."""
    of = game(RECIPE, **PLAIN)
    (seen,), driving = of.play().seen("detector"), entry(of, "image_b")
    count, side = driving.shape[:2]
    line = np.linspace(-1, 1, side)
    at = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    for row, key in enumerate(example_keys(KEY, of.batch)):
        moved = (spline(random_deformation(key), at)[0] + 1) / 2 * (side - 1)
        x, y = np.abs((np.abs(moved) + side - 1) % (2 * side - 2) - side + 1).T  # Mirrored.
        x0, y0 = (np.clip(np.floor(v).astype(int), 0, side - 2) for v in (x, y))
        fx, fy = (x - x0)[:, None], (y - y0)[:, None]
        d = driving[row]
        expected = (1 - fy) * ((1 - fx) * d[y0, x0] + fx * d[y0, x0 + 1])
        expected += fy * ((1 - fx) * d[y0 + 1, x0] + fx * d[y0 + 1, x0 + 1])
        found = seen[2 * count + row].reshape(-1, 3)
        assert np.abs(found - expected).mean() < 1e-4


def test_features_are_compared_at_all_scales():
    of = game(RECIPE, perceptual=0.7, pixels=10.0)
    played = of.play()
    calls = played.calls["backbone"]
    assert [call.inputs[0].shape[1] for call in calls] == [16, 16, 8, 8]
    scaled = (entry(of, "image_b") - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]  # ImageNet's.
    np.testing.assert_allclose(calls[0].inputs[0], scaled, atol=1e-4)
    far = sum(
        np.abs(x.output["relu1_1"] - y.output["relu1_1"]).mean()
        for x, y in zip(calls[::2], calls[1::2], strict=True)
    )
    agree(played.metric("absolute_random_vgg19_0"), far)
    metrics = {name: played.metric(name) for name in ("pixels", "points", "maps")}
    weighted = 10 * sum(metrics.values()) + 0.7 * far
    agree(played.value, weighted)


def test_the_motion_is_a_mixture_of_the_keypoints_maps():
    """sum_k M_k T_k with the identity for the ground, whose mask is the first."""
    of = game(RECIPE, **PLAIN)
    (call,) = of.play().calls["dense_motion"]
    _, p_s, j_s, p_d, j_d = call.inputs
    flow, occlusion, masks = call.output
    np.testing.assert_allclose(masks.sum(-1), 1, atol=1e-5)
    assert (occlusion > 0).all() and (occlusion < 1).all()
    x, y = np.linspace(-1, 1, flow.shape[2]), np.linspace(-1, 1, flow.shape[1])
    at = np.stack(np.meshgrid(x, y), -1)
    expected = masks[..., :1] * at
    for k in range(p_s.shape[1]):
        linear = j_s[:, k] @ np.linalg.inv(j_d[:, k])
        moved = np.einsum("bij,bhwj->bhwi", linear, at - p_d[:, k, None, None])
        expected = expected + masks[..., k + 1 :][..., :1] * (p_s[:, k, None, None] + moved)
    np.testing.assert_allclose(flow, expected, atol=1e-4)


@pytest.mark.slow
def test_the_functions():
    """Relative motion is p_S + p_D - p_D0 and J_D J_D0^-1 J_S; absolute that of the driver."""
    of = game(RECIPE, **PLAIN)
    for name, driver in (("translate", "image_b"), ("animate_absolute", "image_b_driver")):
        outputs, calls = of.work(name)
        own, other = (
            on(calls["detector"], entry(of, key)).output for key in ("image", driver)
        )  # fmt: skip
        check(of, calls, outputs, own, other)
    outputs, calls = of.work("animate")
    own, first, now = (
        on(calls["detector"], entry(of, key)).output
        for key in ("image", "image_driver", "image_b_driver")
    )
    moved = own[0] + now[0] - first[0], now[1] @ np.linalg.inv(first[1]) @ own[1]
    check(of, calls, outputs, own, moved)
    names = "translate", "animate", "animate_absolute"
    made = {name: of.work(name)[0]["image_b"] for name in names}
    entries = "image", "image_b", "image_driver", "image_b_driver"
    image, later, first, now = (np.asarray(of.batch[name]) for name in entries)
    for name, expected in (
        ("compare", (image, later, made["translate"])),
        ("transfer", (image, first, now, made["animate"], made["animate_absolute"])),
    ):
        np.testing.assert_allclose(of.work(name)[0]["image"], np.stack(expected, 1), atol=1e-4)


def check(of, calls, outputs, own, other):
    (dense,), (generator,) = calls["dense_motion"], calls["generator"]
    for found, expected in zip(dense.inputs, (entry(of, "image"), *own, *other), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(generator.inputs[0], entry(of, "image"), atol=1e-6)
    np.testing.assert_allclose(outputs["image_b"], 2 * generator.output - 1, atol=1e-5)
