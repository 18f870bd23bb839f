"""Content pictures and pictures whose styles they are to take on: no pairs.

`data.base` and what belongs to it (`path`, `size`, `domains`, ...) say what the content is,
`data.styles` whose styles: a folder or zip archive of pictures, an npz of them, or "patterns" for
six that are drawn here. Every style picture is a style of its own, and `label_b` its number, in the
order of the files' names. Pictures are in colour; grey ones have three equal channels.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gm_jax.cache import stamp
from gm_jax.data import composed, emoji, images, npz, pictures, scenes, shapes
from gm_jax.data.listing import listing_of
from gm_jax.data.mixtures import uniform
from gm_jax.data.source import Source
from gm_jax.data.splits import split_of
from gm_jax.errors import UserError
from gm_jax.model import Field

CONTENTS = composed.BASES | {
    "scenes": scenes.scenes, "emoji": emoji.emoji, "shapes": shapes.shapes
}  # fmt: skip
PATTERNS = "patterns"
COLOURS = np.float32([
    [(0.9, 0.2, 0.1), (1.0, 0.9, 0.3)], [(0.1, 0.2, 0.6), (0.8, 0.9, 1.0)],
    [(0.1, 0.4, 0.2), (0.9, 0.5, 0.7)], [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0)],
    [(0.4, 0.1, 0.5), (0.3, 0.9, 0.8)], [(0.3, 0.2, 0.1), (0.9, 0.6, 0.2)],
])  # fmt: skip
# Streams of random numbers, which no content draws from: which content and where it is cropped,
# which style and where that is.
CONTENT, CONTENT_CROP, STYLE, STYLE_CROP = 1000, (1001, 1002), 1003, (1004, 1005)


class Styles(NamedTuple):
    """Style pictures uint8 [h, w, 3], their shorter side as `data.resize` or `data.size` says."""

    names: tuple[str, ...]
    images: tuple[np.ndarray, ...]


def styled(config, split: str) -> Source:
    """`image`, the content; `image_b` and `label_b`, a style's picture and its number.

    In training both are drawn by themselves, without end, and with crop=random another part of the
    style's picture is seen at each visit. In other splits, whose contents are the base's, picture i
    has style i modulo their number, cropped at the centre. Raises UserError if there are no styles.
    """
    base = CONTENTS.get(config.base, images.tfds_images)(_of_base(config), split)
    if "image" not in base.spec:
        raise UserError(f"data.base is {config.base}, which has no image: choose another data set")
    height, width, channels = base.spec["image"].shape
    styles = styles_of(config, (height, width))
    training, count = split == "train", len(styles.names)

    def content(positions):
        if not training:
            return base.load(positions)["image"]
        indices = positions
        if base.size is not None:
            indices = (uniform(positions, CONTENT) * base.size).astype(np.int64)
        if base.visit is None:
            return base.load(indices)["image"]
        draws = np.stack([uniform(positions, stream) for stream in CONTENT_CROP], axis=-1)
        return base.visit(indices, draws)["image"]

    def load(indices):
        indices = np.asarray(indices)
        number = (uniform(indices, STYLE) * count).astype(np.int32) if training else indices % count
        at_random = training and config.crop == "random"
        where = [
            uniform(indices, stream) if at_random else np.full(len(indices), 0.5)
            for stream in STYLE_CROP
        ]
        parts = [
            cropped(styles.images[k], (height, width), draw)
            for k, *draw in zip(number, *where, strict=True)
        ]
        x = content(indices)
        x = np.repeat(x, 3, axis=-1) if channels == 1 else x
        return {"image": x, "image_b": np.stack(parts), "label_b": number.astype(np.int32)}

    shape = height, width, 3
    spec = {
        "image": Field(shape, 256),
        "image_b": Field(shape, 256, domain="b"),
        "label_b": Field((), count, domain="b"),
    }
    size = None if training else base.size
    return Source(f"{base.name}_styled", size, load, spec)


def _of_base(config):
    """The settings of the content's own source."""
    return dataclasses.replace(config, name=config.base, styles="", resize=None)


def cropped(image: np.ndarray, sides: tuple[int, int], draw) -> np.ndarray:
    """[*sides, 3] of [h, w, 3]; by two numbers in [0, 1), 1/2 for the centre."""
    top, left = (
        int(u * (whole - side + 1))
        for u, whole, side in zip(draw, image.shape[:2], sides, strict=True)
    )
    return image[top : top + sides[0], left : left + sides[1]]


def styles_of(config, sides: tuple[int, int]) -> Styles:
    """The style pictures that a recipe names, at least as large as `sides`."""
    if not config.styles:
        raise UserError(
            "the styles to learn are not named: give a folder of pictures, or an npz, with"
            f" --config.data.styles=PATH ({PATTERNS} for some that are drawn)"
        )
    side = max(config.resize or 0, *sides)
    if config.styles == PATTERNS:
        return _patterns(side)
    path = Path(config.styles).expanduser()
    if not path.exists():
        raise UserError(
            f"{path.absolute()} holds no styles, as it does not exist: say where they are with"
            " --config.data.styles=PATH"
        )
    if path.suffix == ".npz":
        return _of_npz(path, side, stamp(path))
    return _of_folder(listing_of(path), side)


@functools.lru_cache(maxsize=2)  # A run opens its data many times.
def _of_npz(path: Path, side: int, when: tuple) -> Styles:
    known = npz.heads(path)
    found = npz.array_of(path, npz.image_name(path, known))
    found = found if found.ndim == 4 else found[..., None]
    names = npz.array_of(path, "names") if "names" in known else range(len(found))
    return Styles(tuple(map(str, names)), tuple(_coloured(image, side) for image in found))


@functools.lru_cache(maxsize=2)
def _of_folder(listing, side: int) -> Styles:
    names = [listing.names[row] for row in split_of(listing, "train").rows]

    def read(name):
        return pictures.pixels(listing.open(name), str(listing.root / name), 3, side)

    stems = tuple(name.rpartition("/")[2].rpartition(".")[0] for name in names)
    return Styles(stems, tuple(map(read, names)))


def _coloured(image: np.ndarray, side: int) -> np.ndarray:
    image = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
    return pictures.resized(image, side)


@functools.lru_cache(maxsize=2)
def _patterns(side: int) -> Styles:
    """Stripes both ways, checks, dots, rings and waves, in two colours each."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    turn = 2 * np.pi

    def wave(t, period: float) -> np.ndarray:
        return np.sin(turn * t / period)

    drawn: dict[str, Callable[[], np.ndarray]] = {
        "stripes": lambda: wave(x + y, 8),
        "bars": lambda: wave(y, 6),
        "checks": lambda: np.sign(wave(x + 0.5, 8) * wave(y + 0.5, 8)),
        "dots": lambda: 2 * (wave(x, 8) * wave(y, 8) > 0.5) - 1.0,
        "rings": lambda: wave(np.hypot(x - side / 2, y - side / 2), 5),
        "waves": lambda: wave(y + 3 * wave(x, 16), 10),
    }
    made = []
    for (dark, light), draw in zip(COLOURS, drawn.values(), strict=True):
        level = (draw()[..., None] + 1) / 2
        made.append(scenes.to_levels(dark + level * (light - dark)))
    return Styles(tuple(drawn), tuple(made))
