"""What is written about each picture: a `metadata.jsonl`, or a text file beside each.

metadata.jsonl   a line {"file_name": "a.png", "text": "..."} for each picture of its folder
a.txt            beside a.png
"""

import json
import os
from collections.abc import Callable

import numpy as np

from gm_jax.data.listing import CAPTIONS, Listing, content
from gm_jax.data.pictures import shown
from gm_jax.data.splits import Split
from gm_jax.errors import UserError


def captions_of(listing: Listing, split: Split) -> Callable[[np.ndarray], list[str]] | None:
    """indices of the split -> captions, "" for a picture without one; None if no picture has any.

    Raises UserError if the file of captions is not as above.
    """
    names = [listing.names[row] for row in split.rows]
    for folder in dict.fromkeys((split.folder, "")):
        if f"{folder}{CAPTIONS}" in listing.texts:
            texts = _read(listing, folder)
            return lambda indices: [texts.get(names[i], "") for i in indices]
    beside = [f"{os.path.splitext(name)[0]}.txt" for name in names]
    if listing.texts.isdisjoint(beside):
        return None
    return lambda indices: [
        _text(listing, beside[i]).strip() if beside[i] in listing.texts else "" for i in indices
    ]


def _read(listing: Listing, folder: str) -> dict[str, str]:
    """{name of a picture: its caption} of the metadata.jsonl in a folder."""
    texts = {}
    for number, line in enumerate(_text(listing, f"{folder}{CAPTIONS}").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            name, text = row["file_name"], row["text"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{listing.root}/{shown(folder)}{CAPTIONS}, line {number}, must be an object with"
                ' "file_name" and "text"'
            ) from error
        texts[f"{folder}{name}"] = str(text)
    return texts


def _text(listing: Listing, name: str) -> str:
    try:
        return content(listing, name).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{listing.root}/{shown(name)} cannot be read in UTF-8: {error}") from error
