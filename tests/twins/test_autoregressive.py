"""Models of sequences and of pixels: their likelihoods from the logits, and greedy samples."""

import collections

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from twins.game import also, codebook, game
from twins.inputs import COUNT, SYMBOLS, text_file
from twins.numbers import log_softmax, pick, sigmoid, softplus

# Each leaves one symbol alone, in a setting of its own.
GREEDY = ({"sampler.temperature": 0.0}, {"sampler.top_k": 1}, {"sampler.top_p": 1e-6})


def agree(found, expected, rtol=1e-5):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-5)


def only(calls, method="__call__"):
    """The one call of one network."""
    (call,) = [c for name in calls for c in calls[name] if getattr(c, "method", "") == method]
    return call


def logits_of(of, calls, x, *condition):
    """What the network that drew a sample says of all of it at once."""
    module = next(c.module for name in calls for c in calls[name] if hasattr(c, "module"))
    (params,) = of.variables.params.values()
    return np.float64(module.apply({"params": params}, jnp.asarray(x), *condition))


LANGUAGE = {"gpt_tinyshakespeare": GREEDY[0], "bengio_tinyshakespeare": GREEDY[1]}


@pytest.mark.parametrize("recipe", LANGUAGE)
def test_language(recipe):
    """The weighted sum of -log p over each window; in training as in evaluation."""
    of = game(recipe, **LANGUAGE[recipe], **{"sampler.prompt": "ab", "sampler.length": 4})
    text, weight = np.asarray(of.batch["text"]), np.asarray(of.batch["weight"], np.float64)
    played = of.play()
    call = only(played.calls)
    assert call.keys == ("gpt" in recipe)
    np.testing.assert_array_equal(call.inputs[0], text)
    nats = -(weight * pick(log_softmax(call.output), text)).sum(1)
    agree(played.value, nats.mean())
    outputs, calls = of.work("bound")
    logits = only(calls).output
    agree(outputs["nats_per_character"], -(weight * pick(log_softmax(logits), text)).sum(1))

    outputs, calls = of.work("sample", moves=False)
    assert outputs["text"].shape == (COUNT, 6)
    drawn = np.array([[SYMBOLS.index(chr(c)) for c in row] for row in outputs["text"]])
    np.testing.assert_array_equal(drawn[:, :2], [[SYMBOLS.index("a"), SYMBOLS.index("b")]] * COUNT)
    logits = logits_of(of, calls, drawn)
    np.testing.assert_array_equal(drawn[:, 2:], logits[:, 2:].argmax(-1))


def test_ngram():
    """Chen & Goodman's equations for pairs, with dictionaries, of the windows read so far."""
    of = game("ngram_tinyshakespeare", order=2, **GREEDY[2], **{"sampler.prompt": "ab"})
    text, weight = np.asarray(of.batch["text"]), np.asarray(of.batch["weight"], np.float64)
    whole, kinds = text.ravel(), len(SYMBOLS)  # The windows lie one behind the other.
    pairs = collections.Counter(zip(whole[:-1].tolist(), whole[1:].tolist(), strict=True))
    before = collections.Counter(w for _, w in pairs)

    def discounts(counts):
        n = [sum(c == i for c in counts.values()) for i in range(5)]
        y = n[1] / (n[1] + 2 * n[2]) if n[1] + n[2] else np.nan
        found = [i - (i + 1) * y * n[i + 1] / n[i] if n[i] else np.nan for i in (1, 2, 3)]
        return [d if 0 < d < i else 0.75 for i, d in enumerate(found, start=1)]

    def smoothed(row, d, lower):
        taken = np.array([d[min(c, 3) - 1] if c else 0.0 for c in row])
        return (row - taken + taken.sum() * lower) / row.sum() if row.sum() else lower

    first = np.array([before[w] for w in range(kinds)])
    first = smoothed(first, discounts(before), np.full(kinds, 1 / kinds))
    d = discounts(pairs)
    rows = np.array([[pairs[h, w] for w in range(kinds)] for h in range(kinds)])
    second = np.stack([smoothed(row, d, first) for row in rows])
    p = np.stack([np.log(first[text[:, 0]]), *np.log(second[text[:, :-1], text[:, 1:]]).T], 1)
    played = of.play()
    agree(played.value, -(weight * p).sum(1).mean())
    size = len(text_file().read_text())
    agree(played.metric("unread"), 1 - text.size / size)
    of = of._replace(variables=of.variables._replace(state=played.state))
    outputs, _ = of.work("bound")
    agree(outputs["nats_per_character"], -(weight * p).sum(1))
    outputs, _ = of.work("sample", moves=False)
    drawn = np.array([[SYMBOLS.index(chr(c)) for c in row] for row in outputs["text"]])
    np.testing.assert_array_equal(drawn[:, 2:], second[drawn[:, 1:-1]].argmax(-1))


