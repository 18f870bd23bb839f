"""Dancers: people whose joints are known, by position and at any size."""

import numpy as np
import pytest

from gm_jax import UserError, data
from gm_jax.data import dancers, dancers_drawing

SOME = np.arange(40)


def load(split="test", indices=SOME, **settings):
    return data.open_source({"name": "dancers", **settings}, split).load(indices)


def at(picture, points):
    """The pixels [K, 3] of a picture [S, S, 3] at points from -1 to 1, [K, 2]."""
    column, row = np.floor((points + 1) / 2 * len(picture)).astype(int).clip(0, len(picture) - 1).T
    return picture[row, column]


def test_a_dancer_is_a_function_of_its_split_and_index_alone():
    whole, part = load(), load(indices=np.array([30, 4]))
    for name, values in whole.items():
        np.testing.assert_array_equal(values[[30, 4]], part[name], name)
        assert not np.array_equal(values, load("train")[name]), name


def test_two_moments_are_of_one_person_and_a_film_is_moments_in_turn():
    batch, film = load(), load(frames=20)
    person, first, other = dancers.drawn(SOME, dancers.STREAMS)
    np.testing.assert_allclose(
        batch["keypoint_b"], 2 * dancers.joints(person, other) - 1, atol=1e-6
    )
    np.testing.assert_array_equal(batch["image"][:, 0, 0], batch["image_b"][:, 0, 0])  # The ground.
    shown = 0
    for name, of_film in (("image", "video"), ("image_pose", "video_pose"), ("keypoint",) * 2):
        for row in np.flatnonzero(first < 20):
            np.testing.assert_array_equal(batch[name][row], film[of_film][row, first[row]])
            shown += 1
    assert shown > 30 and film["box"].shape == (len(SOME), 20, 4)


def test_a_driver_is_another_person_who_does_the_same():
    """At the same two moments, with limbs and colours of its own."""
    person, *moments = dancers.drawn(SOME, dancers.STREAMS)
    driver = dancers.double(person, dancers.drawn(SOME, dancers.STREAMS + dancers.OTHERS)[0])
    batch = load(size=96)
    for name, moment in zip(dancers.DRIVERS, moments, strict=True):
        np.testing.assert_allclose(dancers.angles(driver, moment), dancers.angles(person, moment))
        assert (np.abs(driver.height - person.height) > 1e-4).all()
        head = 2 * dancers.joints(driver, moment)[:, :1] - 1
        for picture, points, skin in zip(batch[name], head, driver.skin, strict=True):
            np.testing.assert_allclose(at(picture, points)[0], 255 * skin, atol=2)


def test_limbs_keep_their_lengths_and_swing_as_their_angles_say():
    person, *_ = dancers.drawn(SOME)
    names = list(dancers.JOINTS)
    for moment in (0, 7, 40):
        moment = np.full(len(SOME), moment)
        found = dancers.joints(person, moment)
        angle = dancers.angles(person, moment)
        for a, b, length, turned in (
            ("hip", "neck", dancers.TORSO, angle[:, 0] + np.pi),
            ("neck", "left elbow", dancers.ARM, angle[:, 1]),
            ("right elbow", "right hand", dancers.ARM, angle[:, 2] + angle[:, 4]),
            ("left knee", "left foot", dancers.LEG, angle[:, 5] + angle[:, 7]),
        ):
            limb = found[:, names.index(b)] - found[:, names.index(a)]
            np.testing.assert_allclose(np.hypot(*limb.T), length * person.height)
            np.testing.assert_allclose(np.arctan2(*limb.T), (turned + np.pi) % (2 * np.pi) - np.pi)
    first, later = (dancers.joints(person, np.full(len(SOME), t)) for t in (3, 3 + dancers.PERIOD))
    swung = first - first[:, [names.index("hip")]], later - later[:, [names.index("hip")]]
    np.testing.assert_allclose(*swung, atol=1e-12)


