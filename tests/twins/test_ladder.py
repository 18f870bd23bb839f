"""By hand, in float64: the ladder network's cost of each layer, and its classification."""

import itertools

import numpy as np
import pytest

from twins.game import also, game, image_of
from twins.numbers import agree, hot, log_softmax, pick

RECIPE = "ladder_mnist"


def pixels(x):
    return (x.reshape(len(x), -1) + 1) / 2


def statistics(x):
    return x.mean(0), np.sqrt(((x - x.mean(0)) ** 2).mean(0) + 1e-10)


@pytest.mark.parametrize(
    "weights", [(10.0, 1.0, 0.1, 0.2), also((0.0, 0.0, 0.0, 0.5)), also((5.0, 0.0, 0.0, 0.0))]
)
def test_the_cost_of_each_layer(weights):
    of = game(RECIPE, weights=weights)
    p = {name: np.float64(x) for name, x in flat(of.variables.params)}
    played = of.play()
    x, labels = pixels(image_of(of)), np.asarray(of.batch["label_labelled"])
    runs = [encoded(p, *call) for call in inputs(of, played)]
    (z, _, _, moments), (noisy, top, _, _), (_, _, logits, _) = runs
    assert np.array_equal(z[0], np.float32(x))
    estimates, costs = decoded(p, noisy, top, weights), {}
    for layer, weight in enumerate(weights):
        if weight:
            m, s = moments[layer - 1] if layer else (0.0, 1.0)
            costs[layer] = weight * (((estimates[layer] - m) / s - z[layer]) ** 2).mean()
            agree(played.metric(f"layer_{layer}"), costs[layer], 1e-4)
    loss = -pick(log_softmax(logits), labels).mean()
    agree(played.metric("classification"), loss, 1e-4)
    agree(played.value, loss + sum(costs.values()), 1e-4)


def inputs(of, played):
    """(x, noise of each layer) of the clean pass, the noisy one and that of the labelled."""
    x, other = (pixels(np.asarray(of.batch[n], np.float64)) for n in ("image", "image_labelled"))
    found = {}
    for call in played.calls["encoder"]:
        own, *noise = call.inputs
        name = ("noisy" if noise else "clean") + ("" if np.allclose(own, x) else "_labelled")
        found[name] = own, noise
        assert np.allclose(own, x) or np.allclose(own, other)
        for part in noise:
            assert abs(part.std() - 0.3) < 0.12
    assert set(found) == {"clean", "noisy", "noisy_labelled"}
    first, second = found["noisy"][1], found["noisy_labelled"][1]
    for a, b in zip(first, second, strict=True):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.4
    for below, above in itertools.pairwise(first):  # The same keys would draw the same beginnings.
        units = min(below.shape[1], above.shape[1])
        alike = np.corrcoef(below[:, :units].ravel(), above[:, :units].ravel())[0, 1]
        assert abs(alike) < 0.4
    return [found[name] for name in ("clean", "noisy", "noisy_labelled")]


def flat(tree, path=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{name}.")
        else:
            yield path + name, value


def encoded(p, x, noise):
    """z of each layer, the softmax, its logits, and (m, s) of each layer but the image."""
    layers, seen = sum(name.startswith("encoder.shift") for name in p), []
    z = [x + noise[0] if noise else x]
    h = z[0]
    for n in range(layers):
        before = h @ p[f"encoder.Dense_{n}.kernel"]
        m, s = statistics(before)
        seen.append((m, s))
        z.append((before - m) / s + (noise[n + 1] if noise else 0.0))
        drive = z[-1] + p[f"encoder.shift_{n + 1}"]
        h = np.maximum(drive, 0.0)
    logits = p["encoder.scale"] * drive
    return z, np.exp(log_softmax(logits)), logits, seen


def decoded(p, z, top, weights):
    """The estimates of the layers, from the top to the lowest that has a cost."""
    lowest = next(layer for layer, weight in enumerate(weights) if weight)
    m, s = statistics(top)
    u, estimates = (top - m) / s, {}
    for number, layer in enumerate(range(len(z) - 1, lowest - 1, -1)):
        a = p[f"decoder.a_{layer}"]
        mu = a[0] / (1 + np.exp(-(a[1] * u + a[2]))) + a[3] * u + a[4]
        v = a[5] / (1 + np.exp(-(a[6] * u + a[7]))) + a[8] * u + a[9]
        estimates[layer] = (z[layer] - mu) * v + mu
        if layer > lowest:
            below = estimates[layer] @ p[f"decoder.Dense_{number}.kernel"]
            m, s = statistics(below)
            u = (below - m) / s
    return estimates


def test_hidden_labels_are_not_learned_from():
    of = game(RECIPE)
    wrong = (np.asarray(of.batch["label"]) + 1) % 10
    assert of.play(label=wrong).value == of.play().value


def test_without_costs_it_is_a_classifier():
    of = game(RECIPE, weights=(0.0, 0.0, 0.0, 0.0))
    assert set(of.variables.params) == {"encoder"}
    played = of.play()
    assert len(played.calls["encoder"]) == 1
    assert played.value == played.metric("classification")


def test_classes_and_errors():
    of = game(RECIPE)
    outputs, _ = of.work("classify", moves=False)
    p = {name: np.float64(x) for name, x in flat(of.variables.params)}
    h = pixels(image_of(of))
    for n, (m, variance) in enumerate(of.variables.state["moments"]):
        z = (h @ p[f"encoder.Dense_{n}.kernel"] - np.float64(m)) / np.sqrt(variance + 1e-10)
        drive = z + p[f"encoder.shift_{n + 1}"]
        h = np.maximum(drive, 0.0)
    logits = p["encoder.scale"] * drive
    np.testing.assert_array_equal(outputs["label"], logits.argmax(-1))
    outputs, _ = of.work("error")
    label = np.asarray(of.batch["label"])
    np.testing.assert_array_equal(outputs["error"], logits.argmax(-1) != label)
    log_p = (hot(label, 10) * log_softmax(logits)).sum(-1)
    np.testing.assert_allclose(outputs["log_likelihood"], log_p, rtol=1e-3, atol=1e-3)
