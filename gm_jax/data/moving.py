"""Moving digits: films of digits that go straight ahead and bounce off the edges; endless.

Srivastava, Mansimov & Salakhutdinov 2015 (arXiv 1502.04681), section 4.2; the steps are those of
the authors' generator (emansim/unsupervised-videos, data_handler.py). A digit's position is that of
its upper left corner, a share of how far it can go. It begins anywhere, in any direction; before
each frame, the first one too, it goes a step, and at an edge it stops and turns. Where digits
overlap, the brighter pixel is seen.

Film i is a pure function of the split and i; digits are those of the same split of `data.base`.
"""

import dataclasses

import numpy as np

from gm_jax.data.composed import base_of
from gm_jax.data.mixtures import uniform
from gm_jax.data.source import SPLITS, Source
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field

SIDE, FRAMES = 64, 20  # unless data.size and data.frames say otherwise
STEP = 0.1
STREAMS = 4  # of random numbers for each digit: which one, its position, its direction


def moving_digits(config, split: str) -> Source:
    """Films `video` [T, S, S, 1]. Raises UserError if the base has no small grey images."""
    one_of("split of moving_digits", split, SPLITS)
    base = base_of(dataclasses.replace(config, size=None), split)
    side, frames = config.size or SIDE, config.frames or FRAMES
    height, width, channels = base.spec["image"].shape
    if channels != 1 or height != width or height > side:
        raise UserError(
            f"moving_digits needs grey square images of at most {side} pixels (data.size);"
            f" {base.name} has {height} x {width} x {channels}"
        )

    def load(indices):
        indices, video = np.asarray(indices), None
        for number in range(config.movers):
            first = STREAMS * (2 * number + SPLITS.index(split))
            draws = [uniform(indices, first + stream) for stream in range(STREAMS)]
            digit = base.load((draws[0] * base.size).astype(np.int64))["image"][..., 0]
            corner = ((side - height) * path(*draws[1:], frames)).astype(int)
            film = pasted(digit, corner, side)
            video = film if video is None else np.maximum(video, film)
        return {"video": video[..., None]}

    return Source(f"moving_{base.name}", None, load, {"video": Field((frames, side, side, 1), 256)})


def path(y: np.ndarray, x: np.ndarray, turn: np.ndarray, frames: int) -> np.ndarray:
    """Positions (y, x) in [0, 1], [n, T, 2], from those before the first frame.

    turn  [n], the direction as a share of a full turn
    """
    at = np.stack([y, x], axis=-1)
    velocity = STEP * np.stack([np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)], axis=-1)
    found = []
    for _ in range(frames):
        at = at + velocity
        velocity = np.where((at <= 0.0) | (at >= 1.0), -velocity, velocity)
        at = np.clip(at, 0.0, 1.0)
        found.append(at)
    return np.stack(found, axis=1)


def pasted(digit: np.ndarray, corner: np.ndarray, side: int) -> np.ndarray:
    """Images [n, d, d] on black at corners [n, T, 2] (row, column): films [n, T, S, S]."""
    size = np.arange(digit.shape[-1])
    rows, columns = (corner[..., axis, None] + size for axis in (0, 1))
    film = np.zeros((*corner.shape[:2], side, side), digit.dtype)
    example, frame = np.ogrid[: corner.shape[0], : corner.shape[1]]
    where = example[..., None, None], frame[..., None, None], rows[..., None], columns[..., None, :]
    film[where] = digit[:, None]
    return film
