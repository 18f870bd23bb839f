"""DDPM: its loss, every step of its samplers and its bound, from what the network returned."""

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from gm_jax.diffusion.shared import importance
from twins.game import also, game
from twins.inputs import COUNT
from twins.numbers import agree, gaussian_kl, per_example

T = 10
TOLD = {"conditional": True, "label_dropout": 0.5, "network.multipliers": (1,), "times": T}


def alpha_bar(name):
    """abar_0 .. abar_T. Ho et al. 2020, section 4; Nichol & Dhariwal 2021, eq. 17."""
    if name == "linear":
        betas = np.linspace(1e-4, 0.02, T)
    else:
        f = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2
        betas = np.minimum(1 - f[1:] / f[:-1], 0.999)
    return np.concatenate([[1.0], np.cumprod(1 - betas)])


def signal_and_noise(name, t):
    """alpha and sigma of x_t = alpha x_0 + sigma eps at times t [B], for images."""
    abar = alpha_bar(name)[np.asarray(t).astype(int)].reshape(-1, 1, 1, 1)
    return np.sqrt(abar), np.sqrt(1 - abar)


TARGETS = {
    "noise": lambda x0, noise, alpha, sigma: noise,
    "x0": lambda x0, noise, alpha, sigma: x0,
    "v": lambda x0, noise, alpha, sigma: alpha * noise - sigma * x0,
}
# The x_0 that an output stands for.
FOUND = {
    "noise": lambda output, x, alpha, sigma: (x - sigma * output) / alpha,
    "x0": lambda output, x, alpha, sigma: output,
    "v": lambda output, x, alpha, sigma: alpha * x - sigma * output,
}


@pytest.mark.parametrize(
    "prediction,schedule", [("noise", "linear"), also("x0", "cosine"), ("v", "cosine")]
)
def test_l_simple(prediction, schedule):
    """Eq. 4 and 14: the mean of (target - output)^2 at x_t, t uniform on 1 .. T."""
    of = game("ddpm_digits", prediction=prediction, schedule=schedule, **TOLD)
    x0, label = np.asarray(of.batch["image"], np.float64), np.asarray(of.batch["label"])
    played = of.play()
    (call,) = played.calls["network"]
    x_t, t, labels = call.inputs
    assert call.keys == 1
    later = [of.play(index=of.batch["index"] + k * COUNT).calls["network"] for k in range(1, 9)]
    drawn = np.concatenate([t, *(call.inputs[1] for (call,) in later)])
    np.testing.assert_array_equal(np.unique(drawn), np.arange(1, T + 1))
    alpha, sigma = signal_and_noise(schedule, t)
    noise = (x_t - alpha * x0) / sigma
    assert abs(noise.mean()) < 0.15 and abs(noise.std() - 1) < 0.1
    target = TARGETS[prediction](x0, noise, alpha, sigma)
    np.testing.assert_allclose(played.value, ((target - call.output) ** 2).mean(), rtol=1e-4)
    # Each label is told, or the null label stands for it, about as often as label_dropout says.
    hidden = labels == 10
    np.testing.assert_array_equal(labels[~hidden], label[~hidden])
    assert 2 < hidden.sum() < COUNT - 2


def levels(schedule, t):
    """alpha and sigma of a schedule by u = t / T, or of the table, for images."""
    if schedule in ("linear", "cosine"):
        return signal_and_noise(schedule, t)
    u = np.asarray(t, np.float64).reshape(-1, 1, 1, 1) / T
    if schedule == "flow":
        return 1 - u, u
    if schedule == "continuous_cosine":
        return np.cos(np.pi * u / 2), np.sin(np.pi * u / 2)
    return np.ones_like(u), np.exp(1.2 * norm.ppf(u) - 1.2)


# Factors of (x_0 - x0_hat)^2 at SNR s.
WEIGHTS = {
    "min_snr": lambda s: np.minimum(s, 5),
    "p2": lambda s: s / (1 + s),
    "truncated_snr": lambda s: np.maximum(s, 1),
    "flow": lambda s: (1 + np.sqrt(s)) ** 2,
    "noise": lambda s: s,
}


