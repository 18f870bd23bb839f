"""By hand, in float64: the two moves of latent diffusion's first stage, and what it is used for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.autoencoders.first_stage import adaptive_weight
from gm_jax.autoencoders.shared import bottlenecks
from twins.game import game, image_of
from twins.numbers import agree, gaussian_kl

RECIPE = "first_stage_emoji"
VQ = {"bottleneck.name": "vq", "bottleneck.codes": 8, "bottleneck.weight": 0.5}


def decodings(played):
    return [call for call in played.calls["autoencoder"] if call.method == "decode"]


def kernel_gradient(h, upstream):
    """The gradient of a 3 x 3 convolution's kernel, its sides padded with zeros: [3, 3, C, D]."""
    padded = np.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = h.shape[1:3]
    rows = [
        [
            np.einsum("bhwc,bhwd->cd", padded[:, i : i + height, j : j + width], upstream)
            for j in range(3)
        ]
        for i in range(3)
    ]
    return np.array(rows)


@pytest.mark.parametrize("step", [1, 2])
def test_the_autoencoders_loss(step):
    """L_rec - lambda D(x') + w KL, lambda from round 2 on by the gradients of the last kernel."""
    of = game(RECIPE, **{"discriminator.start": 2, "bottleneck.weight": 0.25})
    played, x = of.play("autoencoder", step=step), image_of(of)
    (moments,) = (c.output for c in played.calls["autoencoder"] if c.method == "moments")
    mean, log_variance = np.split(moments, 2, axis=-1)
    made = decodings(played)[0]
    std = (made.inputs[0] - mean) / np.exp(0.5 * log_variance)
    assert abs(std.std() - 1.0) < 0.1 and abs(std.mean()) < 0.1
    y, count = made.output, len(x)
    reconstruction = np.abs(x - y).reshape(count, -1).sum(1).mean()
    judged = next(c for c in played.calls["discriminator"] if np.allclose(c.inputs[0], y))
    judgement = -judged.output.mean()

    def judge(image):
        return -jnp.mean(judged.again(of.variables, image)[0])

    of_image = np.asarray(jax.grad(judge)(jnp.float32(y)), np.float64)
    norm = np.linalg.norm(kernel_gradient(made.last, np.sign(y - x) / count))
    other = np.linalg.norm(kernel_gradient(made.last, of_image))
    weight = (step >= 2) * of.config.discriminator.weight * min(norm / (other + 1e-4), 1e4)
    kl = gaussian_kl(*(m.reshape(count, -1) for m in (mean, log_variance))).mean()
    np.testing.assert_allclose(played.metric("weight"), weight, rtol=1e-3)
    agree(played.value, reconstruction + played.metric("weight") * judgement + 0.25 * kl)


def test_the_adaptive_weight_is_a_number_and_no_path_for_gradients():
    """|grad L_rec| / (|grad D| + 1e-4), at most 1e4: VQGAN, eq. 7."""
    kernel = jnp.array([[0.3, -1.2], [0.7, 2.0]])
    for scale in (0.5, 1e-4, 0.0):

        def terms(kernel, scale=scale):
            return jnp.sum(kernel**2), scale * jnp.sum(jnp.sin(kernel)), {}

        value, slope = jax.value_and_grad(lambda k: adaptive_weight(terms, k))(kernel)
        exact = np.float64(kernel)
        ratio = np.linalg.norm(2 * exact) / (scale * np.linalg.norm(np.cos(exact)) + 1e-4)
        np.testing.assert_allclose(value, min(ratio, 1e4), rtol=1e-5)
        np.testing.assert_array_equal(slope, np.zeros((2, 2)))


def test_log_variances_are_clamped(monkeypatch):
    """To [-30, 20]: Rombach et al.'s code."""
    moments = jnp.concatenate([jnp.ones((2, 1, 1, 3)), jnp.full((2, 1, 1, 3), 90.0)], axis=-1)
    moments = moments.at[1, ..., 3:].set(-90.0)
    monkeypatch.setattr(bottlenecks, "Network", lambda name, module: lambda *a, method: moments)
    sizes = dict(channels=3, widths=(4,), blocks=1, groups=2, dtype=jnp.float32)
    _, latent, _ = bottlenecks.kl(bottlenecks.Settings(channels=3), **sizes)
    _, loss = latent(None, jnp.zeros((2, 1, 1, 3)))
    expected = 3 * 0.5 * (np.exp([20.0, -30.0]) + 1.0 - 1.0 - [20.0, -30.0])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_the_discriminators_loss():
    """1/2 (max(0, 1 - D(x)) + max(0, 1 + D(x'))), the mean over patches and examples."""
    of = game(RECIPE)
    played, x = of.play("discriminator"), image_of(of)
    real = next(c for c in played.calls["discriminator"] if np.allclose(c.inputs[0], x))
    (fake,) = (c for c in played.calls["discriminator"] if c is not real)
    np.testing.assert_allclose(fake.inputs[0], decodings(played)[0].output, rtol=1e-5)
    terms = np.maximum(0, 1 - real.output) + np.maximum(0, 1 + fake.output)
    assert real.output.ndim == 3
    agree(played.value, 0.5 * terms.mean())
    (player,) = (p for p in of.model.players if p.name == "discriminator")
    assert [player.moves[0].times(step) for step in (0, 1, 2, 3)] == [0, 0, 1, 1]


def test_the_codebooks_loss():
    """(|sg[z] - e|^2 + beta |z - sg[e]|^2) H W C / (h w D), summed over positions."""
    of = game(RECIPE, **VQ)
    played, x = of.play("autoencoder", step=0), image_of(of)
    (z,) = (c.output for c in played.calls["autoencoder"] if c.method == "encode")
    book = of.variables.params["autoencoder"]["quantize"]["embedding"]["embedding"]
    distances = ((z[..., None, :] - np.asarray(book, np.float64)) ** 2).sum(-1)
    ratio = x[0].size / z[0].size
    expected = 1.25 * ratio * distances.min(-1).reshape(len(x), -1).sum(1).mean()
    agree(played.metric("regularization"), expected)
    seen = decodings(played)[0].inputs[0]
    np.testing.assert_allclose(seen, np.asarray(book)[distances.argmin(-1)], rtol=1e-5)
    agree(played.value, played.metric("reconstruction") + 0.5 * expected)


def test_encodings_are_drawn_and_reconstructions_are_of_their_mean():
    of, x = game(RECIPE), image_of(game(RECIPE))
    drawn, calls = of.work("encode")
    ((_, moments),) = ((c.method, c.output) for c in calls["autoencoder"])
    mean, log_variance = np.split(moments, 2, axis=-1)
    noise = (drawn["latent"] - mean) / np.exp(0.5 * log_variance)
    assert abs(noise.std() - 1.0) < 0.1
    outputs, calls = of.work("reconstruct")
    made = next(c for c in calls["autoencoder"] if c.method == "decode")
    np.testing.assert_allclose(made.inputs[0], mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(outputs["image"], np.stack([x, made.output], 1), rtol=1e-5)
    measured, _ = of.work("distortion")
    error = ((x - np.clip(made.output, -1, 1)) ** 2).reshape(len(x), -1).mean(1)
    np.testing.assert_allclose(measured["psnr"], 10 * np.log10(4 / error), rtol=1e-5)
