"""Windows over texts and recordings: each symbol counts once, and what is wrong is said."""

import wave
from pathlib import Path

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from sample_files import text_file, wav_folder, write_wav
from scipy.io import wavfile

from gm_jax import UserError, data
from gm_jax.data.windows import cover, weights


def everything(source):
    return source.load(np.arange(source.size))


@pytest.mark.parametrize("context,length", [(1, 8), (5, 8), (0, 7), (3, 500)])
@pytest.mark.parametrize("first,last", [(600, 700), (600, 616), (600, 601)])
def test_windows_cover_every_place_once_after_its_context(first, last, context, length):
    windows = cover(first, last, context, length)
    places = np.arange(context + length)
    at, weight = windows.start[:, None] + places, weights(windows, len(places))
    assert sorted(at[weight > 0]) == list(range(first, last))
    assert np.all(np.broadcast_to(places, at.shape)[weight > 0] >= context)
    assert at.max() == last - 1 and at.min() >= first - context - length
    # The mean over windows of the weighted sum is the mean over places.
    values = np.random.default_rng(0).normal(size=last)
    np.testing.assert_allclose(
        np.mean(np.sum(weight * values[at], axis=1)), values[first:last].mean(), rtol=1e-4
    )


def text(path, **settings):
    return ConfigDict({"name": "text", "path": str(path), **settings})


def test_a_text_is_split_in_two_and_its_vocabulary_is_the_files(tmp_path):
    content = text_file().read_text()
    config = text(text_file(), context=2, length=9)
    train, test = (data.open_source(config, split) for split in ("train", "test"))
    field = train.spec["text"]
    assert field.symbols == "".join(sorted(set(content))) and field == test.spec["text"]
    assert field.shape == (11,) and field.cardinality == len(set(content))
    border = int(0.9 * len(content))
    for source in (train, test):
        arrays = everything(source)
        for symbols, position in zip(arrays["text"], arrays["position"], strict=True):
            decoded = "".join(field.symbols[s] for s in symbols)
            assert decoded == content[position : position + 11]
    counted = everything(test)
    at = (counted["position"][:, None] + np.arange(11))[counted["weight"] > 0]
    assert sorted(at) == list(range(border, len(content)))
    # Training: one window at each place, none beyond the border, all characters alike.
    arrays = everything(train)
    np.testing.assert_array_equal(arrays["position"], np.arange(border - 10))
    np.testing.assert_allclose(arrays["weight"], 1 / 11, rtol=1e-6)
    strided = everything(data.open_source(text(text_file(), context=2, length=9, stride=9)))
    held = np.unique(strided["position"][:, None] + np.arange(11))
    np.testing.assert_array_equal(held, np.arange(border))


def test_characters_beyond_ascii_and_line_ends_are_kept(tmp_path):
    (tmp_path / "x.txt").write_bytes("é\r\n\U0001f600ab".encode() * 20)
    field = data.open_source(text(tmp_path / "x.txt", length=8)).spec["text"]
    assert field.symbols == "\n\rabé\U0001f600"


def test_a_text_is_decoded_and_its_byte_order_mark_is_none_of_its_characters(tmp_path):
    for encoding, mark in (
        ("utf-8", "\ufeff"),
        ("utf-16", ""),
        ("utf-16-be", "\ufeff"),
        ("cp1252", ""),
    ):
        content = (mark + "caf\xe9s\n" * 20).encode(encoding)
        source = data.open_source(written(tmp_path, content, encoding=encoding))
        assert source.spec["text"].symbols == "\nacfs\xe9"


