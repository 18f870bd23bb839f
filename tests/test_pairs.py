"""Pairs of pictures of one's own: which belong together, and that they are treated alike."""

import numpy as np
import pytest
from picture_files import RNG, write
from PIL import Image

from gm_jax import UserError, data
from gm_jax.data.pictures import resized_classes

SIDES = 12, 20
ROWS, COLUMNS = np.indices(SIDES)


def ramp(number, classes=False):
    """A picture whose pixels say where they are; of masks, too."""
    position = ROWS * SIDES[1] + COLUMNS
    if classes:
        return Image.fromarray((position % 7).astype(np.uint8))
    return Image.fromarray(
        np.stack([position, position // 2, np.full(SIDES, number)], -1).astype(np.uint8)
    )


def source_of(root, split="train", **settings):
    return data.open_source({"name": "pairs", "path": str(root), **settings}, split)


def all_of(source):
    return source.load(np.arange(source.size))


@pytest.mark.parametrize("domains", [("A", "B"), ("B", "A")])
def test_the_halves_of_a_picture_are_a_pair_in_either_order(root, domains):
    both = np.concatenate([np.asarray(ramp(1)), np.asarray(ramp(2))], axis=1)
    write(root, "train/x.png", "val/y.png", image=Image.fromarray(both))
    batch = all_of(source_of(root, domains=domains))
    numbers = [batch[name][0, 0, 0, 2] for name in ("image", "image_b")]
    assert batch["image"].shape == (1, *SIDES, 3)
    assert numbers == ([1, 2] if domains == ("A", "B") else [2, 1])
    assert source_of(root, "val").size == 1


@pytest.mark.parametrize("form", ["{split}{domain}", "{split}/{domain}", "{domain}/{split}"])
def test_two_folders_are_pairs_by_their_names(root, form):
    for split, count in (("train", 3), ("test", 2)):
        for number in range(count):
            for domain, suffix in (("A", "png"), ("B", "webp")):
                folder = form.format(split=split, domain=domain)
                image = ramp(10 * number + (domain == "B"))
                options = {"lossless": True} if suffix == "webp" else {}
                write(root, f"{folder}/{number}.{suffix}", image=image, **options)
    for split, count in (("train", 3), ("test", 2)):
        batch = all_of(source_of(root, split, layout="folders"))
        np.testing.assert_array_equal(batch["image"][:, 0, 0, 2], 10 * np.arange(count))
        np.testing.assert_array_equal(batch["image_b"][:, 0, 0, 2], 10 * np.arange(count) + 1)


def test_partners_are_resized_and_cropped_alike_and_elsewhere_at_each_visit(root):
    for name in "xyz":
        write(root, f"images/{name}.png", image=ramp(0))
        write(root, f"masks/{name}.png", image=ramp(0, classes=True))
    settings = {"layout": "masks", "classes": 7, "size": 8, "crop": "random"}
    source = source_of(root, resize=12, **settings)  # The files' own size: nothing is interpolated.
    assert source.spec["segmentation"][:2] == ((8, 8), 7)
    draws = RNG.uniform(size=(3, 2))
    batch = source.visit(np.arange(3), draws)
    np.testing.assert_array_equal(batch["image"][..., 0].astype(int) % 7, batch["segmentation"])
    assert len(np.unique(batch["image"][:, 0, 0, 0])) == 3
    assert batch["segmentation"].dtype == np.int32
    without = source_of(root, **settings).load(np.arange(1))
    assert without["image"].shape == (1, 8, 8, 3) and without["segmentation"].shape == (1, 8, 8)


def test_classes_are_resized_by_the_nearest_as_pytorch_has_it():
    """Pixel i shows floor(i in / out): 0, 2, 4 of six, not 1, 3, 5."""
    classes = np.arange(36).reshape(6, 6)
    np.testing.assert_array_equal(resized_classes(classes, 3), classes[::2, ::2])
    np.testing.assert_array_equal(
        resized_classes(classes[:3, :3], 6), np.kron(classes[:3, :3], np.ones((2, 2)))
    )


def test_pictures_without_pairs_are_drawn_independently_from_both_folders(root):
    for number in range(5):
        write(root, f"trainA/{number}.png", f"trainB/{number}.png", image=ramp(number))
    write(root, "testA/p.png", "testB/q.png", "testB/r.png", image=ramp(9))
    source = source_of(root, layout="folders", unpaired=True)
    assert source.size is None and source.spec["image_b"].domain == "b"
    batch = source.load(np.arange(600))
    a, b = (batch[name][:, 0, 0, 2] for name in ("image", "image_b"))
    counts = np.histogram2d(a, b, bins=5)[0]
    assert counts.min() > 8 and abs(np.corrcoef(a, b)[0, 1]) < 0.1
    test = source_of(root, "test", layout="folders", unpaired=True)
    assert test.size == 2 and test.spec["image_b"].domain == "b"
    write(root, "testA/q.png", "testA/r.png", image=ramp(9))
    (root / "testA/p.png").unlink()
    known = source_of(root, "test", layout="folders", unpaired=True)
    assert known.size == 2 and not known.spec["image_b"].domain


@pytest.mark.parametrize(
    "files, settings, message",
    [
        ({"x.png": (4, 5)}, {}, r"x.png is 5 pixels wide, which are no two halves"),
        ({"x.png": (4, 6), "y.png": (4, 8)}, {}, "images differ in size: .*x.png is 4x3, y.png"),
        ({"x.png": (4, 6)}, {"domains": ("A", "C")}, "domains of halves are A .left. and B"),
        ({"A/x.png": (4, 4), "B/y.png": (4, 4)}, {"layout": "folders"}, "x.png has no partner"),
        ({"A/x.png": (4, 4)}, {"layout": "folders"}, "has no pictures in trainB/, train/B/"),
        (
            {"A/x.png": (4, 4), "B/x.png": (4, 6)},
            {"layout": "folders", "size": 4},
            "x.png is 4x4, its partner 4x6: partners must be of one size",
        ),
        (
            {"images/x.png": (4, 4), "masks/x.png": (4, 4)},
            {"layout": "masks", "classes": 2},
            "masks/x.png holds class 3, and data.classes is 2: classes are numbered from 0 to 1",
        ),
        ({"images/x.png": (4, 4)}, {"layout": "masks"}, "say how many classes they have"),
        ({"x.png": (4, 6)}, {"unpaired": True}, "data.unpaired needs data.layout=folders"),
        ({"x.png": (4, 6)}, {"resize": 6, "size": 4}, "resize 6 needs crop=random"),
    ],
)
def test_what_is_no_pair_is_refused_and_the_file_named(root, files, settings, message):
    for name, shape in files.items():
        write(root, name, image=Image.fromarray(np.full(shape, 3, np.uint8)))
    with pytest.raises(UserError, match=message) as caught:
        all_of(source_of(root, **settings))
    assert "\n" not in str(caught.value)
