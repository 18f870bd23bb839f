"""Where data comes from: `open_source(config, split)` takes the `data` part of a recipe."""

import numpy as np

from gm_jax.data import (
    audio,
    binary,
    captioned,
    composed,
    dancers,
    emoji,
    folder,
    images,
    mixtures,
    moving,
    npz,
    pairs,
    patches,
    photographs,
    scenes,
    shapes,
    styled,
    text,
)  # fmt: skip
from gm_jax.data.source import Source
from gm_jax.errors import UserError
from gm_jax.model import Field
from gm_jax.settings import Data, read


def nothing(config, split: str) -> Source:
    """Endless examples without any entry, for models that are only sampled."""
    return Source("none", None, lambda indices: {}, {})


def blank(config, split: str) -> Source:
    """Endless black images with labels in turn, for models that are only sampled.

    config  size, channels (3 unless set) and classes (none unless set)
    """
    side, channels = config.size or 64, config.channels or 3
    spec = {"image": Field((side, side, channels), 256)}
    spec |= {"label": Field((), config.classes)} if config.classes else {}

    def load(indices):
        image = np.zeros((len(indices), *spec["image"].shape), np.uint8)
        labels = {"label": np.int32(indices % config.classes)} if config.classes else {}
        return {"image": image, **labels}

    return Source("blank", None, load, spec)


# Each: (data part of the recipe, split) -> Source.
SOURCES = {
    "none": nothing,
    "blank": blank,
    "digits": images.digits,
    "folder": folder.folder,
    "npz": npz.npz,
    "emoji": emoji.emoji,
    "ring": mixtures.mixture,
    "grid": mixtures.mixture,
    "shapes": shapes.shapes,
    "stacked": composed.stacked,
    "two_domains": composed.two_domains,
    "half_labelled": composed.half_labelled,
    "scenes": scenes.scenes,
    "dancers": dancers.dancers,
    "moving_digits": moving.moving_digits,
    "photographs": photographs.photographs,
    "pairs": pairs.pairs,
    "patches": patches.patches,
    "styled": styled.styled,
    "text": text.text,
    "wav": audio.wav,
}
# Settings that only some sources have: these, and data sets of TFDS for the sizes.
ONLY = {
    "size": (
        "digits",
        "folder",
        "npz",
        "emoji",
        "shapes",
        "scenes",
        "dancers",
        "moving_digits",
        "photographs",
        "pairs",
        "patches",
        "stacked",
        "two_domains",
        "half_labelled",
        "styled",
        "blank",
    ),
    "channels": ("folder", "pairs", "styled", "blank"),
    "classes": (
        "npz",
        "wav",
        "stacked",
        "two_domains",
        "half_labelled",
        "pairs",
        "styled",
        "blank",
    ),
    "labelled": ("half_labelled",),
    "draw": ("half_labelled",),
    "frames": ("shapes", "dancers", "moving_digits"),
    "movers": ("moving_digits",),
    "person": ("dancers",),
    "resize": ("pairs", "styled"),
    "domains": ("scenes", "pairs", "styled"),
    "unpaired": ("scenes", "pairs"),
    "styles": ("styled",),
}


def open_source(config, split: str = "train") -> Source:
    """The split ("train", "test" or another of TFDS's) of the data set that a recipe names.

    config  a `settings.Data`, or a recipe's part or a dict that makes one
    Raises UserError if the name is unknown, the data is not prepared, or a file is unusable.
    """
    config = read(Data, config, "data.")
    for setting, names in ONLY.items():
        given = getattr(config, setting) != getattr(Data(), setting)
        if given and config.name in SOURCES and config.name not in names:
            raise UserError(
                f"data.{setting} is {getattr(config, setting)}, but {config.name} has no such"
                f" setting ({', '.join(names)} have): leave it out"
            )
    source = _open(config, split)
    source = captioned.captioned(source, lambda: _open(config, "train"), config)
    return binary.binarized(source, config.binarize, split)


def _open(config: Data, split: str) -> Source:
    if config.name in SOURCES:
        return SOURCES[config.name](config, split)
    return images.tfds_images(config, split, tuple(SOURCES))
