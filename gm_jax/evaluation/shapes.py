"""A judge of the shapes world: what a picture or a film shows, found without a network.

1. An object is a connected part of the picture that differs from the ground.
2. Its colour is the one whose direction from the ground is nearest.
3. Its shape and radius are those of the template that differs least from it, of all shapes, radii
   and positions at quarter pixels around its centre.
4. The relation of two objects, and the motion of one, are by their centres.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from gm_jax.data.shapes import (
    ATTRIBUTES,
    FIRST,
    JITTER,
    MOTION,
    MOTIONS,
    OBJECT,
    OTHER,
    RELATION,
    RELATIONS,
    SIZES,
    exchanged,
)  # fmt: skip
from gm_jax.data.shapes_drawing import BACKGROUND, COLOURS, SHAPES, coverage

SMALLEST, LARGEST = SIZES["small"] * (1 - JITTER), SIZES["large"] * (1 + JITTER)
RADII = np.geomspace(SMALLEST, LARGEST, 9)
MIDDLE = np.sqrt(SIZES["small"] * SIZES["large"])
REACH = 1.5  # pixels from the centre of an object to that of its template
CHUNK = 64  # pictures judged at once
MOVED, GROWN = 0.12, 1.3  # of the side; factor of the radius: less is standing still


class Object(NamedTuple):
    """What is seen of one object: numbers that count from 1, centre (x, y) and radius of 1."""

    colour: int
    shape: int
    centre: np.ndarray
    radius: float

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Its size, colour and shape, as in `ATTRIBUTES`."""
        return 1 + int(self.radius > MIDDLE), self.colour, self.shape


def judge(pictures: np.ndarray) -> np.ndarray:
    """What pictures [n, S, S, 3] or films [n, T, S, S, 3] of uint8 show: attributes [n, 8].

    The first of two objects is the upper or the left one. A picture that does not show one or two
    objects is 0 throughout.
    """
    if pictures.ndim == 4:
        rows = [picture_attributes(found) for found in objects(pictures)]
    else:
        ends = objects(pictures[:, [0, -1]].reshape(-1, *pictures.shape[2:]))
        rows = [film_attributes(*pair) for pair in zip(ends[::2], ends[1::2], strict=True)]
    return np.array(rows, np.int32).reshape(-1, len(ATTRIBUTES))


def picture_attributes(found: Sequence[Object]) -> np.ndarray:
    """The attributes [8] of a picture of these objects."""
    row = np.zeros(len(ATTRIBUTES), np.int32)
    if len(found) == 2:
        first, other = found
        axis = int(np.argmax(abs(first.centre - other.centre)))
        if first.centre[axis] > other.centre[axis]:
            first, other = other, first
        row[RELATION] = list(RELATIONS).index(("left of", "above")[axis]) + 1
        row[FIRST], row[OTHER] = first.numbers, other.numbers
    elif len(found) == 1:
        row[FIRST] = found[0].numbers
    return row


def film_attributes(first: Sequence[Object], last: Sequence[Object]) -> np.ndarray:
    """The attributes [8] of a film of one object, by its first and last frame."""
    row = np.zeros(len(ATTRIBUTES), np.int32)
    if len(first) == 1:
        row[FIRST] = first[0].numbers
    if len(first) == len(last) == 1:
        row[MOTION] = list(MOTIONS).index(_motion(first[0], last[0])) + 1
    return row


def _motion(first: Object, last: Object) -> str:
    moved, grown = last.centre - first.centre, last.radius / first.radius
    if grown > GROWN or grown < 1 / GROWN:
        return "growing" if grown > 1 else "shrinking"
    axis = int(np.argmax(abs(moved)))
    if abs(moved[axis]) < MOVED:
        return "standing still"
    direction = tuple(int(np.sign(moved[axis]) * (number == axis)) for number in range(2))
    return next(word for word, own in MOTIONS.items() if own == direction)


def constant(films: np.ndarray) -> np.ndarray:
    """Which films [n, T, S, S, 3] show one object of one colour and shape in all frames, [n]."""
    frames = objects(films.reshape(-1, *films.shape[2:]))
    seen = [{(o.colour, o.shape) for o in found} if len(found) == 1 else set() for found in frames]
    films = [seen[start : start + films.shape[1]] for start in range(0, len(seen), films.shape[1])]
    return np.array([all(film) and len(set.union(*film)) == 1 for film in films])


def agreement(found: np.ndarray, wanted: np.ndarray) -> dict[str, np.ndarray]:
    """Which rows of attributes [n, 8] agree, [n] bool: in all, and in each attribute by itself.

    The attributes of both objects count together; relation and motion have the rows alone in which
    one is wanted, "one object" and "two objects" those of such pictures, if there are any.
    """
    either = np.stack([found == wanted, exchanged(found) == wanted])
    # Of the two ways to name the objects the one in which more of them is right.
    parts = either[..., FIRST].sum(-1) + either[..., OTHER].sum(-1) + 0.5 * either[..., RELATION]
    same = np.where((parts[0] >= parts[1])[:, None], *either)
    rows = {"all": same.all(1)}
    for column, name in enumerate(OBJECT):
        rows[name] = same[:, column] & same[:, OTHER][:, column]
    pair, film = wanted[:, RELATION] > 0, wanted[:, MOTION] > 0
    rows |= {"relation": same[pair, RELATION], "motion": same[film, MOTION]}
    rows |= {"one object": rows["all"][~pair & ~film], "two objects": rows["all"][pair]}
    return {name: hits for name, hits in rows.items() if len(hits)}


