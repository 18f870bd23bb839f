"""The GAN of many names: value functions, penalties, labels, latents, packs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from twins.game import also, game, on
from twins.inputs import COUNT
from twins.numbers import agree, hot, log_loss, sigmoid, softplus


def judged(played, real):
    """D's first outputs on the real examples and on what G made, [B] each."""
    (fakes,) = played.outputs("generator")
    calls = played.calls["discriminator"]
    return on(calls, np.asarray(real)).output[:, 0], on(calls, fakes).output[:, 0]


# Of each value function: what D and what G minimises.
VALUES = {
    "minimax": (log_loss, lambda real, fake: -log_loss(real, fake)),
    "non_saturating": (log_loss, lambda real, fake: softplus(-fake)),
    "least_squares": (
        lambda real, fake: (real - 1) ** 2 / 2 + fake**2 / 2,
        lambda real, fake: (fake - 1) ** 2 / 2,
    ),
    "wasserstein": (lambda real, fake: fake - real, lambda real, fake: real - fake),
    "hinge": (
        lambda real, fake: np.maximum(0, 1 - real) + np.maximum(0, 1 + fake),
        lambda real, fake: -fake,
    ),
}


@pytest.mark.parametrize(
    "name", ["minimax", "non_saturating", *map(also, ("least_squares", "wasserstein", "hinge"))]
)
def test_gan(name):
    """Both players of a value function, on points."""
    of = game("gan_ring", value_function=name)
    for player, loss in zip(("discriminator", "generator"), VALUES[name], strict=True):
        played = of.play(player)
        real, fake = judged(played, of.batch["point"])
        assert np.ptp(real) > 0.1 and np.ptp(fake) > 0.01
        agree(played.value, loss(real, fake).mean())
        if player == "discriminator":
            agree(played.metric("real_output"), real.mean())
            agree(played.metric("fake_output"), fake.mean())


def test_ds_features_are_what_its_last_layer_is_given():
    """Of an example with itself if D sees packs; no D that sees labels is an encoder."""
    for packing in (1, 2):
        of = game("gan_ring", **{"tricks.packing": packing})
        outputs, calls = of.work("encode")
        (call,) = calls["discriminator"]
        agree(call.inputs[0], np.tile(of.batch["point"], packing))
        agree(outputs["hidden"], call.last)
    assert "encode" not in game("cgan_mnist").model.functions


def test_soft_labels():
    """l softplus(-D) + (1 - l) softplus(D), the real label at .9 and the fake one at .2."""
    tricks = {"tricks.real_label": (0.9, 0.9), "tricks.fake_label": (0.2, 0.2)}
    of = game("gan_ring", **tricks)
    played = of.play("discriminator")
    real, fake = judged(played, of.batch["point"])
    of_real = 0.9 * softplus(-real) + 0.1 * softplus(real)
    of_fake = 0.2 * softplus(-fake) + 0.8 * softplus(fake)
    agree(played.value, (of_real + of_fake).mean())


def test_priors_are_what_they_are_called():
    for prior, kurtosis in (("normal", 3.0), ("uniform", 1.8)):
        of = game("gan_ring", prior=prior, latents=64)
        (z,) = of.play("generator").seen("generator")
        assert z.shape == (COUNT, 64)
        variance = 1.0 if prior == "normal" else 1.0 / 3.0
        assert abs(z.mean()) < 0.1 and abs(z.var() / variance - 1.0) < 0.12
        assert abs((z**4).mean() / z.var() ** 2 - kurtosis) < 0.7
    of = game("gan_ring", prior="sphere", latents=64)
    (z,) = of.play("generator").seen("generator")
    agree(np.sum(z**2, axis=1), 64.0)


def test_cgan():
    """The one-hot of the label stands behind z and, as planes, behind every pixel that D sees."""
    of = game("cgan_mnist")
    image, label = np.asarray(of.batch["image"]), np.asarray(of.batch["label"])
    planes = np.broadcast_to(hot(label, 10)[:, None, None], (COUNT, 8, 8, 10))
    for player in ("discriminator", "generator"):
        played = of.play(player)
        ((z,), (fakes,)) = played.seen("generator"), played.outputs("generator")
        np.testing.assert_array_equal(z[:, -10:], hot(label, 10))
        real, fake = (
            on(played.calls["discriminator"], np.concatenate([x, planes], -1)).output[:, 0]
            for x in (image, fakes)
        )
        if player == "generator":
            expected = softplus(-fake)
        else:  # Its recipe smooths the real label to .9.
            expected = 0.9 * softplus(-real) + 0.1 * softplus(real) + softplus(fake)
        agree(played.value, expected.mean())
    outputs, calls = of.work("sample")
    np.testing.assert_array_equal(calls["generator"][0].inputs[0][:, -10:], hot(label, 10))
    np.testing.assert_array_equal(outputs["label"], label)
    outputs, calls = of.work("classes")
    z = calls["generator"][0].inputs[0].reshape(COUNT, 10, -1)
    np.testing.assert_array_equal(z[:, :, -10:], np.broadcast_to(np.eye(10), (COUNT, 10, 10)))
    np.testing.assert_array_equal(z[:, :, :-10], np.repeat(z[:, :1, :-10], 10, axis=1))
    np.testing.assert_array_equal(
        outputs["image"].reshape(-1, 8, 8, 1), calls["generator"][0].output
    )


