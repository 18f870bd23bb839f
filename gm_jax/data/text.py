"""Characters of a text file."""

from pathlib import Path

import numpy as np

from gm_jax.data.source import SPLITS, Source, path_of
from gm_jax.data.windows import check, cover, weights
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field

TRAIN_SHARE = 0.9  # of the characters, from the first on; the rest is the test split


def text(config, split: str) -> Source:
    """Windows of a UTF-8 file's characters, of `context` + `length` each (defaults 1 and 64).

    The vocabulary is every character of the file, in the order of code points. "train" is windows
    of its first nine tenths, one each `stride` characters (default 1). "test" is windows of the
    rest in which every character is predicted once, the first from the end of the training split.

    text      [L] int32, characters as their numbers in the vocabulary, L = context + length
    weight    [L] float32, what each character counts in a mean over the split (`windows.weights`);
              in training all the same
    position  int32, where in the file the window begins
    """
    one_of("split of a text", split, SPLITS)
    check(config)
    path = Path(path_of(config))
    symbols, vocabulary = _read(path)
    context, length = config.get("context", 1), config.get("length", 64)
    places, border = context + length, int(TRAIN_SHARE * len(symbols))
    if border < places:
        raise UserError(
            f"{path} holds {len(symbols)} characters, of which {border} are to train on: too few"
            f" for windows of {places} (data.context + data.length)"
        )
    if split == "train":
        start = np.append(np.arange(0, border - places, config.get("stride", 1)), border - places)
        weight = np.broadcast_to(np.float32(1.0 / places), (len(start), places))
    else:
        windows = cover(border, len(symbols), context, length)
        start, weight = windows.start, weights(windows, places)

    def load(indices):
        position = start[indices].astype(np.int32)
        return {
            "text": symbols[position[:, None] + np.arange(places)],
            "weight": weight[indices],
            "position": position,
        }

    spec = {
        "text": Field((places,), len(vocabulary), vocabulary),
        "weight": Field((places,)),
        "position": Field((), len(symbols)),
    }
    return Source(path.stem, len(start), load, spec)


def _read(path: Path) -> tuple[np.ndarray, str]:
    """The file's characters as numbers in its vocabulary, and the vocabulary."""
    try:
        # Newlines stay as they are: the vocabulary is that of the file.
        with path.open(encoding="utf-8", newline="") as file:
            content = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a text in UTF-8: {error}") from error
    if not content:
        raise UserError(f"{path} is an empty text: there is nothing to learn from")
    points = np.array([content]).view(np.int32)
    known, symbols = np.unique(points, return_inverse=True)
    return symbols.astype(np.int32), "".join(map(chr, known))
