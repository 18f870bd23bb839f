"""Stable Diffusion by hand in float64, at tiny size: samples, inpainting, the loss of tuning."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from published_files import write_tiny
from twins.game import also
from twins.watch import watch

import gm_jax
from gm_jax.diffusion.stable_diffusion import system
from gm_jax.model import Variables
from gm_jax.recipes import recipe

COUNT, SCALE = 16, 0.18215
BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
ABAR = np.cumprod(1 - BETAS)  # Of times from 0, the least noise.
CAT, AAA = ([518, number, *[519] * 5] for number in (513, 516))  # The end pads, too.
E, N = np.random.default_rng(0).normal(size=(2, COUNT, 8, 8, 4))  # Of the latents, of the noise.


def opened(folder, **changed):
    """The phase of a tiny folder's recipe, and its published variables."""
    own = dict(
        system="stable_diffusion", steps=0, batch_size=COUNT, weights=str(folder),
        data=dict(name="none"), show=dict(every=0, counts=dict(sample=0)),
    )  # fmt: skip
    (phase,) = gm_jax.build(recipe("", own | changed))
    return phase, phase.stages["published"].variables()


def test_a_guided_sample(tmp_path):
    """DDIM at times 501 and 1: n + (1 + w) (c - n), c of the prompt and n of the negative one."""
    sampler = dict(steps=2, prompt="cat", negative="aaa", guidance=1.5, name="ddim")
    phase, published = opened(write_tiny(tmp_path / "sd"), sampler=sampler)
    variables, batch = Variables({}, frozen={"published": published}), {"index": jnp.arange(3)}
    sample = watch(phase.model.functions["sample"])
    images, calls = sample(variables, batch, jax.random.key(5))
    told, untold = (c.inputs[0] for c in calls["text_encoder"])
    np.testing.assert_array_equal(told, [CAT] * 3)
    np.testing.assert_array_equal(untold, [AAA])
    contexts = [c.output.tokens for c in calls["text_encoder"]]
    x = calls["unet"][0].inputs[0][:3]
    assert abs(x.std() - 1) < 0.15
    # Past the last time alpha is that of time 0: set_alpha_to_one False.
    for call, t, after in zip(calls["unet"], (501, 1), (ABAR[1], ABAR[0]), strict=True):
        seen, level, context = call.inputs
        np.testing.assert_allclose(seen, np.concatenate([x, x]), atol=1e-4)
        np.testing.assert_array_equal(level, [t] * 6)
        np.testing.assert_allclose(context[:3], np.broadcast_to(contexts[1], context[:3].shape))
        np.testing.assert_allclose(context[3:], contexts[0])
        negative, positive = np.split(call.output, 2)
        noise = negative + 2.5 * (positive - negative)
        x0 = (x - np.sqrt(1 - ABAR[t]) * noise) / np.sqrt(ABAR[t])
        x = np.sqrt(after) * x0 + np.sqrt(1 - after) * noise
    (decoded,) = calls["vae"]
    np.testing.assert_allclose(decoded.inputs[0], x / SCALE, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(images["image"], decoded.output)


def test_what_is_known_of_an_image_stays(tmp_path, monkeypatch):
    """The last two of four steps from z noised to time 251; after each, what is not masked is z
    noised by the same n to the next level, and z itself at the end."""
    rng = np.random.default_rng(2)
    levels, half = rng.integers(0, 256, (16, 16, 3)), np.arange(16)[:, None] < np.full(16, 6)
    for name, picture in (("image", levels), ("mask", 255 * half)):
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / f"{name}.png")
    files = {name: str(tmp_path / f"{name}.png") for name in ("image", "mask")}
    sampler = dict(steps=4, strength=0.5, prompt="cat", guidance=0.0, name="ddim", **files)
    phase, published = opened(write_tiny(tmp_path / "sd"), sampler=sampler)
    draws = iter([N[:3], E[:3], 0.0 * E[:3]])  # Of the start, the image, the masked image.
    monkeypatch.setattr(system, "normal", lambda keys, shape: jnp.float32(next(draws)))
    variables, batch = Variables({}, frozen={"published": published}), {"index": jnp.arange(3)}
    images, calls = watch(phase.model.functions["sample"])(variables, batch, jax.random.key(5))
    encoded, decoded = calls["vae"]
    np.testing.assert_allclose(encoded.inputs[0][0], levels / 127.5 - 1, atol=1e-5)
    mean, deviation = encoded.output
    z, mask = SCALE * (mean + deviation * E[:3]), half[::2, ::2, None]

    def noised(abar):
        return np.sqrt(abar) * z + np.sqrt(1 - abar) * N[:3]

    x = noised(ABAR[251])
    for call, t, after in zip(calls["unet"], (251, 1), (ABAR[1], ABAR[0]), strict=True):
        np.testing.assert_allclose(call.inputs[0], x, atol=1e-3)
        np.testing.assert_array_equal(call.inputs[1], [t] * 3)
        x0 = (x - np.sqrt(1 - ABAR[t]) * call.output) / np.sqrt(ABAR[t])
        x = np.sqrt(after) * x0 + np.sqrt(1 - after) * call.output
        x = np.where(mask, x, z if t == 1 else noised(after))
    np.testing.assert_allclose(decoded.inputs[0], x / SCALE, rtol=1e-3, atol=5e-3)
    np.testing.assert_array_equal(images["image"], decoded.output)