def test_who_walks_left_goes_left_and_who_dances_stays():
    film, source = load(frames=32), data.open_source(dict(name="dancers", captions="words"), "test")
    hip = film["keypoint"][:, :, dancers.JOINTS.index("hip"), 0]
    captions = source.captions(SOME)
    moved = {"left": -1, "right": 1, "dances": 0}
    for caption, way in zip(captions, np.sign(np.round(np.diff(hip), 4)), strict=True):
        assert set(way) == {moved[caption.split()[-1]]}, caption
    assert set(source.wordings) == set(source.captions(np.arange(2000)))
    assert np.abs(film["keypoint"]).max() < 1


def test_pictures_show_the_joints():
    """Faces are skin at the nose, hands too, and the torso is as red as the caption says."""
    batch = load(size=96)
    person, *_ = dancers.drawn(SOME, dancers.STREAMS)
    names, clothes = list(dancers.JOINTS), np.array(list(dancers.COLOURS.values()))
    for row, points in enumerate(batch["keypoint"]):
        face = at(batch["image"][row], points[:1]) / 255
        np.testing.assert_allclose(face[0], person.skin[row], atol=0.01)
        left, top, right, bottom = batch["box"][row, 0]
        assert left < points[0, 0] < right and top < points[0, 1] < bottom
        for number, (a, b, _) in enumerate(dancers_drawing.BONES):
            seen = at(batch["image_pose"][row], 0.5 * (points[[a]] + points[[b]]))[0] / 255
            hues = dancers_drawing.HUES[number:]  # Its own, or that of a bone in front of it.
            assert np.abs(seen - hues).max(1).min() < 0.5, names[b]
    torso = [
        at(batch["image"][row], (0.5 * points[1] + 0.5 * points[2])[None])[0] / 255
        for row, points in enumerate(batch["keypoint"])
    ]
    near = np.abs(np.array(torso) - clothes[person.colour]).max(1) < 0.01
    assert near.mean() > 0.5  # Arms hide some.
    joined = {number for a, b, _ in dancers_drawing.BONES for number in (a, b)}
    assert joined == set(range(len(names))) and len(dancers_drawing.BONES) == len(names) - 1


def test_the_same_dancer_at_two_sizes_is_the_same_picture():
    large, small = load(size=96), load(size=32)
    np.testing.assert_array_equal(large["keypoint"], small["keypoint"])
    for name in ("image", "image_pose"):
        reduced = large[name].reshape(len(SOME), 32, 3, 32, 3, 3).mean((2, 4))
        assert np.abs(reduced - small[name]).mean() < 2, name


def test_copying_is_worth_what_it_is_worth():
    """Near a film's next moment, and apart where another moment is shown; in shares of 255."""
    batch, film = load(indices=np.arange(300)), load(frames=8)
    apart = np.abs(batch["image"] / 255.0 - batch["image_b"] / 255.0).mean()
    flicker = np.abs(np.diff(film["video"] / 255.0, axis=1)).mean()
    assert 0.02 < apart < 0.045 and 0.005 < flicker < 0.011
    away = np.abs(batch["keypoint"] - batch["keypoint_b"]).mean() * 32
    assert 2 < away < 5  # Pixels of 64, a coordinate.


def test_what_no_dancer_can_do_is_refused():
    with pytest.raises(UserError, match="data.flip would exchange left and right"):
        data.open_source(dict(name="dancers", flip=True))
    with pytest.raises(UserError, match="split of dancers"):
        data.open_source(dict(name="dancers"), "unseen")


def test_one_person_dances_the_dances_of_all():
    """With `data.person` looks and sizes are that person's, movements the example's own; the same
    example of two persons is one dance."""
    film, other = (load(frames=3, person=number, size=32) for number in (0, 1))
    look, *_ = dancers.drawn(np.zeros(1, int))
    people, begin, _ = dancers.drawn(SOME, dancers.STREAMS)
    for shift in range(3):
        for number, batch in enumerate((film, other)):
            own, *_ = dancers.drawn(np.full(len(SOME), number))
            posed = dancers.double(people, own)
            expected = 2 * dancers.joints(posed, begin + shift) - 1
            np.testing.assert_allclose(batch["keypoint"][:, shift], expected, atol=1e-6)
    ground = film["video"][:, :, 0, 0]
    np.testing.assert_array_equal(ground, np.broadcast_to(ground[:1, :1], ground.shape))
    assert (np.round(255 * look.ground[0, 0]) - ground[0, 0] < 4).all()
