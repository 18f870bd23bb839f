"""By hand, in float64: Boltzmann machines, and the mixture of Bernoullis."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from gm_jax.energy.shared import machine
from gm_jax.energy.shared.deep_machine import DeepMachine
from gm_jax.energy.shared.machine import Machine
from gm_jax.model import example_keys
from twins.game import KEY, game
from twins.inputs import COUNT
from twins.numbers import agree, sigmoid, softplus

MOVED = {"decay": 0.3, "negatives.steps": 2}
GAUSSIAN = {"visible.name": "gaussian", "visible.deviation": 0.5, "data.binarize": ""}


def exact(tree):
    return jax.tree.map(np.float64, tree)


def white(of):
    return (np.float64(of.batch["image"]).reshape(COUNT, -1) + 1) / 2


def states(units):
    return np.array(list(itertools.product([0.0, 1.0], repeat=units)))


def gradient(of, step=0):
    (move,) = of.model.players[0].moves
    slope = jax.grad(
        lambda p: move.objective(of.variables._replace(params=p), of.batch, KEY, step)[0]
    )
    return exact(jax.jit(slope)(of.variables.params)["machine"])


def free_energy(of, p, v):
    if of.config.visible.name == "binary":
        return -v @ p["b"] - softplus(p["c"] + v @ p["w"]).sum(1)
    s = of.config.visible.deviation
    squares = ((v - p["b"]) ** 2).sum(1) / (2 * s**2)
    return squares - softplus(p["c"] + v @ p["w"] / s).sum(1)


@pytest.mark.parametrize("name", ["pcd", "cd"])
def test_an_rbms_gradient_is_outer_products(name):
    """Data's less fantasies', which CD draws from the examples, PCD from its chains."""
    of = game("rbm_mnist", **MOVED, **{"negatives.name": name})
    p, v = exact(of.variables.params["machine"]), white(of)
    if name == "pcd":
        keys, start = jax.random.split(KEY, 8), of.variables.state["chain"]
    else:
        keys, start = example_keys(KEY, of.batch), np.float32(v)
    rbm = Machine(machine.binary())
    fantasy = np.float64(rbm.chain(of.variables.params["machine"], keys, start, 2))
    played = of.play(step=3)
    h, h_fantasy = (sigmoid(p["c"] + x @ p["w"]) for x in (v, fantasy))
    found, count = gradient(of), len(fantasy)
    outer = fantasy.T @ h_fantasy / count - v.T @ h / COUNT
    agree(found["w"], outer + 0.3 * p["w"])
    agree(found["b"], fantasy.mean(0) - v.mean(0))
    agree(found["c"], h_fantasy.mean(0) - h.mean(0))
    data, model = free_energy(of, p, v).mean(), free_energy(of, p, fantasy).mean()
    agree(played.metric("data"), data)
    agree(played.metric("model"), model)
    agree(played.value, data - model + 0.15 * (p["w"] ** 2).sum())
    before = np.float64(of.variables.state["mean"])
    agree(played.state["mean"], before + (v.mean(0) - before) / 5)
    assert ("chain" in played.state) == (name == "pcd")
    if name == "pcd":
        np.testing.assert_array_equal(played.state["chain"], fantasy)


@pytest.mark.parametrize("settings", [{}, GAUSSIAN])
def test_an_rbms_gaussian_or_binary_gradient_is_that_of_free_energies(settings):
    of = game("rbm_mnist", **settings, **{"negatives.name": "cd"})
    p, v = exact(of.variables.params["machine"]), white(of)
    visible = machine.VISIBLE[of.config.visible.name](0.5)
    keys = example_keys(KEY, of.batch)
    fantasy = np.float64(
        Machine(visible).chain(of.variables.params["machine"], keys, np.float32(v), 1)
    )
    s = of.config.visible.deviation if settings else 1.0
    h, h_fantasy = (sigmoid(p["c"] + x @ p["w"] / s) for x in (v, fantasy))
    found = gradient(of)
    agree(found["w"], (fantasy.T @ h_fantasy - v.T @ h) / (COUNT * s), 1e-4)
    agree(found["b"], (fantasy - v).mean(0) / s**2, 1e-4)
    agree(found["c"], (h_fantasy - h).mean(0))


def test_what_an_rbm_is_used_for():
    of = game("rbm_mnist")
    p, v = exact(of.variables.params["machine"]), white(of)
    h = states(6)
    log_z = logsumexp(h @ p["c"] + softplus(p["b"] + h @ p["w"].T).sum(1))
    agree(of.work("free_energy")[0]["free_energy"], free_energy(of, p, v))
    agree(of.work("unnormalised")[0]["log_likelihood"], -free_energy(of, p, v))
    agree(of.work("log_prob")[0]["log_likelihood"], -free_energy(of, p, v) - log_z)
    pair = (of.work("reconstruct")[0]["image"].reshape(COUNT, 2, -1) + 1) / 2
    agree(pair[:, 0], v)
    agree(pair[:, 1], sigmoid(p["b"] + sigmoid(p["c"] + v @ p["w"]) @ p["w"].T))
    agree(of.work("encode")[0]["latent"], sigmoid(p["c"] + v @ p["w"]))
    filters = of.work("filters", moves=False)[0]["image"].reshape(COUNT, -1)
    agree(filters, (p["w"].T / np.abs(p["w"]).max())[np.arange(COUNT) % 6])
    means = sigmoid(p["b"] + h @ p["w"].T)
    drawn = (of.work("sample", moves=False)[0]["image"].reshape(COUNT, -1) + 1) / 2
    assert np.abs(drawn[:, None] - means[None]).max(-1).min(-1).max() < 1e-5
    frames = (of.work("chain")[0]["image"].reshape(COUNT, 9, -1) + 1) / 2
    agree(frames[:, 0], v)
    assert set(np.unique(frames[:, 1:])) == {0.0, 1.0}
    assert np.all([(frames[:, t] != frames[:, t + 1]).any() for t in range(8)])


def test_what_a_gaussian_rbm_is_used_for():
    of = game("rbm_mnist", **GAUSSIAN)
    p, v, s, h = exact(of.variables.params["machine"]), white(of), 0.5, states(6)
    wh = h @ p["w"].T
    terms = h @ p["c"] + 0.5 * (wh**2).sum(1) + wh @ (p["b"] / s)
    log_z = 64 * (0.5 * np.log(2 * np.pi) + np.log(s)) + logsumexp(terms)
    agree(of.work("log_prob")[0]["log_likelihood"], -free_energy(of, p, v) - log_z)
    pair = (of.work("reconstruct")[0]["image"].reshape(COUNT, 2, -1) + 1) / 2
    agree(pair[:, 1], p["b"] + s * sigmoid(p["c"] + v @ p["w"] / s) @ p["w"].T)


def deep_terms(p, v, rounds):
    """mu1 and mu2 after so many updates, and the bound on log p(v) + log Z."""
    mu1 = sigmoid(p["c1"] + 2 * v @ p["w1"])
    mu2 = sigmoid(p["c2"] + mu1 @ p["w2"])
    for _ in range(rounds):
        mu1 = sigmoid(p["c1"] + v @ p["w1"] + mu2 @ p["w2"].T)
        mu2 = sigmoid(p["c2"] + mu1 @ p["w2"])
    entropy = sum(-(m * np.log(m) + (1 - m) * np.log(1 - m)).sum(1) for m in (mu1, mu2))
    return mu1, mu2, entropy - deep_energy(p, v, mu1, mu2)


def deep_energy(p, v, h1, h2):
    pairs = ((v @ p["w1"]) * h1).sum(1) + ((h1 @ p["w2"]) * h2).sum(1)
    return -(pairs + v @ p["b"] + h1 @ p["c1"] + h2 @ p["c2"])


def test_a_deep_machine():
    """Mean fields for the data; chains of h1, with the means of its neighbours, for the model."""
    of = game("dbm_mnist", decay=0.3)
    p, v = exact(of.variables.params["machine"]), white(of)
    mu1, mu2, bound = deep_terms(p, v, 3)
    keys = jax.random.split(KEY, 8)
    now = jax.tree.map(jnp.float32, of.variables.params["machine"])
    chains = of.variables.state["chain"]
    h1 = np.float64(DeepMachine().chain(now, keys, chains, 2))
    beside, above = sigmoid(p["b"] + h1 @ p["w1"].T), sigmoid(p["c2"] + h1 @ p["w2"])
    played = of.play()
    np.testing.assert_array_equal(played.state["chain"], h1)
    data = deep_energy(p, v, mu1, mu2).mean()
    model = deep_energy(p, beside, h1, above).mean()
    agree(played.metric("data"), data)
    agree(played.metric("model"), model)
    squares = (p["w1"] ** 2).sum() + (p["w2"] ** 2).sum()
    agree(played.value, data - model + 0.15 * squares)
    found = gradient(of)
    agree(found["w1"], beside.T @ h1 / 8 - v.T @ mu1 / COUNT + 0.3 * p["w1"])
    agree(found["w2"], h1.T @ above / 8 - mu1.T @ mu2 / COUNT + 0.3 * p["w2"])
    agree(found["b"], beside.mean(0) - v.mean(0))
    agree(found["c1"], h1.mean(0) - mu1.mean(0))
    agree(found["c2"], above.mean(0) - mu2.mean(0))

    agree(of.work("unnormalised")[0]["bound"], bound)
    h = states(6)
    sums = softplus(p["b"] + h @ p["w1"].T).sum(1) + softplus(p["c2"] + h @ p["w2"]).sum(1)
    agree(of.work("bound")[0]["bound"], bound - logsumexp(h @ p["c1"] + sums))
    pair = (of.work("reconstruct")[0]["image"].reshape(COUNT, 2, -1) + 1) / 2
    agree(pair[:, 0], v)
    agree(pair[:, 1], sigmoid(p["b"] + mu1 @ p["w1"].T))
    agree(of.work("encode")[0]["latent"], np.concatenate([mu1, mu2], 1))
    filters = of.work("filters", moves=False)[0]["image"].reshape(COUNT, -1)
    agree(filters, (p["w1"].T / np.abs(p["w1"]).max())[np.arange(COUNT) % 6])
    drawn = (of.work("sample", moves=False)[0]["image"].reshape(COUNT, -1) + 1) / 2
    means = sigmoid(p["b"] + h @ p["w1"].T)
    assert np.abs(drawn[:, None] - means[None]).max(-1).min(-1).max() < 1e-5


def test_a_deep_belief_net():
    """The top machine's data are draws of q; what is on the way down to its pixels, and up."""
    of = game("dbn_mnist", decay=0.3)
    top, v = exact(of.variables.params["machine"]), white(of)
    below = [exact(layer) for layer in of.variables.state["below"]]
    now, of_inputs = jax.tree.map(jnp.float32, of.variables), jax.random.split(KEY)[0]
    keys, h = example_keys(of_inputs, of.batch), v
    for number, layer in enumerate(below):
        own = machine.fold_in(keys, number)
        h = np.float64(machine.flip(own, jnp.float32(sigmoid(layer["c"] + h @ layer["w"]))))
    keys, rbm = jax.random.split(jax.random.split(KEY)[1], 8), Machine(machine.binary())
    fantasy = rbm.chain(now.params["machine"], keys, now.state["chain"], 2)
    played, fantasy = of.play(step=3), np.float64(fantasy)
    np.testing.assert_array_equal(played.state["chain"], fantasy)
    up, up_fantasy = (sigmoid(top["c"] + x @ top["w"]) for x in (h, fantasy))
    found = gradient(of)
    agree(found["w"], fantasy.T @ up_fantasy / 8 - h.T @ up / COUNT + 0.3 * top["w"])
    agree(found["b"], fantasy.mean(0) - h.mean(0))
    agree(found["c"], up_fantasy.mean(0) - up.mean(0))
    before = np.float64(of.variables.state["mean"])
    agree(played.state["mean"], before + (h.mean(0) - before) / 5)

    code, layers = v, [*below, top]
    for layer in layers:
        code = sigmoid(layer["c"] + code @ layer["w"])
    agree(of.work("encode")[0]["latent"], code)
    for layer in reversed(layers):
        code = sigmoid(layer["b"] + code @ layer["w"].T)
    pair = (of.work("reconstruct")[0]["image"].reshape(COUNT, 2, -1) + 1) / 2
    agree(pair[:, 0], v)
    agree(pair[:, 1], code)
    filters = of.work("filters", moves=False)[0]["image"].reshape(COUNT, -1)
    w = below[0]["w"]
    agree(filters, (w.T / np.abs(w).max())[np.arange(COUNT) % 6])
    drawn = (of.work("sample", moves=False)[0]["image"].reshape(COUNT, -1) + 1) / 2
    means = sigmoid(below[0]["b"] + states(6) @ w.T)
    assert np.abs(drawn[:, None] - means[None]).max(-1).min(-1).max() < 1e-5
    h = states(7)
    log_z = logsumexp(h @ top["c"] + softplus(top["b"] + h @ top["w"].T).sum(1))
    bound = of.work("unnormalised", moves=False)[0]["bound"]
    agree(of.work("bound", moves=False)[0]["bound"], bound - log_z)


