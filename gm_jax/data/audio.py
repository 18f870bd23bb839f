"""Recordings: a folder of wav files."""

import re
import wave
from pathlib import Path

import numpy as np

from gm_jax.data.source import SPLITS, Source, path_of
from gm_jax.data.windows import Windows, check, cover, weights
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field

NAME = re.compile(r"(\d+)_.*?(\d+)")  # digit_speaker_index, as the Free Spoken Digit Dataset has it
TEST_INDICES = 5  # recordings numbered below this one are the test split, as that data set says


def wav(config, split: str) -> Source:
    """Windows of the mono 16-bit recordings below a folder, of `context` + `length` samples.

    Every sample of a recording is predicted in one window, of the `length` last places; before a
    recording there is silence. All files have `rate` samples a second (default 8000). The split is
    the subfolder of its name, or that of files named LABEL_..._INDEX.wav: 0-4 test, the rest train.

    audio   [L] int16, L = context + length
    weight  [L] float32, what each sample counts in a mean over the split (`windows.weights`)
    label   int32, the number that the file's name begins with, where every name does
    """
    check(config)
    rate, length, context = config.get("rate", 8000), config.length, config.context
    path, places = Path(path_of(config)), config.length + config.context
    files = _files(path, split)
    recordings = [_read(file, rate) for file in files]
    silence = np.zeros(places, np.int16)
    samples = np.concatenate([part for r in recordings for part in (silence, r)])
    ends = np.cumsum([places + len(r) for r in recordings])
    windows = [
        cover(end - len(r), end, context, length) for end, r in zip(ends, recordings, strict=True)
    ]
    owner = np.repeat(np.arange(len(files)), [len(w.start) for w in windows])
    windows = Windows(*(np.concatenate(parts) for parts in zip(*windows, strict=True)))
    weight = weights(windows, places)
    spec = {"audio": Field((places,), 2**16), "weight": Field((places,))}
    names = [NAME.fullmatch(file.stem) for file in files]
    labels = np.array([int(name[1]) if name else -1 for name in names], np.int32)
    if labels.min() >= 0:
        spec["label"] = Field((), int(labels.max()) + 1)

    def load(indices):
        arrays = {
            "audio": samples[windows.start[indices, None] + np.arange(places)],
            "weight": weight[indices],
            "label": labels[owner[indices]],
        }
        return {name: arrays[name] for name in spec}

    return Source(path.name, len(windows.start), load, spec)


def _files(path: Path, split: str) -> list[Path]:
    root = path / split if (path / split).is_dir() else path
    files = sorted(root.rglob("*.wav"))
    if not files:
        raise UserError(f"no wav file below {root}")
    names = [NAME.fullmatch(file.stem) for file in files]
    if root is path and all(names):
        one_of("split of recordings by their number", split, SPLITS)
        test = [int(name[2]) < TEST_INDICES for name in names]
        files = [f for f, t in zip(files, test, strict=True) if t == (split == "test")]
        if not files:
            raise UserError(f"{path} has no recording of the split {split!r}")
    elif root is path and split != "train":
        raise UserError(
            f"{path} has no subfolder {split!r}: put the recordings of that split there"
        )
    return files


def _read(file: Path, rate: int) -> np.ndarray:
    """The samples of a wav file, [N] int16."""
    try:
        with wave.open(str(file)) as opened:
            found, frames = opened.getparams(), opened.readframes(opened.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise UserError(f"{file} is not a readable wav file: {error}") from error
    if (found.nchannels, found.sampwidth, found.framerate) != (1, 2, rate):
        raise UserError(
            f"{file} has {found.nchannels} channel(s) of {8 * found.sampwidth} bits at"
            f" {found.framerate} Hz: this recipe takes 1 channel of 16 bits at {rate} Hz"
            " (data.rate); convert the files first"
        )
    if not frames:
        raise UserError(f"{file} holds no samples")
    if len(frames) != 2 * found.nframes:
        raise UserError(f"{file} breaks off: its header speaks of {found.nframes} samples")
    return np.frombuffer(frames, "<i2").astype(np.int16)
