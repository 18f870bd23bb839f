"""Stages that only functions read: they come, change and go, and training is as without them."""

import re

import jax
import numpy as np
import pytest
from games import config
from ml_collections import ConfigDict

import gm_jax
from gm_jax.recipes import differences
from gm_jax.training import parallel

ONE = jax.devices()[:1]
QUIET = {"show.every": 0, "checkpoint.every": 2, "network.multipliers": (1,)}


def with_stage(settings, name, stage, **overrides):
    """The settings with a stage, a recipe or a workdir."""
    settings = gm_jax.recipes.complete(settings.to_dict())
    with settings.unlocked():
        settings.update_from_flattened_dict(overrides)
        own = stage.to_dict() if isinstance(stage, ConfigDict) else str(stage)
        settings.stages = {**dict(settings.stages), name: own}
    return settings


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, *(parallel.to_host(t) for t in (a, b)))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Half trained runs: a model without labels, and a classifier."""
    folder = tmp_path_factory.mktemp("runs")
    plain = config("ddpm", None, conditional=False, label_dropout=0.0, **QUIET)
    plain.steps = 2
    model = gm_jax.train(plain, folder / "model", ONE)
    judge = gm_jax.load_config("configs/classifier_digits.py:smoke")
    judge.show.every = 0
    gm_jax.train(judge, folder / "classifier", ONE)
    return plain, model, folder


@pytest.mark.slow
def test_a_classifier_guides_a_model_that_is_trained_already(small):
    plain, model, folder = small
    before = gm_jax.sample(model, 8)
    assert "label" not in before
    images = {}
    for scale in (0.0, 5.0):
        guided = with_stage(
            plain, "classifier", folder / "classifier", **{"sampler.classifier": scale}
        )
        drawn = gm_jax.sample(gm_jax.load(folder / "model", guided, ONE), 8)
        images[scale] = drawn["image"]
        assert ("label" in drawn) == bool(scale)
    np.testing.assert_array_equal(images[0.0], before["image"])
    assert not np.array_equal(images[5.0], before["image"])


@pytest.mark.slow
def test_training_goes_on_bitwise_as_without_the_stage(small, tmp_path):
    plain, _, folder = small
    guided = with_stage(
        plain, "classifier", folder / "classifier", **{"sampler.classifier": 1.0, "steps": 4}
    )
    plain = with_stage(plain, "classifier", "", steps=4)
    whole = gm_jax.train(plain, tmp_path / "whole", ONE)
    for steps in (2, 4):  # It comes after the first two rounds.
        settings = guided if steps == 4 else plain
        settings.steps = steps
        parts = gm_jax.train(settings, tmp_path / "parts", ONE)
    assert_equal(whole.variables.params, parts.variables.params)
    # And it goes again.
    assert gm_jax.load(tmp_path / "parts", plain, ONE).step == 4


@pytest.mark.slow
def test_a_stage_that_the_run_itself_trains_may_not_change(small, tmp_path):
    plain, _, folder = small
    judge = gm_jax.load_config("configs/classifier_digits.py:smoke")
    own = with_stage(plain, "classifier", judge)
    assert not differences(plain, own) and not differences(own, plain)
    assert not differences(own, with_stage(plain, "classifier", folder / "classifier"))
    other = with_stage(plain, "classifier", judge)
    other.stages.classifier.batch_size = 3
    assert differences(own, other) == ["stages.classifier.batch_size: 16, now 3"]
    message = "stages.classifier is a recipe that this run has not trained"
    with pytest.raises(gm_jax.UserError, match=message):
        gm_jax.load(folder / "model", own, ONE)


@pytest.mark.slow
def test_a_base_comes_after_training_and_its_labels_travel(tmp_path):
    """An upsampler that is told no label; its images' labels are the base's."""
    alone = gm_jax.load_config("configs/super_resolution_digits.py:alone")
    smoke = config("super_resolution", None, **QUIET)
    base = smoke.stages.base
    base.network.multipliers = (1,)
    alone = with_stage(alone, "base", "", **{
        **QUIET, "steps": 2, "batch_size": 16, "network.width": 8, "sampler.steps": 4,
        "condition.name": "",
    })  # fmt: skip
    upsampler = gm_jax.train(alone, tmp_path / "alone", ONE)
    with pytest.raises(gm_jax.UserError, match="no function 'sample'; it has: evaluations"):
        gm_jax.sample(upsampler, 4)
    small = np.zeros((3, 4, 4, 1), np.uint8)
    assert (
        gm_jax.sample(upsampler, 3, "upsample", given={"image_low": small})["image"].shape[1] == 4
    )
    gm_jax.train(base, tmp_path / "base", ONE)
    whole = gm_jax.load(tmp_path / "alone", with_stage(alone, "base", tmp_path / "base"), ONE)
    drawn = gm_jax.sample(whole, 4, given={"label": 7})
    assert drawn["image"].shape == (4, 8, 8, 1)
    np.testing.assert_array_equal(drawn["label"], 7)


@pytest.mark.parametrize(
    "change,message",
    [
        ({"factor": 4}, r"draws images of (4, 4, 1), and this model enlarges (2, 2, 1)"),
        ({"factor": 3}, "factor 3 does not divide the sides of 8x8 images"),
        ({"stages.base.conditional": False}, "draws images without labels, and this model needs"),
        (
            {"sampler.augmentation": 0.6},
            "sampler.augmentation 0.6 is more than the network has seen",
        ),
        ({"sampler.guidance": 1.0, "condition.name": ""}, "sampler.guidance needs a model trained"),
    ],
)
def test_what_cannot_be_a_cascade_is_refused_in_one_line(change, message):
    settings = config("super_resolution", None, **change)
    settings.stages.base.show.counts.guidance = 0
    with pytest.raises(gm_jax.UserError, match=re.escape(message)) as caught:
        gm_jax.build(settings)
    assert "\n" not in str(caught.value)


def test_a_classifier_is_no_base():
    settings = config("super_resolution", None)
    judge = gm_jax.load_config("configs/classifier_digits.py:smoke")
    with pytest.raises(
        gm_jax.UserError, match="stages.base draws no images: set it to the workdir"
    ):
        gm_jax.build(with_stage(settings, "base", judge))


def test_the_small_image_is_what_data_size_makes_of_it():
    """One kernel in training and in the chain: within half of one of 256 levels."""
    from gm_jax.nn.upsampling import shrunk

    for size in (4, 2):
        large, small = (
            gm_jax.data.open_source({"name": "digits", "size": s}).load(np.arange(200))["image"]
            for s in (None, size)
        )
        found = shrunk(np.float32(large) / 127.5 - 1.0, (size, size, 1))
        assert np.abs((found + 1.0) * 127.5 - small).max() < 0.501