def test_a_deep_autoencoder():
    """Sigmoid layers around a linear code; errors are sums over pixels in [0, 1]."""
    of = game("deep_ae_mnist")
    p, v = exact(of.variables.params), white(of)
    h = v
    for layer in p["encoder"][:-1]:
        h = sigmoid(h @ layer["w"] + layer["bias"])
    h = h @ p["encoder"][-1]["w"] + p["encoder"][-1]["bias"]
    code = h
    for layer in p["decoder"][:-1]:
        h = sigmoid(h @ layer["w"] + layer["bias"])
    logits = h @ p["decoder"][-1]["w"] + p["decoder"][-1]["bias"]
    entropy = (v * softplus(-logits) + (1 - v) * softplus(logits)).sum(1)
    agree(of.play().value, entropy.mean())
    agree(of.work("encode")[0]["latent"], code)
    outputs, _ = of.work("distortion")
    agree(outputs["cross_entropy"], entropy)
    agree(outputs["squared_error"], ((sigmoid(logits) - v) ** 2).sum(1))
    pair = (of.work("reconstruct")[0]["image"].reshape(COUNT, 2, -1) + 1) / 2
    agree(pair[:, 0], v)
    agree(pair[:, 1], sigmoid(logits))


def test_fvbn():
    """Its logits by NumPy, -log p, and the squares of the weights that are used."""
    of = game("fvbn_mnist", decay=0.3, **{"sampler.temperature": 0.0})
    p, x = exact(of.variables.params["net"]), white(of)
    w = np.tril(p["w"], -1)

    def logits(x):
        return p["b"] + x @ w.T

    nats = softplus(np.where(x > 0, -1, 1) * logits(x)).sum(1)
    agree(of.play().value, nats.mean() + 0.3 * (w**2).sum())
    agree(of.play().metric("bits_per_dimension"), nats.mean() / (64 * np.log(2)))
    agree(of.work("log_prob")[0]["log_likelihood"], -nats)
    drawn = (of.work("sample", moves=False)[0]["image"].reshape(COUNT, -1) + 1) / 2
    np.testing.assert_array_equal(drawn, logits(drawn) > 0)


