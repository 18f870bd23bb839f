"""Recordings: a folder of wav files."""

import functools
import hashlib
import math
import re
from pathlib import Path

import numpy as np

from gm_jax.cache import stamp
from gm_jax.data.listing import say_passed
from gm_jax.data.source import SPLIT_FOLDERS, SPLITS, Source, path_of
from gm_jax.data.wavfile import read_wav
from gm_jax.data.windows import Windows, cover, weights
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field
from gm_jax.settings import Data, read

NAME = re.compile(r"(\d+)_.*?(\d+)")  # digit_speaker_index, as the Free Spoken Digit Dataset has it
TEST_INDICES = 5  # recordings numbered below this one are the test split, as that data set says
CLASSES = 1000  # A number above this, and above the number of files, is unlikely to be a class.
OTHER_SUFFIXES = {".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma"}


def wav(config, split: str) -> Source:
    """Windows of the recordings below a folder, of `context` + `length` samples.

    Every sample of a recording is predicted in one window, of the `length` last positions; before a
    recording there is silence. All files have `rate` samples a second and one channel, or are
    brought to that by `resample` and `mono`. Samples of any format are rounded to 16 bits.
    The split is the subfolder of its name, or that of files named LABEL_..._INDEX.wav: 0-4 test,
    the rest train. Folders named after another split, at any depth, are never part of this one;
    hidden files are skipped.

    audio   [L] int16, L = context + length
    weight  [L] float32, what each sample counts in a mean over the split (`windows.weights`)
    label   int32, the number that the file's name begins with, if every name does; there are
            `classes`, by default one more than the highest
    """
    config = read(Data, config, "data.")
    path = path_of(config)
    files, classes = _files(path, split, config.classes)
    recordings, key = _recordings(
        tuple((file, stamp(file)) for file in files), config.rate, config.mono, config.resample
    )
    length, context = config.length, config.context
    positions = length + context
    silence = np.zeros(positions, np.int16)
    samples = np.concatenate([part for r in recordings for part in (silence, r)])
    ends = np.cumsum([positions + len(r) for r in recordings])
    windows = [
        cover(end - len(r), end, context, length) for end, r in zip(ends, recordings, strict=True)
    ]
    owner = np.repeat(np.arange(len(files)), [len(w.start) for w in windows])
    windows = Windows(*(np.concatenate(parts) for parts in zip(*windows, strict=True)))
    weight = weights(windows, positions)
    spec = {"audio": Field((positions,), 2**16), "weight": Field((positions,))}
    if classes:
        spec["label"] = Field((), classes)
        labels = np.array([int(NAME.fullmatch(file.stem)[1]) for file in files], np.int32)

    def load(indices):
        arrays = {
            "audio": samples[windows.start[indices, None] + np.arange(positions)],
            "weight": weight[indices],
        }
        return arrays | ({"label": labels[owner[indices]]} if classes else {})

    return Source(path.name, len(windows.start), load, spec, key=key)


def _files(path: Path, split: str, stated: int | None) -> tuple[list[Path], int]:
    """The wav files of a split, sorted, and how many classes their names state; 0 for none."""
    own = next((names for names in SPLIT_FOLDERS if split in names), (split,))
    root = next((f for f in sorted(path.glob("*/")) if f.name.lower() in own), path)
    others = {name for names in SPLIT_FOLDERS if names is not own for name in names}
    files = _wav_files(root, others)
    if not files:
        raise UserError(f"no wav file below {root}")
    names = [NAME.fullmatch(file.stem) for file in files]
    classes = _classes(files, names, stated) if all(names) else 0
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
    return files, classes


def _wav_files(root: Path, others: set[str]) -> list[Path]:
    """Those below a folder, sorted, without hidden ones (macOS's ._NAME) and other splits'."""
    files, passed = [], {}
    for file in sorted(root.rglob("*")):
        name, suffix = file.relative_to(root), file.suffix.lower()
        if any(part.startswith(".") for part in name.parts) or not file.is_file():
            continue
        if suffix in OTHER_SUFFIXES:
            passed.setdefault("recordings that are not wav files", []).append(str(name))
        elif suffix == ".wav" and not others.isdisjoint(p.lower() for p in name.parts[:-1]):
            passed.setdefault("in folders of other splits", []).append(str(name))
        elif suffix == ".wav":
            files.append(file)
    say_passed(root, passed)
    return files


def _classes(files: list[Path], names: list[re.Match], stated: int | None) -> int:
    label, file = max((int(name[1]), file.name) for name, file in zip(names, files, strict=True))
    if label >= (stated or max(CLASSES, len(files))):
        raise UserError(
            f"{file} would be a recording of class {label} among {stated or len(files)}"
            f" {'classes' if stated else 'files'}: the number that a name begins with is its label."
            " Begin names with labels from 0 or with no number, or state the number of classes with"
            " --config.data.classes=..."
        )
    return stated or label + 1


@functools.lru_cache(maxsize=4)
def _recordings(files: tuple, rate: int, mono: bool, resample: bool) -> tuple[list, str]:
    """The samples of each file, [N] int16, and a key for all of them.

    files  pairs of a path and its `stamp`
    """
    recordings, key = [_read(file, rate, mono, resample) for file, _ in files], hashlib.sha256()
    for (file, _), samples in zip(files, recordings, strict=True):
        key.update(file.name.encode())
        key.update(samples)
    return recordings, key.hexdigest()


def _read(file: Path, rate: int, mono: bool, resample: bool) -> np.ndarray:
    samples, own_rate = read_wav(file)
    if samples.shape[1] > 1 and not mono:
        raise UserError(
            f"{file} has {samples.shape[1]} channels: --config.data.mono=True takes their mean"
        )
    if own_rate != rate and not resample:
        raise UserError(
            f"{file} is at {own_rate} Hz and data.rate is {rate}: set"
            f" --config.data.rate={own_rate}, or --config.data.resample=True"
        )
    samples = samples.mean(axis=1)
    if own_rate != rate:
        from scipy import signal  # Here, as its import takes a second.

        shared = math.gcd(rate, own_rate)
        samples = signal.resample_poly(samples, rate // shared, own_rate // shared)
    return np.clip(np.round(samples * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
