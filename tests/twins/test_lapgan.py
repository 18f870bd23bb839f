"""By hand, in float64: LAPGAN's pyramid, both losses of each level, and the chain of samples."""

import numpy as np
from PIL import Image

from twins.game import game, image_of
from twins.numbers import agree, hot, log_loss, softplus

RECIPE = "lapgan_cifar"


def halved(x):
    """The mean of each four pixels."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def enlarged(x):
    """Bilinear, by Pillow."""
    sides = (2 * x.shape[2], 2 * x.shape[1]), Image.Resampling.BILINEAR
    rows = [np.asarray(Image.fromarray(row[..., 0]).resize(*sides)) for row in np.float32(x)]
    return np.stack(rows)[..., None].astype(np.float64)


def judgement(calls, x):
    """The one call of D on x, but for float32's rounding of a sum."""
    (call,) = [call for call in calls if np.allclose(call.inputs[0], x, atol=1e-4)]
    return call


def levels(of):
    """{side: (I_k, l_k)} of the standardised images; the coarsest has no l."""
    x = image_of(of) / 0.5
    return {16: (x, enlarged(halved(x))), 8: (halved(x), None)}


def test_each_levels_losses():
    """-log D(I) - log(1 - D(l + G(z, l))) and -log D(l + G(z, l)), l of the real image in both.

    The label is among the inputs of both, and D drops units in both moves.
    """
    of = game(RECIPE)
    label = hot(of.batch["label"], 10)
    for side, (x, low) in levels(of).items():
        for player in ("discriminator", "generator"):
            played = of.play(f"{player}_{side}")
            (g,) = played.calls[f"generator_{side}"]
            z, *given = g.inputs
            assert np.abs(z).max() <= 1 and abs(z.var() - 1 / 3) < 0.1
            if low is None:
                assert z.shape == (16, of.config.latents)
                fake = g.output
            else:
                assert z.shape == (16, side, side, 1)
                np.testing.assert_allclose(given.pop(0), low, atol=1e-5)
                fake = low + g.output
            np.testing.assert_array_equal(given[0], label)
            calls = played.calls[f"discriminator_{side}"]
            assert all(call.keys == 1 for call in calls)
            judged = judgement(calls, fake)
            np.testing.assert_array_equal(judged.inputs[1], label)
            if player == "generator":
                agree(played.value, softplus(-judged.output).mean(), 1e-4)
            else:
                true = judgement(calls, x)
                agree(played.value, log_loss(true.output, judged.output).mean(), 1e-4)
                agree(played.metric("real_output"), true.output.mean(), 1e-4)
                agree(played.metric("fake_output"), judged.output.mean(), 1e-4)


def test_samples_are_a_chain_of_generated_images():
    of = game(RECIPE)
    outputs, calls = of.work("sample")
    (coarse,), (fine,) = calls["generator_8"], calls["generator_16"]
    low = enlarged(coarse.output)
    np.testing.assert_allclose(fine.inputs[1], low, atol=1e-5)
    np.testing.assert_allclose(outputs["image"], 0.5 * (low + fine.output), atol=1e-5)
    np.testing.assert_array_equal(outputs["label"], of.batch["label"])
    outputs, calls = of.work("growth")
    low = enlarged(calls["generator_8"][0].output)
    x = low + calls["generator_16"][0].output
    np.testing.assert_allclose(outputs["image"], 0.5 * np.stack([low, x], 1), atol=1e-5)


def test_unrefined_samples_are_only_enlarged():
    outputs, calls = game(RECIPE, unrefined=1).work("sample")
    np.testing.assert_allclose(
        outputs["image"], 0.5 * enlarged(calls["generator_8"][0].output), atol=1e-5
    )
    assert "generator_16" not in calls


def test_each_level_of_a_sample_has_its_own_noise():
    """Of one key an example the planes would begin with the same numbers."""
    _, calls = game(RECIPE, latents=256).work("sample")
    coarse, plane = (calls[f"generator_{side}"][0].inputs[0].reshape(16, -1) for side in (8, 16))
    assert coarse.shape == plane.shape == (16, 256)
    assert abs(np.corrcoef(coarse.ravel(), plane.ravel())[0, 1]) < 0.1


def test_classes_are_shown_in_turn_by_the_same_noise():
    outputs, calls = game(RECIPE).work("classes")
    assert outputs["image"].shape == (16, 10, 16, 16, 1)
    for side in (8, 16):
        called = calls[f"generator_{side}"]
        z, labels = (
            np.concatenate([call.inputs[n] for call in called]).reshape(10, 16, -1) for n in (0, -1)
        )
        np.testing.assert_array_equal(z, np.broadcast_to(z[:1], z.shape))
        np.testing.assert_array_equal(labels, np.repeat(np.eye(10)[:, None], 16, axis=1))
