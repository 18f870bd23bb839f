"""By hand, in float64: diffusion of a first stage's latents, by label and by caption."""

import numpy as np
import pytest

from twins.game import game, image_of
from twins.inputs import COUNT
from twins.numbers import agree

RECIPE = "latent_diffusion_emoji"
CAPTIONS = {
    "condition.name": "caption", "label_dropout": 0.5, "data.captions": "words",
    "condition.text.width": 8, "condition.text.layers": 1, "condition.text.heads": 2,
    "condition.text.hidden": 8, "network.transformer_blocks": 1,
}  # fmt: skip
LABELS = {"label_dropout": 0.5}


def cumulative(times=1000):
    """abar_t of Rombach et al.'s "linear": sqrt(beta) in equal steps."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, times) ** 2
    return np.concatenate([[1.0], np.cumprod(1 - betas)])


def encoded(calls):
    """z of the first stage's encoder, drawn: what the network was given is made of it."""
    moments, *others = (c.output for c in calls["autoencoder"] if c.method == "moments")
    for other in others:  # For the scale and for the loss, of one draw.
        np.testing.assert_allclose(other, moments, rtol=1e-6)
    return np.split(moments, 2, axis=-1)


@pytest.mark.parametrize("step", [0, 7])
def test_the_loss(step):
    """v of z = scale E(x), scale = 1 / std(E(x)) of the first batch and kept from then on."""
    of = game(RECIPE, **LABELS)
    played = of.play(step=step)
    ((call,), (mean, log_variance)) = played.calls["network"], encoded(played.calls)
    z_t, t, labels = call.inputs[:3]
    scale = played.metric("scale")
    if step:
        assert scale == float(of.variables.state["scale"]["latent"]) == 1.0
    abar = cumulative()[t.astype(int)].reshape(-1, 1, 1, 1)
    # The latent is drawn by one noise and noised by another: see both by what the output should be.
    other = of.play(step=step, image=-of.batch["image"])
    (other_call,), (other_mean, other_log_variance) = other.calls["network"], encoded(other.calls)
    std, other_std = np.exp(0.5 * log_variance), np.exp(0.5 * other_log_variance)
    # z_t = sqrt(abar) scale (mean + std e) + sqrt(1 - abar) n, with the same e and n in both.
    signal, noise = np.sqrt(abar), np.sqrt(1 - abar)
    if step:
        difference = (z_t - other_call.inputs[0]) / signal - (mean - other_mean)
        e = difference / (std - other_std)
        z = mean + std * e
        n = (z_t - signal * z) / noise
        assert abs(n.std() - 1) < 0.1 and abs(np.median(np.abs(e)) - 0.674) < 0.1
        v = signal * n - noise * z
        np.testing.assert_allclose(played.value, ((v - call.output) ** 2).mean(), rtol=2e-3)
    else:
        drawn = np.sqrt(mean.var() + (std**2).mean())
        assert abs(scale * drawn - 1) < 0.1
        assert float(played.state["scale"]["latent"]) == pytest.approx(scale)
    hidden = labels == 10
    np.testing.assert_array_equal(labels[~hidden], np.asarray(of.batch["label"])[~hidden])
    assert 2 < hidden.sum() < COUNT - 2 and call.keys == 1


def test_captions_are_read_and_hidden():
    """Hidden, a caption is empty; the network's context is the tower's tokens."""
    of = game(RECIPE, **CAPTIONS)
    played = of.play()
    (read,), (call,) = played.calls["text"], played.calls["network"]
    ids, caption = read.inputs[0], np.asarray(of.batch["caption"])
    hidden = (ids == 0).all(1)
    np.testing.assert_array_equal(ids[~hidden], caption[~hidden])
    assert 2 < hidden.sum() < COUNT - 2 and (caption != 0).any(1).all()
    np.testing.assert_array_equal(call.inputs[-1], read.output.tokens)


def test_samples_are_guided_and_decoded():
    """DDIM of 2 steps by hand: (1 + w) c - w u of v, then D(z / scale)."""
    w, steps = 1.5, 2
    sampler = {"name": "ddim", "spacing": "even", "steps": steps, "guidance": w}
    of = game(RECIPE, **LABELS, **{f"sampler.{k}": v for k, v in sampler.items()})
    state = {**of.variables.state, "scale": {"latent": np.float32(2.0)}}
    of = of._replace(variables=of.variables._replace(state=state))
    outputs, calls = of.work("sample")
    told, untold = (
        [c for c in calls["network"] if (c.inputs[2] == 10).all() == null] for null in (False, True)
    )
    assert len(told) == len(untold) == steps
    abar, x = cumulative(), told[0].inputs[0]
    assert abs(x.std() - 1) < 0.1
    for call, null, (t, s) in zip(told, untold, ((1000, 500), (500, 0)), strict=True):
        np.testing.assert_allclose(call.inputs[0], x, rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(call.inputs[1], t)
        np.testing.assert_array_equal(call.inputs[2], of.batch["label"])
        np.testing.assert_array_equal(null.inputs[2], 10)
        v = (1 + w) * call.output - w * null.output
        alpha, sigma = np.sqrt(abar[t]), np.sqrt(1 - abar[t])
        z, noise = alpha * x - sigma * v, sigma * x + alpha * v
        x = np.sqrt(abar[s]) * z + np.sqrt(1 - abar[s]) * noise
    (decoded,) = (c for c in calls["autoencoder"] if c.method == "decode")
    np.testing.assert_allclose(decoded.inputs[0], x / 2.0, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(outputs["image"], np.float32(decoded.output))
    np.testing.assert_array_equal(outputs["label"], of.batch["label"])


def test_a_prompt_is_shown_by_all_samples():
    of = game(RECIPE, **CAPTIONS, **{"sampler.prompt": "a seven", "sampler.guidance": 0.0})
    _, calls = of.work("sample", moves=True)
    read = [c.inputs[0] for c in calls["text"] if c.inputs[0].any()]
    assert read
    for ids in read:  # "a" is the most frequent word, whose number is 2.
        assert (ids == ids[0]).all() and ids[0, 0] == 2 and ids[0, 1] > 2
    assert len(calls["network"]) == of.config.sampler.steps


def test_the_ceiling_is_the_first_stages():
    of = game(RECIPE, **LABELS)
    outputs, calls = of.work("distortion")
    (decoded,) = (c for c in calls["autoencoder"] if c.method == "decode")
    mean, _ = encoded(calls)
    agree(decoded.inputs[0], mean)
    error = (np.clip(decoded.output, -1, 1) - image_of(of)) ** 2
    np.testing.assert_allclose(outputs["squared_error"], error.mean((1, 2, 3)), rtol=1e-4)


def test_a_prompt_is_of_samples_and_not_of_training():
    own = CAPTIONS | {"label_dropout": 0.0, "sampler.guidance": 0.0}
    of = game(RECIPE, **own | {"sampler.prompt": "a seven"})
    (text,) = of.play().calls["text"]
    np.testing.assert_array_equal(text.inputs[0], of.batch["caption"])
