"""How the shapes world is drawn: 4 x 4 samples a pixel, on a dark ground."""

import numpy as np

SAMPLES = 4  # of a pixel, along each side
BACKGROUND = (25, 25, 25)
COLOURS = {
    "red": (230, 40, 40), "green": (40, 180, 60), "blue": (50, 90, 235),
    "yellow": (240, 220, 50), "purple": (170, 60, 210), "cyan": (60, 215, 225),
}  # fmt: skip
# Which points (x, y) of the plane, y downwards, belong to a shape of radius 1.
SHAPES = {
    "circle": lambda x, y: x**2 + y**2 <= 1.0,
    "square": lambda x, y: np.maximum(abs(x), abs(y)) <= 0.9,
    "triangle": lambda x, y: (y <= 0.8) & (abs(x) <= (y + 1.0) / 1.8),
    "cross": lambda x, y: (np.minimum(abs(x), abs(y)) <= 0.34) & (np.maximum(abs(x), abs(y)) <= 1),
}
CHUNK = 64  # pictures drawn at once: their samples fit the cache


def draw(shape, colour, centre, radius, side: int) -> np.ndarray:
    """Pictures of two objects each, uint8 [n, side, side, 3].

    shape, colour [n, 2] count from 1, 0 for no object; centre [n, 2, 2] (x, y) and radius [n, 2] in
    pixels.
    """
    palette = np.array([BACKGROUND, *COLOURS.values()], np.float32)
    size = 2 * int(np.ceil(radius.max(initial=0.0))) + 2  # of a window around an object
    pictures = np.empty((len(shape), side, side, 3), np.uint8)
    for start in range(0, len(shape), CHUNK):
        rows = slice(start, start + CHUNK)
        count = len(shape[rows])
        padded = np.tile(palette[0], (count, side + 2 * size, side + 2 * size, 1))
        for number in range(2):
            corner = np.floor(centre[rows, number]).astype(int) - size // 2
            near = centre[rows, number] - corner
            share = coverage(shape[rows, number], near, radius[rows, number], size)
            ink = palette[colour[rows, number]] - palette[0]
            x, y = (corner.T + size)[..., None] + np.arange(size)
            where = np.arange(count)[:, None, None], y[:, :, None], x[:, None]
            padded[where] += share[..., None] * ink[:, None, None]
        pictures[rows] = np.round(padded[:, size : size + side, size : size + side])
    return pictures


def coverage(shape, centre, radius, side: int) -> np.ndarray:
    """The share of each pixel that a shape covers, float32 [n, side, side]; shape 0 covers none."""
    samples = (np.arange(side * SAMPLES, dtype=np.float32) + 0.5) / SAMPLES
    share = np.zeros((len(shape), side, side), np.float32)
    for number, inside in enumerate(SHAPES.values(), 1):
        chosen = np.flatnonzero(np.asarray(shape) == number)
        if not len(chosen):
            continue
        x, y = np.moveaxis(
            (samples[:, None] - np.float32(centre)[chosen, None])
            / np.float32(radius)[chosen, None, None], -1, 0
        )  # fmt: skip
        covered = inside(x[:, None], y[:, :, None])
        blocks = covered.reshape(len(chosen), side, SAMPLES, side, SAMPLES)
        share[chosen] = blocks.sum((2, 4), dtype=np.float32) / SAMPLES**2
    return share
