"""A deep Boltzmann machine of 3-3-3 units by enumeration, and how its phases follow one another."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, create, opening, perturb
from scipy.special import logsumexp
from twins.numbers import sigmoid

import gm_jax
from gm_jax import run
from gm_jax.energy.shared import machine
from gm_jax.energy.shared.deep_machine import DeepMachine, assembled
from gm_jax.energy.shared.machine import Machine
from gm_jax.judging import partition

KEY = jax.random.key(0)
ALL = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
DBM = DeepMachine(rounds=30)


def params_of(scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"w1": (3, 3), "w2": (3, 3), "b": (3,), "c1": (3,), "c2": (3,)}
    return {name: np.float32(scale * rng.normal(size=shape)) for name, shape in shapes.items()}


def energies(p):
    """E of all states, [v, h1, h2]."""
    below, above = ALL @ p["w1"] @ ALL.T, ALL @ p["w2"] @ ALL.T
    of_v, of_h1, of_h2 = ALL @ p["b"], ALL @ p["c1"], ALL @ p["c2"]
    biases = of_v[:, None, None] + of_h1[:, None] + of_h2
    return -(below[:, :, None] + above[None] + biases)


def test_energies_and_z_against_all_states():
    p = params_of()
    expected = energies(p)
    for i, j, k in itertools.product(range(8), repeat=3):
        found = DBM.energy(p, *(jnp.float32(ALL[n : n + 1]) for n in (i, j, k)))
        np.testing.assert_allclose(found, expected[i, j, k], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(DBM.log_z(p), logsumexp(-expected), rtol=1e-5)
    density = DBM.log_density(p, jnp.float32(ALL))
    np.testing.assert_allclose(density, logsumexp(-expected, axis=(0, 2)), rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_bound_is_below_log_p_and_equal_without_w2(seed):
    p = params_of(seed=seed)
    exact = logsumexp(-energies(p), axis=(1, 2))
    found = np.asarray(DBM.bound(p, jnp.float32(ALL)))
    assert np.all(found < exact + 1e-5) and np.any(found < exact - 1e-3)
    assert np.all(found > exact - 1.0)
    flat = p | {"w2": np.zeros((3, 3), np.float32)}
    exact = logsumexp(-energies(flat), axis=(1, 2))
    np.testing.assert_allclose(DBM.bound(flat, jnp.float32(ALL)), exact, rtol=1e-5, atol=1e-5)


def test_the_mean_field_is_a_fixed_point_that_no_drive_is_doubled_in():
    p, v = params_of(0.5), jnp.float32(ALL)
    mu1, mu2 = (np.asarray(mu, np.float64) for mu in DBM.means(p, v))
    again = sigmoid(ALL @ p["w1"] + mu2 @ p["w2"].T + p["c1"])
    np.testing.assert_allclose(mu1, again, atol=1e-5)
    np.testing.assert_allclose(mu2, sigmoid(mu1 @ p["w2"] + p["c2"]), atol=1e-5)
    start, _ = DeepMachine(rounds=0).means(p, v)
    np.testing.assert_allclose(start, sigmoid(2 * ALL @ p["w1"] + p["c1"]), rtol=1e-5)


def test_a_sweep_draws_both_neighbours_and_then_h1():
    p = params_of()
    joint = np.exp(-energies(p))
    beside = joint / joint.sum((0, 2), keepdims=True)  # p(v, h2 | h1)
    then = joint / joint.sum(1, keepdims=True)  # p(h1 | v, h2)
    matrix = np.einsum("vhk,vgk->hg", beside, then)
    law = joint.sum((0, 2)) / joint.sum()
    np.testing.assert_allclose(law @ matrix, law, atol=1e-6)
    # Of all starts that whose law changes most (.016) if both neighbours share a draw.
    keys, start = jax.random.split(KEY, 40_000), jnp.tile(jnp.float32(ALL[0]), (40_000, 1))
    for steps in (1, 2):
        ended = np.asarray(jax.jit(DBM.chain, static_argnums=3)(p, keys, start, steps))
        found = np.bincount((ended @ [4, 2, 1]).astype(int), minlength=8) / len(keys)
        np.testing.assert_allclose(found, np.linalg.matrix_power(matrix, steps)[0], atol=0.01)


def test_assembly_adds_the_biases_of_the_layer_that_both_machines_have():
    rng = np.random.default_rng(0)
    first, second = (
        {n: rng.normal(size=s) for n, s in (("w", (3, 3)), ("b", 3), ("c", 3))} for _ in range(2)
    )
    p = assembled(first, second)
    np.testing.assert_array_equal(p["c1"], first["c"] + second["b"])
    for name, value in (("w1", first["w"]), ("b", first["b"]), ("c2", second["c"])):
        np.testing.assert_array_equal(p[name], value)
    np.testing.assert_array_equal(p["w2"], second["w"])


@pytest.mark.parametrize("system", ["rbm", "deep_boltzmann"])
def test_annealing_of_a_recipe_finds_its_own_z(system, digits16):
    settings = config(system, digits16, **{"annealing.steps": (10, 20, 20)})
    phase, _, variables = opening(settings, jax.devices()[:1])
    params = perturb(variables.params["machine"], 0.2)
    variables = variables._replace(params={"machine": params})
    exact = (
        DeepMachine().log_z(params) if "w1" in params else Machine(machine.binary()).log_z(params)
    )
    found = phase.model.functions["annealing"]
    runs = {"index": jnp.arange(2000)}
    row = partition.estimate(jax.jit(found)(variables, runs, KEY)["log_weight"])
    low, high = row["interval"]
    assert low < exact < high and high - low < 0.5


def test_layers_are_handed_on_and_put_together(digits16):
    """Phase by phase; each starts with what the one before has learned."""
    settings = config("deep_boltzmann", digits16)
    ((recipe, phases),) = run.plan(settings)
    first, second, joint = phases
    assert [phase.name for phase in phases] == ["first", "second", "joint"]
    assert [phase.steps for phase in phases] == [2, 2, 4]
    batches = run.batches_of(first, recipe, slice(0, 16))
    batch = jax.jit(batches.prepare)(batches.first, KEY)
    one = first.model.init(KEY, batch, None)
    one = jax.tree.map(lambda x: x + 0.1, one)
    two = second.model.init(KEY, batch, one)
    jax.tree.map(np.testing.assert_array_equal, two.state["below"], one.params["machine"])
    np.testing.assert_array_equal(two.state["mean"], one.state["mean"])
    three = joint.model.init(KEY, batch, two)
    expected = assembled(one.params["machine"], two.params["machine"])
    jax.tree.map(np.testing.assert_array_equal, three.params["machine"], expected)
    assert set(np.unique(three.state["chain"])) == {0.0, 1.0}
    # What the machine can do before it is deep: as if there were no second layer.
    bounds = [
        phase.model.functions["bound"](variables, batch, KEY)["bound"]
        for phase, variables in ((first, one), (joint, joint.model.init(KEY, batch, None)))
    ]
    free = Machine(machine.binary()).free_energy(one.params["machine"], machine.pixels(batch))
    log_z = Machine(machine.binary()).log_z(one.params["machine"])
    np.testing.assert_allclose(bounds[0], -free - log_z, rtol=1e-4, atol=1e-4)
    assert np.all(np.isfinite(bounds[1]))


def gradient(phase, variables, batch, key):
    loss = phase.model.players[0].moves[0].objective
    return jax.jit(jax.grad(lambda p: loss(variables._replace(params=p), batch, key, 0)[0]))(
        variables.params
    )["machine"]


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_layers_gradient_is_outer_products_with_doubled_drives(name, digits16):
    settings = config("deep_boltzmann", digits16, **{"first.decay": 0.3, "second.decay": 0.3})
    ((recipe, phases),) = run.plan(settings)
    phase = next(phase for phase in phases if phase.name == name)
    batches = run.batches_of(phase, recipe, slice(0, 16))
    batch = jax.jit(batches.prepare)(batches.first, KEY)
    variables = create(phase.model, batches.prepare, batches.first, KEY)
    variables = perturb(variables._replace(opt={}, average={}), 0.3)
    p, keys = variables.params["machine"], gm_jax.model.example_keys(KEY, batch)
    v = machine.pixels(batch)
    if name == "second":
        lower = variables.state["below"]
        p1 = sigmoid(2 * (np.float64(lower["c"]) + np.float64(v) @ np.float64(lower["w"])))
        draws = machine.uniform(machine.fold_in(keys, 0), p1.shape[1:])
        v, keys = jnp.float32(np.asarray(draws) < p1), machine.fold_in(keys, 1)
    up, down, k = (2, 1, 1) if name == "first" else (1, 2, 2)
    rbm = Machine(machine.binary(), up=up, down=down)
    fantasy = np.float64(rbm.chain(p, keys, v, k))
    p = {name: np.float64(value) for name, value in p.items()}
    v = np.float64(v)
    h, h_fantasy = (sigmoid(up * (p["c"] + x @ p["w"])) for x in (v, fantasy))
    found = gradient(phase, variables, batch, KEY)
    expected = (fantasy.T @ h_fantasy - v.T @ h) / 16 + 0.3 * p["w"]
    np.testing.assert_allclose(found["w"], expected, atol=1e-5)
    np.testing.assert_allclose(found["b"], (fantasy - v).mean(0), atol=1e-5)
    np.testing.assert_allclose(found["c"], (h_fantasy - h).mean(0), atol=1e-5)
