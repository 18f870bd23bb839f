"""npz files as people bring them: each works, in training and evaluation, or is refused by name."""

import zipfile

import numpy as np
import pytest

from gm_jax import UserError, data
from gm_jax.data import npz
from gm_jax.evaluation.image_sets import open_images

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (24, 8, 6, 3), np.uint8)
LABEL = np.arange(24) % 10


def saved(path, **arrays):
    np.savez(path / "x.npz", **arrays)
    return path / "x.npz"


def source_of(path, split="train", **settings):
    return data.open_source({"name": "npz", "path": str(path), **settings}, split)


WORKS = {
    "as it should be": (dict(image=IMAGE, label=LABEL), IMAGE),
    "many names": (dict(images=IMAGE, labels=LABEL, alpha=IMAGE[..., 0]), IMAGE),
    "no name": (dict(arr_0=IMAGE, arr_1=LABEL), IMAGE),
    "grey without a channel": (dict(image=IMAGE[..., 0]), IMAGE[..., :1]),
    "in Fortran's order": (dict(image=np.asfortranarray(IMAGE)), IMAGE),
    "labels of another type": (dict(image=IMAGE, label=LABEL.astype(float)), IMAGE),
    "a test split beside it": (dict(x=IMAGE, test_image=IMAGE[:2]), IMAGE),
}


@pytest.mark.parametrize("case", WORKS)
def test_images_are_read_by_one_rule(case, tmp_path):
    arrays, expected = WORKS[case]
    source = source_of(saved(tmp_path, **arrays))
    loaded = source.load(np.arange(24))
    np.testing.assert_array_equal(loaded["image"], expected)
    judged = list(open_images(str(tmp_path / "x.npz")).batches())
    np.testing.assert_array_equal(np.concatenate(judged), expected)
    if "label" in source.spec:
        assert source.spec["label"].cardinality == 10 and loaded["label"].dtype == np.int32
        np.testing.assert_array_equal(loaded["label"], LABEL)


IMAGES_REFUSED = {
    "channels first": (IMAGE.transpose(0, 3, 1, 2), r"channels first: .*transpose\(0, 2, 3, 1\)"),
    "0 to 1": ((IMAGE / 255).astype("f4"), r"quantise floats \(0 to 1\), np.round\(255 \* x\)"),
    "-1 to 1": (IMAGE / 127.5 - 1, r"quantise floats \(-1 to 1\), np.round\(127.5 \* \(x \+ 1\)"),
    "0 to 255 as floats": (IMAGE.astype("f4"), r"floats \(0 to 255\), np.round\(x\)"),
    "NaN": (np.where(IMAGE == 7, np.nan, IMAGE), "holds NaN or infinity"),
    "int64": (IMAGE.astype(int), "it is int64: save uint8 of 0 to 255"),
    "alpha": (np.concatenate([IMAGE, IMAGE[..., :1]], -1), "alpha channel: put it on a background"),
    "two channels": (IMAGE[..., :2], "has 2 channels: save 1"),
    "one image": (IMAGE[0], r"is one image \[8, 6, 3\]: save several"),
    "no image": (IMAGE[:0], "holds no examples"),
    "flat": (IMAGE.reshape(24, -1), r"it is \[24, 144\]: save \[N, H, W, C\]"),
    "objects": (np.array([IMAGE, None], object), "it is object"),
}


@pytest.mark.parametrize("case", IMAGES_REFUSED)
def test_other_images_are_refused_with_the_mend(case, tmp_path):
    image, message = IMAGES_REFUSED[case]
    path = saved(tmp_path, image=image)
    for opened in (lambda: source_of(path), lambda: open_images(str(path))):
        with pytest.raises(UserError, match=rf"x.npz: `image` must be uint8 .*{message}") as caught:
            opened()
        assert "\n" not in str(caught.value)


LABELS_REFUSED = {
    "negative": (LABEL - 1, "`label` holds -1: labels are whole numbers from 0"),
    "a fraction": (LABEL + 0.7, "`label` holds 0.7: labels are whole"),
    "NaN": (np.where(LABEL == 3, np.nan, LABEL), "`label` holds nan: labels are whole"),
    "a column": (LABEL[:, None], r"is \[24, 1\]: save label.reshape\(-1\)"),
    "one-hot": (np.eye(10)[LABEL], r"is \[24, 10\], one-hot perhaps: save label.argmax\(1\)"),
    "too few": (LABEL[:5], "holds 5 labels for 24 images"),
    "texts": (np.array(["ape", "bat"] * 12), "not of numbers: np.unique"),
    "time stamps": (LABEL + 1_700_000_000, "label 1700000009 among 24 examples is hardly a class"),
    "beyond 64 bits of classes": (LABEL + 2**40, "is hardly a class.*--config.data.classes"),
}


