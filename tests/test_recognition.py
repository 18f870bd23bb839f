"""Samples judged by what they show: real images in the place of samples are the oracle."""

from types import SimpleNamespace

import numpy as np
import pytest
from ml_collections import ConfigDict

import gm_jax
from gm_jax import data
from gm_jax.data import mixtures
from gm_jax.judging import recognition


def stand_in(config, outputs, monkeypatch):
    """A trained model of some data whose samples are `outputs`."""
    monkeypatch.setattr(recognition, "sample", lambda *_: outputs)
    evaluate = ConfigDict({"evaluate": {"split": "test"}})
    return SimpleNamespace(phase=SimpleNamespace(data=ConfigDict(config)), config=evaluate)


@pytest.mark.slow
def test_real_images_agree_with_their_labels_and_with_no_others(digits16, monkeypatch):
    config = {"name": "npz", "path": str(digits16)}
    real = data.open_source(ConfigDict(config)).load(np.arange(200))
    for shift, least, most in ((0, 0.95, 1.0), (1, 0.0, 0.05)):
        outputs = {"image": real["image"], "label": (real["label"] + shift) % 10}
        row = recognition.agreement(stand_in(config, outputs, monkeypatch), 200)["agreement"]
        assert least <= row["value"] <= most and row["examples"] == 200
        assert row["classifier_accuracy"] > 0.8
    with pytest.raises(gm_jax.UserError, match="come with a label, or in pairs"):
        recognition.agreement(stand_in(config, {"image": real["image"]}, monkeypatch), 200)


def test_the_images_of_a_pair_are_judged_by_the_labels_of_their_domains(monkeypatch):
    classes = {"image": np.array([1, 2, 3, 4]), "image_b": np.array([1, 2, 0, 4])}
    judged = []

    def classifier_of(config, image, label):
        judged.append((image, label))
        return SimpleNamespace(predict=lambda images: images, accuracy=0.9)

    monkeypatch.setattr(recognition, "classifier_of", classifier_of)
    row = recognition.agreement(stand_in({"name": "two_domains"}, classes, monkeypatch), 4)
    assert row["agreement"]["value"] == 0.75
    assert judged == [("image", "label"), ("image_b", "label_b")]


def test_a_reconstruction_preserves_what_a_classifier_sees(monkeypatch):
    """Pairs whose classes are known: three of four keep theirs."""
    pairs = np.array([[1, 1], [2, 3], [3, 3], [0, 0]])
    judge = SimpleNamespace(predict=lambda images: images, accuracy=0.9)
    monkeypatch.setattr(recognition, "classifier_of", lambda config: judge)
    row = recognition.preservation(stand_in({}, {"image": pairs}, monkeypatch), 4)["preserved"]
    assert row["value"] == 0.75 and row["examples"] == 4 and row["split"] == "test"
    assert np.isclose(row["standard_error"], np.sqrt(0.75 * 0.25 / 3))
    assert row["classifier_accuracy"] == 0.9


def test_the_mode_of_a_stacked_image_is_the_classes_of_its_channels_in_turn(digits16, monkeypatch):
    """Images of one pixel, its values their classes."""
    config = {"name": "stacked", "base": "npz", "path": str(digits16)}
    judge = SimpleNamespace(predict=lambda images: images[:, 0, 0, 0], accuracy=0.9)
    monkeypatch.setattr(recognition, "classifier_of_source", lambda source: judge)
    image = np.array([[1, 2, 3], [1, 2, 3], [1, 5, 3], [1, 2, 9]])[:, None, None]
    found = recognition.mode_coverage(stand_in(config, {"image": image}, monkeypatch), 4)
    assert found["modes"]["value"] == 3 and found["modes"]["of_modes"] == 1000
    assert np.isclose(found["reverse_kl"]["value"], np.log(1000) - 1.5 * np.log(2))
    assert found["modes"]["classifier_accuracy"] == 0.9 and "high_quality" not in found


@pytest.mark.slow
def test_modes_of_stacked_images_are_what_the_channels_show(digits16, monkeypatch):
    config = {"name": "stacked", "base": "npz", "path": str(digits16)}
    drawn = data.open_source(ConfigDict(config)).load(np.arange(500))
    found = recognition.mode_coverage(stand_in(config, drawn, monkeypatch), 500)
    true = len(np.unique(drawn["label"]))
    assert abs(found["modes"]["value"] - true) < 0.05 * true
    assert found["modes"]["of_modes"] == 1000 and found["modes"]["classifier_accuracy"] > 0.8
    one = {"image": drawn["image"][:1].repeat(500, axis=0)}
    found = recognition.mode_coverage(stand_in(config, one, monkeypatch), 500)
    assert found["modes"]["value"] == 1
    assert np.isclose(found["reverse_kl"]["value"], np.log(1000))


def test_modes_of_points_are_counted_at_the_recipes_own_mixture(monkeypatch):
    config = {"name": "ring", "modes": 5, "radius": 1.0, "deviation": 0.1}
    points = {"point": mixtures.centres(ConfigDict(config))[:3]}
    found = recognition.mode_coverage(stand_in(config, points, monkeypatch), 3)
    assert found["modes"]["value"] == 3 and found["modes"]["of_modes"] == 5
    assert found["high_quality"]["value"] == 1.0
    with pytest.raises(gm_jax.UserError, match="known modes .ring, grid, stacked., not digits"):
        recognition.mode_coverage(stand_in({"name": "digits"}, points, monkeypatch), 3)


def test_clusters_are_matched_with_labels(monkeypatch):
    outputs = {"code": np.array([3, 3, 1, 1]), "label": np.array([0, 0, 2, 0])}
    row = recognition.clustering(stand_in({"name": "digits"}, outputs, monkeypatch), 4)
    assert row["clustering_accuracy"]["value"] == 0.75
