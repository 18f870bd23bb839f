"""By hand, in float64: Everybody Dance Now's players in both phases, and its films."""

import numpy as np
import pytest

from twins.game import game
from twins.numbers import agree
from twins.test_spade import features_apart

RECIPE = "dance_dancers"
BODY = {"face.steps": 0}
APART = {"face.steps": 0, "smooth": False, "perceptual": 0.0}
SIZE = 8


def given(of):
    """Films and poses by frame, [2, B, H, W, 3]; poses in [0, 1]."""
    x, s = (np.asarray(of.batch[name], np.float64) for name in ("video", "video_pose"))
    return x.swapaxes(0, 1), (s.swapaxes(0, 1) + 1) / 2


def squares(of, frames):
    """Around the middle of each frame's own box, inside the frame: [2, B, 8, 8, C]."""
    box = np.asarray(of.batch["box"], np.float64)
    found = np.empty((*frames.shape[:2], SIZE, SIZE, frames.shape[-1]))
    for t, b in np.ndindex(frames.shape[:2]):
        left, top, right, bottom = (box[b, t] + 1) / 2 * frames.shape[2]
        y, x = ((low + high) / 2 - SIZE / 2 for low, high in ((top, bottom), (left, right)))
        y, x = (int(np.clip(np.round(v), 0, frames.shape[2] - SIZE)) for v in (y, x))
        found[t, b] = frames[t, b, y : y + SIZE, x : x + SIZE]
    return found


def frames_of(of, played):
    """I_0 and I_1, each made after the one before; with its square in the second phase."""
    _, s = given(of)
    before, made = np.zeros_like(s[0]), []
    for t, call in enumerate(played.calls["generator"]):
        seen = np.concatenate([s[t], before], axis=-1) if of.config.smooth else s[t]
        np.testing.assert_allclose(call.inputs[0], seen, atol=1e-5)
        frame = call.output
        if "face" in played.calls:
            both = np.stack([s, np.stack([frame, frame])])
            pose, own = (squares(of, x)[t] for x in both)
            face = played.calls["face"][t]
            seen = np.concatenate([pose, own], axis=-1)
            np.testing.assert_allclose(face.inputs[0], seen, atol=1e-5)
            frame = added(of, frame, face.output, t)
        made.append(frame)
        before = frame
    return np.stack(made)


def added(of, frame, square, t):
    """The frame whose square is what it was and `square`."""
    number = np.arange(frame[0, ..., 0].size, dtype=float).reshape(1, 1, *frame.shape[1:3], 1)
    where = squares(of, np.broadcast_to(number, (2, *frame.shape[:3], 1)))[t].astype(int)
    flat = frame.reshape(len(frame), -1, frame.shape[-1]).copy()
    for b, places in enumerate(where.reshape(len(frame), -1)):
        flat[b, places] += square[b].reshape(-1, frame.shape[-1])
    return flat.reshape(frame.shape)


def judged(of, played, made):
    """(logits, maps) of real and made, scale by scale, of what D must have seen."""
    x, s = given(of)
    (call,) = played.calls["discriminator"]
    if of.config.smooth:
        parts = [np.concatenate([*s, *frames], axis=-1) for frames in (made, x)]
    else:
        parts = [np.concatenate([s, f], axis=-1).reshape(-1, 16, 16, 6) for f in (made, x)]
    np.testing.assert_allclose(call.inputs[0], np.concatenate(parts), atol=1e-5)
    count = len(parts[0])
    assert len(call.output) == 2
    return [
        [(logits[rows], [values[rows] for values in maps]) for logits, maps in call.output]
        for rows in (slice(count, None), slice(0, count))
    ]


def realism(of, played, made):
    """(D - 1)^2 summed over scales, D's maps times 10 / scales, L1, features times 10."""
    reals, fakes = judged(of, played, made)
    x, _ = given(of)
    far = [
        np.abs(a - b).mean()
        for (_, found), (_, true) in zip(fakes, reals, strict=True)
        for a, b in zip(found, true, strict=True)
    ]
    loss = sum(((logits - 1) ** 2).mean() for logits, _ in fakes) + 10 / 2 * sum(far)
    loss += of.config.distance * np.abs(made - x).mean()
    if of.config.perceptual:
        calls = played.calls["backbone"]
        loss += 10 * features_apart(calls[:2], *(f.reshape(-1, 16, 16, 3) for f in (x, made)))
    return loss


@pytest.mark.parametrize("overrides", [BODY, APART])
def test_the_generator(overrides):
    of = game(RECIPE, **overrides)
    played = of.play("generator")
    assert len(played.calls["generator"]) == 2 and "face" not in played.calls
    agree(played.value, realism(of, played, frames_of(of, played)))


@pytest.mark.parametrize("overrides", [BODY, APART])
def test_the_discriminator(overrides):
    """Half of (D(x) - 1)^2 and D(I)^2, summed over scales."""
    of = game(RECIPE, **overrides)
    played = of.play("discriminator")
    reals, fakes = judged(of, played, frames_of(of, played))
    agree(played.value, squares_of(reals, fakes))


def squares_of(reals, fakes):
    pairs = zip(reals, fakes, strict=True)
    return sum(0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean() for (r, _), (f, _) in pairs)


def faces_judged(of, played, made):
    """D_f's logits of real and made squares, each of poses and frames."""
    x, s = given(of)
    found = []
    for frames, call in zip((x, made), played.calls["face_discriminator"], strict=True):
        seen = squares(of, np.concatenate([s, frames], axis=-1)).reshape(-1, SIZE, SIZE, 6)
        np.testing.assert_allclose(call.inputs[0], seen, atol=1e-5)
        found.append(call.output)
    return found


def test_the_faces_player():
    """As the body's, with twice half of (D_f - 1)^2 and the features of squares."""
    of = game(RECIPE)
    played = of.play("face")
    made = frames_of(of, played)
    x, _ = given(of)
    _, fake = faces_judged(of, played, made)
    expected = realism(of, played, made) + ((fake - 1) ** 2).mean()
    parts = [squares(of, f).reshape(-1, SIZE, SIZE, 3) for f in (x, made)]
    expected += 10 * features_apart(played.calls["backbone"][2:], *parts)
    agree(played.value, expected)


def test_both_critics_of_the_second_phase():
    of = game(RECIPE)
    played = of.play("discriminator")
    made = frames_of(of, played)
    real, fake = faces_judged(of, played, made)
    whole = squares_of(*judged(of, played, made))
    faces = 0.5 * ((real - 1) ** 2).mean() + 0.5 * (fake**2).mean()
    agree(played.metric("whole"), whole)
    agree(played.value, whole + faces)


@pytest.mark.parametrize("overrides", [{}, BODY, APART])
def test_films_are_made_frame_after_frame(overrides):
    of = game(RECIPE, **overrides)
    outputs, calls = of.work("film")
    played = type("Played", (), {"calls": calls})
    made = frames_of(of, played)
    np.testing.assert_allclose(outputs["video"], made.swapaxes(0, 1), atol=1e-5)
    shown, _ = of.work("compare")
    parts = of.batch["video_pose"], outputs["video"], of.batch["video"]
    np.testing.assert_allclose(shown["video"], np.concatenate(parts, axis=3), atol=1e-5)
