"""Characters of a text file."""

import functools
import hashlib
from pathlib import Path

import numpy as np

from gm_jax.cache import stamp
from gm_jax.data.source import SPLITS, Source, path_of
from gm_jax.data.windows import cover, weights
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field
from gm_jax.settings import Data, read

TRAIN_SHARE = 0.9  # of the characters, from the first on; the rest is the test split
UNICODE = 0x110000  # number of code points
PIECE = 2**22  # characters looked up at once
BYTE_ORDER_MARK = "\ufeff"


def text(config, split: str) -> Source:
    """Windows of a file's characters, of `context` + `length` each.

    The file is a text in `encoding`. Its characters stay as they are, line ends included
    (\\r\\n is two characters), without a byte order mark at the beginning. The vocabulary is every
    character of the file, in the order of code points. "train" is windows of its first nine
    tenths, one every `stride` characters. "test" is windows of the rest in which every character is
    predicted once, the first from the end of the training split.

    text      [L] int32, characters as their numbers in the vocabulary, L = context + length
    weight    [L] float32, each character's weight in a mean over the split (`windows.weights`), in
              training equal for all
    position  int32, where in the file the window begins
    """
    one_of("split of a text", split, SPLITS)
    config = read(Data, config, "data.")
    path = path_of(config)
    symbols, vocabulary, key = _symbols(path, config.encoding)
    context, length = config.context, config.length
    positions, border = context + length, int(TRAIN_SHARE * len(symbols))
    last = border - positions  # where the last window of the training split begins
    if last < 0:
        raise UserError(
            f"{path} holds {len(symbols)} characters, of which {border} are to train on: too few"
            f" for windows of {positions} (data.context + data.length)"
        )
    if split == "train":
        size, fresh = -(-last // config.stride) + 1, np.float32(1.0 / positions)

        def window(indices):
            start = np.minimum(indices * config.stride, last)
            return start, np.full((len(indices), positions), fresh)
    else:
        windows = cover(border, len(symbols), context, length)
        size, weight = len(windows.start), weights(windows, positions)

        def window(indices):
            return windows.start[indices], weight[indices]

    def load(indices):
        start, weight = window(indices)
        return {
            "text": symbols[start[:, None] + np.arange(positions)].astype(np.int32),
            "weight": weight,
            "position": start.astype(np.int32),
        }

    spec = {
        "text": Field((positions,), len(vocabulary), vocabulary),
        "weight": Field((positions,)),
        "position": Field((), len(symbols)),
    }
    return Source(path.stem, size, load, spec, key=key)


def _symbols(path: Path, encoding: str) -> tuple[np.ndarray, str, str]:
    """The file's characters as numbers in its vocabulary, the vocabulary, and a key of both."""
    try:
        return _read(path, encoding, stamp(path))
    except OSError as error:
        raise UserError(f"{path} cannot be read as a text: {error.strerror}") from error


@functools.lru_cache(maxsize=2)
def _read(path: Path, encoding: str, when: tuple) -> tuple[np.ndarray, str, str]:
    """`_symbols` of a file with the stamp `when`: read once, in the fewest bytes a character."""
    content = _decoded(path, encoding)
    pieces = [slice(first, first + PIECE) for first in range(0, len(content), PIECE)]

    def points(piece: slice) -> np.ndarray:
        return np.frombuffer(content[piece].encode("utf-32-le"), "<u4")

    present = np.zeros(UNICODE, bool)
    for piece in pieces:
        present[points(piece)] = True
    known = np.flatnonzero(present)
    numbers = np.zeros(UNICODE, np.min_scalar_type(len(known) - 1))
    numbers[known] = np.arange(len(known))
    symbols = np.concatenate([numbers[points(piece)] for piece in pieces])
    symbols.flags.writeable = False
    vocabulary = "".join(map(chr, known))
    return symbols, vocabulary, hashlib.sha256(vocabulary.encode() + symbols.data).hexdigest()


def _decoded(path: Path, encoding: str) -> str:
    """The content of a file without its byte order mark. Raises UserError if it is not a text."""
    raw = path.read_bytes()
    try:
        content = raw.decode(encoding).removeprefix(BYTE_ORDER_MARK)
    except LookupError as error:
        raise UserError(f"data.encoding is {encoding!r}: Python has no such encoding") from error
    except UnicodeError as error:
        utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        others = "utf-16, as its first bytes say" if utf16 else "latin-1, cp1252, utf-16-le, ..."
        raise UserError(
            f"{path} is not a text in {encoding} ({error}): set --config.data.encoding to what it"
            f" is in ({others})"
        ) from error
    if not content:
        raise UserError(f"{path} is an empty text: there is nothing to learn from")
    if "\0" in content:
        raise UserError(
            f"{path} read as {encoding} has the character NUL at {content.index(chr(0))}: remove"
            " it, or set --config.data.encoding to what the file is in (utf-16-le, utf-16-be, ...)"
        )
    return content
