"""Captions as numbers: an entry `caption` [L] int32 beside the images, padded with 0.

"clip"    symbols of CLIP's byte pairs, padded with the end: a long caption is cut, with a note
"words"   words in lower case and marks of punctuation; the vocabulary is that of the training
          split, most frequent first, after the padding and a symbol for words it does not hold
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gm_jax import tokenizers
from gm_jax.data.source import Source
from gm_jax.errors import UserError
from gm_jax.model import Field
from gm_jax.tokenizers.clip import LENGTH
from gm_jax.tokenizers.words import encode_words, numbered, vocabulary_of, words


class Encoding(NamedTuple):
    """Captions to numbers.

    encode  texts -> their numbers [N, L]
    field   what the entry looks like
    """

    encode: Callable[[Sequence[str]], np.ndarray]
    field: Field


def captioned(source: Source, training: Callable[[], Source], config) -> Source:
    """The source with its captions as `config.captions` says, "" for none.

    training  opens the training split
    Captions of words have at most `config.caption_length`; by default as many as the longest of
    the training split. Raises UserError if there are no captions, and for one that is longer.
    """
    if not config.captions:
        return source
    if not source.spec and config.captions == "clip":  # Nothing to describe: texts come later.
        source = source._replace(captions=lambda indices: [""] * len(indices))
    if source.captions is None and source.classes and config.template:
        named = _of_classes(source, config.template)
        return captioned(named, lambda: named, config)
    if source.captions is None:
        raise UserError(
            f"data.captions is {config.captions}, and {source.name} has none: a folder has them in"
            " metadata.jsonl or in a .txt beside each picture, an npz file in the array `caption`;"
            " of images in classes data.template='a photo of a {}' makes some"
        )
    encode, field = ENCODINGS[config.captions](training, config)

    def with_captions(batch: dict[str, np.ndarray], indices: np.ndarray) -> dict[str, np.ndarray]:
        return {**batch, "caption": encode(source.captions(indices))}

    visit = source.visit and (
        lambda indices, draws: with_captions(source.visit(indices, draws), indices)
    )
    return source._replace(
        load=lambda indices: with_captions(source.load(indices), indices),
        visit=visit,
        spec={**source.spec, "caption": field},
    )


def _of_classes(source: Source, template: str) -> Source:
    """The source with a sentence about the class of each example as its caption."""
    texts = tuple(template.format(name) for name in source.classes)

    def captions(indices):
        return [texts[label] for label in source.load(indices)["label"]]

    return source._replace(captions=captions, wordings=texts)


def _words(training: Callable[[], Source], config) -> Encoding:
    trained = training()
    if trained.captions is None:
        raise UserError(
            f"{trained.name} has captions in this split, but none in the training split"
        )
    texts = trained.wordings or trained.captions(np.arange(trained.size))
    symbols = vocabulary_of(texts)
    longest = max(texts, key=lambda text: len(words(text)))
    length = config.caption_length or len(words(longest))
    numbers = numbered(symbols)
    encode_words(longest, numbers, length)

    def encode(texts):
        return np.stack([encode_words(text, numbers, length) for text in texts])

    field = Field((length,), len(symbols), symbols)
    return Encoding(encode, field)


def _clip(training: Callable[[], Source], config) -> Encoding:
    path = Path(config.vocabulary).expanduser() if config.vocabulary else None
    folder = path is not None and path.is_dir()
    read = tokenizers.read_vocabulary if folder else tokenizers.published_vocabulary
    tokenizer = tokenizers.clip(read(path), length=config.caption_length or LENGTH)

    def encode(texts):
        return tokenizers.tokenize(tokenizer, texts)

    return Encoding(encode, tokenizers.field_of(tokenizer))


ENCODINGS = {"words": _words, "clip": _clip}