@pytest.mark.parametrize(
    "prediction,schedule,weighting",
    [
        ("noise", "cosine", "min_snr"),
        ("v", "continuous_cosine", "p2"),
        ("velocity", "flow", "truncated_snr"),
        also("score", "linear", "noise"),
        also("x0", "flow", "flow"),
    ],
)
def test_weighted_losses(prediction, schedule, weighting):
    """w(SNR) times the mean of (x_0 - x0_hat)^2 at x_t, x0_hat by what is predicted."""
    settings = {"weighting.name": weighting, "prediction": prediction, "schedule": schedule}
    of = game("ddpm_digits", **TOLD, **settings)
    x0 = np.asarray(of.batch["image"], np.float64)
    played = of.play()
    (call,) = played.calls["network"]
    x_t, t, _ = call.inputs
    alpha, sigma = levels(schedule, t)
    noise = (x_t - alpha * x0) / sigma
    assert abs(noise.mean()) < 0.15 and abs(noise.std() - 1) < 0.1
    found = {
        **FOUND,
        "score": lambda output, x, alpha, sigma: (x + sigma**2 * output) / alpha,
        "velocity": lambda output, x, alpha, sigma: x - sigma * output,
    }[prediction](call.output, x_t, alpha, sigma)
    factor = WEIGHTS[weighting]((alpha / sigma) ** 2)
    np.testing.assert_allclose(played.value, (factor * (x0 - found) ** 2).mean(), rtol=2e-3)


def test_velocity_and_its_plain_loss():
    """Rectified flow: the mean of (eps - x_0 - v)^2 at (1 - u) x_0 + u eps, u uniform."""
    of = game("ddpm_digits", prediction="velocity", schedule="flow", **TOLD)
    x0 = np.asarray(of.batch["image"], np.float64)
    played = of.play()
    (call,) = played.calls["network"]
    u = call.inputs[1].reshape(-1, 1, 1, 1) / T
    noise = (call.inputs[0] - (1 - u) * x0) / u
    np.testing.assert_allclose(played.value, ((noise - x0 - call.output) ** 2).mean(), rtol=1e-3)
    later = [of.play(index=of.batch["index"] + k * COUNT).calls["network"] for k in range(1, 9)]
    drawn = np.concatenate([call.inputs[1] / T for (call,) in later])
    assert abs(drawn.mean() - 0.5) < 0.1 and abs(drawn.std() - 12**-0.5) < 0.05


def test_edm():
    """Karras et al. 2022, eq. 7 and 8: lambda(sigma) |D(x_0 + sigma eps) - x_0|^2, D by F."""
    of = game(
        "ddpm_digits", prediction="x0", schedule="edm", preconditioning="edm",
        **{"weighting.name": "edm"}, **TOLD,
    )  # fmt: skip
    x0 = np.asarray(of.batch["image"], np.float64)
    played = of.play()
    (call,) = played.calls["network"]
    sigma = np.exp(4 * call.inputs[1]).reshape(-1, 1, 1, 1)
    x = call.inputs[0] * np.sqrt(sigma**2 + 0.25)
    noise = (x - x0) / sigma
    assert abs(noise.mean()) < 0.15 and abs(noise.std() - 1) < 0.1
    skip, out = 0.25 / (sigma**2 + 0.25), sigma * 0.5 / np.sqrt(sigma**2 + 0.25)
    denoised = skip * x + out * call.output
    factor = (sigma**2 + 0.25) / (sigma * 0.5) ** 2
    np.testing.assert_allclose(played.value, (factor * (denoised - x0) ** 2).mean(), rtol=1e-3)