@pytest.mark.parametrize("case", LABELS_REFUSED)
def test_labels_that_are_no_classes_are_refused_with_the_value(case, tmp_path):
    label, message = LABELS_REFUSED[case]
    with pytest.raises(UserError, match=message) as caught:
        source_of(saved(tmp_path, image=IMAGE, label=label))
    assert "\n" not in str(caught.value)


def test_a_stated_number_of_classes_is_kept(tmp_path):
    path = saved(tmp_path, image=IMAGE, label=LABEL + 20)
    assert source_of(path, classes=40).spec["label"].cardinality == 40
    with pytest.raises(UserError, match=r"holds 29, beyond the 25 classes .* that data.classes is"):
        source_of(path, classes=25)


def test_the_test_split_has_the_classes_of_training(tmp_path):
    arrays = dict(image=IMAGE, label=LABEL % 5, test_image=IMAGE[:6], test_label=LABEL[:6] % 3)
    path = saved(tmp_path, **arrays)
    assert source_of(path, "test").spec["label"].cardinality == 5
    path = saved(tmp_path, **{**arrays, "test_label": LABEL[:6]})
    with pytest.raises(UserError, match="`test_label` holds 5, beyond the 5 classes"):
        source_of(path)  # Before anything is trained.
    path = saved(tmp_path, **{**arrays, "test_image": IMAGE[:6, :4]})
    with pytest.raises(UserError, match="images of the two splits differ in shape"):
        source_of(path)
    with pytest.raises(UserError, match="must hold `test_image`"):
        source_of(saved(tmp_path, image=IMAGE), "test")


def header(path, shape):
    """An npz whose header says another shape than it holds."""
    np.save(path / "image.npy", IMAGE)
    whole = (path / "image.npy").read_bytes()
    said = str(IMAGE.shape)
    longer = whole.replace(said.encode(), str(shape).encode(), 1)
    cut = len(longer) - len(whole)
    longer = longer.replace(b" " * (cut + 1) + b"\n", b" \n", 1) if cut > 0 else longer
    with zipfile.ZipFile(path / "x.npz", "w") as archive:
        archive.writestr("image.npy", longer)


def damaged(path, damage):
    """A good npz, of which `damage` changes the bytes."""
    whole = bytearray(saved(path, image=IMAGE).read_bytes())
    (path / "x.npz").write_bytes(damage(whole) or whole)


def member(path, content):
    with zipfile.ZipFile(path / "x.npz", "w") as archive:
        archive.writestr("image.npy", content)


BROKEN = {
    "cut": lambda p: damaged(p, lambda whole: whole[:900]),
    "empty": lambda p: (p / "x.npz").write_bytes(b""),
    "one bit": lambda p: damaged(p, lambda whole: whole.__setitem__(600, whole[600] ^ 1)),
    "a npy file": lambda p: (np.save(p / "x.npy", IMAGE), (p / "x.npy").rename(p / "x.npz")),
    "more said than held": lambda p: header(p, (54, 8, 6, 3)),
    "fewer said than held": lambda p: header(p, (10, 8, 6, 3)),
    "far more said": lambda p: header(p, (10**15, 8, 6, 3)),
    "a pickle": lambda p: member(p, b"\x80\x04cos\nsystem\n(S'touch x'\ntR."),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named(case, tmp_path):
    BROKEN[case](tmp_path)
    path = tmp_path / "x.npz"
    for opened in (lambda: source_of(path), lambda: list(open_images(str(path)).batches())):
        with pytest.raises(UserError, match=r"x.npz is broken or truncated") as caught:
            opened()
        assert "\n" not in str(caught.value)


def test_a_file_is_loaded_once_until_it_changes(tmp_path, monkeypatch):
    path, loaded, array_of = saved(tmp_path, image=IMAGE, label=LABEL), [], npz.array_of
    monkeypatch.setattr(npz, "array_of", lambda *args: loaded.append(args) or array_of(*args))
    for _ in range(3):
        source_of(path)
    assert len(loaded) == 2  # Images and labels.
    saved(tmp_path, image=IMAGE[:12])
    assert source_of(path).size == 12
