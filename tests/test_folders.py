"""Folders and archives of pictures: which files count, for what, and how often each is read."""

import os
import zipfile

import numpy as np
import pytest
from picture_files import NOISE, RNG, read, source_of, write
from PIL import Image

from gm_jax import UserError, data, workdir
from gm_jax.data import listing, looks, pictures
from gm_jax.evaluation.image_sets import open_images


def test_names_of_all_kinds_are_pictures(root):
    names = ["UPPER.PNG", "x.JPG", "猫 1.png", "a:b.png", "é.png", "%d.png", "new\nline.png"]
    names += ["x.webp", "x.bmp", "x.ppm", "x.tif", "x.TIFF", "x.gif", "x.avif"]
    write(root, *names, os.fsdecode(b"latin\xe9.png"))
    write(root, "x.jfif", format="JPEG")
    (root / "folder.png").mkdir()
    write(root, "folder.png/x.png")
    for name in ("Thumbs.db", "labels.txt"):
        (root / name).write_bytes(b"0")
    assert source_of(root).size == len(names) + 3 == open_images(str(root)).size
    (root / "new\nline.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"new\\nline.png is not a readable") as caught:
        read(root)
    assert "\n" not in str(caught.value)


def test_what_is_passed_over_is_said_once_with_its_number(root, capsys):
    write(root, "a.png", "b.png", ".ipynb_checkpoints/a.png", "deep/.hidden.png")
    (root / "._a.png").write_bytes(b"\0\5\x16\7")
    for name in ("x.psd", "y.HEIC"):
        (root / name).write_bytes(b"0")
    (root / "gone.png").symlink_to(root / "nowhere.png")
    (root / "loop").symlink_to(root, target_is_directory=True)
    assert source_of(root).size == source_of(root).size == 2
    said = capsys.readouterr().err
    assert said.count("skipped") == 1
    for part in ("3 hidden", "2 of a kind that is not read (x.psd)", "1 a link to nothing",
                 "1 linked and listed anyway (loop)"):  # fmt: skip
        assert part in said


def test_a_linked_folder_is_read_once(root, tmp_path):
    write(tmp_path / "elsewhere", "a.png", "b.png")
    for name in ("link", "twin"):
        (root / name).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert source_of(root).size == 2


@pytest.mark.parametrize("train", ["train/", "Training/", ""])
@pytest.mark.parametrize("held_out", ["test", "val", "Validation", "deep/test"])
def test_no_other_split_leaks_into_training(root, train, held_out):
    write(root, f"{train}0.png", f"{train}1.png", f"{held_out}/x.png", f"{train}{held_out}/y.png")
    assert source_of(root).size == 2 == open_images(str(root)).size
    if held_out == "test":
        assert source_of(root, "test").size == (1 if train else 2)


def test_a_split_that_is_not_there_is_named(root):
    write(root, "train/0.png", "valid/x.png")
    with pytest.raises(UserError, match="no subfolder 'test'; there are: train, valid:"):
        source_of(root, "test")
    assert source_of(root, "val").size == 1


def test_pictures_outside_the_training_folder_are_said(root, capsys):
    write(root, "Train/0.png", "more/x.png", "y.png")
    assert source_of(root).size == 1
    assert "skipped 2 outside Train/ (more/x.png)" in capsys.readouterr().err


def test_class_folders_are_labels_by_the_names_of_training(root):
    write(root, *(f"train/{c}/{n}.png" for c in ("ape", "bat", "cat") for n in range(2)))
    write(root, "test/cat/0.png", "test/ape/0.png")
    train, test = source_of(root), source_of(root, "test")
    assert train.classes == test.classes == ("ape", "bat", "cat")
    assert train.spec["label"].cardinality == test.spec["label"].cardinality == 3
    np.testing.assert_array_equal(train.load(np.arange(6))["label"], [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(test.load(np.arange(2))["label"], [0, 2])
    write(root, "test/dog/0.png")
    with pytest.raises(UserError, match="test/dog is a class that the training split does not"):
        source_of(root, "test")


@pytest.mark.parametrize("names", [("a/0.png", "a/1.png"), ("a/0.png", "b/0.png", "0.png"),
                                   ("a/0.png", "b/c/0.png")])  # fmt: skip
def test_folders_that_are_no_classes_give_no_labels(root, names):
    source = source_of(write(root, *names))
    assert set(source.spec) == {"image"} and source.classes == () and source.size == len(names)


@pytest.mark.parametrize("wrapper", ["", "archive/"])
def test_a_zip_archive_is_read_in_place(root, tmp_path, wrapper):
    write(root, "train/ape/0.png", "train/bat/猫.png", "test/bat/0.png")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in root.rglob("*.png"):
            archive.write(file, wrapper + str(file.relative_to(root)))
        archive.writestr(f"__MACOSX/{wrapper}._0.png", b"\0")
    for split in ("train", "test"):
        folder, packed = source_of(root, split), source_of(tmp_path / "set.zip", split)
        a, b = (source.load(np.arange(source.size)) for source in (folder, packed))
        np.testing.assert_array_equal(a["image"], b["image"])
        np.testing.assert_array_equal(a["label"], b["label"])
    assert next(open_images(str(tmp_path / "set.zip")).batches()).shape == (2, 8, 8, 3)


def test_a_broken_archive_is_named(tmp_path):
    (tmp_path / "set.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"set.zip cannot be read as a folder or a zip archive"):
        source_of(tmp_path / "set.zip")


def test_settings_that_do_nothing_are_refused(root):
    write(root, "a.png")
    with pytest.raises(UserError, match=r"crop is random: set data.size"):
        source_of(root, crop="random")
    with pytest.raises(UserError, match="data.size is 8, but ring has no such setting"):
        data.open_source({"name": "ring", "size": 8})
    with pytest.raises(UserError, match="data.channels is 2: it must be 1"):
        source_of(root, channels=2)


def test_captions_stand_beside_the_pictures(root):
    write(root, "a.png", "b.png", "deep/c.png")
    assert source_of(root).captions is None
    (root / "a.txt").write_text("an ape\n", encoding="utf-8-sig")
    (root / "deep/c.txt").write_text("猫")
    assert source_of(root).captions(np.array([2, 0, 1])) == ["猫", "an ape", ""]
    rows = [
        '{"file_name": "b.png", "text": "a bat"}',
        "",
        '{"file_name": "deep/c.png", "text": ""}',
    ]
    (root / "metadata.jsonl").write_text("\n".join(rows))
    source = source_of(root, binarize="redrawn")
    assert source.captions([0, 1]) == ["", "a bat"] and set(source.spec) == {"image"}
    (root / "metadata.jsonl").write_text('{"file_name": "b.png"}')
    os.utime(root)
    with pytest.raises(
        UserError, match='metadata.jsonl, line 1, must be an object with "file_name"'
    ):
        source_of(root)


def aged(root):
    """The folder, as if it had been left alone for an hour."""
    os.utime(root, (1e9, 1e9))
    return root


def test_a_folder_is_listed_and_looked_at_once(root, monkeypatch):
    write(root, *(f"{n}.png" for n in range(5)))
    opened = []
    look = pictures.look
    monkeypatch.setattr(
        pictures, "look", lambda file, name: opened.append(name) or look(file, name)
    )
    first = source_of(aged(root))
    assert source_of(root) is first and len(opened) == 5
    for memory in (listing._LISTED, data.folder._folder.cache_clear()):  # Another process.
        if memory is not None:
            memory.clear()
    again = source_of(root)
    assert again is not first and again.size == 5 and len(opened) == 5
    write(root, "5.png")
    write(root, "0.png", image=Image.fromarray(NOISE[::-1].copy()))
    assert source_of(root).size == 6 and len(opened) == 7


def test_a_memory_of_looks_that_is_broken_or_cannot_be_kept_is_done_without(root, monkeypatch):
    write(root, "a.png", "b.png")
    source_of(root)
    (file,) = looks._file(root).parent.iterdir()
    file.write_bytes(file.read_bytes()[:50])
    assert source_of(aged(root)).size == 2
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/none")
    os.utime(root)
    assert source_of(root).size == 2


@pytest.mark.parametrize("memory", [2**31, 0])
def test_pictures_are_read_in_several_threads_in_order(root, monkeypatch, memory):
    monkeypatch.setattr("gm_jax.data.workers.KEPT_BYTES", memory)
    images, opened = RNG.integers(0, 256, (40, 4, 4), np.uint8), []
    for number, image in enumerate(images):
        write(root, f"{number:02d}.png", image=Image.fromarray(image))
    source, order, pixels = source_of(root), RNG.permutation(40), pictures.pixels
    monkeypatch.setattr(pictures, "pixels", lambda *args: opened.append(args) or pixels(*args))
    for _ in range(2):
        np.testing.assert_array_equal(source.load(order)["image"][..., 0], images[order])
    assert len(opened) == (40 if memory else 80)


def test_data_that_is_not_there_is_named_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"{tmp_path}/p cannot be read, .*--config.data.path"):
        source_of("p")
    monkeypatch.setenv("HOME", str(write(tmp_path / "home", "p/a.png")))
    assert source_of("~/p").size == 1


def test_a_run_knows_its_data_again_by_every_file(root):
    """Of 200 pictures a run looks at 64; the one that changes is none of them."""
    write(root, *(f"{number:03d}.png" for number in range(200)))
    before = workdir._probe(source_of(root))
    assert workdir._probe(source_of(aged(root))) == before
    write(root, "001.png", image=Image.new("RGB", (8, 8)))
    data.folder._folder.cache_clear()
    listing._LISTED.clear()
    assert workdir._probe(source_of(root)) != before


def test_crops_at_random_keep_their_labels(root):
    write(root, *(f"train/{c}/{n}.png" for c in ("ape", "bat") for n in range(2)))
    source = source_of(root, size=4, crop="random")
    batch = source.visit(np.arange(4), np.zeros((4, 2)))
    assert batch["image"].shape == (4, 4, 4, 3)
    np.testing.assert_array_equal(batch["label"], [0, 0, 1, 1])
