"""Entries of every kind: flipped with what belongs to them, finished, shown, given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from gm_jax import UserError, data
from gm_jax.model import Field, example_keys

FLIP = ConfigDict({"flip": True})
KEY = jax.random.key(3)
N = 400
# Of each kind an example, and the same one mirrored.
RAMP = np.array([[0, 100, 255]], np.uint8)[..., None]
SPATIAL = {
    "image": (RAMP, RAMP[:, ::-1]),
    "image_b": (RAMP // 2, RAMP[:, ::-1] // 2),
    "video": (np.stack([RAMP, RAMP // 3]), np.stack([RAMP, RAMP // 3])[:, :, ::-1]),
    "segmentation": (np.array([[4, 0, 1]]), np.array([[1, 0, 4]])),
    "keypoint": (np.float32([[0.5, -1.0], [0.0, 0.2]]), np.float32([[-0.5, -1.0], [0.0, 0.2]])),
    "box": (np.float32([[-0.5, -1.0, 0.8, 1.0]]), np.float32([[-0.8, -1.0, 0.5, 1.0]])),
}


def batch_of(**examples):
    """N times the same example."""
    batch = {name: np.stack([example] * N) for name, example in examples.items()}
    return {**batch, "index": np.arange(N, dtype=np.int32)}


def mirrored(batch, spec=None):
    """Which examples of each entry were mirrored, {name: [N] bool}; each is either or."""
    prepared = data.preparation(FLIP, spec=spec)(batch, KEY)
    found = {}
    for name in set(batch) & set(SPATIAL):
        plain, other = (
            data.preparation({})({name: np.asarray(x)[None], "index": np.arange(1)}, KEY)[name]
            for x in SPATIAL[name]
        )
        same, flipped = (
            np.array([np.array_equal(x, y[0]) for x in prepared[name]]) for y in (plain, other)
        )
        assert np.all(same ^ flipped), name
        found[name] = flipped
    return found


@pytest.mark.slow
def test_all_that_belongs_to_an_example_is_mirrored_with_it():
    found = mirrored(batch_of(**{name: plain for name, (plain, _) in SPATIAL.items()}))
    assert set(found) == set(SPATIAL) and 150 < found["image"].sum() < 250
    for name, flipped in found.items():
        np.testing.assert_array_equal(flipped, found["image"], name)


def test_domains_without_pairs_are_mirrored_each_by_itself():
    batch = batch_of(image=RAMP, image_b=RAMP // 2)
    spec = {"image": Field(RAMP.shape, 256), "image_b": Field(RAMP.shape, 256, domain="b")}
    found = mirrored(batch, spec)
    assert 150 < found["image_b"].sum() < 250
    assert 150 < np.sum(found["image"] == found["image_b"]) < 250
    two = data.open_source(ConfigDict({"name": "two_domains", "base": "digits"}))
    assert {two.spec[n].domain for n in ("image", "label")} == {""}
    assert {two.spec[n].domain for n in ("image_b", "label_b")} == {"b"}


def test_pixels_of_two_images_are_drawn_apart_and_by_other_keys_than_flips():
    grey = np.full((8, 8, 1), 128, np.uint8)
    drawn = data.preparation({"binarize": "redrawn"})(batch_of(image=grey, image_b=grey), KEY)
    assert 0.45 < np.mean(drawn["image"] == drawn["image_b"]) < 0.55
    # One pixel, and a map that tells whether its example was mirrored.
    both = data.preparation({"binarize": "redrawn", "flip": True})
    drawn = both(batch_of(image=grey[:1, :1], segmentation=SPATIAL["segmentation"][0]), KEY)
    flipped = np.asarray(drawn["segmentation"][:, 0, 0] == 1)
    assert 0.4 < np.mean(flipped == (drawn["image"][:, 0, 0, 0] == 1)) < 0.6


def test_both_images_of_a_source_are_binarised_once_for_all_each_by_its_own_draws():
    grey = np.full((50, 8, 8, 1), 128, np.uint8)
    spec = dict.fromkeys(("image", "image_b"), Field((8, 8, 1), 256, domain="b"))
    source = data.from_arrays("grey", {"image": grey, "image_b": grey}, spec)
    fixed = data.binary.binarized(source, "fixed", "train")
    assert {(field.cardinality, field.domain) for field in fixed.spec.values()} == {(2, "b")}
    drawn, again = fixed.load(np.arange(50)), fixed.load(np.array([7]))
    assert set(np.unique(drawn["image_b"])) == {0, 255}
    assert 0.45 < np.mean(drawn["image"] == drawn["image_b"]) < 0.55
    np.testing.assert_array_equal(again["image_b"], drawn["image_b"][7:8])


def test_an_image_alone_draws_as_it_did_before_entries_had_keys_of_their_own():
    """Runs of that time go on bitwise."""
    image = np.random.default_rng(0).integers(0, 256, (N, 4, 4, 1), dtype=np.uint8)
    batch = {"image": image, "label": np.zeros(N, np.int32), "index": np.arange(N)}
    spec = {"image": Field((4, 4, 1), 256), "label": Field((), 10)}
    keys, x = example_keys(KEY, batch), data.to_float(image)
    flips = jax.vmap(jax.random.bernoulli)(keys)[:, None, None, None]
    expected = jnp.where(flips, x[:, :, ::-1], x)
    np.testing.assert_array_equal(data.preparation(FLIP, spec=spec)(batch, KEY)["image"], expected)
    uniform = jax.vmap(lambda key: jax.random.uniform(key, (4, 4, 1)))(keys)
    expected = jnp.where(uniform < (x + 1.0) / 2.0, 1.0, -1.0)
    for training in (True, False):
        redraw = data.preparation({"binarize": "redrawn"}, training, spec)
        np.testing.assert_array_equal(redraw(batch, KEY)["image"], expected)


def test_data_that_has_no_left_and_right_is_not_flipped():
    with pytest.raises(UserError, match="data.flip is True, and none of point, label can be"):
        data.preparation(FLIP, spec=data.open_source(ConfigDict({"name": "ring"})).spec)


def test_each_entry_is_finished_and_shown_by_its_kind(tmp_path):
    image = jnp.linspace(-1, 1, 48).reshape(1, 4, 4, 3)
    outputs = data.finish({"image": image, "image_b": -image, "video": image[:, None], "bits": 1})
    assert [outputs[name].dtype for name in ("image", "image_b", "video")] == [np.uint8] * 3
    video = np.zeros((2, 5, 70, 70, 1), np.uint8)
    video[:, :, :9] = np.linspace(0, 255, 5, dtype=np.uint8)[:, None, None, None]
    outputs |= {"video": video, "segmentation": np.arange(50).reshape(2, 5, 5)}
    files = data.show(outputs, tmp_path / "out")
    assert [file.name for file in files] == [
        "out.png", "out_image_b.png", "out_video.png", "out_video.gif", "out_segmentation.png"
    ]  # fmt: skip
    dark, light = (np.asarray(Image.open(file)).astype(int) for file in files[:2])
    np.testing.assert_array_equal(dark + light, 255)
    with Image.open(files[2]) as strip, Image.open(files[3]) as film:
        assert strip.size == (5 * 74 - 4, 144) and film.n_frames == 5 and film.size == (144, 70)
    colours = np.asarray(Image.open(files[4]))[::12, ::12][:5, :5].reshape(25, 3)
    assert len(np.unique(colours[:20], axis=0)) == 20
    np.testing.assert_array_equal(colours[20:], colours[:5])


IMAGE, LABEL, AUDIO = Field((2, 2, 1), 256), Field((), 10), Field((4,), 2**16)
GREY = np.arange(4, dtype=np.uint8).reshape(2, 2, 1)


@pytest.mark.parametrize(
    "name,field,value,expected",
    [
        ("label", LABEL, 7, np.full(3, 7)),
        ("label", LABEL, 7.0, np.full(3, 7)),
        ("label_b", LABEL, [1, 2, 3], np.arange(1, 4)),
        ("image", IMAGE, GREY, np.stack([GREY] * 3)),
        ("image_b", IMAGE, np.stack([GREY] * 3).astype(int), np.stack([GREY] * 3)),
        (
            "audio",
            AUDIO,
            [-(2**15), -1, 0, 2**15 - 1],
            np.int16([[-(2**15), -1, 0, 2**15 - 1]] * 3),
        ),
        ("point", Field((2,)), (0.5, -3), np.float32([[0.5, -3]] * 3)),
    ],
)
def test_what_an_example_could_hold_can_be_given(name, field, value, expected):
    found = data.checked(name, value, field, 3)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == data.kinds.kind(name).dtype


@pytest.mark.parametrize(
    "name,field,value,message",
    [
        ("label", LABEL, 10, "label is given as 10: give whole numbers from 0 to 9"),
        ("label", LABEL, [1, 2, -1], "label is given as -1"),
        ("label", LABEL, 6.9, "label is given as 6.9: give whole numbers"),
        ("label", LABEL, np.nan, "label is given as nan"),
        ("label", LABEL, "7", "label is given as '7': give whole numbers"),
        ("label", LABEL, True, "label is given as True"),
        ("label", LABEL, None, "label is given as None"),
        ("label", LABEL, [[1], [1, 2]], "label is given as a list of unequal parts"),
        ("label", LABEL, np.array([1, 1, 1], object), "label is given as an array of object"),
        ("label", LABEL, [1, 2], r"label is given in shape \(2,\): one for all .* each \(3,\)"),
        ("label", LABEL, [], r"label is given in shape \(0,\)"),
        ("label", LABEL, np.eye(10, dtype=int)[:3], r"label is given in shape \(3, 10\)"),
        ("image", IMAGE, GREY / 3, r"image is given as float64: .* np.round\(255 \* x\).*uint8"),
        ("image_b", IMAGE, GREY[..., 0], r"image_b is given in shape \(2, 2\)"),
        ("image", IMAGE, np.full((2, 2, 1), 256), "image is given as 256"),
        ("audio", AUDIO, np.zeros(4), "audio is given as float64"),
        ("point", Field((2,)), [0.0, np.inf], "point is given as inf: give finite numbers"),
    ],
)
def test_what_no_example_could_hold_is_refused_in_one_line(name, field, value, message):
    with pytest.raises(UserError, match=message) as caught:
        data.checked(name, value, field, 3)
    assert "\n" not in str(caught.value)
