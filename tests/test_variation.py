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


def diverse(monkeypatch, path, draw, count=20):
    """What is said of a model that draws draw(labels), and the labels that it was given."""
    evaluate = types.SimpleNamespace(split="train")
    settings = Data(name="npz", path=str(path))
    trained = types.SimpleNamespace(
        phase=types.SimpleNamespace(data=settings), config=types.SimpleNamespace(evaluate=evaluate)
    )
    told = []

    def sample(trained, count, function, split, given):
        told.append(given["label"])
        assert (function, split, len(told[0])) == ("sample", "train", count)
        return {"image": draw(told[0])}

    monkeypatch.setattr(variation, "sample", sample)
    return variation.diversity(trained, count)["diversity"], told[0]


def test_diversity_is_of_pairs_that_say_the_same(photographs, monkeypatch):
    """Pictures of three classes: those of class 0 are all equal, others are all different."""
    _, image = photographs
    path, label = photographs[0].with_name("labelled.npz"), np.arange(80) % 3
    image = np.where(label[:, None, None, None] == 0, image[:1], image)
    np.savez(path, image=image, label=label)

    alike, told = diverse(monkeypatch, path, lambda labels: image[labels])
    np.testing.assert_array_equal(told[::2], told[1::2])
    assert sorted(set(told.tolist())) == [0, 1, 2]
    np.testing.assert_allclose(alike["value"], 0.0, atol=1e-5)

    # The data's own: a pair of class 0 has 0, one of another class what two pictures have.
    others = variation.similarity(image[label > 0])
    expected = (1.0 - others) * np.mean(told > 0)
    np.testing.assert_allclose(alike["truth"], expected, atol=0.03)
    assert alike["examples"] == 40

    own, _ = diverse(monkeypatch, path, lambda labels: image[:40:2].repeat(2, axis=0))
    np.testing.assert_allclose(own["value"], 0.0, atol=1e-5)
    free, _ = diverse(monkeypatch, path, lambda labels: image[label > 0][: len(labels)])
    np.testing.assert_allclose(free["value"], 1.0 - others, atol=0.03)


def test_diversity_needs_captions_or_labels_and_pairs_of_them(photographs, monkeypatch):
    path, image = photographs
    with pytest.raises(gm_jax.UserError, match="needs images with captions or labels"):
        diverse(monkeypatch, path, lambda labels: image)
    few = path.with_name("few.npz")
    np.savez(few, image=image[:10], label=np.arange(10) // 2)
    with pytest.raises(gm_jax.UserError, match="is 20, and few has 5 pairs of one label"):
        diverse(monkeypatch, few, lambda labels: image)