def mu_law(x):
    """Symbols 0 .. 255. van den Oord et al. 2016, section 2.2."""
    squeezed = np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256)
    return np.floor((squeezed + 1) / 2 * 255 + 0.5).astype(int)


def test_wavenet():
    """-log p of the samples that count, of a label; each counts once, whatever its weight."""
    of = game("wavenet_fsdd", **GREEDY[0])
    x, label = mu_law(np.asarray(of.batch["audio"], np.float64)), np.asarray(of.batch["label"])
    weight = np.asarray(of.batch["weight"], np.float64)
    played = of.play()
    call = only(played.calls)
    assert (call.inputs[0] != x).mean() < 0.01  # The rounding of a float32 logarithm.
    x = call.inputs[0]
    np.testing.assert_array_equal(call.inputs[1], label)
    log_p, counts = pick(log_softmax(call.output), x), weight > 0
    agree(played.value, -(counts * log_p).sum() / counts.sum())
    outputs, calls = of.work("bound")
    log_p = pick(log_softmax(only(calls).output), x)
    agree(outputs["nats_per_sample"], -(weight * log_p).sum(1))

    outputs, calls = of.work("sample")
    sound = outputs["audio"]
    assert sound.shape == (COUNT, 12) and np.all(outputs["rate"] == 8000)
    np.testing.assert_array_equal(outputs["label"], label)
    drawn = mu_law(sound)
    agree(sound, np.sign(drawn - 127.5) * (256 ** np.abs(2 * drawn / 255 - 1) - 1) / 255, 1e-4)
    field = 8  # Of silence, which no one hears.
    symbols = np.concatenate([np.full((COUNT, field), 128), drawn], 1)
    logits = logits_of(of, calls, symbols, jnp.asarray(label))
    np.testing.assert_array_equal(drawn, logits[:, field:].argmax(-1))


# Each a model of pixels, and whether it is of a class.
PIXELS = {
    "pixelcnn_mnist": (GREEDY[0], False),
    "gated_pixelcnn_mnist": (GREEDY[1], True),
    "pixelrnn_mnist": (GREEDY[2], False),
}


