"""Scenes: a world whose translations are known, by position and at any size."""

import numpy as np
import pytest

from gm_jax import UserError, data
from gm_jax.data import scenes

WANTED = np.arange(300)


def load(split="test", indices=WANTED, **settings):
    return data.open_source({"name": "scenes", **settings}, split).load(indices)


def test_a_scene_is_a_function_of_its_split_and_index_alone():
    whole, part = load(indices=np.arange(8)), load(indices=np.array([5, 2]))
    for name, values in whole.items():
        np.testing.assert_array_equal(values[[5, 2]], part[name], name)
    train = load("train", np.arange(8))
    assert not any(np.array_equal(a, b) for a in train["image"] for b in whole["image"])


def test_shares_of_the_classes_and_the_worth_of_guesses_are_the_worlds():
    """Measured on other scenes: copying 0.176, each class' median colour 0.067."""
    batch = load()
    label, photo = batch["segmentation"], batch["image_b"] / 255
    shares = np.bincount(label.ravel(), minlength=5) / label.size
    np.testing.assert_allclose(shares, [0.448, 0.431, 0.067, 0.039, 0.014], atol=0.012)
    assert abs(np.abs(batch["image"] / 255 - photo).mean() - 0.176) < 0.006
    medians = np.stack([np.median(photo[label == c], axis=0) for c in range(5)])
    assert abs(np.abs(medians[label] - photo).mean() - 0.067) < 0.004


def test_the_same_scene_at_two_sizes_is_the_same_picture():
    large, small = (load(indices=np.arange(12), size=size) for size in (96, 32))
    reduced = large["image_b"].reshape(12, 32, 3, 32, 3, 3).mean((2, 4))
    assert np.abs(reduced - small["image_b"]).mean() < 6
    assert np.mean(large["segmentation"][:, 1::3, 1::3] == small["segmentation"]) > 0.999


def test_a_map_is_its_label_map_and_an_outline_is_its_border():
    batch = load(indices=np.arange(20), domains=("outline", "map"))
    np.testing.assert_array_equal(scenes.classes_of_map(batch["image_b"]), batch["segmentation"])
    label, border = batch["segmentation"], batch["image"][..., 0] == 0
    below = label[:, 1:-1] != label[:, 2:]
    right = label[:, :, 1:-1] != label[:, :, 2:]
    np.testing.assert_array_equal(border[:, 1:-1, 1:-1], below[:, :, 1:-1] | right[:, 1:-1])
    objects = batch["segmentation_instance"] > 0
    np.testing.assert_array_equal(objects, batch["segmentation"] >= scenes.DISC)


def test_light_and_exposure_are_unseen_in_the_map_and_seen_in_the_photograph():
    drawn = scenes.drawn(WANTED[:40])
    assert set(np.unique(drawn.light)) == {-1, 1}
    views = [
        scenes.viewed(drawn._replace(light=light * np.ones_like(drawn.light)), 64)
        for light in (1, -1)
    ]
    left, right = map(scenes.render_photo, views)
    np.testing.assert_array_equal(*map(scenes.render_map, views))
    label, instance, levels = (
        views[0].label,
        views[0].instance,
        map(scenes.to_levels, (left, right)),
    )
    decided = [scenes.contrast(image, label, instance) for image in levels]
    average = scenes.contrast(scenes.to_levels((left + right) / 2), label, instance)
    assert min(decided) > 25 > 2 > average


def test_unpaired_pictures_are_of_other_scenes_in_training_and_of_the_same_in_the_test():
    source = data.open_source({"name": "scenes", "unpaired": True, "domains": ("map", "map")})
    batch = source.load(WANTED)
    assert {name for name, field in source.spec.items() if field.domain} == {"image_b"}
    a, b = (scenes.classes_of_map(batch[name]) for name in ("image", "image_b"))
    np.testing.assert_array_equal(a, batch["segmentation"])
    # As little alike as a scene and the next one, and no scene is in both domains.
    np.testing.assert_allclose(np.mean(a == b), np.mean(a[1:] == a[:-1]), atol=0.03)
    flat = [{row.tobytes() for row in images} for images in (a, b)]
    assert not set.intersection(*flat)
    held_out = data.open_source(
        {"name": "scenes", "unpaired": True, "domains": ("map", "map")}, "test"
    )
    batch = held_out.load(WANTED[:9])
    np.testing.assert_array_equal(batch["image"], batch["image_b"])
    assert not any(field.domain for field in held_out.spec.values())


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            {"domains": ("map", "drawing")},
            "'drawing', but scenes are shown as map, outline, plain, photo",
        ),
        ({"domains": ("map",)}, "domains must name two, not 1"),
        ({"name": "digits", "unpaired": True}, r"digits has no such setting \(scenes, pairs have"),
    ],
)
def test_what_no_scene_can_show_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        data.open_source({"name": "scenes", **settings})


def test_a_plain_scene_has_the_photographs_colours_flat():
    """One colour a class, to which the mean of the photographs' is nearest."""
    view = scenes.viewed(scenes.drawn(np.arange(200)), 32)
    plain, photo = scenes.render_plain(view), scenes.render_photo(view)
    of_class = [view.label == number for number in range(len(scenes.CLASSES))]
    colours = [np.unique(plain[mask], axis=0) for mask in of_class]
    assert [len(colour) for colour in colours] == [1] * len(colours)
    means = np.stack([photo[mask].mean(0) for mask in of_class])
    apart = np.abs(means[:, None] - np.concatenate(colours)).max(-1)
    np.testing.assert_array_equal(apart.argmin(1), np.arange(len(colours)))
    assert np.diag(apart).max() < 0.2
