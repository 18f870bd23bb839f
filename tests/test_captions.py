"""Captions as numbers beside the images, from a folder or an npz file, and given as strings."""

import json

import numpy as np
import pytest
from PIL import Image

import gm_jax
from gm_jax import data
from gm_jax.model import Field
from gm_jax.tokenizers.words import encode_prompt, vocabulary_of, words

CAPTIONS = ("a red cat", "A red dog!", "a cat, red")


def saved(path, captions=CAPTIONS, **more):
    image = np.arange(3 * 16, dtype=np.uint8).reshape(3, 4, 4, 1)
    np.savez(path, image=image, caption=np.array(captions), **more)
    return dict(name="npz", path=str(path), captions="words")


def test_words_are_numbered_by_frequency(tmp_path):
    source = data.open_source(saved(tmp_path / "a.npz"))
    field = source.spec["caption"]
    assert words("It's ÉTÉ, 2.") == ["it", "'", "s", "été", ",", "2", "."]
    assert field.symbols == ("", "<unknown>", "a", "red", "cat", "!", ",", "dog")
    assert field.shape == (4,) and field.cardinality == 8
    batch = source.load(np.array([1, 0]))
    assert batch["caption"].dtype == np.int32
    np.testing.assert_array_equal(batch["caption"], [[2, 3, 7, 5], [2, 3, 4, 0]])
    assert set(source.spec) == {"image", "caption"} and len(batch["image"]) == 2


def test_a_test_split_is_read_with_the_vocabulary_of_training(tmp_path):
    more = {
        "test_image": np.zeros((1, 4, 4, 1), np.uint8),
        "test_caption": np.array(["a blue cat"]),
    }
    config = saved(tmp_path / "a.npz", **more)
    test = data.open_source(config, "test")
    assert test.spec["caption"] == data.open_source(config).spec["caption"]
    np.testing.assert_array_equal(test.load(np.array([0]))["caption"], [[2, 1, 4, 0]])


def test_a_folder_has_its_captions_in_metadata(root):
    lines = []
    for number, caption in enumerate(CAPTIONS):
        Image.new("L", (4, 4)).save(root / f"{number}.png")
        lines.append(json.dumps({"file_name": f"{number}.png", "text": caption}))
    (root / "metadata.jsonl").write_text("\n".join(lines))
    config = dict(name="folder", path=str(root), captions="words", caption_length=6)
    source = data.open_source(config)
    np.testing.assert_array_equal(
        source.load(np.arange(2))["caption"], [[2, 3, 4, 0, 0, 0], [2, 3, 7, 5, 0, 0]]
    )


def test_a_caption_is_given_as_a_string():
    field = Field((4,), 8, vocabulary_of(CAPTIONS))
    np.testing.assert_array_equal(data.checked("caption", "Red cat", field, 2), [[3, 4, 0, 0]] * 2)
    each = data.checked("caption", ["a dog", "cat"], field, 2)
    np.testing.assert_array_equal(each, [[2, 7, 0, 0], [4, 0, 0, 0]])
    assert each.dtype == np.int32


@pytest.mark.parametrize(
    "text,message",
    [
        ("a green bird", "no caption of the training data has bird, green; the most frequent"),
        ("a red cat a red", "has 5 words, and 4 fit: shorten it"),
    ],
)
def test_what_no_caption_has_is_refused(text, message):
    with pytest.raises(gm_jax.UserError, match=message):
        encode_prompt(text, Field((4,), 8, vocabulary_of(CAPTIONS)))


def test_data_without_captions_or_with_other_arrays_is_refused(tmp_path):
    with pytest.raises(gm_jax.UserError, match="data.captions is words, and digits has none"):
        data.open_source(dict(name="digits", captions="words"))
    with pytest.raises(gm_jax.UserError, match="`caption` is <U1 .2.: save a string for each of"):
        data.open_source(saved(tmp_path / "a.npz", ("a", "b")))
    with pytest.raises(gm_jax.UserError, match="has 4 words, and 2 fit"):
        data.open_source(saved(tmp_path / "b.npz") | dict(caption_length=2))


def emoji_folder(path, names=("apple", "waving hand", "cat", "sun")):
    rows = [
        {"caption": f"{name}{tone}", "base": name, "group": "ab"[number % 2], "skin_tone": tone}
        for number, name in enumerate(names)
        for tone in ("", ": dark skin tone")
    ]
    (path / "captions.json").write_text(json.dumps(rows))
    images = np.arange(len(rows), dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(3, -1)
    np.savez(path / "noto_emoji_64.npz", images=images)
    return dict(name="emoji", path=str(path), captions="words")


def test_all_skin_tones_of_an_emoji_are_in_one_split(tmp_path):
    names = [f"thing {number}" for number in range(40)]
    config = emoji_folder(tmp_path, names)
    train, test = (data.open_source(config, split) for split in ("train", "test"))
    assert train.size + test.size == 80 and 0 < test.size < 20
    captions = [set(s.captions(np.arange(s.size))) for s in (train, test)]
    assert not {c.split(":")[0] for c in captions[0]} & {c.split(":")[0] for c in captions[1]}
    batch = train.load(np.array([0, 1, 2]))
    everything = sorted(captions[0] | captions[1], key=lambda c: int(c.split(":")[0].split()[1]))
    assert train.classes == ("a", "b") and train.spec["label"].cardinality == 2
    for caption, image, label in zip(
        train.captions(np.arange(3)), batch["image"], batch["label"], strict=True
    ):
        number = int(caption.split(":")[0].split()[1])
        assert image[0, 0, 0] == 2 * number + ("dark" in caption) and label == number % 2
    assert len(everything) == 80 and train.spec["caption"].shape == (6,)
    larger = data.open_source(dict(config, size=4), "train")
    assert larger.spec["image"].shape == (4, 4, 3)
    images = larger.load(np.array([0, 1, 2]))["image"]
    np.testing.assert_array_equal(images, batch["image"].repeat(4, 1).repeat(4, 2))


@pytest.mark.parametrize("broken", ["missing", "short", "nameless", "no json"])
def test_emoji_that_do_not_fit_their_names_are_refused(tmp_path, broken):
    config = emoji_folder(tmp_path)
    file = tmp_path / "captions.json"
    rows = json.loads(file.read_text())
    message = "must hold a caption, base and group for each of the 8 images"
    if broken == "missing":
        file.unlink()
        message = "holds no captions.json"
    elif broken == "short":
        file.write_text(json.dumps(rows[:-1]))
    elif broken == "nameless":
        file.write_text(json.dumps([{"caption": ""}, *rows[1:]]))
    else:
        file.write_text("[")
        message = "captions.json cannot be read"
    with pytest.raises(gm_jax.UserError, match=message):
        data.open_source(config)
