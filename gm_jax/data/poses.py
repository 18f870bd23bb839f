"""Poses of one person in the measures of another: Everybody Dance Now's global normalisation.

Chan et al. 2019 (arXiv 1808.07371), "Global pose normalization". A figure stands on its ankles'
line, which is lower and the figure taller the nearer it is. Of two films' lines a source's nearest
and farthest are mapped to the target's, and what is between linearly:

    b = t_far + (a - s_far) / (s_near - s_far) (t_near - t_far)      where ankles are put
    c = c_far + (a - s_far) / (s_near - s_far) (c_near - c_far)      by what a figure is scaled

a is the ankles' line in a frame; c_near and c_far are ratios of heights, of the target's tallest
figure on these lines to the source's. The farthest line is the farthest one that is no more than
half as far behind the median as the nearest is before it, as in the authors' code.
"""

from typing import NamedTuple

import numpy as np

from gm_jax.data import dancers_drawing
from gm_jax.data.dancers import HEAD, JOINTS, NECK

FEET = [JOINTS.index(f"{side} foot") for side in ("left", "right")]
TOP = JOINTS.index("head")
FAR = 0.5  # of the way from the median line to the nearest, behind the median: no farther is far
NEAR = 0.05  # of the way from the farthest line to the nearest: what is on a line


class Stance(NamedTuple):
    """Where a person stands when nearest and farthest, and how tall they are there."""

    near: float
    far: float
    near_height: float
    far_height: float


def ankles(keypoints: np.ndarray) -> np.ndarray:
    """How low the lower foot is, of keypoints [..., 11, 2]: [...]."""
    return keypoints[..., FEET, 1].max(-1)


def stance(keypoints: np.ndarray) -> Stance:
    """That of a film or of several, keypoints [..., 11, 2]."""
    line = ankles(keypoints).ravel()
    height = line - keypoints[..., TOP, 1].ravel()
    near, middle = line.max(), np.median(line)
    behind = line[(line < middle) & (line >= middle - FAR * (near - middle))]
    far = behind.min() if len(behind) else middle
    on = NEAR * (near - far)
    tallest = [height[np.abs(line - at) <= on].max() for at in (near, far)]
    return Stance(near, far, *tallest)


def normalised(keypoints: np.ndarray, source: Stance, target: Stance) -> np.ndarray:
    """Keypoints [..., 11, 2] of the source as the target would hold them.

    Each figure is scaled about the point between its feet, which keeps its x.
    """
    line = ankles(keypoints)
    depth = source.near - source.far
    share = (line - source.far) / depth if depth else np.ones_like(line)
    scales = target.near_height / source.near_height, target.far_height / source.far_height
    scale = scales[1] + share * (scales[0] - scales[1])
    put = target.far + share * (target.near - target.far)
    x = keypoints[..., FEET, 0].mean(-1)
    foot, moved = np.stack([x, line], -1), np.stack([x, put], -1)
    away = keypoints - foot[..., None, :]
    return (moved[..., None, :] + scale[..., None, None] * away).astype(np.float32)


def pictures(keypoints: np.ndarray, side: int) -> np.ndarray:
    """The bones of keypoints [N, T, 11, 2] from -1 to 1, uint8 [N, T, side, side, 3]."""
    joints = (keypoints.reshape(-1, *keypoints.shape[2:]) + 1) / 2
    return dancers_drawing.draw_pose(joints, side).reshape(*keypoints.shape[:2], side, side, 3)


def faces(keypoints: np.ndarray) -> np.ndarray:
    """The boxes of faces [..., 4], as large as their necks say."""
    top, neck = keypoints[..., TOP, :], keypoints[..., JOINTS.index("neck"), :]
    reach = 1.5 * HEAD / NECK * np.linalg.norm(top - neck, axis=-1, keepdims=True)
    return np.concatenate([top - reach, top + reach], axis=-1).astype(np.float32)
