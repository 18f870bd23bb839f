"""How dancers are drawn: limbs as capsules, from the back to the front, on a faded ground.

A pixel shows as much of a shape as clip(1/2 - d S, 0, 1) says, d its centre's signed distance to
the shape's border in widths of the image.
"""

import colorsys
from typing import NamedTuple

import numpy as np

CHUNK = 64  # pictures drawn at once
# Bones by the numbers of their joints, from the back to the front, and what they wear: 0 trousers,
# 1 sleeves, 2 the coloured clothes, 3 skin.
BONES = (
    (2, 7, 0), (7, 9, 0), (2, 8, 0), (8, 10, 0), (1, 2, 2), (0, 1, 3), (1, 3, 1), (3, 5, 3),
    (1, 4, 1), (4, 6, 3),
)  # fmt: skip
BROAD = 1.7  # how much broader the torso is than a limb
STICK = 0.014  # radius of a bone in a picture of a pose
HUES = np.float32([colorsys.hsv_to_rgb(n / len(BONES), 1.0, 1.0) for n in range(len(BONES))])
LEFT_LIGHTER = 1.15  # limbs of the left are lighter: left and right can be told apart
DARK = np.float32([0.08, 0.06, 0.08])


class Figures(NamedTuple):
    """People: joints [n, 11, 2], radii of limbs and heads [n], colours in [0, 1].

    clothes, skin  [n, 3]
    hue, ground    [n, 2, 3] trousers and sleeves, the ground above and below
    """

    joints: np.ndarray
    radius: np.ndarray
    head: np.ndarray
    clothes: np.ndarray
    hue: np.ndarray
    skin: np.ndarray
    ground: np.ndarray


def draw(figures: Figures, side: int) -> np.ndarray:
    """Pictures, uint8 [n, side, side, 3]."""
    return _by_chunks(_figures, figures, side)


def draw_pose(joints: np.ndarray, side: int) -> np.ndarray:
    """The bones of joints [n, 11, 2], each in its own hue on black, uint8 [n, side, side, 3]."""
    return _by_chunks(_bones, (joints,), side)


def _by_chunks(paint, parts, side: int) -> np.ndarray:
    count = len(parts[0])
    starts = range(0, count, CHUNK)
    shown = [paint(side, *(x[i : i + CHUNK] for x in parts)) for i in starts]
    return np.concatenate([np.empty((0, side, side, 3), np.uint8), *shown])


def _bones(side: int, joints: np.ndarray) -> np.ndarray:
    image = np.zeros((len(joints), side, side, 3), np.float32)
    for (a, b, _), colour in zip(BONES, HUES, strict=True):
        _capsule(image, joints[:, a], joints[:, b], STICK, colour)
    return _levels(image)


def _figures(side: int, joints, radius, head, clothes, hue, skin, ground) -> np.ndarray:
    share = np.float32((np.arange(side) + 0.5) / side)[:, None, None]
    above, below = np.float32(ground).transpose(1, 0, 2)[:, :, None, None]
    faded = above + share * (below - above)
    image = np.broadcast_to(faded, (len(joints), side, side, 3)).copy()
    worn = (hue[:, 0], hue[:, 1], clothes, skin)
    for a, b, part in BONES:
        colour = worn[part] * (LEFT_LIGHTER if b in (3, 5, 7, 9) else 1.0)
        broad = radius * (BROAD if part == 2 else 1.0)
        _capsule(image, joints[:, a], joints[:, b], broad, colour)
    centre = joints[:, 0]
    _capsule(image, centre, centre, head, skin)
    for across, down, size in ((-0.38, -0.15, 0.16), (0.38, -0.15, 0.16), (0.0, 0.45, 0.2)):
        at = centre + head[:, None] * np.array([across, down])
        _capsule(image, at, at, size * head, DARK)
    return _levels(image)


def _capsule(image: np.ndarray, a: np.ndarray, b: np.ndarray, radius, colour) -> None:
    """Draws on pictures [n, S, S, 3] all that is within `radius` of the line from a to b [n, 2].

    A disc if a and b are one point. Only a window around it is computed, of one size for all n.
    """
    count, side = image.shape[:2]
    radius = np.broadcast_to(radius, count)[:, None]
    low, high = np.minimum(a, b) - radius, np.maximum(a, b) + radius
    size = min(side, int(np.ceil(side * (high - low).max(initial=0.0))) + 3)
    corner = np.clip(np.floor(side * low).astype(int) - 1, 0, side - size)
    x, y = corner.T[..., None] + np.arange(size)
    grid = np.float32((np.arange(side) + 0.5) / side)
    columns = np.broadcast_to(grid[x][:, None], (count, size, size))
    rows = np.broadcast_to(grid[y][:, :, None], columns.shape)
    far = _distance(np.stack([columns, rows], -1), a, b) - np.float32(radius)[..., None]
    cover = np.clip(0.5 - far * side, 0.0, 1.0)[..., None]
    window = np.arange(count)[:, None, None], y[:, :, None], x[:, None]
    ink = np.float32(np.broadcast_to(colour, (count, 3)))[:, None, None]
    image[window] += cover * (ink - image[window])


def _distance(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of points [n, H, W, 2] to the lines from a to b [n, 2], [n, H, W]."""
    a, line = (np.float32(v)[:, None, None] for v in (a, b - a))
    away = points - a
    square = np.maximum((line**2).sum(-1), np.float32(1e-12))
    share = np.clip((away * line).sum(-1) / square, 0.0, 1.0)[..., None]
    return np.sqrt(((away - share * line) ** 2).sum(-1))


def _levels(image: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(image, 0.0, 1.0)).astype(np.uint8)
