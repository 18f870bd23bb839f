"""Captions as numbers: an entry `caption` [L] int32 beside the images, padded with 0.

"words"   words in lower case and marks of punctuation; the vocabulary is that of the training
          split, most frequent first, after the padding and a symbol for words it does not hold
"""

from collections.abc import Callable

import numpy as np

from gm_jax.data.source import Source
from gm_jax.errors import UserError
from gm_jax.model import Field
from gm_jax.tokenizers.words import encode_words, numbered, vocabulary_of, words


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
    symbols = vocabulary_of(texts)
    longest = max(texts, key=lambda text: len(words(text)))
    length = config.caption_length or len(words(longest))
    numbers = numbered(symbols)
    encode_words(longest, numbers, length)

    def with_captions(batch: dict[str, np.ndarray], indices: np.ndarray) -> dict[str, np.ndarray]:
        rows = [encode_words(text, numbers, length) for text in source.captions(indices)]
        return {**batch, "caption": np.stack(rows)}

    visit = source.visit and (
        lambda indices, draws: with_captions(source.visit(indices, draws), indices)
    )
    return source._replace(
        load=lambda indices: with_captions(source.load(indices), indices),
        visit=visit,
        spec={**source.spec, "caption": Field((length,), len(symbols), symbols)},
    )
