"""Sources, the order of batches, and what is said when data is not as it must be."""

import itertools

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from gm_jax import UserError, data
from gm_jax.data.show import grid

ALL = slice(0, 8)


def source(size=20):
    """A source whose one field is the number of the example."""
    return data.from_arrays("numbers", {"image": np.arange(size)}, {})


def numbers(start, count, rows=ALL, batch_size=8):
    batches = data.training_batches(source(), batch_size, seed=3, start=start, rows=rows)
    return [batch["image"] for batch in itertools.islice(batches, count)]


def test_every_epoch_holds_every_example_once_in_another_order():
    stream = np.concatenate(numbers(0, 10))  # Four epochs of 20; batches cross their borders.
    epochs = stream.reshape(4, 20)
    for epoch in epochs:
        assert sorted(epoch) == list(range(20))
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_a_batch_is_a_function_of_its_position():
    whole = numbers(0, 9)
    np.testing.assert_array_equal(numbers(5, 4), whole[5:])


def test_two_processes_read_the_halves_of_one_batch():
    whole = numbers(2, 3)
    first, second = numbers(2, 3, slice(0, 4)), numbers(2, 3, slice(4, 8))
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), whole)
    index = next(data.training_batches(source(), 8, 3, 0, slice(4, 8)))["index"]
    np.testing.assert_array_equal(index, [4, 5, 6, 7])


def test_ordered_batches_pad_and_mask_the_last_and_go_around():
    batches = list(data.ordered_batches(source(5), 4, count=7, rows=slice(0, 4)))
    seen = np.concatenate([b["image"][b["mask"]] for b in batches])
    np.testing.assert_array_equal(seen, [0, 1, 2, 3, 4, 0, 1])
    assert [len(b["image"]) for b in batches] == [4, 4]
    np.testing.assert_array_equal(np.concatenate([b["index"] for b in batches]), np.arange(8))


def test_uint8_survives_the_way_to_the_device_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    x = data.to_float(levels)
    assert x.min() == -1 and x.max() == 1
    np.testing.assert_array_equal(data.to_uint8(x), levels)


def test_flips_and_binarisation_are_drawn_for_each_example():
    image = np.linspace(0, 255, 16).astype(np.uint8).reshape(1, 4, 4, 1).repeat(400, 0)
    batch = {"image": image, "index": np.arange(400)}
    flipped = data.preparation(ConfigDict({"flip": True}))(batch, jax.random.key(0))["image"]
    mirrored = np.array([np.array_equal(x, flipped[0]) for x in flipped])
    assert 150 < mirrored.sum() < 250
    judged = data.preparation(ConfigDict({"flip": True}), training=False)
    np.testing.assert_array_equal(judged(batch, jax.random.key(0))["image"], data.to_float(image))
    redraw = data.preparation(ConfigDict({"binarize": "redrawn"}))
    binary = redraw(batch, jax.random.key(0))["image"]
    assert set(np.unique(binary)) == {-1.0, 1.0}
    np.testing.assert_allclose((binary.mean(0) + 1) / 2, image[0] / 255, atol=0.12)
    again = redraw(batch, jax.random.key(1))["image"]
    assert not np.array_equal(binary, again)


def test_digits_are_split_once_and_for_all():
    train, test = (data.open_source(ConfigDict({"name": "digits"}), s) for s in ("train", "test"))
    assert (train.size, test.size) == (1500, 297)
    assert train.spec["image"].shape == (8, 8, 1) and train.spec["label"].cardinality == 10
    everything = [s.load(np.arange(s.size))["image"].reshape(s.size, -1) for s in (train, test)]
    assert everything[0].max() == 255 and everything[0].dtype == np.uint8


def folder(path, sizes=((4, 4), (4, 4)), mode="RGB"):
    for number, size in enumerate(sizes):
        Image.new(mode, size, number * 40).save(path / f"{number}.png")
    return ConfigDict({"name": "folder", "path": str(path)})


def test_a_folder_of_images_is_a_source(tmp_path):
    opened = data.open_source(folder(tmp_path))
    assert opened.size == 2 and opened.spec["image"].shape == (4, 4, 3)
    np.testing.assert_array_equal(
        opened.load(np.array([1, 0, 1]))["image"][:, 0, 0, 0], [40, 0, 40]
    )
    (tmp_path / "test").mkdir()
    grey = data.open_source(folder(tmp_path / "test", mode="L"))
    assert grey.spec["image"].shape == (4, 4, 1)
    assert data.open_source(ConfigDict({"name": "folder", "path": str(tmp_path)}), "test").size == 2


