"""Moving digits: films by position, the steps of their generator, what predicting them costs."""

import types

import numpy as np
import pytest

import gm_jax
from gm_jax import data
from gm_jax.data import moving
from gm_jax.judging import continuations
from gm_jax.settings import Data, read

SMALL = {"name": "moving_digits", "base": "digits", "size": 16}


def opened(split="train", **settings):
    return data.open_source({**SMALL, **settings}, split)


def test_a_film_is_a_function_of_split_and_index_alone():
    source, indices = opened(frames=5), np.array([7, 2**60 + 3, 0])
    video = source.load(indices)["video"]
    assert video.shape == (3, 5, 16, 16, 1) == (3, *source.spec["video"].shape)
    assert source.size is None and video.dtype == np.uint8
    np.testing.assert_array_equal(video[::-1], source.load(indices[::-1])["video"])
    assert (opened("test", frames=5).load(indices)["video"] != video).any((1, 2, 3, 4)).all()
    assert opened(size=None).spec["video"].shape == (20, 64, 64, 1)


def test_a_digit_steps_first_then_stops_and_turns_at_an_edge():
    """The authors' loop, one number after another."""
    rng = np.random.default_rng(0)
    draws = rng.uniform(size=(3, 50))
    found = moving.path(*draws, 30)
    for row, (y, x, turn) in enumerate(draws.T):
        v_y, v_x = np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)
        for frame in range(30):
            y, x = y + 0.1 * v_y, x + 0.1 * v_x
            if x <= 0:
                x, v_x = 0.0, -v_x
            if x >= 1:
                x, v_x = 1.0, -v_x
            if y <= 0:
                y, v_y = 0.0, -v_y
            if y >= 1:
                y, v_y = 1.0, -v_y
            np.testing.assert_allclose(found[row, frame], (y, x), atol=1e-12)
    assert (found == 0).any() and (found == 1).any()


def test_frames_show_a_digit_of_the_split_where_it_is():
    """Its corner is the whole part of a share of the 8 pixels that it can go."""
    indices = np.arange(30)
    video = opened("test", movers=1).load(indices)["video"][..., 0]
    draws = [data.mixtures.uniform(indices, 4 + stream) for stream in range(4)]
    digits = data.open_source({"name": "digits"}, "test")
    digit = digits.load((draws[0] * digits.size).astype(int))["image"][..., 0]
    corner = np.floor(8 * moving.path(*draws[1:], 20)).astype(int)
    for film, frame in np.ndindex(30, 20):
        expected, (row, column) = np.zeros((16, 16)), corner[film, frame]
        expected[row : row + 8, column : column + 8] = digit[film]
        np.testing.assert_array_equal(video[film, frame], expected)


def test_of_two_digits_the_brighter_pixel_is_seen():
    one, two = (opened(movers=movers).load(np.arange(20))["video"] for movers in (1, 2))
    assert np.all(two >= one) and np.any(two > one)
    overlapping = (two.astype(int).sum((2, 3, 4)) != two[:, :1].astype(int).sum((2, 3, 4))).any()
    assert overlapping and two.max() == 255


@pytest.mark.parametrize("movers,expected", [(1, (12.98, 57.0, 47.5)), (2, (21.9, 80.6, 68.6))])
def test_what_films_cost_without_a_model(movers, expected):
    """Near what was found before on these digits, in another split."""
    config = types.SimpleNamespace(
        get=lambda name: 10, evaluate=types.SimpleNamespace(split="test")
    )
    phase = types.SimpleNamespace(data=read(Data, {**SMALL, "movers": movers}))
    rows = continuations.references(types.SimpleNamespace(config=config, phase=phase), 400)
    assert list(rows) == ["frame_floor", "frame_mean", "frame_before"]
    np.testing.assert_allclose([row["value"] for row in rows.values()], expected, rtol=0.06)
    assert rows["frame_floor"]["standard_error"] < 0.4


def test_what_cannot_move_is_refused():
    with pytest.raises(gm_jax.UserError, match="at most 6 pixels"):
        opened(size=6)
    with pytest.raises(gm_jax.UserError, match=r"data.movers is 3, but digits has no such"):
        data.open_source({"name": "digits", "movers": 3})
