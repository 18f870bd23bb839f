"""What a caller gives in place of the data's examples reaches the model, each value its example."""

import numpy as np
import pytest

import gm_jax
from gm_jax.model import GenerativeModel, Phase
from gm_jax.trained import Trained, mapped_functions


@pytest.fixture(scope="module")
def echo():
    """A model that gives back what it was given, in batches of three."""
    settings = gm_jax.load_config("configs/vae_digits.py:smoke")
    settings.evaluate.batch_size = 3

    def sample(variables, batch, key):
        return {name: batch[name] for name in ("label", "image")}

    phase = Phase("train", GenerativeModel(None, (), {"sample": sample}), settings.data, 0)
    return Trained(settings, phase, mapped_functions(phase), {})


def test_one_label_is_every_example_s(echo):
    labels = gm_jax.sample(echo, 64, given={"label": 7})["label"]
    assert labels.shape == (64,) and (labels == 7).all()


def test_each_example_has_its_own_label_over_batches_and_their_filling(echo):
    asked = np.arange(10)
    given = gm_jax.sample(echo, 10, given={"label": asked})
    np.testing.assert_array_equal(given["label"], asked)
    untouched = gm_jax.sample(echo, 10)
    np.testing.assert_array_equal(given["image"], untouched["image"])
    assert (untouched["label"] != asked).any()


def test_images_are_given_as_they_are_read(echo):
    image = gm_jax.sample(echo, 1)["image"][0]
    given = gm_jax.sample(echo, 4, given={"image": image})["image"]
    np.testing.assert_array_equal(given, np.stack([image] * 4))


@pytest.mark.parametrize(
    "given, message",
    [
        ({"label": 10}, "label given outside 0 to 9"),
        ({"label": np.arange(4)}, r"label given in shape \(4,\), not \(10,\)"),
        ({"text": 1}, "this system is about text"),
    ],
)
def test_what_the_data_could_not_hold_is_refused(echo, given, message):
    with pytest.raises(gm_jax.UserError, match=message):
        gm_jax.sample(echo, 10, given=given)
