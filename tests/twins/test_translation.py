"""pix2pix, CycleGAN, BiGAN between domains: players' losses from what the networks returned."""

import numpy as np
import pytest

from twins.game import also, game, on
from twins.numbers import agree, log_loss, softplus


def images_of(of):
    return (np.asarray(of.batch[name], np.float64) for name in ("image", "image_b"))


def test_pix2pix():
    """D sees pairs (x, y); G minimises -log D(x, G(x)) + lambda |y - G(x)|, means over all."""
    of = game("pix2pix_scenes", distance=30.0, adversarial=0.7)
    x, y = images_of(of)
    for player in ("discriminator", "generator"):
        played = of.play(player)
        ((seen,), (fake,)) = played.seen("generator"), played.outputs("generator")
        np.testing.assert_allclose(seen, x, atol=1e-6)
        assert played.calls["generator"][0].keys == 1
        calls = played.calls["discriminator"]
        of_fake = on(calls, np.concatenate([x, fake], -1)).output
        assert of_fake.ndim == 3
        if player == "discriminator":
            of_real = on(calls, np.concatenate([x, y], -1)).output
            agree(played.value, log_loss(of_real, of_fake).mean())
        else:
            distance = np.abs(y - fake).mean()
            agree(played.value, 0.7 * softplus(-of_fake).mean() + 30.0 * distance)
            agree(played.metric("distance"), distance)


def test_pix2pixs_baseline():
    """lambda |y - G(x)|, and nobody else."""
    of = game("pix2pix_scenes", adversarial=0.0)
    _, y = images_of(of)
    played = of.play()
    (fake,) = played.outputs("generator")
    agree(played.value, 100.0 * np.abs(y - fake).mean())
    assert set(played.calls) >= {"generator"} and "discriminator" not in of.variables.params


@pytest.mark.parametrize("identity", [0.0, 3.0])
def test_cyclegans_generators(identity):
    """(D(G(a)) - 1)^2 + lambda |F(G(a)) - a| + mu |G(b) - b|, both ways."""
    of = game("cyclegan_scenes", identity=identity, cycle=7.0)
    a, b = images_of(of)
    played = of.play("generators")
    to_b, to_a = played.calls["to_b"], played.calls["to_a"]
    fake_b, fake_a = on(to_b, a).output, on(to_a, b).output
    back_a, back_b = on(to_a, fake_b).output, on(to_b, fake_a).output
    value = ((on(played.calls["critic_b"], fake_b).output - 1) ** 2).mean()
    value += ((on(played.calls["critic_a"], fake_a).output - 1) ** 2).mean()
    cycle = np.abs(back_a - a).mean() + np.abs(back_b - b).mean()
    expected = value + 7.0 * cycle
    if identity:
        same = np.abs(on(to_b, b).output - b).mean() + np.abs(on(to_a, a).output - a).mean()
        agree(played.metric("identity"), same)
        expected += identity * same
    agree(played.value, expected)
    agree(played.metric("cycle"), cycle)
    assert len(to_b) == len(to_a) == 2 + bool(identity)


def test_cyclegans_discriminators():
    """1/2 (D(b) - 1)^2 + 1/2 D(G(a))^2, both domains; a pool of more than the batch shows all."""
    of = game("cyclegan_scenes", pool=20)
    a, b = images_of(of)
    played, expected = of.play("discriminators"), 0.0
    for real, other, generator, critic in ((a, b, "to_a", "critic_a"), (b, a, "to_b", "critic_b")):
        fake = on(played.calls[generator], other).output
        calls = played.calls[critic]
        expected += 0.5 * ((on(calls, real).output - 1) ** 2).mean()
        expected += 0.5 * (on(calls, fake).output ** 2).mean()
        np.testing.assert_allclose(played.state[f"pool_{critic[-1]}"]["kept"][:16], fake, atol=1e-5)
    agree(played.value, expected)


def test_bigan_between_domains():
    """D tells (a, G(a)) from (F(b), b); the generators swap its labels, and share one loss."""
    of = game("bigan_scenes")
    a, b = images_of(of)
    for player in ("discriminator", "generators"):
        played = of.play(player)
        fake_b, fake_a = (on(played.calls[n], x).output for n, x in (("to_b", a), ("to_a", b)))
        calls = played.calls["discriminator"]
        of_a = on(calls, np.concatenate([a, fake_b], -1)).output
        of_b = on(calls, np.concatenate([fake_a, b], -1)).output
        swapped = player == "generators"
        agree(played.value, log_loss(*((of_b, of_a) if swapped else (of_a, of_b))).mean())
    assert set(of.variables.params) == {"to_b", "to_a", "discriminator"}


@pytest.mark.parametrize("recipe", ["cyclegan_scenes", also("bigan_scenes")])
def test_functions_of_two_ways(recipe):
    of = game(recipe)
    a, b = images_of(of)
    outputs, calls = of.work("translate")
    fake_b, fake_a = on(calls["to_b"], a).output, on(calls["to_a"], b).output
    np.testing.assert_array_equal(outputs["image_b"], fake_b)
    np.testing.assert_array_equal(outputs["image"], fake_a)
    outputs, calls = of.work("compare")
    for name, shown, back in (("image", (a, fake_b), "to_a"), ("image_b", (b, fake_a), "to_b")):
        expected = np.stack([*shown, on(calls[back], shown[1]).output], axis=1)
        np.testing.assert_allclose(outputs[name], expected, atol=1e-5)
