"""The shapes world: one or two coloured shapes and the sentence that describes them; endless.

    image       [S, S, 3], or with `data.frames` video [T, S, S, 3]
    caption     "a large red cross", "a large red cross above a small blue circle",
                "a small red cross moving left" (`data.captions`)
    attributes  [8] int32, the same in numbers: `ATTRIBUTES`, 0 for what the picture does not have

Half of the pictures show one object, half two of different colours; films show one. Example i is a
pure function of the split, i and the settings. Pairs of colour and shape in `data.held_out` occur
in the split `unseen`, in every picture, and in no other.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gm_jax.data.mixtures import uniform
from gm_jax.data.shapes_drawing import COLOURS, SHAPES, draw
from gm_jax.data.source import Source
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field

SPLITS = ("train", "test", "unseen")
SIDE = 32  # pixels, unless data.size says otherwise
SIZES = {"small": 0.11, "large": 0.19}  # radius, as a share of the side
JITTER = 0.07  # of a radius
# Where the first object is, seen from the other; where an object goes.
RELATIONS = {"above": (0, -1), "below": (0, 1), "left of": (-1, 0), "right of": (1, 0)}
MOTIONS = {
    "moving left": (-1, 0), "moving right": (1, 0), "moving up": (0, -1), "moving down": (0, 1),
    "growing": (0, 0), "shrinking": (0, 0), "standing still": (0, 0),
}  # fmt: skip
OBJECT = {"size": tuple(SIZES), "colour": tuple(COLOURS), "shape": tuple(SHAPES)}
ATTRIBUTES = {
    **OBJECT, "relation": tuple(RELATIONS), **{f"other_{k}": words for k, words in OBJECT.items()},
    "motion": tuple(MOTIONS),
}  # fmt: skip
FIRST, RELATION, OTHER, MOTION = slice(0, 3), 3, slice(4, 7), 7  # columns
VALUES = max(map(len, ATTRIBUTES.values())) + 1
OBJECTS = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]


class Scene(NamedTuple):
    """What n pictures show, in shares of the side; y downwards.

    attributes  [n, 8]
    centre      [n, 2, 2] (x, y) of both objects, in the middle of the time
    radius      [n, 2], at the beginning
    travel      [n, 2], from the first frame to the last
    growth      [n], of the radius from the first frame to the last
    """

    attributes: np.ndarray
    centre: np.ndarray
    radius: np.ndarray
    travel: np.ndarray
    growth: np.ndarray


def shapes(config, split: str) -> Source:
    """Pictures or films with captions and attributes. Raises UserError for impossible settings."""
    one_of("split of shapes", split, SPLITS)
    if config.flip:
        raise UserError("data.flip would make captions of shapes wrong: they say left and right")
    held, side, frames = _held(config.held_out), config.size or SIDE, config.frames

    def load(indices):
        scene = scenes(indices, split, held, frames)
        if not frames:
            return {"image": _frame(scene, 0.0, side), "attributes": scene.attributes}
        times = np.linspace(0.0, 1.0, frames)
        video = np.stack([_frame(scene, time, side) for time in times], axis=1)
        return {"video": video, "attributes": scene.attributes}

    def captions(indices):
        return describe(scenes(indices, split, held, frames).attributes)

    shown = {"video": (frames, side, side, 3)} if frames else {"image": (side, side, 3)}
    spec = {name: Field(shape, 256) for name, shape in shown.items()}
    spec["attributes"] = Field((len(ATTRIBUTES),), VALUES)
    return Source("shapes", None, load, spec, captions=captions, wordings=wordings())


def _frame(scene: Scene, time: float, side: int) -> np.ndarray:
    """The pictures at a time from 0 to 1, uint8 [n, side, side, 3]."""
    centre = scene.centre + ((time - 0.5) * scene.travel)[:, None]
    radius = scene.radius * scene.growth[:, None] ** time
    colour, shape = (scene.attributes[:, [column, column + 4]] for column in (1, 2))
    return draw(shape, colour, side * centre, side * radius, side)


def describe(attributes: np.ndarray) -> list[str]:
    """The caption of each row of attributes [n, 8]."""

    def caption(row):
        size, colour, shape, relation, *other, motion = (
            words[number - 1] if number else ""
            for number, words in zip(row, ATTRIBUTES.values(), strict=True)
        )
        parts = ["a", size, colour, shape, relation, *(["a", *other] if relation else []), motion]
        return " ".join(filter(None, parts))

    return [caption(row) for row in attributes]


def attributes_of(caption: str) -> np.ndarray:
    """The attributes [8] that a film's caption says, the inverse of `describe`.

    Raises UserError for one that `describe` would not write.
    """
    words, row = f" {caption} ", np.zeros(len(ATTRIBUTES), np.int32)
    columns = [*range(FIRST.start, FIRST.stop), MOTION]
    for column in columns:
        for number, word in enumerate(list(ATTRIBUTES.values())[column], 1):
            row[column] = number if f" {word} " in words else row[column]
    if not row[columns].all() or describe(row[None]) != [caption]:
        raise UserError(
            f"'{caption}' is no caption of a film: write one such as"
            " 'a small red cross moving left'"
        )
    return row


def wordings() -> tuple[str, ...]:
    """Captions that hold each word that any caption has, and the longest of all."""
    columns = [1 + np.arange(VALUES - 1) % len(words) for words in ATTRIBUTES.values()]
    pictures, films = np.stack(columns, -1), np.stack(columns, -1)
    pictures[:, MOTION] = films[:, RELATION] = 0
    films[:, OTHER] = 0
    return tuple(describe(np.concatenate([pictures, films])))


def exchanged(attributes: np.ndarray) -> np.ndarray:
    """The same pictures with the other object named first: "A below B" becomes "B above A"."""
    opposite = np.array([0, 2, 1, 4, 3])
    swapped = attributes[:, [4, 5, 6, RELATION, 0, 1, 2, MOTION]]
    swapped[:, RELATION] = opposite[attributes[:, RELATION]]
    return np.where(attributes[:, [RELATION]] > 0, swapped, attributes)


def meanings(attributes: np.ndarray) -> np.ndarray:
    """Attributes [n, 8] of which those of one picture are equal: the upper or left object first."""
    first = [list(RELATIONS).index(name) + 1 for name in ("above", "left of")]
    own = np.isin(attributes[:, RELATION], [0, *first])
    return np.where(own[:, None], attributes, exchanged(attributes))


def _held(names) -> np.ndarray:
    """Which of `OBJECTS` are held out, [24] bool."""
    for name in names:
        one_of("colour and shape in data.held_out", name, OBJECTS)
    held = np.isin(OBJECTS, names)
    if len({name.split()[0] for name in np.array(OBJECTS)[~held]}) < 2:
        raise UserError("data.held_out leaves fewer than two colours to train on: hold out less")
    return held


def scenes(indices, split: str, held: np.ndarray, frames: int) -> Scene:
    """The scenes with these indices. `held` are the objects that are held out, [24] bool."""
    stream = iter(range(64 * SPLITS.index(split), 64 * SPLITS.index(split) + 64))

    def drawn(low: float, high: float, *shape: int) -> np.ndarray:
        """Numbers [n, *shape] in [low, high), which no other call draws."""
        numbers = [uniform(indices, next(stream)) for _ in range(int(np.prod(shape)))]
        return low + (high - low) * np.stack(numbers, -1).reshape(-1, *shape)

    def chosen(count: int) -> np.ndarray:
        return drawn(0, count).astype(np.int32)

    attributes = _attributes(drawn, chosen, split, held, frames)
    relation, motion = attributes[:, RELATION], attributes[:, MOTION]
    # Of two objects the first is near one end of the relation's axis, the other near the other.
    axis = np.array([(0, 0), *RELATIONS.values()])[relation]
    ends = np.array([-1, 1]) * drawn(0.225, 0.285, 2)
    pairs = np.where(axis[:, None] != 0, 0.5 - axis[:, None] * ends[..., None], 0.0)
    pairs += np.where(axis[:, None] != 0, 0.0, drawn(0.38, 0.62, 2, 1))
    goes = np.array([(0, 0), *MOTIONS.values()])[motion]
    margin = 0.22 if not frames else 0.25
    alone = np.where(goes != 0, drawn(0.46, 0.54, 2), drawn(margin, 1 - margin, 2))
    centre = np.where(relation[:, None, None] > 0, pairs, alone[:, None])
    radius = np.array([0.0, *SIZES.values()])[attributes[:, [0, 4]]]
    change = SIZES["large"] / SIZES["small"]
    words = np.array(["", *MOTIONS])[motion]
    growth = np.where(words == "growing", change, np.where(words == "shrinking", 1 / change, 1.0))
    return Scene(
        attributes, centre, radius * drawn(1 - JITTER, 1 + JITTER, 2), goes * drawn(0.3, 0.42, 1),
        growth,
    )  # fmt: skip


def _attributes(drawn: Callable, chosen: Callable, split: str, held: np.ndarray, frames: int):
    """What the scenes show, [n, 8]."""
    objects = np.arange(len(OBJECTS))
    first = np.flatnonzero(held if split == "unseen" else ~held)
    if not len(first):
        raise UserError("data.held_out is empty: there is no split `unseen`")
    first = first[chosen(len(first))]
    allowed = (objects // len(SHAPES) != first[:, None] // len(SHAPES)) & (
        ~held | (split == "unseen")
    )
    other = _pick(allowed, drawn(0, 1))
    swap = drawn(0, 1) < 0.5  # A held-out object is the first or the other.
    alone = (drawn(0, 1) < 0.5) | bool(frames)
    first, other = np.where(swap & ~alone, other, first), np.where(swap, first, other)
    size, other_size = 1 + chosen(len(SIZES)), 1 + chosen(len(SIZES))
    relation, motion = 1 + chosen(len(RELATIONS)), 1 + chosen(len(MOTIONS))
    if frames:  # The size is that of the first frame.
        words = np.array(["", *MOTIONS])[motion]
        size = np.where(words == "growing", 1, np.where(words == "shrinking", 2, size))
    of_pair = [relation, other_size, 1 + other // len(SHAPES), 1 + other % len(SHAPES)]
    columns = [
        size, 1 + first // len(SHAPES), 1 + first % len(SHAPES), *(x * ~alone for x in of_pair),
        motion * bool(frames),
    ]  # fmt: skip
    return np.stack(columns, -1).astype(np.int32)


def _pick(allowed: np.ndarray, u: np.ndarray) -> np.ndarray:
    """One of the allowed [n, k], each equally likely: u [n] in [0, 1) to numbers [n]."""
    number = (u * allowed.sum(1)).astype(int)
    return np.argmax(np.cumsum(allowed, axis=1) > number[:, None], axis=1)
