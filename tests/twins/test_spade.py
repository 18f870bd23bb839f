"""By hand, in float64: SPADE's players, with a style and without."""

import numpy as np
import pytest

from twins.game import also, game
from twins.numbers import agree, gaussian_kl, hot

RECIPE = "spade_scenes"
PLAIN = {"style": False, "edges": False, "perceptual": 0.0}


def photo_of(of):
    return np.asarray(of.batch["image_b"], np.float64)


def labels_of(of):
    """A channel for each class, then whether one of the four neighbours is another object."""
    m = hot(of.batch["segmentation"], 5)
    if not of.config.edges:
        return m
    instance = np.asarray(of.batch["segmentation_instance"])
    border = np.zeros((*instance.shape, 1), bool)
    for n, i, j in np.ndindex(instance.shape):
        for k, l in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            if 0 <= k < instance.shape[1] and 0 <= l < instance.shape[2]:
                border[n, i, j] |= instance[n, k, l] != instance[n, i, j]
    return np.concatenate([m, border], axis=-1)


def judged(of, played):
    """D's output for fakes and reals, scale by scale: (logits, maps) each."""
    m, x = labels_of(of), photo_of(of)
    (call,) = played.calls["discriminator"]
    (fake,) = played.outputs("generator")
    pairs = [np.concatenate([m, image], axis=-1) for image in (fake, x)]
    np.testing.assert_allclose(call.inputs[0], np.concatenate(pairs), atol=1e-5)
    count = len(x)
    assert len(call.output) == 2
    return [
        [(logits[rows], [values[rows] for values in maps]) for logits, maps in call.output]
        for rows in (slice(0, count), slice(count, None))
    ]


@pytest.mark.parametrize("overrides", [also({}), PLAIN])
def test_spades_generator(overrides):
    """-D, D's maps times 10 / scales, features times 10, .05 KL summed over the batch."""
    of = game(RECIPE, **overrides)
    x, played = photo_of(of), of.play("generator")
    (call,) = played.calls["generator"]
    np.testing.assert_array_equal(call.inputs[0], labels_of(of))
    fakes, reals = judged(of, played)
    expected = -np.mean([logits.mean() for logits, _ in fakes])
    far = [
        np.abs(a - b).mean()
        for (_, found), (_, true) in zip(fakes, reals, strict=True)
        for a, b in zip(found, true, strict=True)
    ]
    assert len(far) == 2 * 2 and len(fakes[0][1]) == 2  # All maps but the logits.
    expected += 10 / 2 * sum(far)
    agree(played.metric("matching"), sum(far) / 2)
    if overrides:
        assert "backbone" not in played.calls and "encoder" not in of.variables.params
        assert len(call.inputs) == 1
    else:
        expected += 10 * features_apart(played.calls["backbone"], x, call.output)
        ((mean, log_variance),) = played.outputs("encoder")
        np.testing.assert_allclose(played.seen("encoder")[0], x, atol=1e-6)
        expected += 0.05 * gaussian_kl(mean, log_variance).sum()
        noise = (call.inputs[1] - mean) / np.exp(0.5 * log_variance)
        other = of.play("generator", image_b=-of.batch["image_b"])
        ((mean, log_variance),) = other.outputs("encoder")
        again = (other.calls["generator"][0].inputs[1] - mean) / np.exp(0.5 * log_variance)
        np.testing.assert_allclose(noise, again, atol=1e-3)
        assert abs(noise.std() - 1) < 0.3 and abs(noise.mean()) < 0.4
    agree(played.value, expected)


def features_apart(calls, x, y):
    """Mean absolute errors of two maps with weights of a half and one; pictures as they are."""
    for call, image in zip(calls, (x, y), strict=True):
        np.testing.assert_allclose(call.inputs[0], image, atol=1e-6)
    true, found = (call.output for call in calls)
    return sum(
        weight * np.abs(true[name] - found[name]).mean()
        for name, weight in (("relu1_1", 0.5), ("relu2_1", 1.0))
    )


@pytest.mark.parametrize("overrides", [{}, PLAIN])
def test_spades_discriminator(overrides):
    """max(0, 1 - D(m, x)) + max(0, 1 + D(m, G(m, z))), the mean over scales."""
    of = game(RECIPE, **overrides)
    played = of.play("discriminator")
    fakes, reals = judged(of, played)
    terms = [
        np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()
        for (real, _), (fake, _) in zip(reals, fakes, strict=True)
    ]
    agree(played.value, np.mean(terms))


def test_spades_functions():
    """A style is drawn to translate, and the photograph's mean style to reconstruct."""
    of = game(RECIPE)
    m, x = labels_of(of), photo_of(of)
    outputs, calls = of.work("translate")
    (call,) = calls["generator"]
    np.testing.assert_array_equal(call.inputs[0], m)
    z = call.inputs[1]
    assert z.shape == (16, 3) and abs(z.std() - 1) < 0.3 and len(np.unique(z)) == z.size
    np.testing.assert_allclose(outputs["image_b"], call.output, atol=1e-6)
    pair, calls = of.work("reconstruct")
    (call,) = calls["generator"]
    mean, _ = calls["encoder"][0].output
    np.testing.assert_allclose(call.inputs[1], mean, atol=1e-6)
    np.testing.assert_allclose(pair["image"], np.stack([x, call.output], axis=1), atol=1e-5)
    shown, _ = of.work("compare")
    expected = np.concatenate([pair["image"], outputs["image_b"][:, None]], axis=1)
    np.testing.assert_allclose(shown["image"], expected, atol=1e-5)


def test_spade_without_styles_gives_each_label_map_one_photograph():
    of = game(RECIPE, **PLAIN)
    outputs, calls = of.work("translate")
    assert len(calls["generator"][0].inputs) == 1
    pair, _ = of.work("reconstruct")
    np.testing.assert_allclose(pair["image"][:, 1], outputs["image_b"], atol=1e-5)
