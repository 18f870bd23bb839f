"""Models of images as codes: each bound from what the networks returned."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from twins.game import also, game, image_of, likelihood, mean_image
from twins.inputs import COUNT
from twins.numbers import agree, bernoulli, log_softmax, per_example, sigmoid


def nearest(codes, z):
    """Indices of the codes [K, D] nearest to z [..., D]."""
    return ((z[..., None, :] - codes) ** 2).sum(-1).argmin(-1)


def perplexity(chosen):
    """exp of the entropy of how often each code is chosen."""
    p = np.bincount(chosen.ravel()) / chosen.size
    return np.exp(-(p[p > 0] * np.log(p[p > 0])).sum())


@pytest.mark.parametrize("name", ["averaged", "learned"])
def test_vqvae(name):
    """Eq. 3: -log p(x|z_q), the codebook's term where it is learned, .25 of the commitment."""
    of = game("vqvae_mnist", likelihood="gaussian", **{"quantizer.name": name})
    x, played = image_of(of), of.play()
    ((z,), (call,)) = played.outputs("encoder"), played.calls["decoder"]
    learned = name == "learned"
    book = (of.variables.params if learned else of.variables.state)["codebook"]["vectors"]
    chosen = nearest(np.float64(book), z)
    agree(call.inputs[0], np.float64(book)[chosen])
    distance = per_example((z - np.float64(book)[chosen]) ** 2)
    assert distance.mean() > 0.1 and len(np.unique(chosen)) > 1
    weight = 1.25 if learned else 0.25
    log_p = likelihood(of, x, call.output)
    agree(played.value, (weight * distance - log_p).mean())
    agree(played.metric("reconstruction"), log_p.mean())
    agree(played.metric("quantization"), weight * distance.mean())
    agree(played.metric("perplexity"), perplexity(chosen))
    agree(played.metric("unused_codes"), 8 - len(np.unique(chosen)))
    if learned:
        slope = jax.jit(jax.grad(of.model.players[0].moves[0].objective, has_aux=True))
        found = slope(of.variables, of.batch, jax.random.key(0), 0)[0].params["codebook"]
        pulled = np.zeros_like(book)
        np.add.at(pulled, chosen, 2 * (np.float64(book)[chosen] - z) / COUNT)
        np.testing.assert_allclose(found["vectors"], pulled, atol=1e-4 * np.abs(pulled).max())
    else:
        counts = np.bincount(chosen.ravel(), minlength=8)
        before, after = of.variables.state["codebook"], played.state["codebook"]
        alive = 0.99 * before["counts"] + 0.01 * counts
        sums = 0.99 * np.float64(before["sums"])
        np.add.at(sums, chosen, 0.01 * z)
        agree(after["counts"], alive)
        agree(after["sums"], sums)
        agree(after["vectors"], sums / alive[:, None], 1e-3)


def test_lookup_free_codes():
    """Signs; .25 commitment + entropy (H(q(k|z)) - H(q(k))), q = softmax(-|z - e|^2 / T)."""
    settings = {"quantizer.name": "lookup_free", "quantizer.lookup_free.entropy": 0.3}
    of = game("vqvae_mnist", **settings, **{"quantizer.lookup_free.temperature": 2.0})
    x, played = image_of(of), of.play()
    ((z,), (call,)) = played.outputs("encoder"), played.calls["decoder"]
    code = np.where(z > 0, 1.0, -1.0)
    agree(call.inputs[0], code)
    every = np.where(np.arange(8)[:, None] >> np.arange(3) & 1, 1.0, -1.0)
    log_q = log_softmax(-((z[..., None, :] - every) ** 2).sum(-1) / 2.0)
    marginal = np.exp(log_q).mean((0, 1, 2))
    positions = z.shape[1] * z.shape[2]
    each = -(np.exp(log_q) * log_q).sum(-1).mean() * positions
    common = -(marginal * np.log(marginal)).sum() * positions
    commitment = ((z - code) ** 2).sum((1, 2, 3)).mean()
    assert common - each > 0.05 * positions
    expected = -bernoulli(x, call.output).mean() + 0.25 * commitment + 0.3 * (each - common)
    agree(played.value, expected)
    outputs, _ = of.work("encode")
    np.testing.assert_array_equal(outputs["code"], (z > 0) @ [1, 2, 4])


@pytest.mark.parametrize("count,near", [(100, "64 or 128"), (1, "2 or 4")])
def test_lookup_free_codes_are_as_many_as_it_says(count, near):
    """Not 128 if 100 are asked for."""
    with pytest.raises(gm_jax.UserError, match=f"count .*{count} .*power of two.* {near}"):
        game("vqvae_mnist", **{"quantizer.name": "lookup_free", "quantizer.count": count})


