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
        far = capsule(side, joints[:, a], joints[:, b], STICK)
        image = _over(image, far, colour)
    return _levels(image)


def _figures(side: int, joints, radius, head, clothes, hue, skin, ground) -> np.ndarray:
    share = np.float32((np.arange(side) + 0.5) / side)[:, None, None]
    above, below = np.float32(ground).transpose(1, 0, 2)[:, :, None, None]
    image = np.broadcast_to(above + share * (below - above), (len(joints), side, side, 3))
    worn = (hue[:, 0], hue[:, 1], clothes, skin)
    for a, b, part in BONES:
        colour = worn[part] * (LEFT_LIGHTER if b in (3, 5, 7, 9) else 1.0)
        broad = radius * (BROAD if part == 2 else 1.0)
        image = _over(image, capsule(side, joints[:, a], joints[:, b], broad), colour)
    centre = joints[:, 0]
    image = _over(image, capsule(side, centre, centre, head), skin)
    for across, down, size in ((-0.38, -0.15, 0.16), (0.38, -0.15, 0.16), (0.0, 0.45, 0.2)):
        at = centre + head[:, None] * np.array([across, down])
        image = _over(image, capsule(side, at, at, size * head), DARK)
    return _levels(image)


def capsule(side: int, a: np.ndarray, b: np.ndarray, radius) -> np.ndarray:
    """The signed distance of pixels to all that is within `radius` of the line from a to b [n, 2].

    [n, side, side]; a disc where a and b are one point.
    """
    grid = np.float32((np.arange(side) + 0.5) / side)
    point = np.stack(np.meshgrid(grid, grid), -1)
    a, line = (np.float32(v)[:, None, None] for v in (a, b - a))
    away = point - a
    square = np.maximum((line**2).sum(-1), np.float32(1e-12))
    share = np.clip((away * line).sum(-1) / square, 0.0, 1.0)[..., None]
    far = away - share * line
    radius = np.broadcast_to(np.float32(radius), len(a))[:, None, None]
    return np.sqrt((far**2).sum(-1)) - radius


def _over(image: np.ndarray, far: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """A picture with a shape of one colour on it, at these signed distances."""
    cover = np.clip(0.5 - far * far.shape[-1], 0.0, 1.0)[..., None]
    colour = np.float32(np.broadcast_to(colour, (len(far), 3)))[:, None, None]
    return image + cover * (colour - image)


def _levels(image: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(image, 0.0, 1.0)).astype(np.uint8)
