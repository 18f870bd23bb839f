"""What a caller gives in place of the data's examples reaches the model, or is refused."""

import jax
import numpy as np
import pytest

import gm_jax
from gm_jax.model import Field, GenerativeModel, Phase, example_keys
from gm_jax.trained import Trained, mapped_functions


def model(**functions):
    """A trained model of digits with these functions, in batches of three."""
    settings = gm_jax.load_config("configs/ddpm_digits.py:smoke")
    settings.evaluate.batch_size = 3
    game = GenerativeModel(None, (), functions, {"code": Field((2,), 5)})
    phase = Phase("train", game, settings.data, 0)
    return Trained(settings, phase, mapped_functions(phase), {})


@pytest.fixture(scope="module")
def echo():
    """A model that gives back what it was given."""

    def sample(variables, batch, key):
        return {name: batch[name] for name in ("label", "image")}

    return model(sample=sample)


@pytest.fixture(scope="module")
def blind():
    """An unconditional model, and a decoder of codes that its data does not hold."""

    def sample(variables, batch, key):
        handed_on = {**batch}  # As to a first stage, which reads what it needs.
        return {"value": jax.vmap(jax.random.normal)(example_keys(key, handed_on))}

    def decode(variables, batch, key):
        return {"value": batch["code"].sum(axis=1)}

    return model(sample=sample, decode=decode)


def test_one_label_is_every_example_s(echo):
    labels = gm_jax.sample(echo, 64, given={"label": 7})["label"]
    assert labels.shape == (64,) and (labels == 7).all()


def test_each_example_has_its_own_label_over_batches_and_their_filling(echo):
    labels = np.arange(10)
    given = gm_jax.sample(echo, 10, given={"label": labels})
    np.testing.assert_array_equal(given["label"], labels)
    untouched = gm_jax.sample(echo, 10)
    np.testing.assert_array_equal(given["image"], untouched["image"])
    assert (untouched["label"] != labels).any()


def test_images_are_given_as_they_are_read(echo):
    image = gm_jax.sample(echo, 1)["image"][0]
    given = gm_jax.sample(echo, 4, given={"image": image})["image"]
    np.testing.assert_array_equal(given, np.stack([image] * 4))


@pytest.mark.parametrize(
    "given, message",
    [
        ({"label": 10}, "label is given as 10: give whole numbers from 0 to 9"),
        (
            {"text": 1},
            "given has 'text', which the data does not have: choose from code, image, label",
        ),
        (7, "given must be a dict such as .*, not 7"),
    ],
)
def test_what_the_data_could_not_hold_is_refused(echo, given, message):
    with pytest.raises(gm_jax.UserError, match=message):
        gm_jax.sample(echo, 10, given=given)


def test_what_a_function_does_not_depend_on_is_refused(blind):
    message = "sample of this model does not depend on label, only on index"
    with pytest.raises(gm_jax.UserError, match=message):
        gm_jax.sample(blind, 4, given={"label": 7})


def test_a_function_of_what_the_data_does_not_hold_is_given_it(blind):
    with pytest.raises(gm_jax.UserError, match="needs code, .* given={'code': ...}"):
        gm_jax.sample(blind, 4, "decode")
    found = gm_jax.sample(blind, 4, "decode", given={"code": [1, 3]})["value"]
    np.testing.assert_array_equal(found, [4] * 4)


@pytest.mark.parametrize("count", [0, -1, 8.0, "8", None, True])
def test_a_count_that_is_none_is_refused(echo, count):
    with pytest.raises(gm_jax.UserError, match="count must be a whole number of at least 1"):
        gm_jax.sample(echo, count)


def test_another_seed_draws_other_samples_and_none_the_same_as_ever(blind):
    def draw(**arguments):
        return gm_jax.sample(blind, 7, **arguments)["value"]

    # Seed 0 is what was drawn before there were seeds.
    key = jax.random.fold_in(jax.random.key(blind.config.seed + 1), 1)
    keys = example_keys(key, {"index": np.arange(7)})
    np.testing.assert_array_equal(draw(), jax.vmap(jax.random.normal)(keys))
    np.testing.assert_array_equal(draw(seed=0), draw())
    drawn = np.concatenate([draw(seed=seed) for seed in range(4)])
    assert len(np.unique(drawn)) == 28
    with blind.config.unlocked():
        blind.config.sample.seed = 3
    try:
        np.testing.assert_array_equal(draw(), drawn[21:])
    finally:
        blind.config.sample.seed = 0
    for seed in (-1, 2**32, 0.5):
        with pytest.raises(gm_jax.UserError, match="seed must be a whole number"):
            draw(seed=seed)