@pytest.mark.parametrize(
    "recipe", ["gated_pixelcnn_mnist", also("pixelcnn_mnist"), also("pixelrnn_mnist")]
)
def test_pixels(recipe):
    """-log p(x) summed over pixels; bits are nats / (ln 2 dimensions)."""
    settings, conditional = PIXELS[recipe]
    of = game(recipe, **settings)
    image, label = np.asarray(of.batch["image"]), np.asarray(of.batch["label"])
    x = (image > 0).astype(int)
    played = of.play()
    call = only(played.calls)
    np.testing.assert_array_equal(call.inputs[0], x)
    nats = -pick(log_softmax(call.output), x).reshape(COUNT, -1).sum(1)
    agree(played.value, nats.mean())
    agree(played.metric("bits_per_dimension"), nats.mean() / (64 * np.log(2)))
    outputs, calls = of.work("log_prob")
    agree(outputs["log_likelihood"], -nats)
    agree(outputs["bits_per_dimension"], nats / (64 * np.log(2)))
    condition = (jnp.asarray(label),) if conditional else ()
    if conditional:
        np.testing.assert_array_equal(call.inputs[1], label)
        np.testing.assert_array_equal(only(calls).inputs[1], label)

    outputs, calls = of.work("sample", moves=conditional)
    drawn = ((outputs["image"] + 1) / 2).astype(int)
    np.testing.assert_array_equal(outputs["image"], 2 * drawn - 1)
    logits = logits_of(of, calls, drawn, *condition)
    np.testing.assert_array_equal(drawn, logits.argmax(-1))
    if conditional:
        np.testing.assert_array_equal(outputs["label"], label)
    outputs, calls = of.work("complete")
    whole, half, completed = outputs["image"].swapaxes(0, 1)
    np.testing.assert_array_equal(whole, image)
    np.testing.assert_array_equal(half[:, :4], image[:, :4])
    np.testing.assert_array_equal(half[:, 4:], 0)
    np.testing.assert_array_equal(completed[:, :4], image[:, :4])
    drawn = ((completed + 1) / 2).astype(int)
    logits = logits_of(of, calls, drawn, *condition)
    np.testing.assert_array_equal(drawn[:, 4:], logits[:, 4:].argmax(-1))


def logistic_mixture(x, raw, parts):
    """log p of grey x [B, H, W] in [-1, 1] under `parts` logistics. Salimans et al., eq. 2."""
    logits, means, log_scales = np.split(raw, 3, -1)
    scales = np.exp(np.maximum(log_scales, -7.0))
    upper = (x[..., None] + 1 / 255 - means) / scales
    lower = (x[..., None] - 1 / 255 - means) / scales
    # log(sigma(u) - sigma(l)) = log sigma(u) + log sigma(-l) + log(1 - exp(l - u)).
    inside = -softplus(-upper) - softplus(lower) + np.log(-np.expm1(lower - upper))
    bottom, top = x[..., None] < -0.999, x[..., None] > 0.999
    mass = np.where(bottom, -softplus(-upper), np.where(top, -softplus(lower), inside))
    assert logits.shape[-1] == parts
    return logsumexp(log_softmax(logits) + mass, axis=-1)


def test_pixelcnnpp():
    settings = {"conditional": True, "network.dropout": 0.0, "sampler.temperature": 0.0}
    of = game("pixelcnnpp_mnist", **settings)
    image, label = np.asarray(of.batch["image"], np.float64), np.asarray(of.batch["label"])
    played = of.play()
    call = only(played.calls)
    symbols = np.round((image + 1) * 127.5)
    assert call.keys == 1
    np.testing.assert_array_equal(call.inputs[0], symbols)
    np.testing.assert_array_equal(call.inputs[1], label)
    nats = -logistic_mixture(image[..., 0], call.output, 2).reshape(COUNT, -1).sum(1)
    agree(played.value, nats.mean(), 1e-4)
    agree(played.metric("bits_per_dimension"), nats.mean() / (64 * np.log(2)), 1e-4)
    outputs, calls = of.work("log_prob")
    assert only(calls).keys == 0
    agree(outputs["bits_per_dimension"], nats / (64 * np.log(2)), 1e-4)
    outputs, calls = of.work("sample")
    drawn = np.round((outputs["image"] + 1) * 127.5).astype(int)
    raw = logits_of(of, calls, drawn, jnp.asarray(label))
    every = np.broadcast_to(np.linspace(-1, 1, 256), (*raw.shape[:3], 256))
    masses = logistic_mixture(every, np.repeat(raw[:, :, :, None], 256, 3), 2)
    likeliest = pick(masses, drawn[..., 0])
    np.testing.assert_allclose(likeliest, masses.max(-1), atol=1e-3)


