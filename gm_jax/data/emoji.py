"""Emoji with their names: pictures of 64 x 64 or of `data.size`, captions and groups.

A folder holds `noto_emoji_64.npz`, `images` uint8 [N, 64, 64, 3], and `captions.json`, a list of N
objects with `caption` ("waving hand: medium skin tone"), `base` (the name without the skin tone),
`group` (of Unicode) and `skin_tone`. The pictures are of googlefonts/noto-emoji (Apache 2.0 and SIL
OFL 1.1), laid on white and reduced to 64 pixels; the names of muan/unicode-emoji-json (MIT).
"""

import functools
import json
import zlib
from pathlib import Path

import numpy as np

from gm_jax.cache import stamp
from gm_jax.data.npz import array_of
from gm_jax.data.pictures import all_resized
from gm_jax.data.source import SPLITS, Source, from_arrays, path_of
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field

TEST_SHARE = 10  # one in so many names is in the test split


def emoji(config, split: str) -> Source:
    """`image`, `label` (the group) and captions; all skin tones of a name are in one split."""
    one_of("split of emoji", split, SPLITS)
    folder = path_of(config)
    pictures, names = folder / "noto_emoji_64.npz", folder / "captions.json"
    for path in (pictures, names):
        if not path.is_file():
            raise UserError(f"{folder} holds no {path.name}: emoji are read of a folder with both")
    image, rows = _read(pictures, names, config.size, (stamp(pictures), stamp(names)))
    groups = sorted({row["group"] for row in rows})
    test = np.array([zlib.crc32(row["base"].encode()) % TEST_SHARE == 0 for row in rows])
    chosen = np.flatnonzero(test if split == "test" else ~test)
    label = np.array([groups.index(rows[i]["group"]) for i in chosen], np.int32)
    captions = [rows[i]["caption"] for i in chosen]
    spec = {"image": Field(image.shape[1:], 256), "label": Field((), len(groups))}
    source = from_arrays("emoji", {"image": image[chosen], "label": label}, spec)
    return source._replace(
        captions=lambda indices: [captions[i] for i in indices], classes=tuple(groups)
    )


@functools.lru_cache(maxsize=1)  # A run opens its data many times.
def _read(
    pictures: Path, names: Path, size: int | None, when: tuple
) -> tuple[np.ndarray, list[dict]]:
    image = all_resized(array_of(pictures, "images"), size)
    try:
        rows = json.loads(names.read_text(encoding="utf-8"))
        complete = all({"caption", "base", "group"} <= set(row) for row in rows)
    except (ValueError, TypeError) as error:
        raise UserError(f"{names} cannot be read: {error}") from error
    if not complete or len(rows) != len(image):
        raise UserError(
            f"{names} must hold a caption, base and group for each of the {len(image)} images"
        )
    return image, rows
