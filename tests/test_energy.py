"""Boltzmann machines so small that every state is visited, and their partition functions."""

import itertools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import refuses
from scipy.special import logsumexp
from twins.numbers import sigmoid, softplus

from gm_jax import UserError, zoo
from gm_jax.energy.shared import annealing, machine
from gm_jax.energy.shared.machine import Machine
from gm_jax.judging import partition
from gm_jax.model import Field
from gm_jax.settings import read

KEY = jax.random.key(0)
D = H = 4


def states(units):
    return np.array(list(itertools.product([0.0, 1.0], repeat=units)))


def params_of(visible=D, hidden=H, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"w": (visible, hidden), "b": (visible,), "c": (hidden,)}
    return {name: np.float32(scale * rng.normal(size=shape)) for name, shape in shapes.items()}


def energy(p, v, h):
    """E(v, h) of binary units, [V, H] for all pairs of rows."""
    return -(v @ p["w"] @ h.T) - (v @ p["b"])[:, None] - (h @ p["c"])[None]


def test_z_over_v_is_z_over_h_is_z_over_both():
    p, rbm = params_of(), Machine(machine.binary())
    v, h = states(D), states(H)
    expected = logsumexp(-energy(p, v, h))
    np.testing.assert_allclose(rbm.log_z(p), expected, rtol=1e-5)
    free = np.asarray(rbm.free_energy(p, jnp.float32(v)))
    np.testing.assert_allclose(free, -logsumexp(-energy(p, v, h), axis=1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(logsumexp(-free), expected, rtol=1e-5)


def test_states_are_visited_in_blocks():
    p = params_of(3, 14, 0.3)
    h = states(14)
    expected = logsumexp(h @ p["c"] + softplus(p["b"] + h @ p["w"].T).sum(1))
    np.testing.assert_allclose(Machine(machine.binary()).log_z(p), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="2.21 states are too many"):
        Machine(machine.binary()).log_z(params_of(3, 21))


def test_z_of_gaussian_units_is_its_integral():
    """log Z in closed form over h, and by a grid over v; F is the same energy."""
    s, p = 0.7, params_of(1, 3)
    rbm, h = Machine(machine.gaussian(s)), states(3)
    wh = h @ p["w"].T
    terms = h @ p["c"] + 0.5 * (wh**2).sum(1) + wh @ (p["b"] / s)
    closed = 0.5 * np.log(2 * np.pi) + np.log(s) + logsumexp(terms)
    np.testing.assert_allclose(rbm.log_z(p), closed, rtol=1e-5)
    grid = np.linspace(-12, 12, 20_001)
    free = np.asarray(rbm.free_energy(p, jnp.float32(grid[:, None])), np.float64)
    np.testing.assert_allclose(np.log(np.trapezoid(np.exp(-free), grid)), closed, rtol=1e-4)
    mean = rbm.visible_mean(p, jnp.float32(h))
    np.testing.assert_allclose(mean, p["b"] + s * wh, rtol=1e-5)


def test_gaussian_units_are_drawn_with_their_deviation():
    visible, b = machine.gaussian(0.3), jnp.array([0.2, -1.0])
    draws = visible.draw(jax.random.split(KEY, 20_000), b, jnp.ones((20_000, 2)))
    np.testing.assert_allclose(draws.mean(0), b + 0.3, atol=0.01)
    np.testing.assert_allclose(draws.std(0), 0.3, atol=0.01)


def test_linear_hidden_units_have_noise_of_deviation_1():
    """Seen through visible units that a chain leaves at their means."""
    p = params_of(D, 1, 0.5)
    rbm = Machine(machine.binary(), drawn=False, linear=True)
    v = jnp.tile(jnp.float32(states(D)[5]), (20_000, 1))
    swept = np.float64(rbm.sweep(p, jax.random.split(KEY, len(v)), v))
    h = (np.log(swept / (1 - swept)) - p["b"]) / p["w"][:, 0]
    np.testing.assert_allclose(h.mean(), p["c"] + states(D)[5] @ p["w"], atol=0.03)
    np.testing.assert_allclose(h.std(0), 1.0, atol=0.02)


def test_large_drives_do_not_overflow():
    p = params_of(scale=200.0)
    assert np.all(np.isfinite(Machine(machine.binary()).free_energy(p, jnp.float32(states(D)))))


def transition(p):
    """T[v, v'] of a sweep, h ~ p(h | v) then v' ~ p(v' | h), as a matrix over all states."""
    v, h = states(D), states(H)
    up, down = sigmoid(p["c"] + v @ p["w"]), sigmoid(p["b"] + h @ p["w"].T)

    def chance(q, x):
        return np.prod(np.where(x[None], q[:, None], 1 - q[:, None]), -1)

    return chance(up, h) @ chance(down, v)


def law_of(sweep, p, start, count=40_000):
    """How often each state follows a start, by the system's own sweep."""
    keys = jax.random.split(KEY, count)
    ended = np.asarray(jax.jit(sweep)(p, keys, jnp.tile(jnp.float32(start), (count, 1))))
    numbers = (ended @ 2 ** np.arange(D)[::-1]).astype(int)
    return np.bincount(numbers, minlength=2**D) / count


def test_a_sweep_follows_the_transition_matrix_and_keeps_the_models_law():
    p, rbm = params_of(), Machine(machine.binary())
    matrix = transition(p)
    law = np.exp(-np.asarray(rbm.free_energy(p, jnp.float32(states(D)))))
    law = law / law.sum()
    np.testing.assert_allclose(law @ matrix, law, atol=1e-6)
    np.testing.assert_allclose(law_of(rbm.sweep, p, states(D)[5]), matrix[5], atol=0.01)
    two = law_of(lambda p, keys, v: rbm.chain(p, keys, v, 2), p, states(D)[5])
    np.testing.assert_allclose(two, (matrix @ matrix)[5], atol=0.01)


def test_a_chain_of_means_draws_hidden_units_alone():
    p, rbm = params_of(), Machine(machine.binary(), drawn=False)
    keys = jax.random.split(KEY, 20_000)
    v = np.asarray(rbm.sweep(p, keys, jnp.tile(jnp.float32(states(D)[5]), (20_000, 1))))
    means = sigmoid(p["b"] + states(H) @ p["w"].T)
    assert np.all(np.abs(v[:, None] - means[None]).max(-1).min(-1) < 1e-5)
    np.testing.assert_allclose(v.mean(0), transition(p)[5] @ states(D), atol=0.02)


@pytest.mark.parametrize("drives", [(1.0, 1.0), (2.0, 1.0), (1.0, 2.0)])
def test_drives_are_multiplied_with_their_biases(drives):
    p, rbm = params_of(), Machine(machine.binary(), *drives)
    v, h = np.float32(states(D)), np.float32(states(H))
    np.testing.assert_allclose(
        rbm.hidden(p, v), sigmoid(drives[0] * (p["c"] + v @ p["w"])), rtol=1e-5
    )
    np.testing.assert_allclose(
        rbm.visible_mean(p, h), sigmoid(drives[1] * (p["b"] + h @ p["w"].T)), rtol=1e-5
    )


def annealed(p, steps, seed_of=0, count=2000, move_first=False):
    """The system's log-weights, and the exact log Z."""
    rbm, base = Machine(machine.binary()), jax.tree.map(np.zeros_like, p)
    keys = jax.random.split(jax.random.key(seed_of), count)

    def between(beta):
        return annealing.between(base, p, beta)

    found = jax.jit(
        lambda keys, v: annealing.log_weights(
            lambda v, beta: -rbm.free_energy(between(beta), v),
            lambda keys, v, beta: rbm.sweep(between(beta), keys, v),
            v, np.linspace(0, 1, steps + 1), keys,
        )
    )(keys, machine.flip(keys, jnp.full((count, D), 0.5)))  # fmt: skip
    return np.asarray(found) + (D + H) * np.log(2.0), float(rbm.log_z(p))


def exact_mean_weight(p, betas, move_first):
    """log E w by transition matrices, each run weighed before (or, wrongly, after) it moves."""
    v = states(D)

    def at(beta):
        return {name: beta * value for name, value in p.items()}

    def log_f(beta):
        return logsumexp(-energy(at(beta), v, states(H)), axis=1)

    vector = np.full(2**D, 2.0**-D)
    for before, beta in itertools.pairwise(betas):
        ratio, matrix = np.exp(log_f(beta) - log_f(before)), transition(at(beta))
        vector = (vector @ matrix) * ratio if move_first else (vector * ratio) @ matrix
    return np.log(vector.sum()) + (D + H) * np.log(2.0)


def test_annealing_is_unbiased_in_the_right_order_and_biased_in_the_other():
    """By exact transition matrices at any number of steps; and so does the system's own."""
    p = params_of(scale=1.5)
    log_z = float(Machine(machine.binary()).log_z(p))
    for steps in (1, 4):
        path = np.linspace(0, 1, steps + 1)
        np.testing.assert_allclose(exact_mean_weight(p, path, False), log_z, atol=1e-5)
        assert exact_mean_weight(p, path, True) > log_z + 0.05
        weights, _ = annealed(p, steps, count=60_000)
        row = partition.estimate(weights)
        assert row["interval"][0] < log_z < row["interval"][1]
        wrong = exact_mean_weight(p, path, True)
        assert row["interval"][1] < wrong


def test_annealing_of_a_machine_without_weights_has_no_variance():
    p = params_of() | {"w": np.zeros((D, H), np.float32), "c": np.zeros(H, np.float32)}
    rbm = Machine(machine.binary())
    keys = jax.random.split(KEY, 50)

    def between(beta):
        return annealing.between(p, p, beta)

    found = annealing.log_weights(
        lambda v, beta: -rbm.free_energy(between(beta), v),
        lambda keys, v, beta: rbm.sweep(between(beta), keys, v),
        machine.flip(keys, jnp.tile(sigmoid(p["b"]), (50, 1))), np.linspace(0, 1, 5), keys,
    )  # fmt: skip
    np.testing.assert_allclose(found, 0.0, atol=1e-5)


def test_betas_rise_evenly_between_their_bounds():
    path = annealing.betas((5, 4, 2))
    np.testing.assert_allclose(path, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
    np.testing.assert_allclose(annealing.betas((0, 0, 1)), [0.0, 1.0])
    np.testing.assert_allclose(annealing.betas((1, 0, 0)), [0.0, 1.0])
    assert len(annealing.betas((500, 4000, 10_000))) == 14_501


def test_runs_are_combined_by_the_mean_of_their_weights():
    """Not by the mean of their logs; the interval is three deviations of that mean, in logs."""
    weights = np.random.default_rng(0).uniform(1.0, 3.0, 50)
    row = partition.estimate(np.log(weights) + 500.0)
    spread = 3 * weights.std(ddof=1) / np.sqrt(50)
    np.testing.assert_allclose(row["value"], 500 + np.log(weights.mean()))
    ends = 500 + np.log([weights.mean() - spread, weights.mean() + spread])
    np.testing.assert_allclose(row["interval"], ends)
    np.testing.assert_allclose(row["effective"], weights.sum() ** 2 / (weights**2).sum())
    alone = partition.estimate(np.array([0.0, 400.0, 0.0, 0.0]))
    assert alone["interval"][0] is None and abs(alone["effective"] - 1.0) < 1e-6
    assert "[none, " in partition.said(alone)


def test_log_likelihoods_are_reported_with_the_interval_of_z(monkeypatch):
    """As annealed_NAME; the lower end of Z is the upper end of the likelihood."""
    given = {"annealing": {"log_weight": np.log([1.0, 2.0, 3.0, 2.0])}, "unnormalised": {}}
    given["unnormalised"] = {"log_likelihood": np.array([1.0, 3.0]), "bound": np.array([0.0, 1.0])}
    source = types.SimpleNamespace(size=2)
    monkeypatch.setattr(partition.data, "open_source", lambda *_: source)
    monkeypatch.setattr(partition, "apply", lambda trained, name, *_: iter([given[name]]))
    trained = types.SimpleNamespace(
        functions=given, phase=types.SimpleNamespace(data=None),
        config=types.SimpleNamespace(evaluate=types.SimpleNamespace(split="test")),
    )  # fmt: skip
    rows = partition.partition(trained, 4)
    low, high = rows["log_z"]["interval"]
    row = rows["annealed_log_likelihood"]
    np.testing.assert_allclose(rows["log_z"]["value"], np.log(2.0))
    np.testing.assert_allclose(row["value"], 2.0 - np.log(2.0))
    np.testing.assert_allclose(row["interval"], [2.0 - high, 2.0 - low])
    assert rows["annealed_bound"]["bound"] == "lower" and "bound" not in row
    with pytest.raises(UserError, match="evaluate.annealing is 1: take at least 2 runs"):
        partition.partition(trained, 1)
    with pytest.raises(UserError, match="needs a model with a function annealing; .* has: sample"):
        partition.partition(types.SimpleNamespace(functions={"sample": None}), 4)


def em(images, components, rounds, key=0):
    """The MAP objective of the recipe's own moves, after each M step, on all images at once."""
    system = zoo.SYSTEMS["bernoulli_mixture"]
    stated = {"system": "bernoulli_mixture", "steps": 1, "batch_size": len(images)}
    settings = read(system.Settings, {**stated, "components": components})
    (phase,) = system.build(settings, {"image": Field(images.shape[1:], 2)}, {})
    batch = {"image": jnp.float32(2 * images - 1), "index": jnp.arange(len(images))}
    variables = phase.model.init(jax.random.key(key), batch, None)
    move = jax.jit(phase.model.players[0].moves[0].objective)
    values = []
    for step in range(rounds):
        value, aux = move(variables, batch, KEY, step)
        m = jax.tree.map(np.float64, variables.state["mixture"])
        prior = np.log(m["means"]).sum() + np.log1p(-m["means"]).sum() + np.log(m["shares"]).sum()
        values.append(-float(value) * len(images) + 0.1 * prior)
        variables = variables._replace(state=variables.state | aux.state)
    return values, phase, variables, batch


def test_em_never_lowers_what_it_maximises():
    """log p of the images and of the parameters, whose prior the pseudo-counts are."""
    images = np.random.default_rng(0).uniform(size=(60, 4, 4, 1)) < 0.4
    values, *_ = em(images, 5, 25)
    rises = np.diff(values)
    assert np.all(rises > -1e-3) and rises[0] > 1.0 and rises[-1] < 0.5


def test_one_component_is_independent_pixels_and_all_images_add_up_to_one():
    images = np.random.default_rng(0).uniform(size=(30, 2, 3, 1)) < 0.3
    _, phase, variables, _ = em(images, 1, 2)
    p = (images.reshape(30, 6).sum(0) + 0.1) / 30.2
    np.testing.assert_allclose(variables.state["mixture"]["means"][0], p, rtol=1e-5)
    every = np.array(list(itertools.product([0.0, 1.0], repeat=6)))
    batch = {"image": jnp.float32(2 * every - 1).reshape(64, 2, 3, 1), "index": jnp.arange(64)}
    found = phase.model.functions["log_prob"](variables, batch, KEY)["log_likelihood"]
    expected = every @ np.log(p) + (1 - every) @ np.log1p(-p)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    _, phase, variables, _ = em(images, 4, 3)
    found = phase.model.functions["log_prob"](variables, batch, KEY)["log_likelihood"]
    np.testing.assert_allclose(np.exp(found).sum(), 1.0, rtol=1e-4)
    batch = {"index": jnp.arange(20_000)}
    drawn = phase.model.functions["sample"](variables, batch, KEY)["image"].reshape(-1, 6)
    m = variables.state["mixture"]
    np.testing.assert_allclose((drawn.mean(0) + 1) / 2, m["shares"] @ m["means"], atol=0.02)


@pytest.mark.parametrize("name", ["rbm", "deep_boltzmann", "deep_belief", "deep_autoencoder"])
def test_pixels_without_bounds_are_refused(name):
    system = zoo.SYSTEMS[name]
    settings = read(system.Settings, {"system": name, "steps": 1, "batch_size": 2})
    with pytest.raises(UserError, match=r"needs pixels in \[0, 1\]: this data has real numbers"):
        system.build(settings, {"image": Field((2, 3, 1), None)}, {})


@pytest.mark.parametrize(
    ("recipe", "overrides", "message"),
    [
        ("fvbn_mnist", {"data.binarize": ""}, "an FVBN is a model of black and white pixels"),
        ("bernoulli_mixture_mnist", {"data.binarize": ""}, "needs black and white pixels"),
        ("bernoulli_mixture_mnist", {"smoothing": 0.0}, "smoothing is 0.0: it must be above 0"),
        ("rbm_mnist", {"data.name": "ring", "data.binarize": ""}, "this system needs `image`"),
        ("rbm_mnist", {"data.binarize": ""}, "the model has no function log_prob"),
        ("rbm_mnist", {"hidden": 21}, "the model has no function log_prob"),
        ("rbm_mnist", {"annealing.steps": (0, 0, 0)}, "beta has to get from 0 to 1"),
        ("rbm_mnist", {"negatives.name": "pdc"}, "must be one of: cd, pcd"),
    ],
)
def test_what_does_not_go_is_said_in_a_line(recipe, overrides, message):
    refuses(recipe, overrides, message)
