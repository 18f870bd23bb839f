"""Translations scored against their known truth: the truth in their place is the oracle."""

from types import SimpleNamespace

import numpy as np
import pytest
from ml_collections import ConfigDict

import gm_jax
from gm_jax import data
from gm_jax.data import scenes
from gm_jax.judging import translations

WORLD = {"name": "scenes", "size": 32, "unpaired": True}
COUNT = 40


def scored(outputs, monkeypatch, config=WORLD, count=COUNT, baseline=None):
    """The metrics of a model whose translations of the test split are `outputs`."""
    functions = {"translate": outputs} | ({"baseline": baseline} if baseline else {})
    monkeypatch.setattr(translations, "sample", lambda trained, count, name, _: functions[name])
    monkeypatch.setattr(translations, "EXAMPLES", 320)
    trained = SimpleNamespace(
        functions=functions,
        phase=SimpleNamespace(data=ConfigDict(config)),
        config=ConfigDict({"evaluate": {"split": "test"}}),
    )
    return translations.translation(trained, count)


@pytest.fixture(scope="module")
def truth():
    return data.open_source(WORLD, "test").load(np.arange(COUNT))


@pytest.mark.slow
def test_the_truth_in_the_place_of_translations_has_the_best_scores(truth, monkeypatch):
    outputs = {name: truth[name] for name in ("image", "image_b")}
    rows = scored(outputs, monkeypatch)
    for name in outputs:
        assert rows[f"{name}_l1"]["value"] == 0 and rows[f"{name}_ssim"]["value"] > 0.9999
        assert rows[f"{name}_retrieval"]["value"] == 1
        assert rows[f"{name}_pixel"]["value"] == rows[f"{name}_pixel"]["truth"]
    assert all(rows[f"image_{metric}"]["value"] == 1 for metric in ("pixel", "class", "iou"))
    assert (
        rows["image_b_pixel"]["value"] > 0.8 and rows["image_b_pixel"]["segmenter_accuracy"] > 0.8
    )
    np.testing.assert_allclose(rows["image_b_contrast"]["value"], 1)
    assert "image_contrast" not in rows
    text = gm_jax.report(rows)
    assert "image_pixel" in text and "truth 1.0000" in text and "copied" in text


def test_copies_and_averages_are_worth_what_stands_beside_a_score(truth, monkeypatch):
    label = truth["segmentation"]
    flat = np.stack([np.median(truth["image_b"][label == c], axis=0) for c in range(5)])[label]
    copied = scored({"image_b": truth["image"], "image": truth["image_b"]}, monkeypatch)
    for row in copied.values():
        assert row.get("copied", row["value"]) == row["value"]
    rows = scored({"image_b": flat.astype(np.uint8)}, monkeypatch)
    expected = np.abs(flat.astype(np.uint8) / 255.0 - truth["image_b"] / 255.0).mean()
    np.testing.assert_allclose(rows["image_b_l1"]["value"], expected, rtol=1e-5)
    assert rows["image_b_contrast"]["value"] < 0.1
    assert not {"image_l1", "image_pixel"} & set(rows)


def test_permuted_labels_cost_class_accuracy_and_another_partner_costs_retrieval(
    truth, monkeypatch
):
    """CycleGAN's own failure: triangles in the squares' colour."""
    permuted = np.array([0, 1, 2, 4, 3])[truth["segmentation"]]
    maps = np.round(255 * scenes.MAP_COLOURS).astype(np.uint8)[permuted]
    rows = scored({"image": maps}, monkeypatch)
    np.testing.assert_allclose(rows["image_class"]["value"], 3 / 5)
    assert rows["image_pixel"]["value"] > 0.9
    confusion = rows["image_class"]["confusion"]
    assert confusion[3, 3] == confusion[4, 4] == 0 < confusion[3, 4]
    rolled = scored({"image": np.roll(truth["image"], 1, axis=0)}, monkeypatch)
    assert rolled["image_retrieval"]["value"] == 0


def test_without_known_partners_there_is_nothing_to_score(truth, root, monkeypatch):
    from picture_files import write

    for name in ("trainA/x", "trainB/x", "testA/x", "testB/y"):
        write(root, f"{name}.png")
    config = {"name": "pairs", "path": str(root), "layout": "folders", "unpaired": True}
    with pytest.raises(gm_jax.UserError, match="needs the true partner of each image"):
        scored({}, monkeypatch, config, 1)
    with pytest.raises(gm_jax.UserError, match="evaluate.translation is 2, but test has 1"):
        scored({}, monkeypatch, config, 2)


def test_a_restored_picture_stands_beside_its_models_baseline(truth, monkeypatch):
    """Of data that has no partners, too: the picture itself is the truth."""
    grey = {"image": np.full_like(truth["image"], 128)}
    rows = scored({"image": truth["image"]}, monkeypatch, baseline=grey)
    copied = np.abs(128 / 255 - truth["image"] / 255.0).mean()
    np.testing.assert_allclose(rows["image_l1"]["copied"], copied, rtol=1e-5)
    assert rows["image_l1"]["value"] == 0 and rows["image_retrieval"]["copied"] < 0.1
    digits = data.open_source({"name": "digits"}, "test").load(np.arange(8))["image"]
    config = {"name": "digits"}
    rows = scored({"image": digits}, monkeypatch, config, 8, baseline={"image": 0 * digits})
    np.testing.assert_allclose(rows["image_l1"]["copied"], digits.mean() / 255, rtol=1e-5)


@pytest.mark.slow
def test_keypoints_are_found_where_they_are_and_a_driven_picture_has_the_same_truth(monkeypatch):
    """The truth as it is has the finder's own error, a copy of the source that of the pose."""
    config = {"name": "dancers", "size": 32}
    truth = data.open_source(config, "test").load(np.arange(COUNT))
    outputs = {"translate": {"image_b": truth["image_b"]}, "animate": {"image_b": truth["image"]}}
    monkeypatch.setattr(translations, "sample", lambda trained, count, name, _: outputs[name])
    trained = SimpleNamespace(
        functions=outputs,
        phase=SimpleNamespace(data=ConfigDict(config)),
        config=ConfigDict({"evaluate": {"split": "test"}}),
    )
    rows = translations.translation(trained, COUNT)
    found, copied = rows["image_b_keypoint"], rows["animate_image_b_keypoint"]
    assert found["value"] == found["truth"] < 0.6 * found["copied"]
    assert copied["value"] == copied["copied"] == found["copied"]
    assert rows["animate_image_b_l1"]["value"] == rows["image_b_l1"]["copied"] > 0
    assert not {"animate_absolute_image_b_l1", "image_b_pixel"} & set(rows)
