"""By hand, in float64: SRResNet's loss, both of SRGAN's, and what they are measured by."""

import numpy as np
import pytest

from twins.game import game, image_of, on
from twins.numbers import agree, bicubic, log_loss, softplus

RECIPE = "srgan_scenes"
MEAN, DEVIATION = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])


def small_of(x):
    return np.clip(bicubic(x, x.shape[1] // 4), -1, 1)


def features_apart(calls, x, y):
    """The mean of squares of relu1_1 of x and y, [B]; the network sees them as ImageNet's."""
    for call, image in zip(calls, (x, y), strict=True):
        assert set(call.output) == {"relu1_1"}
        np.testing.assert_allclose(call.inputs[0], (image - MEAN) / DEVIATION, atol=1e-4)
    true, found = (call.output["relu1_1"] for call in calls)
    return ((true - found) ** 2).mean((1, 2, 3))


def test_srresnet():
    """The mean of (x - G(z))^2, x in [-1, 1]; z is x by a quarter, in [0, 1]. No other player."""
    of = game(RECIPE, **{"game.steps": 0})
    x, played = image_of(of), of.play()
    ((z,), (y,)) = played.seen("generator"), played.outputs("generator")
    np.testing.assert_allclose(z, (small_of(x) + 1) / 2, atol=1e-5)
    agree(played.value, ((x - y) ** 2).mean())
    assert set(of.variables.params) == {"generator"}


@pytest.mark.parametrize("pixels", [None, 0.3])
def test_srgans_generator(pixels):
    """.006 times the mean of squares of features + 1e-3 -log D(G(z)): no pixels, but in SRGAN-MSE.

    The features are of both pictures as ImageNet's were seen, and as they are, not normalised.
    """
    of = game(RECIPE, **({} if pixels is None else {"game.pixels": pixels}))
    x, played = image_of(of), of.play("generator")
    ((z,), (y,)) = played.seen("generator"), played.outputs("generator")
    np.testing.assert_allclose(z, (small_of(x) + 1) / 2, atol=1e-5)
    far = features_apart(played.calls["backbone"], x, y).mean()
    fooled = softplus(-on(played.calls["discriminator"], y).output).mean()
    agree(played.metric("squares_random_vgg19_0"), far)
    agree(played.value, 1e-3 * fooled + 0.006 * far + (pixels or 0.0) * ((x - y) ** 2).mean())


def test_srgans_discriminator():
    """-log D(x) - log(1 - D(G(z))) of whole pictures."""
    of = game(RECIPE)
    x, played = image_of(of), of.play("discriminator")
    (y,) = played.outputs("generator")
    real, fake = (on(played.calls["discriminator"], v).output for v in (x, y))
    assert real.shape == (len(x),)
    agree(played.value, log_loss(real, fake).mean())


def test_srgans_functions():
    of = game(RECIPE)
    x = image_of(of)
    z = small_of(x)
    outputs, calls = of.work("translate")
    np.testing.assert_allclose(calls["generator"][0].inputs[0], (z + 1) / 2, atol=1e-5)
    y = calls["generator"][0].output
    np.testing.assert_allclose(outputs["image"], y, atol=1e-6)
    baseline, _ = of.work("baseline")
    np.testing.assert_allclose(baseline["image"], bicubic(z, 16), atol=1e-5)
    pair, _ = of.work("reconstruct")
    np.testing.assert_allclose(pair["image"], np.stack([x, y], axis=1), atol=1e-5)
    shown, _ = of.work("upsample")
    expected = np.stack([bicubic(z, 16), y, x], axis=1)
    np.testing.assert_allclose(shown["image"][:, 2:], expected, atol=1e-5)


def test_srgans_restoration():
    """RGB as it is; luminance of levels, 16 to 235, four pixels off each side; features."""
    of = game(RECIPE)
    x = image_of(of)
    values, calls = of.work("restoration")
    z = small_of(x)

    def luminance(image):
        levels = np.round(np.clip((image + 1) * 127.5, 0, 255)) / 255
        return 16 + (levels @ np.array([65.481, 128.553, 24.966]))[:, 4:-4, 4:-4]

    for name, y in (("", calls["generator"][0].output), ("_cubic", bicubic(z, 16))):
        y = np.clip(y, -1, 1)
        rgb = 10 * np.log10(4 / ((y - x) ** 2).mean((1, 2, 3)))
        np.testing.assert_allclose(values[f"psnr{name}"], rgb, rtol=1e-4)
        error = ((luminance(y) - luminance(x)) ** 2).mean((1, 2))
        found = values[f"psnr_luminance{name}"]
        np.testing.assert_allclose(found, 10 * np.log10(255**2 / error), rtol=1e-3)
        number = 2 * (name == "_cubic")
        far = features_apart(calls["backbone"][number : number + 2], x, y)
        np.testing.assert_allclose(values[f"squares_random_vgg19_0{name}"], far, rtol=1e-4)

    _, calls = of.work("translate", image_low=np.float32(-z))
    np.testing.assert_allclose(calls["generator"][0].inputs[0], (1 - z) / 2, atol=1e-5)
