"""By hand, in float64: both players of adversarial autoencoders, from what networks returned."""

import numpy as np
import pytest
from scipy.stats import norm

from twins.game import also, game, image_of, likelihood, mean_image, on
from twins.inputs import COUNT
from twins.numbers import agree, drawn_from, hot, log_loss, log_softmax, pick, softplus

RECIPE, SEMI = "aae_mnist", "aae_mnist_semi"
HALF = {"data.name": "half_labelled", "data.base": "npz"}


def pixels(x):
    return (x.reshape(len(x), -1) + 1) / 2


@pytest.mark.parametrize("half", [True, also(False)])
def test_both_losses(half):
    """-log D(z', k') - log(1 - D(z, k)) and -log p(x | z) - w log D(z, k), k one of 11."""
    of = game(RECIPE, likelihood="gaussian", adversarial=3.0, **(HALF if half else {}))
    label = np.asarray(of.batch["label"])
    classes, x = label, image_of(of)
    if half:
        other = np.asarray(of.batch["image_labelled"], np.float64)
        x = np.concatenate([x, other])
        classes = np.concatenate([np.full(COUNT, 10), of.batch["label_labelled"]])
    for player in ("autoencoder", "discriminator"):
        played = of.play(player)
        (encoder,) = played.calls["encoder"]
        agree(encoder.inputs[0], pixels(x))
        z = encoder.output
        judged = on(played.calls["discriminator"], np.concatenate([z, hot(classes, 11)], -1))
        fake = judged.output[:, 0]
        if player == "autoencoder":
            (decoder,) = played.calls["decoder"]
            np.testing.assert_array_equal(decoder.inputs[0], z)
            log_p = likelihood(of, x, decoder.output).mean()
            agree(played.metric("reconstruction"), log_p)
            agree(played.value, 3.0 * softplus(-fake).mean() - log_p)
        else:
            reals = [c for c in played.calls["discriminator"] if c is not judged]
            assert len(reals) == 1 + half
            real = np.concatenate([c.output[:, 0] for c in reals])
            agree(played.value, log_loss(real, fake).mean())
            seen = [c.inputs[0] for c in reals]
            if half:  # The whole prior for what has no label.
                np.testing.assert_array_equal(seen[0][:, 2:], hot([10] * COUNT, 11))
                assert len(set(arm(seen[0]))) > 4
            assert np.mean(arm(seen[-1]) == seen[-1][:, 2:].argmax(-1)) > 0.8
            assert len(set(arm(seen[-1]))) > 4 and np.all(seen[-1][:, -1] == 0)
            if half:
                assert not np.allclose(seen[0][:, :2], seen[1][:, :2])


def arm(rows):
    """The nearest of ten directions of what D sees."""
    angle = np.arctan2(rows[:, 1], rows[:, 0])
    return np.round(angle / (2 * np.pi / 10)).astype(int) % 10


def test_without_labels_the_critic_sees_codes_alone():
    of = game(RECIPE, labels=False, prior="normal", latents=3)
    played = of.play("discriminator")
    (encoder,) = played.calls["encoder"]
    fake = on(played.calls["discriminator"], encoder.output)
    (real,) = [c for c in played.calls["discriminator"] if c is not fake]
    agree(played.value, log_loss(real.output[:, 0], fake.output[:, 0]).mean())
    z = real.inputs[0]
    assert z.shape == (COUNT, 3) and abs(z.std() - 1) < 0.35


def test_a_gaussian_posterior_is_drawn_and_has_no_kl():
    drawn = {"posterior.name": "gaussian", "adversarial": 2.0}
    of = game(RECIPE, prior="normal", labels=False, latents=128, **drawn)
    played = of.play("autoencoder")
    (outputs,), (z,) = played.outputs("encoder"), played.seen("decoder")
    other = of.play("autoencoder", image=-of.batch["image"])
    drawn_from(outputs, z, other.outputs("encoder")[0], other.seen("decoder")[0])
    log_p = likelihood(of, image_of(of), played.outputs("decoder")[0]).mean()
    judged = softplus(-played.outputs("discriminator")[0][:, 0]).mean()
    agree(played.value, 2.0 * judged - log_p)


