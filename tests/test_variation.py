"""Patches of samples against those of the data, and the similarity of pairs."""

import types

import numpy as np
import pytest

import gm_jax
from gm_jax.judging import variation
from gm_jax.settings import Data


def scores(monkeypatch, path, images):
    """What is said of a model whose samples are these images."""
    settings = Data(name="npz", path=str(path))
    trained = types.SimpleNamespace(phase=types.SimpleNamespace(data=settings))
    monkeypatch.setattr(variation, "sample", lambda trained, count: {"image": images[:count]})
    return variation.variation(trained, len(images))


@pytest.fixture
def photographs(tmp_path):
    """Random pictures of 32 x 32 of squares of 2 x 2, 80 of them."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (80, 16, 16, 1)).repeat(2, 1).repeat(2, 2)
    image = np.clip(coarse + rng.normal(0, 10, coarse.shape), 0, 255).astype(np.uint8)
    np.savez(tmp_path / "photographs.npz", image=image)
    return tmp_path / "photographs.npz", image


def test_real_images_score_as_others_do_and_noise_far_worse(photographs, monkeypatch):
    path, image = photographs
    rng = np.random.default_rng(1)
    real = scores(monkeypatch, path, image[rng.permutation(80)[:40]])
    assert list(real) == ["swd_32", "swd_16", "swd", "msssim"]
    noise = rng.integers(0, 256, (40, 32, 32, 1), dtype=np.uint8)
    bad = scores(monkeypatch, path, noise)
    for name in ("swd_32", "swd_16", "swd"):
        assert real[name]["value"] < 1.4 * real[name]["real_against_real"]
        assert real[name]["examples"] == 40
    assert bad["swd_32"]["value"] > 2 * bad["swd_32"]["real_against_real"]
    means = [np.mean([row[f"swd_{side}"][key] for side in (32, 16)]) for row, key in (
        (real, "value"), (real, "real_against_real")
    )]  # fmt: skip
    np.testing.assert_allclose([real["swd"][k] for k in ("value", "real_against_real")], means)


def test_samples_that_are_all_alike_are_found_out(photographs, monkeypatch):
    """Their pairs have a similarity of 1, far above that of real pairs."""
    path, image = photographs
    row = scores(monkeypatch, path, np.repeat(image[:1], 40, axis=0))["msssim"]
    np.testing.assert_allclose(row["value"], 1.0, rtol=1e-5)
    assert row["truth"] < 0.6
    own = scores(monkeypatch, path, image[:40])["msssim"]["value"]
    assert own < 0.6


def test_more_samples_than_half_of_the_images_are_refused(photographs, monkeypatch):
    path, image = photographs
    with pytest.raises(gm_jax.UserError, match="41, but photographs has 80 images"):
        scores(monkeypatch, path, np.repeat(image[:1], 41, axis=0))
