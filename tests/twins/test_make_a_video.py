"""By hand, in float64: Make-A-Video's loss, and what its network is told of films."""

import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.multimodal.clip import pixels
from twins.game import game
from twins.inputs import COUNT
from twins.numbers import agree, bicubic

RECIPE = "make_a_video_shapes"
PLAIN = {"sampler.guidance": 0.0, "data.frames": 5, "frames": 3}
COUNTS = ("show.counts", "evaluate.attributes")
NOTHING = {f"{of}.{name}": 0 for of in COUNTS for name in ("sample", "animate")}
BETWEEN = PLAIN | NOTHING | {"frames": 5, "strides": (1,), "given_frames": 2}


def small(film):
    """Films [B, T, 32, 32, 3] at half their sides."""
    flat = np.asarray(film, float).reshape(-1, *film.shape[2:])
    return np.clip(bicubic(flat, 16), -1, 1).reshape(*film.shape[:2], 16, 16, 3)


def scaled(call):
    """An embedding of CLIP's, with numbers of variance 1."""
    x = call.output.pooled
    return x / np.linalg.norm(x, axis=1, keepdims=True) * np.sqrt(x.shape[1])


def denoised(x, level, output):
    """(noised, x0_hat, weight) of what EDM's network was given, film by film."""
    sigma = np.exp(4 * level).reshape(-1, 1, 1, 1, 1)
    total = np.sqrt(sigma**2 + 0.25)
    noised = x * total
    return noised, 0.25 / total**2 * noised + 0.5 * sigma / total * output, (
        total / (0.5 * sigma)
    ) ** 2, sigma  # fmt: skip


def test_the_loss_of_films_at_strides():
    """EDM's loss of every frame, one noise level a film; told are the first frame and the rate."""
    of = game(RECIPE, label_dropout=0.5, **PLAIN)
    played = of.play()
    (call,), (read,), (rates,) = (played.calls[n] for n in ("network", "reader", "rates"))
    (rate,), video = rates.inputs, np.asarray(of.batch["video"])
    np.testing.assert_array_equal(np.unique(rate), [0, 1])
    film = np.stack([v[:: r + 1][:3] for v, r in zip(video, rate, strict=True)])
    (seen,) = played.calls["image"]
    np.testing.assert_allclose(seen.inputs[0], pixels(video[:, 0]), atol=1e-5)
    z, hidden = read.inputs
    np.testing.assert_allclose(z, scaled(seen), atol=1e-4)
    assert 2 < hidden.sum() < COUNT - 2
    table = of.variables.params["rates"]["Embed_0"]["embedding"]
    none = of.variables.params["reader"]["none"]
    told = np.where(hidden[:, None], none, z) + np.asarray(table)[rate]
    np.testing.assert_allclose(call.inputs[2], told.repeat(3, axis=0), atol=1e-4)
    np.testing.assert_allclose(call.inputs[3], read.output[1].repeat(3, axis=0), atol=1e-5)
    level = call.inputs[1].reshape(COUNT, 3)
    np.testing.assert_allclose(level, level[:, :1].repeat(3, axis=1))
    shape = COUNT, 3, 16, 16, 3
    parts = call.inputs[0].reshape(shape), level[:, 0], call.output.reshape(shape)
    noised, x0, weight, sigma = denoised(*parts)
    x = small(film)
    agree(played.value, (weight * (x0 - x) ** 2).mean())
    eps = (noised - x) / sigma
    assert abs(eps.std() - 1) < 0.05
    assert abs(np.corrcoef(eps[:, 0].ravel(), eps[:, 1].ravel())[0, 1]) < 0.05


@pytest.mark.slow
def test_a_film_is_of_the_first_frame_at_the_last_rate():
    of = game(RECIPE, **PLAIN)
    outputs, calls = of.work("animate")
    assert outputs["video"].shape == (COUNT, 3, 16, 16, 3)
    (seen,) = calls["image"]
    np.testing.assert_allclose(seen.inputs[0], pixels(of.batch["video"][:, 0]), atol=1e-5)
    np.testing.assert_allclose(calls["reader"][0].inputs[0], scaled(seen), atol=1e-4)
    np.testing.assert_array_equal(calls["rates"][0].inputs[0], [1] * COUNT)
    prompted = game(
        RECIPE, **PLAIN, **{"sampler.embedding": "text", "sampler.prompt": "a small red cross"}
    )
    _, calls = prompted.work("sample", moves=False)
    assert len(np.unique(calls["reader"][0].inputs[0].round(3), axis=0)) == 1


@pytest.mark.slow
def test_what_is_given_is_seen_and_stays():
    of = game(RECIPE, **BETWEEN)
    x, mask = small(np.asarray(of.batch["video"])), np.array([1, 0, 1, 0, 1])
    expected = x * mask.reshape(-1, 1, 1, 1)
    call = of.play().calls["network"][0]
    given = call.inputs[0].reshape(COUNT, 5, 16, 16, 7)
    np.testing.assert_allclose(given[..., 3:6], expected, atol=1e-5)
    np.testing.assert_array_equal(given[0, :, 0, 0, 6], mask)
    outputs, calls = of.work("fill")
    first = jnp.float32(bicubic(x[:, 0], 32))  # The frame given first, enlarged.
    np.testing.assert_allclose(calls["image"][0].inputs[0], pixels(first), atol=1e-4)
    for call in calls["network"]:
        given = call.inputs[0].reshape(COUNT, 5, 16, 16, 7)
        np.testing.assert_allclose(given[..., 3:6], expected, atol=1e-5)
    video = outputs["video"]
    np.testing.assert_allclose(video[:, ::2], x[:, ::2], atol=1e-5)
    errors, _ = of.work("interpolation")
    line = 0.5 * (x[:, :-2:2] + x[:, 2::2])
    for name, made in (("", video[:, 1::2]), ("_line", line)):
        expected = ((made - x[:, 1::2]) ** 2).mean((1, 2, 3, 4))
        np.testing.assert_allclose(errors[f"squared_error{name}"], expected, rtol=1e-3)
    own = {"video_known": np.float32(-x[:, ::2])}
    np.testing.assert_allclose(of.work("fill", **own)[0]["video"][:, ::2], -x[:, ::2], atol=1e-5)