def npz(path, **arrays):
    np.savez(path / "x.npz", **arrays)
    return ConfigDict({"name": "npz", "path": str(path / "x.npz")})


def test_an_npz_is_a_source_with_its_own_test_split(tmp_path):
    image = np.arange(48, dtype=np.uint8).reshape(3, 4, 4, 1)
    config = npz(tmp_path, image=image, label=np.array([0, 2, 1]), test_image=image[:1])
    train, test = data.open_source(config), data.open_source(config, "test")
    assert train.spec["label"].cardinality == 3 and "label" not in test.spec and test.size == 1
    np.testing.assert_array_equal(train.load(np.array([2]))["image"], image[2:])


BAD = [
    (lambda p: ConfigDict({"name": "minst"}), r"did you mean mnist\?"),
    (
        lambda p: ConfigDict({"name": "mnist", "directory": str(p)}),
        r"not prepared in .*tfds build mnist --file_format=array_record",
    ),
    (lambda p: ConfigDict({"name": "folder", "path": ""}), "--config.data.path"),
    (lambda p: ConfigDict({"name": "folder", "path": str(p)}), "no image .* below"),
    (lambda p: folder(p, ((4, 4), (4, 6))), r"0.png is 4x4, 1.png is 6x4: resize"),
    (lambda p: npz(p, image=np.zeros((2, 4, 4))), r"uint8 of shape \[N, H, W, C\]"),
    (lambda p: ConfigDict({"name": "npz", "path": str(p / "none.npz")}), "cannot be read"),
]


@pytest.mark.parametrize("make,message", BAD)
def test_bad_data_is_refused_in_one_line(make, message, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        data.open_source(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_corrupt_image_is_named(tmp_path):
    config = folder(tmp_path)
    (tmp_path / "1.png").write_bytes(b"not an image")
    with pytest.raises(UserError, match="1.png is not a readable image"):
        data.open_source(config)
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(noise[:4, :4]).save(tmp_path / "1.png")
    whole = bytearray((tmp_path / "1.png").read_bytes())
    (tmp_path / "1.png").write_bytes(whole[:-30])
    with pytest.raises(UserError, match="1.png is not a readable image: .* truncated"):
        data.open_source(config)
    whole[whole.index(b"IDAT") + 20] ^= 255
    (tmp_path / "1.png").write_bytes(whole)
    # Its head and end read well; the damage shows when its turn comes, and stops the reading.
    batches = data.training_batches(data.open_source(config), 8, 0, 0, ALL)
    with pytest.raises(UserError, match="1.png is not a readable image"):
        next(batches)


def test_prepared_tfds_data_is_read_without_tensorflow(shared):
    config = ConfigDict({"name": "mnist", "directory": str(shared / "data" / "tfds")})
    train, test = data.open_source(config), data.open_source(config, "test")
    assert (train.size, test.size) == (60_000, 10_000)
    batch = train.load(np.array([5, 59_999, 5]))
    assert batch["image"].shape == (3, 28, 28, 1) and batch["image"].dtype == np.uint8
    np.testing.assert_array_equal(batch["image"][0], batch["image"][2])
    with pytest.raises(UserError, match="split 'valid'"):
        data.open_source(config, "valid")


def test_grids_lay_out_sequences_a_row_each(tmp_path):
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 64, 64, 1), np.uint8)
    assert grid(images).shape == (132, 200, 1)
    rows = grid(images.reshape(2, 3, 64, 64, 1))
    assert rows.shape == (132, 200, 1) and rows[0, 70, 0] == 1 and rows[100, 0, 0] == 3
    pairs = grid(np.zeros((18, 2, 64, 64, 1), np.uint8))
    assert pairs.shape == (6 * 68 - 4, 6 * 68 - 4, 1)  # Three short sequences a row.
    files = data.show({"image": images, "score": np.ones(6)}, tmp_path / "out")
    assert files == [tmp_path / "out.png"] and Image.open(files[0]).size == (200, 132)
