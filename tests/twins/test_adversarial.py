"""The games with rules of their own: each player's loss from what the networks returned."""

import jax
import numpy as np
import pytest

from gm_jax.adversarial import cogan
from twins.game import also, game, on
from twins.inputs import COUNT
from twins.numbers import (
    agree,
    drawn_from,
    gaussian_kl,
    hot,
    log_loss,
    log_normal,
    log_softmax,
    pick,
    softplus,
)


def test_infogan():
    """L_I = log Q(c|x) + H(c) for both players: taken away, as it is to grow."""
    of = game("infogan_mnist", information=0.7)
    image = np.asarray(of.batch["image"])
    for player in ("discriminator", "generator"):
        played = of.play(player)
        ((z,), (fakes,)) = played.seen("generator"), played.outputs("generator")
        category, continuous = z[:, -12:-2], z[:, -2:]
        assert np.all(category.sum(1) == 1) and set(np.unique(category)) == {0, 1}
        assert np.abs(continuous).max() <= 1 and abs(continuous.std() - 3**-0.5) < 0.15
        outputs = on(played.calls["discriminator"], fakes).output
        log_q = (category * log_softmax(outputs[:, 1:11])).sum(1)
        log_q = log_q + log_normal(continuous, outputs[:, 11:])
        information = log_q + np.log(10.0) + 2 * np.log(2.0)
        fake = outputs[:, 0]
        if player == "discriminator":
            real = on(played.calls["discriminator"], image).output[:, 0]
            expected = log_loss(real, fake) - 0.7 * information
            agree(played.metric("information"), information.mean())
        else:
            expected = softplus(-fake) - 0.7 * information
        agree(played.value, expected.mean())


