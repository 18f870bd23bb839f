"""Metrics of films made of poses, whose truth is known: a model's `film` of `video_pose`.

A film is as long as a dance is, however few frames a model is trained on at once.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np

from gm_jax import data
from gm_jax.data import poses
from gm_jax.errors import UserError
from gm_jax.evaluation.ssim import ssim
from gm_jax.settings import Data, read
from gm_jax.trained import Trained, sample

FRAMES = 32  # of a film
TARGETS = 256  # films of training by which a person's measures are known
FIGURE = 8  # levels of 255 by which a figure differs from the ground
CHUNK = 100  # frames compared at once


def films(trained: Trained, count: int) -> dict[str, dict]:
    """`count` films of the split, each of 32 frames made one after another, beside the truth.

    film_ssim     structural similarity of frames
    film_l1       distance of frames on the scale 0 to 1; `copied` is that of the first true frame
    film_l1_figure, film_l1_face  where the truth shows a figure; in the boxes of faces
    film_flicker  the mean change from a frame to the next, and the truth's
    film_flicker_error  the mean distance of these changes to the truth's
    """
    split = trained.config.evaluate.split
    trained, truth = _long(trained, count, split)
    made = sample(trained, count, "film", split)["video"]
    rows = _compared(made, truth) | _changes(made, truth["video"])
    still = np.broadcast_to(truth["video"][:, :1], made.shape)
    rows["l1"]["copied"] = _compared(still, truth)["l1"]["value"]
    return {f"film_{name}": row | {"split": split} for name, row in rows.items()}


def transfer(trained: Trained, count: int) -> dict[str, dict]:
    """`count` dances of the next person performed by the one a model knows, beside the truth.

    As `films`, as transfer_ssim; by poses in the known person's measures (`data.poses`), and with
    the source's as they are, transfer_raw_ssim. Raises UserError unless the data shows one person.
    """
    split = trained.config.evaluate.split
    trained, truth = _long(trained, count, split)
    config = trained.phase.data
    if config.person is None:
        raise UserError(
            "evaluate.transfer needs a model of one dancer: set data.person, or evaluate.transfer=0"
        )
    other = dataclasses.replace(config, person=config.person + 1)
    source = data.open_source(other, split).load(np.arange(count))["keypoint"]
    known = data.open_source(config).load(np.arange(TARGETS))["keypoint"]
    own = poses.normalised(source, poses.stance(source), poses.stance(known))
    rows = {}
    for name, keypoints in (("", own), ("raw_", source)):
        side = truth["video"].shape[2]
        given = {"video_pose": poses.pictures(keypoints, side), "box": poses.faces(keypoints)}
        made = sample(trained, count, "film", split, given=given)["video"]
        rows |= {f"transfer_{name}{key}": row for key, row in _compared(made, truth).items()}
    return {name: row | {"split": split} for name, row in rows.items()}


def _long(trained: Trained, count: int, split: str):
    """The model on films of 32 frames, and the first `count` of them."""
    config = dataclasses.replace(read(Data, trained.phase.data, "data."), frames=FRAMES)
    source = data.open_source(config, split)
    for name in ("video", "video_pose", "keypoint", "box"):
        if name not in source.spec:
            raise UserError(f"evaluate.films needs {name}, which {source.name} does not have")
    long = trained._replace(phase=trained.phase._replace(data=config))
    return long, source.load(np.arange(count))


def _compared(made: np.ndarray, truth: dict) -> dict[str, dict]:
    """SSIM and L1 distances of films [N, T, S, S, 3] to the true ones; each film is an example."""
    true = truth["video"]
    parts = {
        "l1": np.ones(true.shape[:-1], bool),
        "l1_figure": figures(true),
        "l1_face": inside(truth["box"], true.shape[2:4]),
    }
    rows = {name: _row(_l1(made, true, where)) for name, where in parts.items()}
    if min(true.shape[2:4]) >= 11:
        flat = [x.reshape(-1, *x.shape[2:]) for x in (made, true)]
        steps = range(0, len(flat[0]), CHUNK)
        each = [ssim(*(jnp.asarray(x[i : i + CHUNK]) for x in flat)) for i in steps]
        rows["ssim"] = _row(np.concatenate(each).reshape(made.shape[:2]).mean(1))
    return rows


def _changes(made: np.ndarray, true: np.ndarray) -> dict[str, dict]:
    """Flicker, beside the truth's, and its distance to the truth's."""
    own, other = changes(made), changes(true)
    flicker = _row(flickers(made)) | {"truth": float(flickers(true).mean())}
    apart = np.abs(own - other).reshape(len(own), -1).mean(1)
    return {"flicker": flicker, "flicker_error": _row(apart)}


def changes(video: np.ndarray) -> np.ndarray:
    """I_{t+1} - I_t of films [N, T, H, W, C] of 0..255, on the scale 0 to 1."""
    return np.diff(video.astype(np.float32) / 255, axis=1)


def flickers(video: np.ndarray) -> np.ndarray:
    """The mean of |I_{t+1} - I_t| of films [N, T, H, W, C], [N]."""
    return np.abs(changes(video)).reshape(len(video), -1).mean(1)


def figures(video: np.ndarray) -> np.ndarray:
    """Where films [N, T, H, W, C] show somebody, [N, T, H, W]: what is not each row's median.

    The ground of dancers is one colour in each row, which a figure covers for less than half.
    """
    ground = np.median(video, axis=(1, 3), keepdims=True)
    return (np.abs(video - ground) > FIGURE).any(-1)


def inside(box: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """Pixels whose centre is inside boxes [..., 4] from -1 to 1, [..., H, W]."""
    y, x = (2 * (np.arange(side) + 0.5) / side - 1 for side in sides)
    left, top, right, bottom = (box[..., i, None] for i in range(4))
    rows, columns = (y >= top) & (y <= bottom), (x >= left) & (x <= right)
    return rows[..., :, None] & columns[..., None, :]


def _l1(made: np.ndarray, true: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The mean of |made - true| over pixels that count [N, T, H, W], on the scale 0 to 1, [N]."""
    far = np.abs(made.astype(np.float32) - true.astype(np.float32)).mean(-1) / 255
    return (far * where).sum((1, 2, 3)) / np.maximum(where.sum((1, 2, 3)), 1)


def _row(values: np.ndarray) -> dict:
    error = float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return {"value": float(np.mean(values)), "standard_error": error, "examples": len(values)}