def variational_bits(schedule, x0, x_t, t, found, v):
    """L_{t-1} in bits per dimension, [B], with the learned variance. Improved DDPM, eq. 15."""
    abar = alpha_bar(schedule)
    bits = []
    for one in range(COUNT):
        now = int(t[one])
        beta = 1 - abar[now] / abar[now - 1]
        small = beta * (1 - abar[now - 1]) / (1 - abar[now])
        second = (1 - abar[2] / abar[1]) * (1 - abar[1]) / (1 - abar[2])
        f = (v[one] + 1) / 2
        log_variance = f * np.log(beta) + (1 - f) * np.log(small if now > 1 else second)
        own = np.sqrt(abar[now - 1]) * beta / (1 - abar[now])
        kept = np.sqrt(abar[now] / abar[now - 1]) * (1 - abar[now - 1]) / (1 - abar[now])
        mean, model = own * x0[one] + kept * x_t[one], own * found[one] + kept * x_t[one]
        if now > 1:
            ratio = np.exp(np.log(small) - log_variance)
            nats = (ratio - 1 - np.log(ratio) + (mean - model) ** 2 * np.exp(-log_variance)) / 2
        else:
            scale = np.exp(-log_variance / 2)
            upper = np.where(x0[one] > 0.999, np.inf, (x0[one] + 1 / 255 - model) * scale)
            lower = np.where(x0[one] < -0.999, -np.inf, (x0[one] - 1 / 255 - model) * scale)
            flip = np.where(lower > 0, -1, 1)
            low, high = (
                np.minimum(flip * lower, flip * upper),
                np.maximum(flip * lower, flip * upper),
            )
            log_low, log_high = norm.logcdf(low), norm.logcdf(high)
            nats = -(log_high + np.log1p(-np.exp(log_low - log_high)))
        bits.append(nats.mean() / np.log(2))
    return np.array(bits)


@pytest.mark.parametrize("objective", ["hybrid", "vlb"])
def test_learned_variances(objective):
    """Nichol & Dhariwal 2021, eq. 16: L_simple + lambda T L_vlb; section 3.3: T L_vlb alone, whose
    times are uniform at first. The first half of the channels is the noise."""
    settings = {"objective": objective, "hybrid": 0.1, "schedule": "linear"}
    of = game("ddpm_digits", **TOLD, **settings)
    played = of.play()
    t, simple, bits = of_learned(of, played)
    if objective == "hybrid":
        np.testing.assert_allclose(played.value, simple + 0.1 * T * bits.mean(), rtol=2e-4)
        np.testing.assert_allclose(played.metric("simple"), simple, rtol=1e-4)
        np.testing.assert_allclose(played.metric("bits"), bits.mean(), rtol=5e-4)
        return
    np.testing.assert_allclose(played.value, T * bits.mean(), rtol=5e-4)
    history = played.state["history"]
    for now in np.unique(t).astype(int):
        terms = T * bits[t == now][:10]
        np.testing.assert_allclose(history.terms[now - 1, : len(terms)], terms, rtol=2e-3)
        assert history.counts[now - 1] == (t == now).sum()
    # Once every time has ten terms: drawn by their size, and divided by how probable that is.
    terms = np.float32(np.random.default_rng(0).exponential(size=(T, 10)) + 0.3)
    state = {"history": importance.History(terms, np.full(T, 10, np.int32))}
    played = of._replace(variables=of.variables._replace(state=state)).play()
    t, _, bits = of_learned(of, played)
    size = np.sqrt((np.float64(terms) ** 2).mean(1))
    p = 0.999 * size / size.sum() + 0.001 / T
    expected = (bits / p[t.astype(int) - 1]).mean()
    np.testing.assert_allclose(played.value, expected, rtol=1e-3)


def of_learned(of, played):
    """The times of a move, its L_simple, and L_{t-1} in bits per dimension [B]."""
    x0 = np.asarray(of.batch["image"], np.float64)
    (call,) = played.calls["network"]
    x_t, t, _ = call.inputs
    output, v = call.output[..., :1], call.output[..., 1:]
    assert call.output.shape[-1] == 2
    alpha, sigma = signal_and_noise("linear", t)
    simple = (((x_t - alpha * x0) / sigma - output) ** 2).mean()
    found = (x_t - sigma * output) / alpha
    return t, simple, variational_bits("linear", x0, x_t, t, found, v)


