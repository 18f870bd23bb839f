"""A small text and a few recordings for the tests."""

import os
import struct
import wave
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent.parent / ".pytest_cache" / "written"
WORDS = ["to", "be", "or", "not", "that", "is", "the", "question", "whether", "it", "nobler"]


def text_file() -> Path:
    """About 3,000 characters of words in a random order; the same file for everyone."""
    words = np.random.default_rng(0).choice(WORDS, 700)
    return _write(FOLDER / "text.txt", (" ".join(words) + ".\n").encode())


def wav_folder() -> Path:
    """Recordings of two digits, of 150 to 320 samples, named as the Free Spoken Digit Dataset's."""
    rng = np.random.default_rng(0)
    for number in range(8):
        digit, index = number % 2, 3 + number // 2
        tone = np.sin(np.arange(rng.integers(150, 320)) * (0.2 + 0.3 * digit))
        noisy = 8000 * tone + rng.normal(0, 500, tone.shape)
        write_wav(FOLDER / "recordings" / f"{digit}_nobody_{index}.wav", noisy)
    return FOLDER / "recordings"


def write_wav(path: Path, samples, rate=8000, channels=1, width=2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    with wave.open(str(part), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(np.asarray(samples).astype({1: "u1", 2: "<i2"}[width]).tobytes())
    return part.replace(path)


def write_riff(path, tag, bits, content, channels=1, more=b"", chunks=b"", size=None):
    """A wav file of any format tag, written byte by byte."""
    frame = bits * channels // 8
    header = struct.pack("<HHIIHH", tag, channels, 8000, 8000 * frame, frame, bits) + more
    size = struct.pack("<I", len(content) if size is None else size)
    body = b"WAVEfmt " + struct.pack("<I", len(header)) + header + chunks + b"data" + size + content
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def _write(path: Path, content: bytes) -> Path:
    """Whole or not at all: several tests may write it at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(content)
    return part.replace(path)
