"""Words as numbers, in the vocabulary of the captions that a model is trained on."""

import collections
import re
from collections.abc import Iterable, Mapping

import numpy as np

from gm_jax.errors import UserError
from gm_jax.model import Field

PADDING, UNKNOWN = "", "<unknown>"


def words(text: str) -> list[str]:
    """Words in lower case, and marks of punctuation."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def vocabulary_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The padding, the symbol for unknown words, and the words of texts, most frequent first."""
    counts = collections.Counter(word for text in texts for word in words(text))
    return (PADDING, UNKNOWN, *sorted(counts, key=lambda word: (-counts[word], word)))


def numbered(symbols: Iterable[str]) -> dict[str, int]:
    """{symbol: number}."""
    return {symbol: number for number, symbol in enumerate(symbols)}


def encode_words(text: str, numbers: Mapping[str, int], length: int) -> np.ndarray:
    """The words of a text as their numbers, [length] int32, padded with 0.

    Raises UserError if it has more words than that.
    """
    found = words(text)
    if len(found) > length:
        raise UserError(
            f"the caption {text!r} has {len(found)} words, and {length} fit: shorten it, or train"
            " with a larger data.caption_length"
        )
    ids = np.zeros(length, np.int32)
    ids[: len(found)] = [numbers.get(word, numbers[UNKNOWN]) for word in found]
    return ids


def encode_prompt(text: str, field: Field) -> np.ndarray:
    """A text as a model trained on the captions of `field` sees it, [L] int32.

    By the field's own `encode`, if it has one. Raises UserError if it has more than L words, or
    words that no caption has.
    """
    if field.encode is not None:
        return field.encode(text)
    numbers = numbered(field.symbols)
    unknown = sorted({word for word in words(text) if word not in numbers})
    if unknown:
        raise UserError(
            f"no caption of the training data has {', '.join(unknown)}; the most frequent words"
            f" are {', '.join(field.symbols[2:22])}"
        )
    return encode_words(text, numbers, *field.shape)


def encode_prompts(texts: Iterable[str], field: Field) -> np.ndarray:
    """`encode_prompt` of each, [N, L]."""
    return np.stack([encode_prompt(text, field) for text in texts])