@pytest.mark.parametrize("recipe", ["sngan_resnet_mnist", also("sagan_fashion")])
def test_residual_networks_take_the_label_beside_their_input(recipe):
    """Neither z nor the pixels change; the hinge, of G's own samples of each label."""
    of = game(recipe)
    image, label = np.asarray(of.batch["image"]), np.asarray(of.batch["label"])
    for player in ("discriminator", "generator"):
        played = of.play(player)
        (made,), calls = played.calls["generator"], played.calls["discriminator"]
        z, y = made.inputs
        assert z.shape[1] == of.config.latents
        copies = of.config.generator.samples if player == "generator" else 1
        labels = hot(label, 10).repeat(copies, axis=0)
        np.testing.assert_array_equal(y, labels)
        fake = on(calls, made.output)
        np.testing.assert_array_equal(fake.inputs[1], labels)
        if player == "generator":
            agree(played.value, -fake.output.mean())
        else:
            real = on(calls, image)
            np.testing.assert_array_equal(real.inputs[1], labels)
            value = VALUES["hinge"][0](real.output[:, 0], fake.output[:, 0])
            agree(played.value, value.mean())


def test_biggan():
    """beta/2 ||W W^T o (1 - I)||^2 of G's weights but the embedding; truncated latents in use."""
    of = game("biggan_fashion", **{"generator.orthogonal": 0.01, "sampler.truncation": 0.4})
    played = of.play("generator")
    (made,) = played.calls["generator"]
    fake = on(played.calls["discriminator"], made.output).output
    overlap = 0.0
    for path, leaf in jax.tree_util.tree_leaves_with_path(of.variables.params["generator"]):
        if leaf.ndim > 1 and "embedding" not in jax.tree_util.keystr(path):
            rows = np.float64(leaf).reshape(-1, leaf.shape[-1]).T
            overlap += 0.5 * (((rows @ rows.T) * (1.0 - np.eye(len(rows)))) ** 2).sum()
    agree(played.value, 0.01 * overlap - fake.mean())
    assert np.abs(made.inputs[0]).max() > 1.5
    label = hot(of.batch["label"], 10)
    outputs, calls = of.work("sample")
    (made,) = calls["generator"]
    assert 0.35 < np.abs(made.inputs[0]).max() < 0.4
    np.testing.assert_array_equal(made.inputs[1], label)
    np.testing.assert_array_equal(outputs["image"], made.output)
    _, calls = of.work("interpolation")
    z, y = calls["generator"][0].inputs
    assert 0.35 < np.abs(z.reshape(COUNT, -1, of.config.latents)[:, [0, -1]]).max() < 0.4
    np.testing.assert_array_equal(y, label.repeat(len(y) // COUNT, axis=0))
    _, calls = of.work("classes")
    z, y = (x.reshape(COUNT, 10, -1) for x in calls["generator"][0].inputs)
    np.testing.assert_array_equal(y, np.broadcast_to(np.eye(10), y.shape))
    np.testing.assert_array_equal(z, np.repeat(z[:, :1], 10, axis=1))


def test_a_generator_of_several_samples_draws_each_anew():
    """SNGAN's G judges twice as many samples as D, no two of the same latent."""
    of = game("sngan_digits")
    played = of.play("generator")
    (z,) = played.seen("generator")
    assert len(z) == 2 * COUNT and len(np.unique(z, axis=0)) == 2 * COUNT
    assert abs(np.corrcoef(z.reshape(COUNT, 2, -1)[:, 0].ravel(), z[1::2].ravel())[0, 1]) < 0.2
    (fakes,) = played.outputs("generator")
    agree(played.value, -on(played.calls["discriminator"], fakes).output[:, 0].mean())
    assert len(of.play("discriminator").seen("generator")[0]) == COUNT


def slopes(call, variables, x):
    """||grad_x D(x)|| of each example, [B]."""
    total = jax.grad(lambda x: call.again(variables, x)[0].sum())(jnp.float32(x))
    return np.sqrt((np.float64(total) ** 2).reshape(len(x), -1).sum(1))


@pytest.mark.parametrize("name", ["wgan_gp", "dragan", also("r1"), also("r2")])
def test_penalties(name):
    """Each at its own examples, in D's loss, by the recipe's weight."""
    recipe = f"{name}_digits" if name in ("wgan_gp", "dragan") else "sngan_digits"
    own = {} if name in ("wgan_gp", "dragan") else {"penalty.name": name, "penalty.weight": 5.0}
    of = game(recipe, **own)
    played, image = of.play("discriminator"), np.asarray(of.batch["image"])
    (fakes,) = played.outputs("generator")
    calls = played.calls["discriminator"]
    if name in ("wgan_gp", "dragan"):
        (call,) = [
            c for c in calls if not np.allclose(c.inputs[0], image)
            and not np.allclose(c.inputs[0], fakes)
        ]  # fmt: skip
        (x,) = call.inputs
        norm = slopes(call, of.variables, x)
    if name == "wgan_gp":
        alpha = (x - fakes) / (image - fakes)
        agree(alpha, np.broadcast_to(alpha[:, :1, :1], alpha.shape), 1e-3)
        alpha = alpha[:, 0, 0, 0]
        assert alpha.min() >= 0 and alpha.max() < 1 and alpha.std() > 0.15
        expected = 10.0 * (norm - 1.0) ** 2
    elif name == "dragan":
        product = (x - image) / (0.5 * image.std())  # alpha, one an example, times U[0, 1)
        assert product.min() > -1e-6 and product.max() < 1.0
        assert abs(product.mean() - 0.25) < 0.1 and product.max(axis=(1, 2, 3)).std() > 0.1
        expected = 10.0 * (norm - 1.0) ** 2
    else:
        x = image if name == "r1" else fakes
        expected = 5.0 * slopes(calls[0], of.variables, x) ** 2 / 2
    real, fake = (calls[0].again(of.variables, jnp.float32(x))[0][:, 0] for x in (image, fakes))
    value = {"wgan_gp": "wasserstein", "dragan": "non_saturating"}.get(name, "hinge")
    expected = VALUES[value][0](np.float64(real), np.float64(fake)) + expected
    agree(played.value, expected.mean(), 1e-4)


def test_interpolations_go_along_the_great_circle_and_samples_are_the_generators():
    of = game("sngan_digits")
    outputs, calls = of.work("sample")
    np.testing.assert_array_equal(outputs["image"], calls["generator"][0].output)
    outputs, calls = of.work("interpolation")
    z = calls["generator"][0].inputs[0].reshape(COUNT, -1, of.config.latents)
    a, b, t = z[:, 0], z[:, -1], np.linspace(0, 1, z.shape[1])[None, :, None]
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    angle = np.arccos(cosine)[:, None, None]
    expected = np.sin((1 - t) * angle) * a[:, None] + np.sin(t * angle) * b[:, None]
    agree(z, expected / np.sin(angle), 1e-3)
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.2
    made = calls["generator"][0].output.reshape(outputs["image"].shape)
    np.testing.assert_array_equal(outputs["image"], made)


def test_landscapes_are_ds_outputs_over_the_square():
    """Fifty points a side of the square of half-width 5, row by row."""
    of = game("gan_ring", value_function="hinge")
    index = jnp.arange(COUNT) * 157 + 40
    outputs, calls = of.work("landscape", index=index)
    row, column = np.divmod(np.asarray(index), 50)
    point = 0.2 * np.stack([column, row], 1) - 4.9
    agree(outputs["field_point"], point)
    (call,) = calls["discriminator"]
    agree(call.inputs[0], point)
    np.testing.assert_array_equal(outputs["field"], call.output[:, 0])
    np.testing.assert_array_equal(outputs["point"], calls["generator"][0].output)


def test_packs_and_probabilities():
    """D of packs of two sees neighbours side by side; a probability of a half costs log 2."""
    of = game("gan_ring", **{"tricks.packing": 2})
    played = of.play("discriminator")
    shown = [call.inputs[0] for call in played.calls["discriminator"]]
    point = np.asarray(of.batch["point"]).reshape(COUNT // 2, 4)
    (fakes,) = played.outputs("generator")
    real, fake = (
        on(played.calls["discriminator"], x).output[:, 0] for x in (point, fakes.reshape(-1, 4))
    )
    assert all(x.shape == (COUNT // 2, 4) for x in shown)
    agree(played.value, -(np.log(sigmoid(real)) + np.log(1 - sigmoid(fake))).mean())
