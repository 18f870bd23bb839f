"""Mixtures and composed data by position, and mode coverage by hand."""

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from scipy import stats

import gm_jax
from gm_jax import data
from gm_jax.data import composed, mixtures
from gm_jax.data.show import film
from gm_jax.evaluation import modes
from gm_jax.settings import Data, read

RING = ConfigDict({"name": "ring", "modes": 8, "radius": 2.0, "deviation": 0.02})
GRID = ConfigDict({"name": "grid", "deviation": 0.05})


def test_the_ring_has_as_many_modes_as_it_says_evenly_apart():
    """linspace(0, 2 pi, 8) would repeat its endpoint and leave seven."""
    centres = mixtures.centres(RING)
    apart = np.linalg.norm(centres - np.roll(centres, 1, axis=0), axis=1)
    np.testing.assert_allclose(apart, 4.0 * np.sin(np.pi / 8), rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 2.0, rtol=1e-9)
    assert {tuple(c) for c in mixtures.centres(GRID)} == {
        (x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)
    }


@pytest.mark.parametrize("config", [RING, GRID], ids=["ring", "grid"])
def test_points_are_equal_gaussians_around_the_centres(config):
    source = data.open_source(config)
    drawn = source.load(np.arange(50_000))
    centres, deviation = mixtures.centres(config), mixtures.deviation(config)
    noise = (drawn["point"] - centres[drawn["label"]]) / deviation
    for axis in noise.T:
        assert stats.kstest(axis, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.02
    assert stats.chisquare(np.bincount(drawn["label"], minlength=len(centres))).pvalue > 1e-3


def test_endless_data_is_a_pure_function_of_position_and_split():
    source = data.open_source(RING)
    whole = source.load(np.arange(2**40, 2**40 + 100))["point"]
    np.testing.assert_array_equal(
        source.load(np.arange(2**40 + 30, 2**40 + 40))["point"], whole[30:40]
    )
    assert len(np.unique(whole, axis=0)) == 100
    assert not np.isin(data.open_source(RING, "test").load(np.arange(100))["point"], whole).any()
    rows = slice(0, 8)
    batches = data.training_batches(source, 8, seed=0, start=5, rows=rows)
    np.testing.assert_array_equal(next(batches)["point"], source.load(np.arange(40, 48))["point"])
    with pytest.raises(gm_jax.UserError, match="choose one of: train, test"):
        data.open_source(GRID, "validation")


def test_stacked_images_have_the_label_of_their_three_channels(digits16):
    config = ConfigDict({"name": "stacked", "base": "npz", "path": str(digits16)})
    source, base = data.open_source(config), composed.base_of(read(Data, config), "train")
    drawn = source.load(np.arange(300))
    assert drawn["image"].shape == (300, 16, 16, 3) and source.spec["label"].cardinality == 1000
    known = base.load(np.arange(base.size))
    labels = {known["image"][i].tobytes(): known["label"][i] for i in range(base.size)}
    parts = [
        [labels[image[..., c : c + 1].tobytes()] for c in range(3)] for image in drawn["image"]
    ]
    np.testing.assert_array_equal(drawn["label"], np.array(parts) @ [100, 10, 1])
    assert len(np.unique(drawn["label"])) > 200  # The channels are drawn apart.


def test_two_domains_are_not_paired_and_the_second_is_outlines(digits16):
    config = ConfigDict({"name": "two_domains", "base": "npz", "path": str(digits16)})
    drawn = data.open_source(config).load(np.arange(400))
    assert abs(np.mean(drawn["label"] == drawn["label_b"]) - 0.1) < 0.06
    filled = np.zeros((1, 5, 5, 1), np.uint8)
    filled[0, 1:4, 1:4] = 200
    outline = composed.outline(filled)[0, ..., 0]
    assert outline[2, 2] == 0 and np.all(outline[1:4, 1] == 200) and outline.dtype == np.uint8


def test_mode_coverage_of_hand_placed_points():
    centres = mixtures.centres(GRID)
    points = np.concatenate([centres[:6], centres[:6], centres[6:7] + np.array([0.14, 0.0])])
    far = np.array([[0.16, 0.0], [9.0, 9.0], [1.0, 1.0]]) + centres[12]
    found = modes.of_points(np.concatenate([points, far]), centres, 0.05)
    assert found.modes == 7 and found.high_quality == 13 / 16
    shares = np.array([2 / 13] * 6 + [1 / 13])
    np.testing.assert_allclose(found.reverse_kl, np.sum(shares * np.log(shares * 25)), rtol=1e-9)
    even = modes.of_labels(np.arange(1000).repeat(2), 1000)
    assert even.modes == 1000 and abs(even.reverse_kl) < 1e-12
    one = modes.of_labels(np.zeros(10, int), 1000)
    assert one.modes == 1 and np.isclose(one.reverse_kl, np.log(1000))
    assert modes.of_points(centres + 1.0, centres, 0.05) == (0, 0.0, np.inf)


def test_clustering_accuracy_matches_codes_to_labels_one_to_one():
    labels = np.array([0, 0, 0, 1, 1, 2])
    assert modes.clustering_accuracy(np.array([5, 5, 5, 3, 3, 0]), labels) == 1.0
    # Both clusters are mostly of label 0: only one of them may stand for it.
    assert (
        modes.clustering_accuracy(np.array([4, 4, 1, 1, 4, 1]), np.array([0, 0, 0, 0, 1, 1])) == 0.5
    )


def test_a_film_joins_what_was_shown_in_order(tmp_path):
    from PIL import Image

    at, field = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.arange(3.0)
    for step in range(12):
        outputs = {"point": np.full((4, 2), step), "field_point": at, "field": field}
        data.show(outputs, tmp_path / f"step_{step:07d}_landscape")
    moving, still = film(tmp_path, "landscape", most=5)
    assert Image.open(moving).n_frames >= 2
    width, height = Image.open(still).size
    assert width > 4.5 * height and film(tmp_path, "sample") == []


def test_a_landscape_needs_all_points_of_its_square(tmp_path):
    """A few lie on one line, where no field can be drawn: the samples are."""
    config = gm_jax.load_config("configs/gan_ring.py:smoke")
    trained = gm_jax.train(config, tmp_path, jax.devices()[:1])
    (few,) = data.show(gm_jax.sample(trained, 20, "landscape"), tmp_path / "few")
    assert few.stat().st_size > 0
    config.show.counts.landscape = 2499
    with pytest.raises(gm_jax.UserError, match=r"counts\.landscape must be at least 2500.* or 0"):
        gm_jax.build(config)
