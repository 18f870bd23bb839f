"""By hand, in float64: the classifier of noised images."""

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