def objects(pictures: np.ndarray) -> list[list[Object]]:
    """The objects in each of the pictures [n, S, S, 3]."""
    found = []
    for start in range(0, len(pictures), CHUNK):
        difference = pictures[start : start + CHUNK].astype(np.float32) - np.float32(BACKGROUND)
        parts = [(number, p) for number, d in enumerate(difference) for p in _parts(d)]
        seen = _objects([_seen(difference[number], part) for number, part in parts])
        found += [[] for _ in difference]
        for (number, _), one in zip(parts, seen, strict=True):
            found[start + number].append(one)
    return found


def _parts(difference: np.ndarray) -> list[np.ndarray]:
    """Where each object is, [S, S] bool: connected, and of the size of one object at least."""
    side = len(difference)
    smooth = ndimage.uniform_filter(difference, (3, 3, 1), mode="nearest")
    labels, count = ndimage.label(np.linalg.norm(smooth, axis=-1) > 75.0, np.ones((3, 3)))
    parts = [labels == number + 1 for number in range(count)]
    parts = [part for part in parts if part.sum() >= (1.1 * SMALLEST * side) ** 2]
    return [half for part in parts for half in _apart(difference, part)]


def _apart(difference: np.ndarray, part: np.ndarray) -> list[np.ndarray]:
    """Two objects that touch, cut where the picture is darkest; or the one that there is."""
    side = len(part)
    for axis in range(2):
        first, extent = _extent(part, axis)
        if extent > _most(side):
            strength = (np.linalg.norm(difference, axis=-1) * part).sum(1 - axis)
            middle = slice(first + extent // 3, first + extent - extent // 3)
            cut = middle.start + int(np.argmin(strength[middle]))
            below = np.arange(side) < cut
            below = below[:, None] if axis == 0 else below[None]
            return [part & below, part & ~below]
    return [part]


def _extent(part: np.ndarray, axis: int) -> tuple[int, int]:
    """Where a part begins along an axis, and how long it is, in pixels."""
    taken = np.flatnonzero(part.any(1 - axis))
    return int(taken[0]), int(taken[-1] + 1 - taken[0])


def _most(side: int) -> float:
    """The longest that one object can be, with what smoothing adds, in pixels."""
    return 2.0 * LARGEST * side + 4.0


class Seen(NamedTuple):
    """One part of a picture: its colour, its share of each pixel of a window, and its centre.

    corner  (x, y) of the window in the picture, whose side is `side`; the centre (x, y) is of mass
    fits    whether it is as small as an object
    """

    colour: int
    window: np.ndarray
    corner: np.ndarray
    centre: np.ndarray
    side: int
    fits: bool


def _seen(difference: np.ndarray, part: np.ndarray) -> Seen:
    side, size = len(part), _bank(len(part)).window
    inks = np.float32(list(COLOURS.values())) - np.float32(BACKGROUND)
    directions = inks / np.linalg.norm(inks, axis=1, keepdims=True)
    colour = int(np.argmax(directions @ difference[part].mean(0)))
    ink = inks[colour]
    share = np.clip(difference @ ink / (ink @ ink), -1.0, 1.5)
    rows, columns = np.mgrid[:side, :side] + 0.5
    weight = share * part
    centre = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    share = np.pad(share * ndimage.binary_dilation(part, np.ones((3, 3))), size)
    corner = np.floor(centre).astype(int) - size // 2
    x, y = corner + size
    fits = max(_extent(part, axis)[1] for axis in range(2)) <= _most(side)
    return Seen(colour + 1, share[y : y + size, x : x + size], corner, centre, side, fits)


def _objects(parts: Sequence[Seen]) -> list[Object]:
    """What the templates say of each part, all of pictures of one side."""
    if not parts:
        return []
    side, bank = parts[0].side, _bank(parts[0].side)
    windows = np.stack([part.window.ravel() for part in parts], -1)
    fit = 2.0 * bank.templates @ windows - bank.squares[:, None]
    # Only templates whose centre of mass is near that of the part.
    centre = np.stack([part.centre - part.corner for part in parts])
    away = abs(bank.masses[:, None] - centre).max(-1)
    best = np.argmax(np.where(away <= REACH, fit, -np.inf), axis=0)
    # What is larger than any object has no shape.
    shape = bank.shapes[best] * np.array([part.fits for part in parts])
    position = (bank.centres[best] + np.stack([part.corner for part in parts])) / side
    colour = [part.colour for part in parts]
    return list(map(Object, colour, shape.tolist(), position, bank.radii[best]))


class Bank(NamedTuple):
    """All templates in a window, and of each what it shows.

    templates  [N, window^2]
    squares    [N], the sum of each one's squares
    shapes     [N] numbers from 1
    radii      [N], in shares of the side
    centres    [N, 2] (x, y) from the window's corner, in pixels
    masses     [N, 2], their centres of mass
    window     pixels of its side
    """

    templates: np.ndarray
    squares: np.ndarray
    shapes: np.ndarray
    radii: np.ndarray
    centres: np.ndarray
    masses: np.ndarray
    window: int


@functools.lru_cache(maxsize=2)
def _bank(side: int) -> Bank:
    window = 2 * int(np.ceil(LARGEST * side + REACH)) + 2
    middle = window // 2 + np.arange(-REACH, 1.0 + REACH, 0.25)
    shapes, radii, x, y = (
        axis.ravel()
        for axis in np.meshgrid(np.arange(1, len(SHAPES) + 1), RADII, middle, middle, indexing="ij")
    )
    centres = np.stack([x, y], -1)
    templates = coverage(shapes, centres, radii * side, window)
    total = templates.sum((1, 2))
    at = np.arange(window) + 0.5
    masses = np.stack([templates.sum(1) @ at, templates.sum(2) @ at], -1) / total[:, None]
    templates = templates.reshape(len(templates), -1)
    squares = (templates**2).sum(1)
    return Bank(templates, squares, shapes, radii, centres, masses, window)