def test_a_label_is_always_told_where_none_is_to_be_dropped():
    of = game("ddpm_digits", **{**TOLD, "label_dropout": 0.0})
    (call,) = of.play().calls["network"]
    np.testing.assert_array_equal(call.inputs[2], of.batch["label"])


SAMPLERS = {
    "ancestral_small": ("noise", {"name": "ancestral", "variance": "small", "guidance": 1.5}),
    "ancestral_large": ("x0", {"name": "ancestral", "variance": "large", "clip": False}),
    "ddim": ("v", {"name": "ddim", "eta": 0.0, "guidance": 1.5}),
    "ddim_half": ("noise", {"name": "ddim", "eta": 0.5, "clip": False}),
}


def step(sampler, schedule, t, s):
    """Weights of x_0, x_t and fresh noise in x_s. Ho et al., eq. 6-7; Song et al., eq. 12, 16."""
    abar = alpha_bar(schedule)
    beta = 1 - abar[t] / abar[s]
    small = beta * (1 - abar[s]) / (1 - abar[t])
    if sampler["name"] == "ddim":
        fresh = sampler["eta"] * np.sqrt(small)
        kept = np.sqrt(1 - abar[s] - fresh**2) / np.sqrt(1 - abar[t])
        return np.sqrt(abar[s]) - kept * np.sqrt(abar[t]), kept, fresh
    x0 = np.sqrt(abar[s]) * beta / (1 - abar[t])
    x_t = np.sqrt(abar[t] / abar[s]) * (1 - abar[s]) / (1 - abar[t])
    variance = {"small": small, "large": beta}[sampler["variance"]]
    return x0, x_t, np.sqrt(variance) if s else 0.0


@pytest.mark.parametrize("name", ["ancestral_small", "ancestral_large", "ddim", also("ddim_half")])
def test_samplers(name):
    """Guidance (1 + w) c - w u, the x_0 of it at t, and the way from x_t to x_s, step by step."""
    prediction, sampler = SAMPLERS[name]
    parts = {f"sampler.{key}": value for key, value in sampler.items()}
    of = game("ddpm_digits", prediction=prediction, schedule="cosine", **TOLD, **parts)
    outputs, calls = of.work("trajectory")
    chain, label = outputs["image"], np.asarray(of.batch["label"])
    calls, guided = calls["network"], "guidance" in sampler
    assert len(calls) == 4 * (1 + guided) and not any(call.keys for call in calls)
    times = [10, 8, 5, 2, 0]  # 4 steps of 10 times: 7.5 and 2.5 rounded to even.
    noises = []
    for t, s in itertools.pairwise(times):
        now = [c for c in calls if np.all(c.inputs[1] == t)]
        (told,) = [c for c in now if np.array_equal(c.inputs[2], label)]
        (x, _, _), output = told.inputs, told.output
        if guided:
            (null,) = [c for c in now if np.all(c.inputs[2] == 10)]
            np.testing.assert_array_equal(null.inputs[0], x)
            output = 2.5 * output - 1.5 * null.output
        x0 = FOUND[prediction](output, x, *signal_and_noise("cosine", np.full(COUNT, t)))
        if sampler.get("clip", True):
            x0 = np.clip(x0, -1, 1)
        a, b, c = step(sampler, "cosine", t, s)
        later = [c.inputs[0] for c in calls if np.all(c.inputs[1] == s)]
        after = later[0] if s else chain[:, -1]
        rest = after - a * x0 - b * x
        if c:
            noises.append(rest.ravel() / c)
        else:
            np.testing.assert_allclose(rest, 0, atol=1e-4 * max(1.0, np.abs(x0).max()))
    starts = next(c.inputs[0] for c in calls if np.all(c.inputs[1] == T)).ravel()
    for noise in (starts, *noises):
        assert abs(noise.std() - 1) < 0.1 and abs(noise.mean()) < 0.12
    assert len(noises) == (0 if name == "ddim" else 3)
    together = np.corrcoef([starts, *noises])
    assert np.abs(together - np.eye(len(together))).max() < 0.15 if noises else True
    frames = np.round(np.linspace(0, 4, 12)).astype(int)
    np.testing.assert_array_equal(chain[:, 0], starts.reshape(COUNT, 8, 8, 1))
    assert chain.shape == (COUNT, 12, 8, 8, 1)
    for f, number in enumerate(frames[:-1]):
        if number < 4:
            at = next(c.inputs[0] for c in calls if np.all(c.inputs[1] == times[number]))
            np.testing.assert_array_equal(chain[:, f], at)


