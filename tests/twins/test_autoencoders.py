"""Autoencoders, with a prior and without: each bound from what the networks returned."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp, ndtri

from twins.game import also, game, image_of, likelihood
from twins.inputs import COUNT
from twins.numbers import (
    agree,
    bernoulli,
    drawn_from,
    gaussian_kl,
    log_normal,
    log_softmax,
    per_example,
    sigmoid,
)

DAE = {"corruption.amount": 0.4, "latents": 8, "network.name": "mlp"}


@pytest.mark.parametrize("kind", ["gaussian", also("bernoulli")])
def test_autoencoder(kind):
    """-log p(x | f(x~)): the code of a corrupted image, judged on the image."""
    of = game("dae_mnist", likelihood=kind, **DAE)
    x, played = image_of(of), of.play()
    (corrupted,), (z,), (output,) = (
        played.seen("encoder"), played.outputs("encoder"), played.outputs("decoder"),
    )  # fmt: skip
    agree(played.value, -likelihood(of, x, output).mean())
    np.testing.assert_array_equal(played.seen("decoder")[0], z)
    black = corrupted != np.float32(x)
    assert np.all(corrupted[black] == -1.0) and abs(black[x > -1].mean() - 0.4) < 0.1
    # Their moments forget by a hundredth.
    codes = played.state["codes"]
    agree(codes["mean"], 0.01 * z.mean(0))
    agree(codes["second"], 0.99 * np.eye(8) + 0.01 * z.T @ z / COUNT)


def test_autoencoders_functions():
    of = game("dae_mnist", likelihood="gaussian", **DAE)
    x = image_of(of)
    outputs, calls = of.work("reconstruct")
    np.testing.assert_array_equal(calls["encoder"][0].inputs[0], x)
    agree(outputs["image"], np.stack([x, calls["decoder"][0].output], 1))
    outputs, calls = of.work("encode")
    np.testing.assert_array_equal(calls["encoder"][0].inputs[0], x)
    agree(outputs["latent"], calls["encoder"][0].output)
    outputs, calls = of.work("denoise")
    (encoder,), (decoder,) = calls["encoder"], calls["decoder"]
    agree(outputs["image"], np.stack([x, encoder.inputs[0], decoder.output], 1))
    assert abs((encoder.inputs[0] != x)[x > -1].mean() - 0.4) < 0.1
    outputs, calls = of.work("distortion")
    whole, part = (next(i for i, c in enumerate(calls["encoder"]) if np.array_equal(
        c.inputs[0], x) == same) for same in (True, False))  # fmt: skip
    corrupted = calls["encoder"][part].inputs[0]
    made, mended = (calls["decoder"][i].output for i in (whole, part))
    agree(outputs["reconstruction"], likelihood(of, x, made))
    for name, y in (("squared", made), ("denoising", mended), ("corrupted", corrupted)):
        agree(outputs[f"{name}_error"], ((y - x) ** 2).mean((1, 2, 3)))
    moments = {"mean": jnp.full(8, 3.0), "second": 4.0 * jnp.eye(8) + 9.0}
    of = of._replace(variables=of.variables._replace(state={"codes": moments}))
    outputs, calls = of.work("sample")
    (z,) = calls["decoder"][0].inputs
    assert abs(z.mean() - 3.0) < 0.6 and abs(z.std() - 2.0) < 0.35
    agree(outputs["image"], calls["decoder"][0].output)


def test_vae_is_the_bound_of_one_draw():
    """-E log p(x|z) + beta KL, z = mu + exp(1/2 log-variance) noise."""
    of = game("vae_mnist", beta=3.0, **{"latents": 8, "importance_samples": 3})
    x, played = image_of(of), of.play()
    ((outputs,), (call,)) = played.outputs("encoder"), played.calls["decoder"]
    np.testing.assert_array_equal(played.seen("encoder")[0], x)
    reconstruction, kl = bernoulli(x, call.output), gaussian_kl(*np.split(outputs, 2, -1))
    agree(played.value, -(reconstruction - 3.0 * kl).mean())
    agree(played.metric("kl"), kl.mean())
    agree(played.metric("reconstruction"), reconstruction.mean())
    other = of.play(image=-of.batch["image"])
    (other_call,) = other.calls["decoder"]
    drawn_from(outputs, call.inputs[0], *other.outputs("encoder"), other_call.inputs[0])


@pytest.mark.parametrize("bound", ["importance", also("elbo")])
def test_several_draws(bound):
    """The mean of K bounds, or the log of the mean of K weights (Burda et al., eq. 8)."""
    of = game("iwae_mnist", bound=bound, samples=4, likelihood="gaussian", latents=8)
    x, played = image_of(of), of.play()
    mean, log_variance = np.split(played.outputs("encoder")[0], 2, -1)
    calls = played.calls["decoder"]
    assert len(calls) == 4 and len({float(c.inputs[0].sum()) for c in calls}) == 4
    log_p = np.stack([likelihood(of, x, c.output) for c in calls])
    weights = [
        p + log_normal(c.inputs[0]) - log_normal(c.inputs[0], mean, log_variance)
        for p, c in zip(log_p, calls, strict=True)
    ]
    expected = {
        "elbo": log_p.mean(0) - gaussian_kl(mean, log_variance),
        "importance": logsumexp(weights, axis=0) - np.log(4),
    }[bound]
    agree(played.value, -expected.mean())


@pytest.mark.parametrize("bound", ["importance", also("elbo")])
def test_mixture_posterior(bound):
    """A draw of each component, weighted by its share; the KL estimated at the draws."""
    parts = {"posterior.name": "mixture", "posterior.mixture.components": 3, "latents": 4}
    of = game("vae_mnist", bound=bound, samples=2, **parts)
    x, played = image_of(of), of.play()
    (outputs,) = played.outputs("encoder")
    log_pi, rest = log_softmax(outputs[:, :3]), outputs[:, 3:].reshape(COUNT, 2, 3, 4)
    mean, log_variance = rest[:, 0], rest[:, 1]
    total, weights = 0.0, []
    for number, call in enumerate(played.calls["decoder"]):
        (z,), part = call.inputs, number // 2  # The parts are the inner vmap.
        each = [log_pi[:, s] + log_normal(z, mean[:, s], log_variance[:, s]) for s in range(3)]
        log_ratio = log_normal(z) - logsumexp(each, axis=0)
        log_p = bernoulli(x, call.output)
        total = total + np.exp(log_pi[:, part]) * (log_p + log_ratio) / 2
        weights.append(np.log(3) + log_pi[:, part] + log_p + log_ratio)
        noise = (z - mean[:, part]) / np.exp(log_variance[:, part] / 2)
        assert abs(noise.std() - 1) < 0.3
    assert len(weights) == 6
    if bound == "importance":
        total = logsumexp(weights, axis=0) - np.log(6)
    agree(played.value, -total.mean())


def test_categorical_posterior():
    """Gumbel-softmax at max(.5, exp(-3e-5 step)), over a uniform prior; the KL in closed form."""
    kind = {"posterior.name": "categorical", "show.counts.manifold": 0, "importance_samples": 2}
    of = game("vae_mnist", latents=4, **kind)
    x, noisy = image_of(of), []
    for step, temperature in ((10_000, np.exp(-0.3)), (10**6, 0.5)):
        played = of.play(step=step)
        log_q = log_softmax(played.outputs("encoder")[0].reshape(COUNT, 4, 10))
        (call,) = played.calls["decoder"]
        kl = per_example(np.exp(log_q) * (log_q + np.log(10)))
        agree(played.value, -(bernoulli(x, call.output) - kl).mean())
        z = call.inputs[0].reshape(COUNT, 4, 10)
        agree(z.sum(-1), 1.0)
        noisy.append(temperature * np.log(np.maximum(z, 1e-30)))
    kept = noisy[1] > 0.5 * np.log(1e-6)
    noisy = [np.where(kept, n - n.max(-1, keepdims=True), 0) for n in noisy]
    np.testing.assert_allclose(*noisy, atol=1e-3)
    _, calls = of.work("sample")
    z = calls["decoder"][0].inputs[0].reshape(COUNT, 4, 10)
    assert set(np.unique(z)) == {0, 1} and np.all(z.sum(-1) == 1) and z.mean((0, 1)).max() < 0.3
    # The bound is of draws of q itself, not of relaxed ones.
    outputs, calls = of.work("bound")
    weights = []
    for call in calls["decoder"]:
        z = call.inputs[0].reshape(COUNT, 4, 10)
        assert set(np.unique(z)) == {0, 1} and np.all(z.sum(-1) == 1)
        weights.append(bernoulli(x, call.output) - 4 * np.log(10) - per_example(z * log_q))
    agree(outputs["elbo"], bernoulli(x, calls["decoder"][0].output) - kl)
    agree(outputs["log_likelihood_2"], logsumexp(weights, axis=0) - np.log(2))


def test_vaes_functions():
    of = game("vae_mnist", beta=3.0, **{"latents": 8, "importance_samples": 3})
    x = image_of(of)
    outputs, calls = of.work("bound")
    mean, log_variance = np.split(calls["encoder"][0].output, 2, -1)
    weights = [
        bernoulli(x, c.output) + log_normal(z) - log_normal(z, mean, log_variance)
        for c in calls["decoder"]
        for z in c.inputs
    ]
    assert len(weights) == 3
    kl = gaussian_kl(mean, log_variance)
    agree(outputs["kl"], kl)  # The bound itself, whatever beta it was trained with.
    agree(outputs["elbo"], bernoulli(x, calls["decoder"][0].output) - kl)
    agree(outputs["log_likelihood_3"], logsumexp(weights, axis=0) - np.log(3))
    outputs, calls = of.work("sample")
    (z,), output = calls["decoder"][0].inputs, calls["decoder"][0].output
    assert abs(z.std() - 1) < 0.2 and abs(z.mean()) < 0.3
    agree(outputs["image"], 2 * sigmoid(output) - 1)
    outputs, calls = of.work("reconstruct")
    agree(calls["decoder"][0].inputs[0], np.split(calls["encoder"][0].output, 2, -1)[0])
    agree(outputs["image"], np.stack([x, 2 * sigmoid(calls["decoder"][0].output) - 1], 1))
    outputs, calls = of.work("encode")
    agree(outputs["latent"], np.split(calls["encoder"][0].output, 2, -1)[0])
    index = jnp.arange(COUNT) * 23
    outputs, calls = of.work("manifold", index=index)
    row, column = np.divmod(np.asarray(index), 20)
    (z,) = calls["decoder"][0].inputs
    agree(z[:, :2], ndtri((np.stack([column, 19 - row], 1) + 0.5) / 20), 1e-4)
    np.testing.assert_array_equal(z[:, 2:], 0)
