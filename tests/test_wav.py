"""Recordings of every sample format, and the files of a folder that are read."""

import struct

import numpy as np
import pytest
from ml_collections import ConfigDict
from sample_files import write_riff, write_wav
from scipy.io import wavfile

from gm_jax import UserError, data


def recordings(path, **settings):
    return ConfigDict({"name": "wav", "path": str(path), "context": 4, "length": 10, **settings})


def samples_of(path, **settings):
    """Those of the recordings below a folder, without the silence before each."""
    source = data.open_source(recordings(path, **settings))
    arrays = source.load(np.arange(source.size))
    return arrays["audio"][arrays["weight"] > 0]


TONE = (9000 * np.sin(np.arange(101) / 3)).astype(np.int16)
PCM = TONE.tobytes()
SCALED = TONE.astype(np.float64) / 2**15
WIDE = b"".join(b"\0" + sample.tobytes() for sample in TONE)
GUID = struct.pack("<HHI", 22, 16, 4) + bytes.fromhex("0100000000001000800000aa00389b71")


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_samples_of_any_type_are_read_in_16_bits(dtype, tmp_path):
    wide = {np.int16: TONE, np.int32: TONE.astype(np.int32) * 2**16}
    wavfile.write(tmp_path / "a.wav", 8000, wide.get(dtype, SCALED.astype(dtype)))
    np.testing.assert_array_equal(samples_of(tmp_path), TONE)


def test_samples_of_8_bits_are_read_around_their_middle(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, np.uint8([0, 1, 128, 255]))
    np.testing.assert_array_equal(samples_of(tmp_path), [-(2**15), -(2**15) + 256, 0, 127 * 256])


@pytest.mark.parametrize(
    "tag,bits,content,parts",
    [
        (1, 24, WIDE, {}),
        (0xFFFE, 16, PCM, {"more": GUID}),
        (1, 16, PCM, {"chunks": b"note\5\0\0\0hello\0"}),
        (1, 16, PCM, {"chunks": b"note\5\0\0\0hello"}),
        (1, 16, PCM + b"\1", {}),
        (1, 16, PCM, {"size": 0xFFFFFFFF}),
    ],
    ids=["24 bits", "extensible", "odd chunk", "unpadded chunk", "half a sample", "piped"],
)
def test_wav_files_of_any_header_are_read(tag, bits, content, parts, tmp_path):
    write_riff(tmp_path / "a.wav", tag, bits, content, **parts)
    np.testing.assert_array_equal(samples_of(tmp_path), TONE)


def test_mu_law_is_decoded_as_g711_says(tmp_path):
    write_riff(tmp_path / "a.wav", 7, 8, bytes(range(256)))
    table = {0: -32124, 1: -31100, 15: -16764, 16: -15996, 127: 0, 128: 32124, 239: 132, 255: 0}
    found = samples_of(tmp_path)
    assert {byte: found[byte] for byte in table} == table
    assert np.all(np.diff(found[:128]) > 0) and np.array_equal(found[128:], -found[:128])


def test_channels_and_rates_are_brought_together_if_that_is_asked_for(tmp_path):
    both = np.stack([TONE, TONE // 3], axis=1)
    wavfile.write(tmp_path / "a.wav", 8000, both)
    mean = np.round(both.astype(float).mean(axis=1))
    np.testing.assert_array_equal(samples_of(tmp_path, mono=True), mean)
    time = np.arange(4000) / 16000
    tone = 8000 * np.sin(2 * np.pi * 440 * time)
    wavfile.write(tmp_path / "a.wav", 16000, tone.astype(np.int16))
    found = samples_of(tmp_path, resample=True)
    np.testing.assert_allclose(found[200:-200], tone[::2][200:-200], atol=40)
    assert len(found) == 2000


def test_recordings_are_found_whatever_their_suffix_and_no_split_is_part_of_another(
    tmp_path, capsys
):
    for number, name in enumerate(
        (
            "x.wav",
            "y.WAV",
            "deep/z.Wav",
            "Testing/t.wav",
            "deep/Val/v.wav",
            "._x.wav",
            ".trash/w.wav",
        ),
        1,
    ):
        write_wav(tmp_path / "part.wav", np.full(10, number))
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "part.wav").rename(tmp_path / name)
    (tmp_path / "old.wav").mkdir()
    assert set(samples_of(tmp_path)) == {1, 2, 3}
    assert "skipped 2 in folders of other splits" in capsys.readouterr().err
    test = data.open_source(recordings(tmp_path), "test").load(np.arange(1))
    assert test["audio"].max() == 4
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    data.open_source(recordings(tmp_path))
    assert "1 recordings that are not wav files (song.mp3)" in capsys.readouterr().err


def test_a_format_that_is_not_read_is_named(tmp_path):
    write_riff(tmp_path / "a.wav", 6, 8, b"\x55" * 9)
    with pytest.raises(UserError, match="a.wav is a wav file of format 6 with 8 bits a sample"):
        data.open_source(recordings(tmp_path))
