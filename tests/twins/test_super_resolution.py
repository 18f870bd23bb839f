"""By hand, in float64: an upsampler with conditioning augmentation, and a cascade."""

import numpy as np
import pytest

from twins.game import also, game, image_of
from twins.inputs import COUNT
from twins.numbers import bicubic

RECIPE, T = "super_resolution_digits", 10
SMALL = {"times": T, "label_dropout": 0.5, "network.multipliers": (1,)}


def abar():
    """abar_0 .. abar_T. Nichol & Dhariwal 2021, eq. 17."""
    f = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.concatenate([[1.0], np.cumprod(1 - np.minimum(1 - f[1:] / f[:-1], 0.999))])


def signal_and_noise(t):
    """alpha and sigma at times t [B], for images."""
    value = abar()[np.asarray(t).astype(int)].reshape(-1, 1, 1, 1)
    return np.sqrt(value), np.sqrt(1 - value)


def small_noise(enlarged):
    """The images [B, 4, 4, 1] that were enlarged to these: enlarging is linear."""
    matrix = bicubic(np.eye(16).reshape(16, 4, 4, 1), 8).reshape(16, 64)
    found, residual, *_ = np.linalg.lstsq(matrix.T, enlarged.reshape(-1, 64).T, rcond=None)
    assert np.all(residual < 1e-6)
    return found.T.reshape(-1, 4, 4, 1)


def test_the_loss_and_what_the_network_is_told():
    """eps - eps_theta([x_t, up(z_s)], t, s): z the small image, by data.size's filter."""
    of = game(RECIPE, **SMALL)
    x = image_of(of)
    played, mirrored = of.play(), of.play(image=-of.batch["image"])
    ((call,), (other,)) = played.calls["network"], mirrored.calls["network"]
    (seen, levels, labels), opposite = call.inputs[:3], other.inputs[0]
    t, s = levels.T
    signal, noise = (seen - opposite) / 2, (seen + opposite) / 2  # Noise is the same in both.
    (alpha, sigma), (alpha_s, sigma_s) = signal_and_noise(t), signal_and_noise(s)
    np.testing.assert_allclose(signal[..., :1], alpha * x, atol=1e-5)
    z = np.clip(bicubic(x, 4), -1, 1)
    np.testing.assert_allclose(signal[..., 1:], alpha_s * bicubic(z, 8), atol=1e-5)
    eps, added = noise[..., :1] / sigma, small_noise(noise[..., 1:])
    np.testing.assert_allclose(added[s == 0], 0.0, atol=1e-5)
    added = (added / np.maximum(sigma_s, 1e-9))[s > 0]
    assert abs(eps.std() - 1) < 0.1 and abs(added.std() - 1) < 0.15
    assert abs(np.corrcoef(eps[s > 0][:, :4, :4].ravel(), added.ravel())[0, 1]) < 0.2
    np.testing.assert_allclose(played.value, ((eps - call.output) ** 2).mean(), rtol=1e-4)
    hidden = labels == 10
    np.testing.assert_array_equal(labels[~hidden], np.asarray(of.batch["label"])[~hidden])
    assert 2 < hidden.sum() < COUNT - 2


def test_levels_of_augmentation_are_drawn_by_themselves_up_to_the_largest():
    of = game(RECIPE, **SMALL)
    pairs = [of.play(index=of.batch["index"] + k * COUNT) for k in range(8)]
    t, s = np.concatenate([p.calls["network"][0].inputs[1] for p in pairs]).T
    np.testing.assert_array_equal(np.unique(s), np.arange(T // 2 + 1))
    np.testing.assert_array_equal(np.unique(t), np.arange(1, T + 1))
    assert abs(np.corrcoef(t, s)[0, 1]) < 0.3


@pytest.mark.parametrize("share", [also(0.0), 0.5])
def test_a_cascade(share):
    """The base's sample, noised to the chosen level, is what the upsampler sees at each step."""
    chosen = {"name": "ddim", "spacing": "even", "steps": 2}
    own = {f"sampler.{key}": value for key, value in chosen.items()}
    own |= {f"stages.base.{key}": value for key, value in (own | SMALL).items()}
    of = game(RECIPE, **SMALL, **own, **{"sampler.augmentation": share})
    outputs, calls = of.work("sample")
    base = [c for c in calls["network"] if c.inputs[0].shape[1:] == (4, 4, 1)]
    ours = [c for c in calls["network"] if c.inputs[0].shape[1:] == (8, 8, 2)]
    assert len(base) == len(ours) == 2
    z = drawn(base)
    alpha, sigma = signal_and_noise(np.full(COUNT, share * T))
    added = small_noise(ours[0].inputs[0][..., 1:] - alpha * bicubic(z, 8))
    assert abs(added.std() - sigma[0]) < 0.1 * sigma[0] + 1e-4
    for call, t in zip(ours, (T, T // 2), strict=True):
        np.testing.assert_array_equal(call.inputs[0][..., 1:], ours[0].inputs[0][..., 1:])
        np.testing.assert_array_equal(call.inputs[1], [[t, share * T]] * COUNT)
    for call in calls["network"]:
        np.testing.assert_array_equal(call.inputs[2], of.batch["label"])
    np.testing.assert_allclose(outputs["image"], drawn(ours), atol=1e-4)
    np.testing.assert_array_equal(outputs["label"], of.batch["label"])


def drawn(calls):
    """What DDIM ends with: x0_hat of its last evaluation, clipped."""
    x, levels = calls[-1].inputs[:2]
    alpha, sigma = signal_and_noise(levels.reshape(COUNT, -1)[:, 0])
    return np.clip((x[..., :1] - sigma * calls[-1].output) / alpha, -1, 1)


def test_upsampling_the_data_and_what_is_given():
    of = game(RECIPE, **SMALL, **{"sampler.augmentation": 0.0})
    x = image_of(of)
    z = np.clip(bicubic(x, 4), -1, 1)
    outputs, calls = of.work("upsample")
    repeated, _, cubic, ours, itself = np.moveaxis(outputs["image"], 1, 0)
    np.testing.assert_allclose(repeated, z.repeat(2, 1).repeat(2, 2), atol=1e-6)
    np.testing.assert_allclose(cubic, bicubic(z, 8), atol=1e-5)
    np.testing.assert_allclose(itself, x, atol=1e-6)
    np.testing.assert_allclose(calls["network"][0].inputs[0][..., 1:], cubic, atol=1e-5)
    values, _ = of.work("restoration")

    def psnr(a, b):
        return 10 * np.log10(4 / ((np.clip(a, -1, 1) - b) ** 2).mean((1, 2, 3)))

    for name, images in (("", ours), ("_cubic", cubic)):
        np.testing.assert_allclose(values[f"psnr{name}"], psnr(images, x), rtol=1e-4)
        again = np.clip(bicubic(np.clip(images, -1, 1), 4), -1, 1)
        np.testing.assert_allclose(values[f"consistency{name}"], psnr(again, z), rtol=1e-3)
    given, calls = of.work("upsample", image_low=np.float32(-z))
    assert given["image"].shape[1] == 4
    np.testing.assert_allclose(calls["network"][0].inputs[0][..., 1:], -cubic, atol=1e-5)
