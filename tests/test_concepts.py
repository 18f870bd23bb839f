"""Arithmetic with latents: its parts by hand, and worlds in which it must and cannot succeed."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from games import config, opening

import gm_jax
from gm_jax.judging import concepts, recognition


def stand_in(monkeypatch, shows):
    """A model whose samples show `shows` (latents [N, 4] -> classes [N]), and what it was given."""
    asked = []

    def sample(trained, count, function="sample", split="train", given=None):
        if function == "draw":
            latents = np.float32(np.random.default_rng(0).normal(size=(count, 4)))
            return {"image": latents, "latent": latents}
        asked.append(given["latent"])
        return {"image": given["latent"]}

    classifier = SimpleNamespace(predict=shows, accuracy=0.9)
    monkeypatch.setattr(concepts, "sample", sample)
    monkeypatch.setattr(recognition, "classifier_of", lambda data: classifier)
    functions = {"generate": None}
    return SimpleNamespace(phase=SimpleNamespace(data=None), functions=functions), asked


def test_concepts_by_hand():
    z = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(concepts.concept(z), z.sum(1) / 3)
    a, b, c = np.eye(3)
    np.testing.assert_array_equal(concepts.combined(a, b, c), [1, -1, 1])
    near = concepts.nearby(z[0, 0], 500)
    assert near.shape == (501, 4) and np.ptp(near[1:] - z[0, 0]) > 0.49
    np.testing.assert_array_equal(near[0], z[0, 0])
    assert np.abs(near - z[0, 0]).max() <= 0.25


def test_classes_that_are_directions_survive_arithmetic(monkeypatch):
    """The largest entry of a latent is its class: a mean keeps it, and a - b + c has c's."""
    trained, asked = stand_in(monkeypatch, lambda z: z.argmax(1))
    rows = concepts.arithmetic(trained, 6000)
    assert rows["concept_kept"]["value"] > 0.95 > 0.6 > rows["concept_kept"]["chance"] > 0.4
    assert rows["arithmetic_kept"]["value"] > 0.6
    assert rows["concept_kept"]["classifier_accuracy"] == 0.9
    means, any_three, sums = asked
    np.testing.assert_allclose(means.std(0), 0.75, atol=0.2)
    assert len(any_three) == 2000 and 500 < len(sums) < 1000


def test_classes_without_a_direction_do_not(monkeypatch):
    """Of noise in the digits of a latent, a mean has the class of its members by chance."""
    trained, _ = stand_in(monkeypatch, lambda z: np.abs(z * 1e4).sum(1).astype(int) % 4)
    rows = concepts.arithmetic(trained, 6000)
    for value in (rows["concept_kept"]["value"], rows["arithmetic_kept"]["value"]):
        assert 0.15 < value < 0.35


def test_too_few_classes_and_models_without_latents_are_refused(monkeypatch):
    trained, _ = stand_in(monkeypatch, lambda z: np.zeros(len(z), int))
    with pytest.raises(gm_jax.UserError, match="too few samples of two classes"):
        concepts.arithmetic(trained, 60)
    trained.functions.clear()
    with pytest.raises(gm_jax.UserError, match="needs a generator of latents, such as a GAN's"):
        concepts.arithmetic(trained, 60)


def test_a_gan_generates_from_the_latents_that_it_drew():
    phase, _, variables = opening(config("wgan", ""), jax.devices()[:1])
    batch, functions = {"index": np.arange(8)}, phase.model.functions
    (size,) = phase.model.spec["latent"].shape
    drawn = functions["draw"](variables, batch, jax.random.key(1))
    assert drawn["latent"].shape == (8, size)
    again = functions["generate"](
        variables, {**batch, "latent": drawn["latent"]}, jax.random.key(2)
    )
    np.testing.assert_array_equal(again["image"], drawn["image"])
    sampled = functions["sample"](variables, batch, jax.random.key(1))
    np.testing.assert_allclose(sampled["image"], drawn["image"], atol=1e-6)