@pytest.mark.parametrize("name", ["averaged", also("lookup_free")])
def test_functions_of_codes(name):
    own = {"quantizer.lookup_free.entropy": 0.3, "quantizer.lookup_free.temperature": 2.0}
    kind = {"likelihood": "gaussian"} if name == "averaged" else own
    of, x = game("vqvae_mnist", **{"quantizer.name": name}, **kind), None
    x = image_of(of)
    codes, calls = of.work("encode")
    z = calls["encoder"][0].output
    if name == "averaged":
        book = np.float64(of.variables.state["codebook"]["vectors"])
        vectors = book[codes["code"]]
        np.testing.assert_array_equal(codes["code"], nearest(book, z))
    else:
        vectors = np.where(z > 0, 1.0, -1.0)
    outputs, calls = of.work("decode", code=jnp.asarray(codes["code"]))
    agree(calls["decoder"][0].inputs[0], vectors)
    made = mean_image(of, calls["decoder"][0].output)
    agree(outputs["image"], made)
    agree(of.work("reconstruct")[0]["image"], np.stack([x, made], 1))
    outputs, calls = of.work("distortion")
    agree(outputs["reconstruction"], likelihood(of, x, calls["decoder"][0].output))
    agree(outputs["squared_error"], ((made - x) ** 2).mean((1, 2, 3)))
    np.testing.assert_array_equal(outputs["code"], codes["code"])
    outputs, calls = of.work("sample")
    drawn = calls["decoder"][0].inputs[0].reshape(-1, z.shape[-1])
    assert len(np.unique(drawn.round(4), axis=0)) == 8  # All codes, of which 64 are drawn.
    agree(outputs["image"], mean_image(of, calls["decoder"][0].output))


def test_vqvae2():
    """The bottom code sees the decoded top one; both levels' commitments are in the loss."""
    of = game("vqvae2_mnist")
    x, played = image_of(of), of.play()
    calls = {name: calls[0] for name, calls in played.calls.items() if name != "uniform"}
    books = {name: np.float64(of.variables.state[name]["vectors"]) for name in ("top", "bottom")}
    h = np.maximum(calls["encoder_bottom"].output, 0)
    np.testing.assert_array_equal(calls["encoder_bottom"].inputs[0], x)
    np.testing.assert_array_equal(calls["encoder_top"].inputs[0], h)
    z_top, z_bottom = calls["encoder_top"].output, calls["join"].output
    top, bottom = (
        books[n][nearest(books[n], z)] for n, z in (("top", z_top), ("bottom", z_bottom))
    )
    agree(calls["decoder_top"].inputs[0], top)
    seen = np.maximum(calls["decoder_top"].output, 0)
    np.testing.assert_array_equal(calls["join"].inputs[0], np.concatenate([h, seen], -1))
    wide = top.repeat(2, 1).repeat(2, 2)
    agree(calls["decoder"].inputs[0], np.concatenate([wide, bottom], -1))
    commitment = per_example((z_top - top) ** 2) + per_example((z_bottom - bottom) ** 2)
    agree(played.value, (0.25 * commitment - bernoulli(x, calls["decoder"].output)).mean())
    for name, z in (("top", z_top), ("bottom", z_bottom)):
        counts = np.bincount(nearest(books[name], z).ravel(), minlength=8)
        before = of.variables.state[name]["counts"]
        alive = 0.99 * before + 0.01 * counts
        agree(played.state[name]["counts"], np.where(alive < 0.5, 1.0, alive))
        chosen = nearest(books[name], z)
        agree(played.metric(f"perplexity_{name}"), perplexity(chosen))
        agree(
            played.metric(f"quantization_{name}"),
            0.25 * per_example((z - books[name][chosen]) ** 2).mean(),
        )


