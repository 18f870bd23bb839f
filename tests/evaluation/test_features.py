import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from gm_jax.evaluation import EvaluationError, Features, extract
from gm_jax.fingerprint import fingerprint


def toy(traces=None):
    """Three projections and the mean of each image; whole numbers, so exact in float32."""
    weights = np.random.default_rng(0).integers(-3, 4, (4 * 4 * 3, 3)).astype(np.float32)

    def apply(params, images):
        if traces is not None:
            traces.append(images.shape)
        x = images.reshape(len(images), -1).astype("float32")
        return {"a": x @ params, "b": x.mean(axis=1, keepdims=True)}

    return Features("toy", fingerprint(weights), {"a": 3, "b": 1}, weights, apply)


ONE = jax.local_devices()[:1]


def images(n, size=4, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("cuts", [[], [1], [8, 16], [3, 3, 20], [22]])
def test_no_image_is_dropped_and_one_program_is_compiled(cuts):
    x, traces = images(23), []
    parts = list(extract(toy(traces), np.split(x, cuts), batch_size=8, devices=ONE))
    rows = np.concatenate([part["b"] for part in parts])
    np.testing.assert_allclose(rows[:, 0], x.reshape(23, -1).mean(axis=1), rtol=1e-5)
    assert traces == [(8, 4, 4, 3)]


def test_a_second_pass_does_not_compile_again():
    traces = []
    features = toy(traces)
    for _ in range(2):
        list(extract(features, [images(9)], batch_size=4, devices=ONE))
    assert traces == [(4, 4, 4, 3)]


def test_only_the_layers_asked_for():
    (part,) = extract(toy(), [images(5)], layers=["a"])
    assert set(part) == {"a"} and part["a"].shape == (5, 3)
    with pytest.raises(EvaluationError, match=r"toy has no features \['c'\]"):
        list(extract(toy(), [images(5)], layers=["c"]))


def test_images_that_are_refused():
    with pytest.raises(EvaluationError, match="mixed shape"):
        list(extract(toy(), [images(2), images(2, size=5)]))
    with pytest.raises(EvaluationError, match="must be uint8"):
        list(extract(toy(), [images(2) / 255.0]))
    with pytest.raises(EvaluationError, match="must be uint8"):
        list(extract(toy(), [images(2)[0]]))


def test_the_fingerprint_is_of_names_shapes_and_values():
    a = {"w": np.ones((2, 3), np.float32)}
    others = [
        {"v": a["w"]},
        {"w": a["w"].reshape(3, 2)},
        {"w": a["w"] + np.float32(1e-7) * np.eye(2, 3, dtype=np.float32)},
    ]
    prints = {fingerprint(tree) for tree in [a, *others]}
    assert len(prints) == 4 and fingerprint({"w": a["w"].copy()}) in prints


EIGHT = """
import jax, numpy as np, sys
sys.path.insert(0, {tests!r})
from test_features import toy, images
from gm_jax.evaluation import extract, moments
assert jax.local_device_count() == 8
traces = []
m = moments.init(3)
for part in extract(toy(traces), np.split(images(301), [50, 51]), ["a"], batch_size=60):
    m = moments.update(m, part["a"])
assert traces == [(8, 4, 4, 3)], traces
np.save({out!r}, np.vstack([m.shift + m.sum / m.n, moments.mean_and_covariance(m)[1]]))
"""


@pytest.mark.slow
def test_eight_devices_agree_with_np_cov(tmp_path):
    out = str(tmp_path / "eight.npy")
    code = EIGHT.format(tests=os.path.dirname(__file__), out=out)
    env = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "JAX_PLATFORMS": "cpu",
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    exact = images(301).reshape(301, -1).astype(float) @ toy().params.astype(float)
    expected = np.vstack([exact.mean(axis=0), np.cov(exact, rowvar=False)])
    np.testing.assert_allclose(np.load(out), expected, rtol=1e-8)
