"""Captions as numbers: an entry `caption` [L] int32 beside the images, padded with 0.

"words"   words in lower case and marks of punctuation; the vocabulary is that of the training
          split, most frequent first, after the padding and a symbol for words it does not hold
"""

import collections
import re
from collections.abc import Callable, Iterable

import numpy as np

from gm_jax.data.source import Source
from gm_jax.errors import UserError
from gm_jax.model import Field

PADDING, UNKNOWN = "", "<unknown>"


def captioned(source: Source, training: Callable[[], Source], config) -> Source:
    """The source with its captions as `config.captions` says, "" for none.

    training  opens the training split
    Captions are at most `config.caption_length` words; by default as many as the longest of the
    training split has. Raises UserError if there are no captions, and for one that is longer.
    """
    if not config.captions:
        return source
    if source.captions is None:
        raise UserError(
            f"data.captions is {config.captions}, and {source.name} has none: a folder has them in"
            " metadata.jsonl or in a .txt beside each picture, an npz file in the array `caption`"
        )
    trained = training()
    if trained.captions is None:
        raise UserError(f"{source.name} has captions in this split, but none in the training split")
    texts = trained.captions(np.arange(trained.size))
    symbols = vocabulary(texts)
    longest = max(texts, key=lambda text: len(words(text)))
    length = config.caption_length or len(words(longest))
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    _encoded(longest, numbers, length)

    def with_captions(batch: dict[str, np.ndarray], indices: np.ndarray) -> dict[str, np.ndarray]:
        rows = [_encoded(text, numbers, length) for text in source.captions(indices)]
        return {**batch, "caption": np.stack(rows)}

    visit = source.visit and (
        lambda indices, draws: with_captions(source.visit(indices, draws), indices)
    )
    return source._replace(
        load=lambda indices: with_captions(source.load(indices), indices),
        visit=visit,
        spec={**source.spec, "caption": Field((length,), len(symbols), symbols)},
    )


def words(text: str) -> list[str]:
    """Words in lower case, and marks of punctuation."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def vocabulary(texts: Iterable[str]) -> tuple[str, ...]:
    """The padding, the symbol for unknown words, and the words of texts, most frequent first."""
    counts = collections.Counter(word for text in texts for word in words(text))
    return (PADDING, UNKNOWN, *sorted(counts, key=lambda word: (-counts[word], word)))


def encode(text: str, field: Field) -> np.ndarray:
    """A text as a model trained on the captions of `field` sees it, [L] int32.

    Raises UserError if it has more than L words, or words that no caption has.
    """
    numbers = {symbol: number for number, symbol in enumerate(field.symbols)}
    unknown = sorted({word for word in words(text) if word not in numbers})
    if unknown:
        known = ", ".join(field.symbols[2:22])
        raise UserError(
            f"no caption of the training data has {', '.join(unknown)}; the most frequent words"
            f" are {known}"
        )
    return _encoded(text, numbers, *field.shape)


def _encoded(text: str, numbers: dict[str, int], length: int) -> np.ndarray:
    found = words(text)
    if len(found) > length:
        raise UserError(
            f"the caption {text!r} has {len(found)} words, and {length} fit: shorten it, or train"
            " with a larger data.caption_length"
        )
    ids = np.zeros(length, np.int32)
    ids[: len(found)] = [numbers.get(word, numbers[UNKNOWN]) for word in found]
    return ids
