"""By hand, in float64: the classifier of noised images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from twins.game import game, image_of
from twins.numbers import agree

RECIPE = "classifier_digits"


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def of_labels(of, logits):
    return log_softmax(logits)[np.arange(len(logits)), np.asarray(of.batch["label"])]


def test_the_loss_of_noised_images():
    """-log p(y | x_t), x_t = alpha_t x + sigma_t eps with Nichol & Dhariwal's alpha_t."""
    of = game(RECIPE)
    x, played, mirrored = image_of(of), of.play(), of.play(image=-of.batch["image"])
    ((call,), (other,)) = played.calls["classifier"], mirrored.calls["classifier"]
    x_t, t = call.inputs
    assert call.keys == 1  # It drops units.
    alpha = ((x_t - other.inputs[0]) / (2 * x)).mean((1, 2, 3))
    angles = (np.stack([t, 0 * t]) / 1000 + 0.008) / 1.008 * np.pi / 2
    expected = np.cos(angles[0]) / np.cos(angles[1])
    np.testing.assert_allclose(alpha, expected, rtol=1e-3, atol=1e-4)
    assert len(set(t)) == len(t) and np.ptp(t) > 300
    sigma = np.sqrt(1 - expected**2).reshape(-1, 1, 1, 1)
    noise = (x_t + other.inputs[0]) / (2 * sigma)
    assert abs(noise.std() - 1.0) < 0.1 and abs(noise.mean()) < 0.1
    agree(played.value, -of_labels(of, call.output[0]).mean())
    agree(played.metric("accuracy"), (call.output[0].argmax(-1) == of.batch["label"]).mean())


def test_a_classifier_of_images_as_they_are():
    of = game(RECIPE, noised=False)
    (call,) = of.play().calls["classifier"]
    np.testing.assert_allclose(call.inputs[0], image_of(of), rtol=1e-6)
    np.testing.assert_array_equal(call.inputs[1], 0.0)


@pytest.mark.parametrize("name", ["accuracy", "log_prob", "features"])
def test_what_it_is_used_for(name):
    of = game(RECIPE)
    time = np.linspace(1.0, 900.0, len(of.batch["label"]))
    outputs, calls = of.work(name, time=np.float32(time))
    (call,) = calls["classifier"]
    logits, maps = call.output
    np.testing.assert_allclose(call.inputs[0], image_of(of), rtol=1e-6)
    np.testing.assert_allclose(call.inputs[1], time if name == "log_prob" else 0.0, rtol=1e-6)
    assert call.keys == 0
    if name == "features":
        assert [outputs[f"map_{number}"].shape for number in range(2)] == [m.shape for m in maps]
        agree(outputs["map_1"], maps[1])
    else:
        agree(
            outputs["log_prob" if name == "log_prob" else "log_likelihood"], of_labels(of, logits)
        )
    if name == "accuracy":
        np.testing.assert_array_equal(
            outputs["accuracy"], logits.argmax(-1) == np.asarray(of.batch["label"])
        )


def test_the_distance_of_its_maps():
    """sum over maps of the mean over positions of |u(x) - u(y)|^2, u of length 1."""
    of = game(RECIPE)
    outputs, calls = of.work("distance", image_b=of.batch["image"][::-1])
    (_, x), (_, y) = (call.output for call in calls["classifier"])
    expected = 0.0
    for a, b in zip(x, y, strict=True):
        a, b = (m / np.linalg.norm(m, axis=-1, keepdims=True) for m in (a, b))
        expected += ((a - b) ** 2).sum(-1).mean((1, 2))
    agree(outputs["distance_classifier_npz"], expected)


def test_samples_are_guided_towards_their_labels():
    """DDIM by hand: x0_hat + s sigma^2 / alpha grad log p(y | x_t), at the model's x_t and t."""
    scale, steps = 3.0, {"sampler.name": "ddim", "sampler.spacing": "even", "sampler.steps": 2}
    steps |= {"sampler.classifier": scale, "network.multipliers": (1,)}
    of = game("classifier_guided_digits", **steps)
    outputs, calls = of.work("sample")
    assert len(calls["network"]) == len(calls["classifier"]) == 2
    x = calls["network"][0].inputs[0]
    for model, judge, (t, s) in zip(
        calls["network"], calls["classifier"], ((1000, 500), (500, 0)), strict=True
    ):
        np.testing.assert_allclose(model.inputs[0], x, atol=1e-3)
        for call in (model, judge):
            np.testing.assert_array_equal(call.inputs[0], model.inputs[0])
            np.testing.assert_array_equal(call.inputs[1], t)
        x = model.inputs[0]

        def log_p(x, judge=judge):
            (logits, _), _ = judge.again(of.variables.frozen["classifier"], x, judge.inputs[1])
            rows = np.arange(len(logits)), np.asarray(of.batch["label"])
            return jax.nn.log_softmax(logits)[rows].sum()

        slope = np.float64(jax.grad(log_p)(jnp.float32(x)))
        alpha, sigma = alpha_and_sigma(t)
        x0 = (x - sigma * model.output) / alpha + scale * sigma**2 / alpha * slope
        if t == 500:
            assert np.abs(scale * sigma**2 / alpha * slope).max() > 0.05
        x0 = np.clip(x0, -1, 1)
        noise = (x - alpha * x0) / sigma
        alpha, sigma = alpha_and_sigma(s)
        x = alpha * x0 + sigma * noise
    np.testing.assert_allclose(outputs["image"], x, atol=1e-3)
    np.testing.assert_array_equal(outputs["label"], of.batch["label"])


def alpha_and_sigma(t, times=1000):
    """Of Nichol & Dhariwal's table at time t."""
    f = np.cos((np.arange(times + 1) / times + 0.008) / 1.008 * np.pi / 2) ** 2
    abar = np.concatenate([[1.0], np.cumprod(1 - np.minimum(1 - f[1:] / f[:-1], 0.999))])[t]
    return np.sqrt(abar), np.sqrt(1 - abar)