def test_vqvae2s_functions():
    of = game("vqvae2_mnist")
    x, books = image_of(of), [np.float64(of.variables.state[n]["vectors"]) for n in LEVELS]
    codes, calls = of.work("encode")
    flat = [
        nearest(book, calls[name][0].output).reshape(COUNT, -1)
        for book, name in zip(books, ("encoder_top", "join"), strict=True)
    ]
    np.testing.assert_array_equal(codes["code"], np.concatenate(flat, 1))
    outputs, calls = of.work("decode", code=jnp.asarray(codes["code"]))
    top, bottom = (
        b[i].reshape(COUNT, s, s, -1) for b, i, s in zip(books, flat, (2, 4), strict=True)
    )
    wide = top.repeat(2, 1).repeat(2, 2)
    agree(calls["decoder"][0].inputs[0], np.concatenate([wide, bottom], -1))
    made = mean_image(of, calls["decoder"][0].output)
    agree(outputs["image"], made)
    outputs, calls = of.work("distortion")
    agree(outputs["reconstruction"], bernoulli(x, calls["decoder"][0].output))
    agree(outputs["squared_error"], ((made - x) ** 2).mean((1, 2, 3)))
    for name, part in zip(LEVELS, flat, strict=True):
        np.testing.assert_array_equal(outputs[f"code_{name}"], part)


LEVELS = ("top", "bottom")

RAMPS = {
    "codes.width": 16, "temperature.end": 0.5, "temperature.steps": 10, "beta.end": 2.0,
    "beta.steps": 10,
}  # fmt: skip


def grey_laplace(x, noise, output):
    """log p of 256 grey values under mu and ln b, both a channel wide, [B]. Ramesh et al., A.3."""
    mu, log_b = np.split(output, 2, -1)
    y = 0.8 * (np.round((x + 1) * 127.5) + noise) / 256 + 0.1
    logit = np.log(y / (1 - y))
    log_p = -np.abs(logit - mu) / np.exp(log_b) - np.log(2 * np.exp(log_b) * y * (1 - y))
    return per_example(log_p + np.log(0.8 / 256))


def kl_to_uniform(logits):
    log_q = log_softmax(logits)
    return per_example(np.exp(log_q) * (log_q + np.log(logits.shape[-1])))


def test_dvae():
    """-log p(x'|z) + beta KL(q || uniform), z relaxed at the temperature, both of the step."""
    of = game("dvae_fashion_mnist", **RAMPS)
    x, book, noisy = image_of(of), np.float64(of.variables.params["codebook"]), []
    for step, temperature, beta in ((0, 1.0, 0.0), (5, 0.75, 1.0), (30, 0.5, 2.0)):
        played = of.play(step=step)
        ((logits,), (call,)) = played.outputs("encoder"), played.calls["decoder"]
        noise = np.stack(played.calls["uniform"])
        assert noise.shape == x.shape and 0.25 < noise.std() < 0.33
        log_p = grey_laplace(x, noise, call.output)
        agree(played.value, -(log_p - beta * kl_to_uniform(logits)).mean())
        agree(played.metric("reconstruction"), log_p.mean())
        agree(played.metric("kl"), kl_to_uniform(logits).mean())
        agree([played.metric(name) for name in ("temperature", "beta")], [temperature, beta])
        y = call.inputs[0] @ np.linalg.pinv(book)
        agree(y.sum(-1), 1.0, 1e-3)
        relaxed = temperature * np.log(np.maximum(y, 1e-4))
        noisy.append(np.where(y > 1e-2, relaxed - relaxed.max(-1, keepdims=True), np.nan))
    for later in noisy[1:]:
        kept = ~np.isnan(later + noisy[0])
        assert kept.sum() > 100
        np.testing.assert_allclose(later[kept], noisy[0][kept], atol=5e-3)


def test_dvaes_functions():
    of = game("dvae_fashion_mnist", **RAMPS)
    x, book = image_of(of), np.float64(of.variables.params["codebook"])
    outputs, calls = of.work("bound")
    logits, call = calls["encoder"][0].output, calls["decoder"][0]
    hard = nearest(book, call.inputs[0])
    agree(call.inputs[0], book[hard])
    assert (hard != logits.argmax(-1)).mean() > 0.2  # Drawn, not the likeliest.
    log_p = grey_laplace(x, np.stack(calls["uniform"]), call.output)
    agree(outputs["kl"], kl_to_uniform(logits))
    agree(outputs["elbo"], log_p - kl_to_uniform(logits))
    codes, calls = of.work("encode")
    np.testing.assert_array_equal(codes["code"], calls["encoder"][0].output.argmax(-1))
    outputs, calls = of.work("distortion")
    agree(calls["decoder"][0].inputs[0], book[codes["code"]])
    output = calls["decoder"][0].output
    made = 2 * np.clip((sigmoid(output[..., :1]) - 0.1) / 0.8, 0, 1) - 1
    agree(outputs["squared_error"], ((made - x) ** 2).mean((1, 2, 3)))
    agree(outputs["reconstruction"], grey_laplace(x, np.stack(calls["uniform"]), output))
    agree(of.work("reconstruct")[0]["image"], np.stack([x, made], 1))
