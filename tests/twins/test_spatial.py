"""By hand, in float64: RIDE and the mixture alone, and the video pixel network."""

import itertools

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from twins.game import also, game
from twins.inputs import COUNT
from twins.numbers import agree, log_softmax, per_example, pick, sigmoid, softplus

GREEDY = {"sampler.temperature": 0.0}


def exact(tree):
    return {k: exact(v) if hasattr(v, "items") else np.float64(v) for k, v in tree.items()}


def spatial_lstm(p, x):
    """h = tanh(c o), one pixel after another. Theis & Bethge 2015, eq. 6 to 8."""
    units = len(p["states"]) // 2
    h, c = np.zeros((2, len(x), x.shape[1] + 1, x.shape[2] + 1, units))
    for i, j in np.ndindex(x.shape[1:3]):
        near = np.concatenate([h[:, i + 1, j], h[:, i, j + 1]], -1)
        gates = x[:, i, j] @ p["inputs"]["kernel"] + p["inputs"]["bias"] + near @ p["states"]
        g, o, inner, row, column = np.split(gates, 5, -1)
        c[:, i + 1, j + 1] = (
            c[:, i + 1, j] * sigmoid(column) + c[:, i, j + 1] * sigmoid(row)
            + np.tanh(g) * sigmoid(inner)
        )  # fmt: skip
        h[:, i + 1, j + 1] = np.tanh(c[:, i + 1, j + 1] * sigmoid(o))
    return h[:, 1:, 1:]


def mixture(p, x, y):
    """log sum_ks p(k, s | x) N(y; a_k x, 1 / (e^alpha l))."""
    energy = (x @ p["features"]) ** 2 @ (p["weights"] ** 2).T
    gate = p["prior"] - 0.5 * np.exp(p["scale"]) * energy[..., None]
    gate = gate - logsumexp(gate, axis=(-2, -1), keepdims=True)
    deviation = np.exp(-0.5 * (p["scale"] + p["precision"][:, None]))
    far = y[..., None, None] - (x @ p["predictors"])[..., None]
    return logsumexp(gate + norm.logpdf(far, scale=deviation), axis=(-2, -1))


def ride_nats(of, noise):
    """log p of the interior of images of numbers from 0 to 1, in nats, [B]."""
    image = np.asarray(of.batch["image"], np.float64)[..., 0]
    values = (np.round((image + 1) * 127.5) + noise) / 256
    whitening, p = of.variables.state["whitening"], exact(of.variables.params["net"])
    mean, t = np.float64(whitening["mean"]), np.float64(whitening["t"])
    height, width = image.shape[1] - 2, image.shape[2] - 4
    rows = np.empty((len(image), height, width, 13))
    for i, j in np.ndindex(height, width):
        window = values[:, i : i + 3, j : j + 5]
        seen = [window[:, 0], window[:, 1], window[:, 2, :3]]
        rows[:, i, j] = np.concatenate(seen, axis=1)
    z = (rows - mean) @ t.T
    x = z[..., :12]
    for number in itertools.count():
        if f"lstms_{number}" not in p:
            break
        x = spatial_lstm(p[f"lstms_{number}"], x)
    return per_example(mixture(p["mixture"], x, z[..., 12]) + np.log(t[12, 12])), height * width


@pytest.mark.parametrize("layers", [2, also(0)])
def test_ride(layers):
    """Bits are 8 - log2 p of dequantised pixels, log |det| of the whitening included."""
    of = game("ride_photographs", **{"network.layers": layers})
    played = of.play()
    noise = np.stack(played.calls["uniform"])
    nats, interior = ride_nats(of, noise)
    agree(played.value, -nats.mean() / interior, 1e-4)
    bits = 8 - nats / interior / np.log(2)
    agree(played.metric("bits_per_pixel"), bits.mean(), 1e-4)
    outputs, calls = of.work("log_prob")
    nats, _ = ride_nats(of, np.stack(calls["uniform"]))
    bits = 8 - nats / interior / np.log(2)
    agree(outputs["bits_per_pixel_bound"], bits, 1e-4)
    agree(outputs["log_likelihood_bound"], -bits * interior * np.log(2), 1e-4)


@pytest.mark.parametrize("output", ["sigmoid", also("softmax")])
def test_video_pixel_network(output):
    """Cross-entropy of frames after those given; drawn ones are the likeliest, given all before."""
    of = game("vpn_moving_digits", output=output, **GREEDY)
    video, known = np.asarray(of.batch["video"], np.float64), of.config.known

    def cost(calls):
        (encoder,), (decoder,) = calls["encoder"], calls["decoder"]
        np.testing.assert_array_equal(encoder.inputs[0], video[:, :-1])
        maps = encoder.output[0][:, known - 1 :]
        symbols = np.round((video[:, known:] + 1) * 127.5)
        np.testing.assert_array_equal(decoder.inputs[0].reshape(symbols.shape), symbols)
        agree(decoder.inputs[1].reshape(maps.shape), maps)
        logits = decoder.output.reshape(*symbols.shape, -1)
        if output == "softmax":
            each = -pick(log_softmax(logits), symbols)
        else:
            z, logit = (video[:, known:] + 1) / 2, logits[..., 0]
            each = z * softplus(-logit) + (1 - z) * softplus(logit)
        return per_example(each) / each.shape[1]

    played = of.play()
    agree(played.value, cost(played.calls).mean())
    outputs, calls = of.work("log_prob")
    agree(outputs["nats_per_frame"], cost(calls))

    true, made = of.work("complete")[0]["video"].swapaxes(0, 1)
    agree(true, video)
    np.testing.assert_array_equal(made[:, :known], true[:, :known])
    (encoder,), (decoder,) = played.calls["encoder"], played.calls["decoder"]
    p = of.variables.params
    maps, _ = encoder.module.apply({"params": p["encoder"]}, made[:, :-1])
    frames = np.round((made[:, known:] + 1) * 127.5).astype(int)
    maps = np.asarray(maps[:, known - 1 :]).reshape(-1, *maps.shape[2:])
    logits = decoder.module.apply(
        {"params": p["decoder"]}, frames.reshape(-1, *frames.shape[2:]), maps
    )
    logits = np.asarray(logits).reshape(*frames.shape, -1)
    grey = np.round(255 / (1 + np.exp(-logits[..., 0].astype(float))))
    likeliest = logits.argmax(-1) if output == "softmax" else grey
    assert (frames == likeliest).mean() > 0.999 and len(frames) == COUNT
