"""Pairs of pictures of one's own, below a folder or in a zip archive; `data.layout` says how.

halves    each picture holds both, side by side: the left half is A, the right one B
folders   a folder for each: trainA and trainB (or train/A and train/B, A/train and B/train, or for
          training A and B); partners have the same name but for the suffix
masks     as folders, the second of grey or palette pictures whose values are classes of pixels,
          `segmentation`; `data.classes` is their number

`data.domains` names the two folders; ("B", "A") exchanges the two. Partners are resized, cropped
and flipped alike. With `data.unpaired` (folders), `image_b` in training is drawn by itself; names
that match in the test split still say which belong together.
"""

import functools
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from gm_jax.data import pictures
from gm_jax.data.examples import from_files
from gm_jax.data.listing import Listing, listing_of
from gm_jax.data.looks import looks_of
from gm_jax.data.mixtures import uniform
from gm_jax.data.pictures import Look, shown
from gm_jax.data.source import SPLIT_FOLDERS, Source, path_of
from gm_jax.data.splits import split_of, wrapper
from gm_jax.errors import UserError
from gm_jax.model import Field

TRAINING = SPLIT_FOLDERS[0]
DOMAINS = {"halves": ("A", "B"), "folders": ("A", "B"), "masks": ("images", "masks")}


class Side(NamedTuple):
    """The pictures of one domain.

    names  of the files
    looks  what they are
    read   index -> array [h, w, C], or [h, w] of classes; resized and not yet cropped
    field  what one looks like once cropped
    """

    names: list[str]
    looks: list[Look]
    read: Callable[[int], np.ndarray]
    field: Field


def pairs(config, split: str) -> Source:
    """`image` and `image_b`, or `image` and `segmentation`.

    Raises UserError naming the file if partners are missing or of different sizes.
    """
    if config.layout == "masks" and not config.classes:
        raise UserError("data.layout is masks: say how many classes they have with data.classes")
    if config.unpaired and config.layout != "folders":
        raise UserError(f"data.unpaired needs data.layout=folders, not {config.layout}")
    return _pairs(config, split, listing_of(path_of(config)))


@functools.lru_cache(maxsize=2)  # The splits of one run, with what they hold in memory.
def _pairs(config, split: str, listing: Listing) -> Source:
    domains = config.domains or DOMAINS[config.layout]
    name = listing.root.stem
    if config.layout == "halves":
        sides = _halves(config, split, listing, domains)
    else:
        sides = [_folder(config, split, listing, domains, number) for number in range(2)]
        together = _stems(sides[0]) == _stems(sides[1])
        if config.unpaired and (split in TRAINING or not together):
            return _apart(name, config, sides, endless=split in TRAINING)
        _check_partners(listing, sides)
    return _together(name, config, sides)


def _together(name: str, config, sides: list[Side]) -> Source:
    """Partners, as one example each."""
    entries = ("image", "segmentation" if config.layout == "masks" else "image_b")
    spec = {entry: side.field for entry, side in zip(entries, sides, strict=True)}

    def read(indices):
        for index in indices:
            yield {entry: side.read(index) for entry, side in zip(entries, sides, strict=True)}

    size = len(sides[0].names)
    return from_files(name, size, read, spec, config, sum(map(_bytes, sides)))


def _apart(name: str, config, sides: list[Side], endless: bool) -> Source:
    """Pictures of two domains that are not partners; endless in training, drawn independently."""

    def alone(entry, side):
        def read(indices):
            return ({entry: side.read(index)} for index in indices)

        spec = {entry: side.field._replace(domain="b" if entry == "image_b" else "")}
        return from_files(name, len(side.names), read, spec, config, _bytes(side))

    a, b = alone("image", sides[0]), alone("image_b", sides[1])

    def drawn(source, indices, stream):
        chosen = (uniform(indices, stream) * source.size).astype(np.int64)
        if source.visit is None:
            return source.load(chosen)
        draws = np.stack([uniform(indices, stream + axis) for axis in (1, 2)], axis=-1)
        return source.visit(chosen, draws)

    def load(indices):
        indices = np.asarray(indices)
        if endless:
            return {**drawn(a, indices, 0), **drawn(b, indices, 3)}
        return {**a.load(indices % a.size), **b.load(indices % b.size)}

    return Source(name, None if endless else max(a.size, b.size), load, {**a.spec, **b.spec})