def test_a_universal_posterior_is_of_the_image_and_noise():
    of = game(RECIPE, **{"posterior.name": "universal", "posterior.noise": 6})
    played = of.play("autoencoder")
    (inputs,), (z,) = played.seen("encoder"), played.seen("decoder")
    agree(inputs[:, :-6], pixels(image_of(of)))
    assert abs(inputs[:, -6:].std() - 1) < 0.25 and len(np.unique(inputs[:, -6:])) == 6 * COUNT
    np.testing.assert_array_equal(z, played.outputs("encoder")[0])


def test_functions_of_codes():
    of = game(RECIPE, likelihood="gaussian")
    label = np.asarray(of.batch["label"])
    outputs, calls = of.work("encode")
    (encoder,) = calls["encoder"]
    agree(encoder.inputs[0], pixels(image_of(of)))
    np.testing.assert_array_equal(outputs["point"], np.float32(encoder.output))
    np.testing.assert_array_equal(outputs["label"], label)
    outputs, calls = of.work("sample")
    (decoder,) = calls["decoder"]
    agree(outputs["image"], mean_image(of, decoder.output))
    assert np.mean(arm(decoder.inputs[0]) == label) > 0.8
    outputs, calls = of.work("reconstruct")
    (decoder,) = calls["decoder"]
    agree(outputs["image"], np.stack([image_of(of), decoder.output], 1))
    outputs, calls = of.work("own_part", moves=False)
    z = calls["encoder"][0].output
    angles = 2 * np.pi * np.arange(10) / 10
    x, y = z.T[:, :, None]
    along, across = x * np.cos(angles) + y * np.sin(angles), y * np.cos(angles) - x * np.sin(angles)
    found = (((along - 1.4) / 0.5) ** 2 + (across / 0.05) ** 2).argmin(-1)
    np.testing.assert_array_equal(outputs["own_part"], found == label)
    outputs, calls = of.work("manifold")
    assert outputs["image"].shape == (COUNT, 12, *image_of(of).shape[1:])
    seen = np.stack(calls["decoder"][0].inputs[0].reshape(-1, COUNT, 2)) if len(
        calls["decoder"]) == 1 else np.stack([c.inputs[0] for c in calls["decoder"]])  # fmt: skip
    assert np.all(arm(seen[-1]) == np.arange(COUNT) % 10)
    along = 1.4 + 0.5 * norm.ppf((np.arange(12) + 0.5) / 12)  # Quantiles of the arm.
    agree(np.linalg.norm(seen, axis=-1), np.repeat(along[:, None], COUNT, axis=1))
    outputs, _ = of.work("prior")
    assert outputs["point"].shape == (COUNT, 2) and len(set(arm(outputs["point"]))) > 4


def test_semi_supervised_losses():
    """Both critics of unlabelled images; labelled ones are reconstructed from their true class."""
    weights = {"adversarial": 3.0, "style": 2.0, "classification": 5.0}
    of = game(SEMI, likelihood="gaussian", **weights)
    x, other = image_of(of), np.asarray(of.batch["image_labelled"], np.float64)
    label = np.asarray(of.batch["label_labelled"])
    played = of.play("autoencoder")
    plain, known = (on(played.calls["encoder"], pixels(images)).output for images in (x, other))
    y, z = np.exp(log_softmax(plain[:, :10])), plain[:, 10:]
    (decoder,) = played.calls["decoder"]
    codes = np.concatenate([np.hstack([y, z]), np.hstack([hot(label, 10), known[:, 10:]])])
    agree(decoder.inputs[0], codes)
    log_p = likelihood(of, np.concatenate([x, other]), decoder.output).mean()
    judged = [
        softplus(-on(played.calls[f"critic_{name}"], code).output).mean()
        for name, code in (("class", y), ("style", z))
    ]
    classes = -pick(log_softmax(known[:, :10]), label).mean()
    agree(played.metric("classification"), classes)
    agree(played.value, 3.0 * judged[0] + 2.0 * judged[1] + 5.0 * classes - log_p)
    played = of.play("discriminator")
    total = 0.0
    for name, code in (("class", y), ("style", z)):
        fake = on(played.calls[f"critic_{name}"], code)
        (real,) = [c for c in played.calls[f"critic_{name}"] if c is not fake]
        total += log_loss(real.output, fake.output).mean()
        agree(played.metric(name), log_loss(real.output, fake.output).mean())
        if name == "class":
            assert np.all(np.sort(real.inputs[0])[:, -1] == 1) and np.all(
                real.inputs[0].sum(-1) == 1
            )
            assert len(set(real.inputs[0].argmax(-1))) > 4
        else:
            assert abs(real.inputs[0].std() - 1) < 0.35
    agree(played.value, total)


