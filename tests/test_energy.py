"""Boltzmann machines so small that every state is visited, and their partition functions."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import refuses
from scipy.special import logsumexp
from twins.numbers import sigmoid, softplus

from gm_jax import partition
from gm_jax.energy.shared import annealing, machine
from gm_jax.energy.shared.machine import Machine

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