@pytest.mark.parametrize("prediction", ["noise", also("v")])
def test_the_loss(prediction, tmp_path, monkeypatch):
    """|eps or v - U(z_t, t - 1, text)|^2, z = scale (mean + deviation e); some texts are ""."""
    phase, published = opened(
        write_tiny(tmp_path / "sd"), steps=2, train="unet", prediction=prediction,
        data=dict(name="shapes", size=16, captions="words"), caption_dropout=0.25,
        sampler=dict(steps=2, prompt="cat"),
    )  # fmt: skip
    own = {"unet": jax.tree.map(lambda p: 1.1 * p, published.params["unet"])}
    variables = Variables(own, frozen={"published": published})
    rng = np.random.default_rng(1)
    ids = np.array([[518, 256, 519, 0, 0, 0, 0], [518, 257, 256, 519, 0, 0, 0]])
    batch = {
        "image": jnp.float32(rng.uniform(-1, 1, (COUNT, 16, 16, 3))),
        "caption": jnp.asarray(np.resize(ids, (COUNT, 7))),
        "index": jnp.arange(COUNT),
    }
    draws = iter([E, N])
    monkeypatch.setattr(system, "normal", lambda keys, shape: jnp.float32(next(draws)))
    (move,) = phase.model.players[0].moves
    (value, _), calls = watch(move.objective)(variables, batch, jax.random.key(5), 0)
    (text,), (encoded,), (call,) = (calls[name] for name in ("text_encoder", "vae", "unet"))

    np.testing.assert_array_equal(encoded.inputs[0], np.asarray(batch["image"]))
    mean, deviation = encoded.output
    z = SCALE * (mean + deviation * E)
    x, level, context = call.inputs
    abar = ABAR[level.astype(int)].reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(x, np.sqrt(abar) * z + np.sqrt(1 - abar) * N, atol=1e-4)
    assert np.ptp(level) > 500 and len(np.unique(level)) > COUNT - 3
    target = {"noise": N, "v": np.sqrt(abar) * N - np.sqrt(1 - abar) * z}[prediction]
    np.testing.assert_allclose(value, ((target - call.output) ** 2).mean(), rtol=1e-4)

    np.testing.assert_allclose(context, text.output.tokens, atol=1e-5)
    seen = text.inputs[0]
    empty = np.array([518, *[519] * 6])  # The end pads, too.
    hidden = (seen == empty).all(1)
    assert 1 < hidden.sum() < COUNT // 2
    told = np.where(np.resize(ids, (COUNT, 7)) == 0, 519, np.resize(ids, (COUNT, 7)))
    np.testing.assert_array_equal(seen[~hidden], told[~hidden])