def test_semi_supervised_codes_are_drawn_of_corrupted_images():
    """Of both kinds of image, in training alone; the decoder is asked for the clean ones."""
    drawn = {"posterior.name": "gaussian", "corruption.name": "gaussian", "corruption.amount": 0.6}
    of = game(SEMI, likelihood="gaussian", latents=128, **drawn)
    clean = image_of(of), np.asarray(of.batch["image_labelled"], np.float64)
    played = of.play("autoencoder")
    noises = [x - pixels(y) for x, y in zip(played.seen("encoder"), clean, strict=True)]
    for noise in noises:
        assert abs(noise.std() - 0.3) < 0.03 and abs(noise.mean()) < 0.03
    assert abs(np.mean(noises[0] * noises[1])) < 0.02
    (code,), (image,) = played.seen("decoder"), played.outputs("decoder")
    agree(played.metric("reconstruction"), likelihood(of, np.concatenate(clean), image).mean())
    z = code[:, 10:]
    np.testing.assert_array_equal(played.seen("critic_style")[0], z[:COUNT])
    outputs = np.concatenate(played.outputs("encoder"))[:, 10:]
    images = {name: -of.batch[name] for name in ("image", "image_labelled")}
    other = of.play("autoencoder", **images)
    other_outputs = np.concatenate(other.outputs("encoder"))[:, 10:]
    drawn_from(outputs, z, other_outputs, other.seen("decoder")[0][:, 10:])
    (x,) = of.play("discriminator").seen("encoder")
    assert abs((x - pixels(clean[0])).std() - 0.3) < 0.03
    _, calls = of.work("error")
    agree(calls["encoder"][0].inputs[0], pixels(clean[0]))


def test_semi_supervised_functions_and_hidden_labels():
    of = game(SEMI, likelihood="gaussian")
    label = np.asarray(of.batch["label"])
    for player in ("discriminator", "autoencoder"):
        assert of.play(player, label=(label + 1) % 10).value == of.play(player).value
    outputs, calls = of.work("error")
    (encoder,) = calls["encoder"]
    logits = encoder.output[:, :10]
    np.testing.assert_array_equal(outputs["error"], logits.argmax(-1) != label)
    agree(outputs["log_likelihood"], pick(log_softmax(logits), label))
    outputs, _ = of.work("classify", moves=False)
    np.testing.assert_array_equal(outputs["label"], logits.argmax(-1))
    outputs, calls = of.work("sample")
    (decoder,) = calls["decoder"]
    np.testing.assert_array_equal(decoder.inputs[0][:, :10], hot(label, 10))
    agree(outputs["image"], mean_image(of, decoder.output))
    outputs, calls = of.work("styles")
    assert outputs["image"].shape[:2] == (COUNT, 10)
    for number, call in enumerate(calls["decoder"]):
        np.testing.assert_array_equal(call.inputs[0][:, :10], hot([number] * COUNT, 10))
        np.testing.assert_array_equal(call.inputs[0][:, 10:], calls["decoder"][0].inputs[0][:, 10:])
    outputs, calls = of.work("reconstruct")
    plain = calls["encoder"][0].output
    code = np.hstack([np.exp(log_softmax(plain[:, :10])), plain[:, 10:]])
    agree(calls["decoder"][0].inputs[0], code)