def nade_logits(of, x):
    """b_t + V_t sigma(c + W_<t x_<t) of symbols in the model's order, [B, T]."""
    ((params),) = of.variables.params.values()
    params = {name: np.float64(value) for name, value in params.items()}
    before = np.cumsum(x[:, :, None] * params["w"], 1) - x[:, :, None] * params["w"]
    return params["b"] + (sigmoid(params["c"] + before) * params["v"]).sum(-1)


def test_nade():
    """The pixels in one random order, which belongs to the state."""
    of = game("nade_mnist", **GREEDY[0])
    image, order = np.asarray(of.batch["image"]), np.asarray(of.variables.state["order"])
    x = (image.reshape(COUNT, -1) > 0)[:, order].astype(int)
    nats = softplus(np.where(x, -1, 1) * nade_logits(of, x)).sum(1)
    played = of.play()
    agree(played.value, nats.mean())
    agree(played.metric("bits_per_dimension"), nats.mean() / (64 * np.log(2)))
    outputs, _ = of.work("log_prob")
    agree(outputs["log_likelihood"], -nats)
    agree(outputs["bits_per_dimension"], nats / (64 * np.log(2)))
    for name, given in (("sample", 0), ("complete", 32)):
        made = of.work(name, moves=given > 0)[0]["image"]
        made = made.reshape(COUNT, -1, 64)[:, -1]
        drawn = ((made + 1) / 2).astype(int)[:, order]
        np.testing.assert_array_equal(drawn[:, :given], x[:, :given])
        np.testing.assert_array_equal(drawn[:, given:], nade_logits(of, drawn)[:, given:] > 0)


@pytest.mark.parametrize("network", ["gated_pixelcnn", also("gpt")])
def test_latent_prior(network):
    """-log p(z|h) of the frozen stage's codes; with log p(x|z) a bound on log p(x|h)."""
    of = game("vqvae_prior_mnist", **{"network.name": network, "sampler.top_k": 1})
    x, label = np.asarray(of.batch["image"], np.float64), np.asarray(of.batch["label"])
    played = of.play()
    (call,) = played.calls["prior"]
    assert call.keys == (network == "gpt")
    z, vectors = played.outputs("encoder")[0], codebook(of)
    codes = ((z[..., None, :] - vectors) ** 2).sum(-1).argmin(-1)
    np.testing.assert_array_equal(played.seen("encoder")[0], x)
    np.testing.assert_array_equal(call.inputs[0].reshape(codes.shape), codes)
    np.testing.assert_array_equal(call.inputs[1], label)
    log_p = pick(log_softmax(call.output).reshape(*codes.shape, -1), codes)
    nats = -log_p.reshape(COUNT, -1).sum(1)
    agree(played.value, nats.mean())
    agree(played.metric("nats_per_code"), -log_p.mean())
    outputs, calls = of.work("bound")
    white = (x + 1) / 2
    logits = calls["decoder"][0].output
    reconstruction = -(white * softplus(-logits) + (1 - white) * softplus(logits))
    reconstruction = reconstruction.reshape(COUNT, -1).sum(1)
    agree(calls["decoder"][0].inputs[0], vectors[codes])
    agree(outputs["prior"], -nats)
    agree(outputs["reconstruction"], reconstruction)
    agree(outputs["bound"], reconstruction - nats)

    outputs, calls = of.work("sample")
    ((code,), output) = calls["decoder"][0].inputs, calls["decoder"][0].output
    agree(outputs["image"], 2 * sigmoid(output) - 1)
    np.testing.assert_array_equal(outputs["label"], label)
    drawn = ((code[..., None, :] - vectors) ** 2).sum(-1).argmin(-1)
    shown = drawn[..., None] if network == "gated_pixelcnn" else drawn.reshape(COUNT, -1)
    logits = call.module.apply({"params": of.variables.params["prior"]}, shown, jnp.asarray(label))
    np.testing.assert_array_equal(drawn.ravel(), np.asarray(logits).argmax(-1).ravel())