def test_a_text_is_read_once_until_it_changes(tmp_path, monkeypatch):
    config, reads = written(tmp_path, b"abc\n" * 20), []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or read_bytes(path))
    for split in ("train", "test", "train"):
        assert data.open_source(config, split).spec["text"].symbols == "\nabc"
    assert len(reads) == 1
    read = everything(data.open_source(config))["text"]
    read[:] = 0  # Of nobody else.
    assert everything(data.open_source(config))["text"].max() == 3
    key = data.open_source(config).key
    written(tmp_path, b"abcd\n" * 20)
    changed = data.open_source(config)
    assert changed.spec["text"].symbols == "\nabcd" and len(reads) == 2
    assert key and changed.key not in ("", key)


def test_a_vocabulary_may_be_larger_than_a_byte(tmp_path):
    content = "".join(chr(0x4E00 + i) for i in range(300)) * 3
    source = data.open_source(written(tmp_path, content.encode()))
    assert source.spec["text"].cardinality == 300
    decoded = [source.spec["text"].symbols[s] for s in source.load(np.array([290]))["text"][0]]
    assert "".join(decoded) == content[290:299]


def test_recordings_are_windows_with_silence_before_and_labels_of_their_names():
    config = ConfigDict({"name": "wav", "path": str(wav_folder()), "context": 40, "length": 100})
    train, test = (data.open_source(config, split) for split in ("train", "test"))
    assert train.spec["audio"].shape == (140,) and train.spec["label"].cardinality == 2
    for source, indices in ((train, (5, 6)), (test, (3, 4))):
        arrays = everything(source)
        for label in (0, 1):
            mine = arrays["label"] == label
            fresh = arrays["audio"][mine][arrays["weight"][mine] > 0]
            files = [wav_folder() / f"{label}_nobody_{index}.wav" for index in indices]
            # Behind the 44 bytes of a header stand the samples.
            recorded = b"".join(file.read_bytes()[44:] for file in files)
            np.testing.assert_array_equal(fresh, np.frombuffer(recorded, "<i2"))
        assert np.all(arrays["audio"][0, :40] == 0)
        np.testing.assert_allclose(arrays["weight"].sum(1).mean(), 1, rtol=1e-6)
    batch = {"audio": np.array([[-(2**15), 0, 2**14]], np.int16), "index": np.arange(1)}
    audio = data.preparation(config)(batch, jax.random.key(0))["audio"]
    np.testing.assert_array_equal(audio, [[-1, 0, 0.5]])
    np.testing.assert_array_equal(data.finish({"audio": audio})["audio"], batch["audio"])
    np.testing.assert_array_equal(
        data.finish({"audio": audio * 4})["audio"][0, ::2], [-32768, 32767]
    )


def test_recordings_without_numbers_in_their_names_have_subfolders_and_no_label(tmp_path):
    for split in ("train", "test"):
        write_wav(tmp_path / split / f"{split}.wav", np.arange(30))
    config = recordings(tmp_path)
    assert [data.open_source(config, split).size for split in ("train", "test")] == [3, 3]
    assert "label" not in data.open_source(config).spec
    config.path = str(tmp_path / "train")
    with pytest.raises(UserError, match="no subfolder 'test'"):
        data.open_source(config, "test")


def recordings(path):
    return ConfigDict({"name": "wav", "path": str(path), "context": 4, "length": 10})


def wav(path, *arguments, **settings):
    write_wav(path / "a.wav", *arguments, **settings)
    return recordings(path)


def written(path, content, **settings):
    path.joinpath("x.txt").write_bytes(content)
    return text(path / "x.txt", length=8, **settings)


def floats(path, samples):
    wavfile.write(path / "a.wav", 8000, np.float32(samples))
    return recordings(path)


def named(path, *names, **settings):
    for name in names:
        write_wav(path / f"{name}.wav", np.arange(30))
    return ConfigDict({**recordings(path), **settings})


