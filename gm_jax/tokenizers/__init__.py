"""Tokenizers: texts to the numbers that networks are trained on.

    words  the words of a data set's captions
    clip   clip(vocabulary, variant, padding) -> Tokenizer of CLIP's byte pairs
           tokenize(tokenizer, texts) -> [N, length]; encode, decode; vocabularies from files
           field_of(tokenizer): an entry `caption` of its symbols

They know no system. What cannot be had or read raises `UserError`, in one line.
"""

from gm_jax.tokenizers.clip import (
    VARIANTS,
    Tokenizer,
    Vocabulary,
    clip,
    decode,
    encode,
    field_of,
    published_vocabulary,
    read_merges,
    read_vocabulary,
    tokenize,
)

__all__ = [
    "VARIANTS",
    "Tokenizer",
    "Vocabulary",
    "clip",
    "decode",
    "encode",
    "field_of",
    "published_vocabulary",
    "read_merges",
    "read_vocabulary",
    "tokenize",
]