def mixture_terms(m, x):
    """log pi_k p(x | k), [B, K]."""
    log_p = x @ np.log(m["means"]).T + (1 - x) @ np.log(1 - m["means"]).T
    return log_p + np.log(m["shares"])


@pytest.mark.parametrize("step", [0, 1])
def test_a_mixture_of_bernoullis(step):
    """Responsibilities are added up; after every second batch comes an M step, and zero."""
    of = game("bernoulli_mixture_mnist")
    m, x = exact(of.variables.state["mixture"]), white(of)
    m["shares"] = m["shares"] / m["shares"].sum()
    before = {"shares": np.array([3.0, 0.0, 1.0, 2.0]), "means": np.full((4, 64), 0.5)}
    state = of.variables.state | {"counts": jax.tree.map(np.float32, before)}
    of = of._replace(variables=of.variables._replace(state=state))
    terms = mixture_terms(m, x)
    log_p = logsumexp(terms, axis=1)
    r = np.exp(terms - log_p[:, None])
    counts = {"shares": before["shares"] + r.sum(0), "means": before["means"] + r.T @ x}
    played = of.play(step=step)
    agree(played.value, -log_p.mean())
    if step == 0:
        agree(played.state["counts"]["shares"], counts["shares"])
        agree(played.state["counts"]["means"], counts["means"])
        agree(played.state["mixture"]["means"], m["means"])
    else:
        of_k = counts["shares"]
        agree(played.state["mixture"]["shares"], (of_k + 0.1) / (of_k.sum() + 0.4))
        means = (counts["means"] + 0.1) / (of_k[:, None] + 0.2)
        agree(played.state["mixture"]["means"], means)
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(played.state["counts"]))
    agree(of.work("log_prob")[0]["log_likelihood"], log_p)
    agree(of.work("log_prob")[0]["bits_per_dimension"], -log_p / (64 * np.log(2)))
    np.testing.assert_array_equal(of.work("encode", moves=False)[0]["code"], terms.argmax(1))
    order = np.argsort(-m["shares"], kind="stable")
    shown = (of.work("components", moves=False)[0]["image"].reshape(COUNT, -1) + 1) / 2
    agree(shown, m["means"][order[np.arange(COUNT) % 4]])