BAD = [
    (lambda p: text("", length=8), "--config.data.path"),
    (lambda p: text(p / "none.txt"), "none.txt cannot be read"),
    (lambda p: text(p), "cannot be read as a text: Is a directory"),
    (lambda p: written(p, b""), "empty text"),
    (lambda p: written(p, b"\xef\xbb\xbf"), "empty text"),
    (lambda p: written(p, b"caf\xe9" * 9), "not a text in utf-8 .*config.data.encoding .*latin-1"),
    (lambda p: written(p, "word".encode("utf-16") * 9), "config.data.encoding .*utf-16, as its"),
    (lambda p: written(p, "word".encode("utf-16-le") * 9), "NUL at 1: .*data.encoding .*utf-16-le"),
    (
        lambda p: written(p, b"word" * 9, encoding="utf99"),
        "data.encoding is 'utf99': Python has no",
    ),
    (lambda p: written(p, b"short"), "5 characters, of which 4 .*windows of 9"),
    (lambda p: wav(p, [1, 2], rate=16000), "16000 Hz and data.rate is 8000: .*data.resample=True"),
    (lambda p: wav(p, [1, 2], channels=2), "has 2 channels: --config.data.mono=True"),
    (lambda p: wav(p, []), "holds no samples"),
    (lambda p: floats(p, [0.5, -1.25]), "samples of magnitude 1.25"),
    (lambda p: floats(p, [0.5, np.nan]), "samples of magnitude nan"),
    (recordings, "no wav file below"),
    (lambda p: named(p, "20240101_a_120000", "20240102_a_9"), "20240102_a_9.wav .*class 20240102"),
    (lambda p: named(p, "3_a_7", classes=3), "3_a_7.wav .*class 3 among 3 classes"),
    (
        lambda p: named(p, "20240101120000_mic_1"),
        "of class 20240101120000 among 1 files: the number that a name begins with",
    ),
]


@pytest.mark.parametrize("make,message", BAD)
def test_bad_texts_and_recordings_are_refused_in_one_line(make, message, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        data.open_source(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_what_is_not_a_wav_file_and_what_is_not_a_split_are_refused(tmp_path):
    config = wav(tmp_path, [1])
    (tmp_path / "a.wav").write_bytes(b"RIFF but no more")
    with pytest.raises(UserError, match="a.wav is not a readable wav file"):
        data.open_source(config)
    for config in (text(text_file()), recordings(wav_folder())):
        with pytest.raises(UserError, match="split of .* 'valid'; choose one of: train, test"):
            data.open_source(config, "valid")


def test_a_recording_that_breaks_off_is_refused(tmp_path):
    config = wav(tmp_path, np.zeros(50))
    whole = (tmp_path / "a.wav").read_bytes()
    for missing in (1, 2):  # Half a sample, or a whole one.
        (tmp_path / "a.wav").write_bytes(whole[:-missing])
        with pytest.raises(UserError, match="a.wav is truncated: .* 50 samples"):
            data.open_source(config)


@pytest.mark.parametrize("name,value", [("stride", 0), ("length", 0), ("context", -3)])
def test_settings_that_make_no_windows_are_refused(name, value):
    config = text(text_file())
    config[name] = value
    with pytest.raises(UserError, match=f"data.{name} is {value}: it must be"):
        data.open_source(config)


def test_texts_and_sounds_are_shown(tmp_path):
    points = np.array([[ord(c) for c in word] for word in ("one\n", "zwö!")])
    (file,) = data.show({"text": points, "score": np.ones(2)}, tmp_path / "out")
    lines = file.read_text(encoding="utf-8").split("\n")
    assert file.name == "out.txt" and (lines[0], lines[3]) == ("one", "zwö!")
    sounds = {"audio": np.array([[1, -2], [3, 4]], np.int16), "rate": np.full(2, 8)}
    (file,) = data.show(sounds, tmp_path / "out")
    with wave.open(str(file)) as opened:
        assert opened.getframerate() == 8 and file.name == "out.wav"
        samples = np.frombuffer(opened.readframes(99), "<i2")
    np.testing.assert_array_equal(samples, [1, -2, 0, 0, 3, 4, 0, 0])