def test_infogans_functions():
    of = game("infogan_mnist", information=0.7)
    _, calls = of.work("sample")
    one = calls["generator"][0].inputs[0]
    assert np.all(one[:, -12:-2].sum(1) == 1) and len(np.unique(one[:, -2:])) == 2 * COUNT
    outputs, calls = of.work("categories")
    z = calls["generator"][0].inputs[0].reshape(COUNT, 10, -1)
    np.testing.assert_array_equal(z[:, :, -12:-2], np.broadcast_to(np.eye(10), (COUNT, 10, 10)))
    np.testing.assert_array_equal(np.delete(z, np.s_[-12:-2], 2).std(1), 0)
    outputs, calls = of.work("sweep")
    z = calls["generator"][0].inputs[0].reshape(COUNT, -1, one.shape[-1])
    index = np.arange(COUNT)
    agree(z[index, :, -2 + index % 2], np.tile(np.linspace(-2, 2, z.shape[1]), (COUNT, 1)))
    np.testing.assert_array_equal(z[index, :, -1 - index % 2], 0)
    np.testing.assert_array_equal(z[:, 0, -12:-2], hot(index // 2 % 10, 10))
    outputs, calls = of.work("cluster")
    (call,) = calls["discriminator"]
    np.testing.assert_array_equal(outputs["code"], call.output[:, 1:11].argmax(1))
    np.testing.assert_array_equal(outputs["label"], of.batch["label"])


def test_acgan():
    """D and G both minimise the class's cross-entropy; D that of real and of generated ones."""
    of = game("acgan_mnist")
    image, label = np.asarray(of.batch["image"]), np.asarray(of.batch["label"])
    for player in ("discriminator", "generator"):
        played = of.play(player)
        ((z,), (fakes,)) = played.seen("generator"), played.outputs("generator")
        np.testing.assert_array_equal(z[:, -10:], hot(label, 10))
        of_fake = on(played.calls["discriminator"], fakes).output
        expected = softplus(-of_fake[:, 0])
        if player == "discriminator":
            of_real = on(played.calls["discriminator"], image).output
            expected = log_loss(of_real[:, 0], of_fake[:, 0])
            expected = expected - pick(log_softmax(of_real[:, 1:]), label)
            for name, outputs in (("real", of_real), ("fake", of_fake)):
                nats = -pick(log_softmax(outputs[:, 1:]), label)
                agree(played.metric(f"class_of_{name}"), nats.mean())
        expected = expected - pick(log_softmax(of_fake[:, 1:]), label)
        agree(played.value, expected.mean())


def energies(played, real):
    """E of the real examples and of G's, [B] each, and the codes of G's."""
    (fakes,) = played.outputs("generator")
    calls = played.calls["discriminator"]
    found = []
    for x in (np.asarray(real), fakes):
        output, codes = on(calls, x).output if _given(calls, x) else (np.nan, None)
        found.append((np.asarray(output - x), codes))
    (of_real, _), (of_fake, codes) = found
    return of_real, of_fake, codes


def _given(calls, x):
    return any(np.allclose(c.inputs[0], x) for c in calls)


def test_ebgan():
    """E(x) + max(0, m - E(G(z))), and E(G(z)) + w PT over the codes of the whole batch."""
    of = game("ebgan_digits", margin=0.3, pulling_away=0.3)
    played = of.play("discriminator")
    real, fake, _ = energies(played, of.batch["image"])
    real, fake = (np.mean(error**2, axis=(1, 2, 3)) for error in (real, fake))
    assert fake.min() < 0.3 < fake.max()
    agree(played.value, (real + np.maximum(0, 0.3 - fake)).mean())
    agree(played.metric("real_energy"), real.mean())
    agree(played.metric("fake_energy"), fake.mean())
    agree(played.metric("within_margin"), (fake < 0.3).mean())
    played = of.play("generator")
    _, fake, codes = energies(played, of.batch["image"])
    unit = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    cosines = (unit @ unit.T)[~np.eye(COUNT, dtype=bool)]
    agree(played.value, np.mean(fake**2) + 0.3 * np.mean(cosines**2), 1e-4)


def test_began():
    """L(x) - k L(G(z)) with the old k, which then moves by lambda (gamma L(x) - L(G(z)))."""
    start = game("began_digits", gamma=0.7, balance_rate=0.05)
    assert start.variables.state["k"] == 0.0
    kept = []
    for k in (0.0, 0.4, 1.0):
        state = {**start.variables.state, "k": k}
        of = start._replace(variables=start.variables._replace(state=state))
        played = of.play("discriminator")
        real, fake, _ = energies(played, of.batch["image"])
        real, fake = np.abs(real).mean(), np.abs(fake).mean()
        agree(played.value, real - k * fake)
        after = k + 0.05 * (0.7 * real - fake)
        kept.append(after)
        agree(played.state["k"], np.clip(after, 0, 1))
        agree(played.metric("measure"), real + abs(0.7 * real - fake))
        agree(played.metric("real_error"), real)
        agree(played.metric("fake_error"), fake)
        agree(played.metric("k"), np.clip(after, 0, 1))
    assert min(kept) < 0 or max(kept) > 1
    played = of.play("generator")
    agree(played.value, np.abs(energies(played, of.batch["image"])[1]).mean())


@pytest.mark.parametrize("stochastic", [True, also(False)])
def test_bigan(stochastic):
    """D sees (x, E(x)) and (G(z), z); G and E have one loss, that of D with the labels flipped."""
    of = game("bigan_mnist", stochastic=stochastic, **{"encoder.width": 8})
    image = np.asarray(of.batch["image"])
    for player in ("discriminator", "generator"):
        played = of.play(player)
        ((z,), (fakes,)) = played.seen("generator"), played.outputs("generator")
        calls = played.calls["discriminator"]
        real, fake = on(calls, image), on(calls, fakes)
        np.testing.assert_allclose(fake.inputs[1], z, atol=1e-6)
        (codes,) = played.outputs("encoder")
        np.testing.assert_array_equal(played.seen("encoder")[0], np.float32(image))
        if stochastic:
            other = of.play(player, image=-of.batch["image"])
            drawn_from(codes, real.inputs[1], *others(other, -image))
        else:
            np.testing.assert_allclose(real.inputs[1], codes, atol=1e-6)
        real, fake = real.output[:, 0], fake.output[:, 0]
        pair = (real, fake) if player == "discriminator" else (fake, real)
        agree(played.value, log_loss(*pair).mean())
        if player == "discriminator":
            agree(played.metric("real_output"), real.mean())
            agree(played.metric("fake_output"), fake.mean())


def others(played, image):
    (codes,) = played.outputs("encoder")
    return codes, on(played.calls["discriminator"], image).inputs[1]


def test_cogan():
    """The games of both domains, averaged, the pair of fakes of one latent."""
    of = game("cogan_mnist")
    pair = [np.asarray(of.batch[name]) for name in ("image", "image_b")]
    for player in ("discriminator", "generator"):
        played = of.play(player)
        halves = np.split(played.outputs("generator")[0], 2, axis=-1)
        calls = played.calls["discriminator"]
        np.testing.assert_array_equal(on(calls, halves[0]).inputs[1], halves[1])
        fake = on(calls, halves[0]).output
        expected = [softplus(-f) for f in fake]
        if player == "discriminator":
            np.testing.assert_array_equal(on(calls, pair[0]).inputs[1], np.float32(pair[1]))
            real = on(calls, pair[0]).output
            expected = [log_loss(r, f) for r, f in zip(real, fake, strict=True)]
        agree(played.value, np.mean(expected))
    outputs, calls = of.work("sample")
    halves = np.split(calls["generator"][0].output, 2, axis=-1)
    for name, half in zip(("image", "image_b"), halves, strict=True):
        np.testing.assert_array_equal(outputs[name], half)
    pairs, _ = of.work("pairs")
    np.testing.assert_array_equal(pairs["image"], np.stack(halves, 1))


@pytest.mark.parametrize("steps, share", [(200, 0.01), (0, 0.5)])
def test_cogan_translates_by_the_latent_of_a_picture(monkeypatch, steps, share):
    """Of G's own pictures, the other picture of the same latent; near it by the draws alone."""
    monkeypatch.setattr(cogan, "SEARCH", steps)
    of = game("cogan_mnist", latents=2, seed=steps)  # Not the game that another test has traced.
    true, _ = of.work("sample")
    outputs, _ = of.work("translate", **true)
    for name, found in outputs.items():
        far = np.abs(found[:, None] - true[name][None]).sum((2, 3, 4))
        assert np.median(np.diagonal(far)) < share * np.median(far)
        assert steps == 0 or np.all(far.argmin(1) == range(COUNT))


def test_vaegan():
    """KL + L_like; gamma L_like - (1 - gamma) (-L_GAN); -L_GAN with both kinds of fakes."""
    of, gamma = game("vaegan_digits", gamma=0.2, **{"encoder.width": 8}), 0.2
    image = np.asarray(of.batch["image"])
    for player in ("encoder", "decoder", "discriminator"):
        played, other = of.play(player), of.play(player, image=-of.batch["image"])
        (outputs,), (other_outputs,) = played.outputs("encoder"), other.outputs("encoder")
        # The latent of the reconstruction moves with the image, that of the sample does not.
        moved = {
            np.array_equal(a, b): (a, b, fakes)
            for a, b, fakes in zip(
                played.seen("generator"), other.seen("generator"), played.outputs("generator"),
                strict=True,
            )
        }  # fmt: skip
        z, other_z, again = moved[False]
        prior, _, sampled = moved[True]
        drawn_from(outputs, z, other_outputs, other_z)
        assert abs(prior.std() - 1.0) < 0.1
        calls = played.calls["discriminator"]
        of_image, of_again, of_sampled = (on(calls, x) for x in (image, again, sampled))
        like = ((of_image.last - of_again.last) ** 2).reshape(COUNT, -1).sum(1) / 2
        real, fake, sample = (c.output[:, 0] for c in (of_image, of_again, of_sampled))
        adversarial = softplus(-real) + softplus(fake) + softplus(sample)
        expected = {
            "encoder": gaussian_kl(*np.split(outputs, 2, axis=-1)) + like,
            "decoder": gamma * like - (1 - gamma) * adversarial,
            "discriminator": adversarial,
        }[player]
        agree(played.value, expected.mean())
        if player == "decoder":  # It draws samples with the statistics that it keeps.
            kept = next(c.state for c in played.calls["generator"] if c.inputs[0] is prior)
            jax.tree.map(agree, played.state["generator"], kept)


@pytest.mark.parametrize("recipe", ["vaegan_digits", "bigan_mnist"])
def test_reconstructions_are_of_the_codes_means(recipe):
    of = game(recipe, **{"encoder.width": 8}, **({"gamma": 0.2} if "vae" in recipe else {}))
    outputs, calls = of.work("reconstruct")
    ((code,), (made,)) = calls["encoder"], calls["generator"]
    size = made.inputs[0].shape[1]
    np.testing.assert_array_equal(made.inputs[0], code.output[:, :size])
    np.testing.assert_array_equal(code.inputs[0], np.float32(of.batch["image"]))
    expected = np.stack([np.float32(of.batch["image"]), made.output], 1)
    np.testing.assert_array_equal(outputs["image"], expected)
    outputs, calls = of.work("encode")
    agree(outputs["latent"], calls["encoder"][0].output[:, :size])
