"""A folder, or zip archive, of pictures as a source.

`listing` and `splits` say which files count, `pictures` what is read of each.
"""

import functools
import hashlib
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gm_jax.data import pictures
from gm_jax.data.captions import captions_of
from gm_jax.data.examples import from_files
from gm_jax.data.listing import Listing, listing_of, note_once
from gm_jax.data.looks import looks_of
from gm_jax.data.pictures import Look, shown
from gm_jax.data.source import Source, path_of
from gm_jax.data.splits import Split, split_of
from gm_jax.errors import UserError
from gm_jax.model import Field


class Pictures(NamedTuple):
    """The pictures of a split.

    names  of the files
    marks  [n, 2]: bytes, and time of change or checksum of each
    shape  (H, W, C) of each, or without data.size of all; H and W as they will be cropped
    read   index -> image [h, w, C] uint8, resized and not yet cropped
    bytes  of all of them, once read
    """

    split: Split
    names: list[str]
    marks: np.ndarray
    shape: tuple[int, int, int]
    read: Callable[[int], np.ndarray]
    bytes: int


def folder(config, split: str) -> Source:
    """Pictures below a folder or in a zip archive: `image`, and `label` if they lie in classes.

    Of data, `channels` makes all grey or all colour, `size` and `crop` make one size of many:
    "random" crops are drawn at each visit in training, others are of the centre.
    """
    return _folder(config, split, listing_of(path_of(config)))


@functools.lru_cache(maxsize=2)  # The splits of one run, with what they hold in memory.
def _folder(config, split: str, listing: Listing) -> Source:
    found = pictures_of(config, split, listing)
    classes, labels = found.split.classes, found.split.labels
    spec = {"image": Field(found.shape, 256)}
    if classes:
        spec["label"] = Field((), len(classes))

    def read(indices):
        for index in indices:
            label = {"label": labels[index]} if classes else {}
            yield {"image": found.read(index), **label}

    root = listing.root
    name = root.stem if root.is_file() else root.name
    source = from_files(name, len(found.names), read, spec, config, found.bytes)
    captions = captions_of(listing, found.split)
    return source._replace(captions=captions, classes=classes, key=_key(found))


def _key(found: Pictures) -> str:
    """Of the files' names and sizes, which a copy on another machine shares."""
    rows = zip(found.names, found.marks[:, 0].tolist(), strict=True)
    return hashlib.sha256(b"\0".join(os.fsencode(f"{n}\0{size}") for n, size in rows)).hexdigest()


def pictures_of(config, split: str, listing: Listing) -> Pictures:
    """A split's pictures; training and evaluation read them by this one function.

    Raises UserError if sizes differ without data.size, or if `pictures` refuses a picture.
    """
    part = split_of(listing, split)
    names = [listing.names[row] for row in part.rows]
    looks = looks_of(listing, part.rows)
    channels = config.channels or _channels(listing, looks)
    sides = np.array([look[:2] for look in looks])
    if not config.size:
        _check_size(names, sides)
    shape = (*((config.size, config.size) if config.size else sides[0].tolist()), channels)

    def read(index: int) -> np.ndarray:
        file = str(listing.root / names[index])
        image = pictures.pixels(listing.open(names[index]), file, channels, config.size)
        if not config.size and image.shape != shape:
            raise UserError(f"{shown(file)} has changed since it was listed: run the command again")
        return image

    scale = config.size / sides.min(1) if config.size else np.ones(len(sides))
    bytes = int((sides.prod(1) * scale**2).sum()) * channels
    return Pictures(part, names, listing.marks[part.rows], shape, read, bytes)


def _channels(listing: Listing, looks: list[Look]) -> int:
    """1 if all pictures are grey, else 3; notes it if the files do not say so themselves."""
    grey = sum(bool(look.grey) for look in looks)
    said = ""
    if 0 < grey < len(looks):
        said = f"{grey} of {len(looks)} pictures are grey, all are read as RGB (data.channels is 3)"
    elif grey and not all(look.plain for look in looks):
        said = "single bits or palettes of greys are read as grey (data.channels is 1)"
    if said:
        note_once(f"{listing.root}: {said}")
    return 1 if grey == len(looks) else 3


def _check_size(names: list[str], sides: np.ndarray) -> None:
    """Raises UserError if the pictures are not of one height and width."""
    other = np.flatnonzero((sides != sides[0]).any(1))
    if other.size:
        (h, w), (h2, w2) = sides[0], sides[other[0]]
        raise UserError(
            f"images differ in size: {shown(names[0])} is {h}x{w}, {shown(names[other[0]])} is"
            f" {h2}x{w2}: resize them to one size (in training --config.data.size=64, say, does so)"
        )