def _halves(config, split: str, listing: Listing, domains) -> list[Side]:
    """Both domains out of pictures that hold them side by side."""
    if sorted(domains) != ["A", "B"]:
        raise UserError("data.domains of halves are A (left) and B (right), in either order")
    rows = split_of(listing, split).rows
    names, whole = [listing.names[row] for row in rows], looks_of(listing, rows)
    for name, look in zip(names, whole, strict=True):
        if look.width % 2:
            raise UserError(
                f"{listing.root / shown(name)} is {look.width} pixels wide, which are no two halves"
            )
    looks = [look._replace(width=look.width // 2) for look in whole]
    channels = config.channels or _channels(looks)

    def side(right: bool) -> Side:
        def read(index):
            name = names[index]
            both = pictures.pixels(listing.open(name), str(listing.root / name), channels)
            width = both.shape[1] // 2
            return _resized(both[:, width:] if right else both[:, :width], config, split)

        return Side(names, looks, read, Field((*_cropped(config, names, looks), channels), 256))

    return [side(domain == "B") for domain in domains]


def _folder(config, split: str, listing: Listing, domains, number: int) -> Side:
    """The pictures, or masks, in the folder of one domain."""
    rows, prefix = _rows(listing, split, domains[number])
    names, looks = [listing.names[row] for row in rows], looks_of(listing, rows)
    sides, mask = _cropped(config, names, looks), config.layout == "masks" and number == 1
    channels = config.channels or _channels(looks)

    def read(index):
        name = names[index]
        file, path = listing.open(name), str(listing.root / name)
        if mask:
            return _resized(_mask(file, path, config.classes), config, split)
        return _resized(pictures.pixels(file, path, channels), config, split)

    field = Field(sides, config.classes) if mask else Field((*sides, channels), 256)
    return Side([name[len(prefix) :] for name in names], looks, read, field)


def _rows(listing: Listing, split: str, domain: str) -> tuple[list[int], str]:
    """The pictures of a domain in a split, and the folder that they lie in."""
    own = next((names for names in SPLIT_FOLDERS if split in names), (split,))
    forms = [form for s in own for form in (f"{s}{domain}/", f"{s}/{domain}/", f"{domain}/{s}/")]
    forms += [f"{domain}/"] if split in TRAINING else []
    for form in forms:
        prefix = f"{wrapper(listing)}{form}"
        rows = [
            row for row, name in enumerate(listing.names)
            if name.lower().startswith(prefix.lower())
        ]  # fmt: skip
        if rows:
            return rows, prefix
    raise UserError(
        f"{listing.root} has no pictures in {', '.join(forms[:3])}: put the {split} pictures of"
        f" domain {domain} there, or name other folders with data.domains"
    )


def _mask(file, path: str, classes: int) -> np.ndarray:
    """The classes [H, W] of a grey or palette picture. Raises UserError if one is too high."""
    try:
        with Image.open(file) as image:
            mode, values = image.mode, np.asarray(image)
    except OSError as error:
        raise UserError(f"{shown(path)} is not a readable image: {error}") from error
    if mode not in ("L", "P", "1"):
        raise UserError(
            f"{shown(path)} is of mode {mode}: a mask must be grey or have a palette, its values"
            " are the classes"
        )
    if values.max() >= classes:
        raise UserError(
            f"{shown(path)} holds class {values.max()}, and data.classes is {classes}: classes are"
            f" numbered from 0 to {classes - 1}"
        )
    return values.astype(np.int32)


def _resized(values: np.ndarray, config, split: str) -> np.ndarray:
    """The shorter side brought to data.size, or in training to data.resize; classes by nearest."""
    side = config.resize if config.resize and split in TRAINING else config.size
    if not side:
        return values
    if values.ndim == 3:
        return pictures.resized(values, side)
    return pictures.resized_classes(values, side)


def _cropped(config, names: list[str], looks: list[Look]) -> tuple[int, int]:
    """Height and width of each, once cropped. Raises UserError if they differ."""
    if config.size:
        return config.size, config.size
    first = looks[0]
    for name, look in zip(names, looks, strict=True):
        if look[:2] != first[:2]:
            raise UserError(
                f"images differ in size: {shown(names[0])} is {first.height}x{first.width},"
                f" {shown(name)} is {look.height}x{look.width}: set data.size"
            )
    return first.height, first.width


def _channels(looks: list[Look]) -> int:
    return 1 if all(look.grey for look in looks) else 3


def _bytes(side: Side) -> int:
    return (
        len(side.names) * int(np.prod(side.field.shape)) * (2 if len(side.field.shape) == 3 else 8)
    )


def _stems(side: Side) -> list[str]:
    return [os.path.splitext(name)[0] for name in side.names]


def _check_partners(listing: Listing, sides: list[Side]) -> None:
    """Raises UserError naming the first picture without a partner, or of another size than it."""
    for own, other in (sides, sides[::-1]):
        known = set(_stems(other))
        for name, stem in zip(own.names, _stems(own), strict=True):
            if stem not in known:
                raise UserError(
                    f"{listing.root}: {shown(name)} has no partner of that name in the other folder"
                    f" ({len(own.names)} and {len(other.names)} pictures): add it, or set"
                    " data.unpaired if there are no pairs"
                )
    for name, a, b in zip(sides[0].names, sides[0].looks, sides[1].looks, strict=True):
        if a[:2] != b[:2]:
            raise UserError(
                f"{listing.root}: {shown(name)} is {a.height}x{a.width}, its partner"
                f" {b.height}x{b.width}: partners must be of one size"
            )
