"""Images in black and white, drawn once and for all."""

import numpy as np
import pytest
from ml_collections import ConfigDict

from gm_jax import UserError, data

FIXED = ConfigDict({"name": "digits", "binarize": "fixed"})


def test_fixed_images_are_the_same_at_every_visit_and_in_every_order():
    source = data.open_source(FIXED)
    every = source.load(np.arange(source.size))["image"]
    assert source.spec["image"].cardinality == 2 and set(np.unique(every)) == {0, 255}
    again = data.open_source(FIXED).load(np.array([7, 3, 7]))
    np.testing.assert_array_equal(again["image"], every[[7, 3, 7]])
    assert again["label"].shape == (3,)


def test_fixed_images_follow_their_grey_values_and_black_and_white_stay():
    grey = data.open_source(ConfigDict({"name": "digits"})).load(np.arange(1500))["image"]
    drawn = data.open_source(FIXED).load(np.arange(1500))["image"]
    assert np.all(drawn[grey == 0] == 0) and np.all(drawn[grey == 255] == 255)
    for level in np.unique(grey):
        of_level = drawn[grey == level] / 255
        error = 4 * np.sqrt(0.25 / len(of_level))
        assert abs(of_level.mean() - level / 255) < error


def test_splits_are_drawn_apart():
    source = data.from_arrays("grey", {"image": np.full((4, 8, 8, 1), 128, np.uint8)}, {})
    source = source._replace(spec={"image": data.open_source(FIXED).spec["image"]})
    train, test = (
        data.binary.binarized(source, "fixed", split).load(np.arange(4))["image"]
        for split in ("train", "test")
    )
    assert not np.array_equal(train, test) and not np.array_equal(train[0], train[1])


@pytest.mark.parametrize("how", ["dynamic", True])
def test_another_name_is_refused(how):
    with pytest.raises(UserError, match=f"data.binarize is {how!r}: it must be"):
        data.open_source(ConfigDict({"name": "digits", "binarize": how}))