def test_samples_are_the_end_of_the_chain_and_come_with_their_label():
    prediction, sampler = SAMPLERS["ddim"]
    parts = {f"sampler.{key}": value for key, value in sampler.items()}
    of = game("ddpm_digits", prediction=prediction, schedule="cosine", **TOLD, **parts)
    outputs, _ = of.work("sample")
    agree(outputs["image"], of.work("trajectory")[0]["image"][:, -1])
    np.testing.assert_array_equal(outputs["label"], of.batch["label"])


@pytest.mark.parametrize(
    "name,schedule", [("ancestral_small", "cosine"), ("ancestral_large", "linear")]
)
def test_the_bound(name, schedule):
    """All T terms of eq. 5 at the x_t that the network saw, in bits: nats / (ln 2 dimensions)."""
    prediction, sampler = SAMPLERS[name]
    parts = {f"sampler.{key}": value for key, value in sampler.items()}
    of = game("ddpm_digits", prediction=prediction, schedule=schedule, **TOLD, **parts)
    x0, label = np.asarray(of.batch["image"], np.float64), np.asarray(of.batch["label"])
    outputs, calls = of.work("bound")
    abar = alpha_bar(schedule)
    scale = np.full((COUNT, 64), np.log(1 - abar[T]))
    nats = gaussian_kl(np.sqrt(abar[T]) * x0.reshape(COUNT, -1), scale)
    for t in range(T, 0, -1):
        now = [c for c in calls["network"] if np.all(c.inputs[1] == t)]
        (told,) = [c for c in now if np.array_equal(c.inputs[2], label)]
        (x, _, _), output = told.inputs, told.output
        alpha, sigma = signal_and_noise(schedule, np.full(COUNT, t))
        assert abs(((x - alpha * x0) / sigma).std() - 1) < 0.1
        if "guidance" in sampler:
            (null,) = [c for c in now if np.all(c.inputs[2] == 10)]
            output = 2.5 * output - 1.5 * null.output
        found = FOUND[prediction](output, x, alpha, sigma)
        found = np.clip(found, -1, 1) if sampler.get("clip", True) else found
        own, kept, _ = step({**sampler, "variance": "small"}, schedule, t, t - 1)
        beta = 1 - abar[t] / abar[t - 1]
        small = beta * (1 - abar[t - 1]) / (1 - abar[t])
        # beta~_1 is 0: the decoder takes beta~_2.
        second = (1 - abar[2] / abar[1]) * (1 - abar[1]) / (1 - abar[2])
        variance = {"large": beta, "small": small if t > 1 else second}[sampler["variance"]]
        mean, model_mean = own * x0 + kept * x, own * found + kept * x
        if t > 1:
            ratio = small / variance
            kl = ratio - 1 - np.log(ratio) + (mean - model_mean) ** 2 / variance
            nats = nats + per_example(kl) / 2
        else:
            upper = np.where(x0 > 0.999, np.inf, x0 + 1 / 255 - model_mean)
            lower = np.where(x0 < -0.999, -np.inf, x0 - 1 / 255 - model_mean)
            flip = np.where(lower > 0, -1, 1)  # In the tail where it does not cancel.
            low, high = (
                np.minimum(flip * lower, flip * upper),
                np.maximum(flip * lower, flip * upper),
            )
            log_low, log_high = (norm.logcdf(v / np.sqrt(variance)) for v in (low, high))
            nats = nats - per_example(log_high + np.log1p(-np.exp(log_low - log_high)))
    expected = nats / (np.log(2) * 64)
    np.testing.assert_allclose(outputs["bits_per_dimension_bound"], expected, rtol=1e-5)
