"""Patches of samples against those of the data, and the similarity of pairs."""

import types

import numpy as np
import pytest

import gm_jax
from gm_jax import variation
from gm_jax.settings import Data


def scores(monkeypatch, path, images):
    """What is said of a model whose samples are these images."""
    settings = Data(name="npz", path=str(path))
    trained = types.SimpleNamespace(phase=types.SimpleNamespace(data=settings))
    monkeypatch.setattr(variation, "sample", lambda trained, count: {"image": images[:count]})
    return variation.variation(trained, len(images))


@pytest.fixture
def photographs(tmp_path):
    """Random pictures of 32 x 32 of squares of 4 x 4, 40 of them."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (40, 8, 8, 3)).repeat(4, 1).repeat(4, 2)
    image = np.clip(coarse + rng.normal(0, 10, coarse.shape), 0, 255).astype(np.uint8)
    np.savez(tmp_path / "photographs.npz", image=image)
    return tmp_path / "photographs.npz", image


def test_real_images_score_as_others_do_and_noise_far_worse(photographs, monkeypatch):
    path, image = photographs
    rng = np.random.default_rng(1)
    real = scores(monkeypatch, path, image[rng.permutation(40)[:20]])
    assert list(real) == ["swd_32", "swd_16", "swd", "msssim"]
    noise = rng.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    bad = scores(monkeypatch, path, noise)
    for name in ("swd_32", "swd_16", "swd"):
        floor = 1.5 * real[name]["real_against_real"]
        assert real[name]["value"] < floor < bad[name]["value"]
        assert real[name]["examples"] == 20
    means = [np.mean([row[f"swd_{side}"][key] for side in (32, 16)]) for row, key in (
        (real, "value"), (real, "real_against_real")
    )]  # fmt: skip
    np.testing.assert_allclose([real["swd"][k] for k in ("value", "real_against_real")], means)


def test_samples_that_are_all_alike_are_found_out(photographs, monkeypatch):
    """Their pairs have a similarity of 1, far above that of real pairs."""
    path, image = photographs
    row = scores(monkeypatch, path, np.repeat(image[:1], 20, axis=0))["msssim"]
    np.testing.assert_allclose(row["value"], 1.0, rtol=1e-5)
    assert row["truth"] < 0.6
    own = scores(monkeypatch, path, image[:20])["msssim"]["value"]
    assert own < 0.6


def test_more_samples_than_half_of_the_images_are_refused(photographs, monkeypatch):
    path, image = photographs
    with pytest.raises(gm_jax.UserError, match="21, but photographs has 40 images"):
        scores(monkeypatch, path, np.repeat(image[:1], 21, axis=0))
