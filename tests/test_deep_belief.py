"""The deep belief net on machines small enough to visit every state."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, create, perturb
from scipy.special import logsumexp
from twins.game import also
from twins.numbers import sigmoid, softplus

from gm_jax import run
from gm_jax.energy import deep_belief
from gm_jax.energy.shared import machine
from gm_jax.energy.shared.machine import Machine
from gm_jax.judging import partition
from gm_jax.model import example_keys

KEY = jax.random.key(0)
RBM = Machine(machine.binary())
ALL = np.array(list(itertools.product([0.0, 1.0], repeat=3)))


def layers_of(count, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {n: np.float32(scale * rng.normal(size=s)) for n, s in (("w", (3, 3)), ("b", 3), ("c", 3))}
        for _ in range(count)
    ]


def log_bernoulli(x, logits):
    """log p of rows x [N, D] given rows of logits [M, D], [N, M]."""
    return x @ logits.T - softplus(logits).sum(1)


def free_energy(p, v):
    return -v @ p["b"] - softplus(p["c"] + v @ p["w"]).sum(1)


def by_enumeration(layers):
    """log p(v) [8], and the bound's unnormalised value, of three units a layer, in float64."""
    *below, top = [{n: np.float64(x) for n, x in layer.items()} for layer in layers]
    log_joint = -free_energy(top, ALL) - logsumexp(-free_energy(top, ALL))  # log p(h^{L-1})
    value = -free_energy(top, ALL)  # What the units from here on up contribute.
    for layer in reversed(below):
        down = log_bernoulli(ALL, layer["b"] + ALL @ layer["w"].T)  # [low, high]
        log_joint = logsumexp(down + log_joint, axis=1)
        log_q = log_bernoulli(ALL, layer["c"] + ALL @ layer["w"]).T  # [low, high]
        value = (np.exp(log_q) * (down - log_q + value)).sum(1)
    return log_joint, value


def estimate(layers, v, keys):
    """The unnormalised bound by a draw of q for each key, [B]."""
    *below, top = layers
    units = deep_belief.drawn_up(RBM, below, keys, v)
    return deep_belief.log_ratio(RBM, below, units) - RBM.free_energy(top, units[-1])


@pytest.mark.parametrize("depth", [also(2), 3])
def test_the_bound_is_that_of_all_states_and_below_log_p(depth):
    layers = layers_of(depth)
    exact, value = by_enumeration(layers)
    log_z = float(RBM.log_z(layers[-1]))
    assert np.all(value - log_z < exact) and np.all(value - log_z > exact - 4.0)
    draws = 40_000
    keys = jax.random.split(KEY, 8 * draws)
    found = jax.jit(estimate)(layers, jnp.float32(np.repeat(ALL, draws, 0)), keys)
    found = np.float64(found).reshape(8, draws)
    error = found.std(1) / draws**0.5
    assert np.all(np.abs(found.mean(1) - value) < 4.5 * error) and np.all(error < 0.02)


def test_each_draw_is_log_p_if_the_top_is_the_machine_below_turned_round():
    """Then the belief net is that machine: Hinton, Osindero & Teh 2006, section 2.2."""
    (first,) = layers_of(1)
    layers = [first, {"w": first["w"].T, "b": first["c"], "c": first["b"]}]
    keys = jax.random.split(KEY, 80)
    found = estimate(layers, jnp.float32(np.repeat(ALL, 10, 0)), keys).reshape(8, 10)
    expected = -np.float64(RBM.free_energy(first, jnp.float32(ALL)))
    np.testing.assert_allclose(found, np.tile(expected, (10, 1)).T, atol=1e-5)


@pytest.fixture(scope="module")
def phases(digits16):
    """The phases of the smoke recipe by name, the variables each starts from, and a batch."""
    settings = config("deep_belief", digits16, **{"annealing.steps": (10, 20, 20)})
    ((recipe, phases),) = run.plan(settings)
    batches = run.batches_of(phases[0], recipe, slice(0, 16))
    batch = jax.jit(batches.prepare)(batches.first, KEY)
    start = {p.name: create(p.model, batches.prepare, batches.first, KEY) for p in phases}
    return {p.name: p for p in phases}, start, batch


def moved(variables):
    """Away from the start, chains and means as they are."""
    return variables._replace(params=perturb(variables.params, 0.3))


def test_layers_are_handed_on(phases):
    phases, start, batch = phases
    assert list(phases) == ["rbm_0", "rbm_1", "top"]
    before = [start["rbm_0"].params["machine"]]
    for name, lower in (("rbm_1", "rbm_0"), ("top", "rbm_1")):
        ended = moved(start[lower])._replace(state=start[lower].state | {"below": before[:-1]})
        before = [*before[:-1], ended.params["machine"]]
        begun = phases[name].model.init(KEY, batch, ended)
        jax.tree.map(np.testing.assert_array_equal, begun.state["below"], before)
        h = np.float64(machine.pixels(batch))
        for layer in before:
            h = sigmoid(np.float64(layer["c"]) + h @ np.float64(layer["w"]))
        np.testing.assert_allclose(begun.state["mean"], h.mean(0), atol=1e-5)
        found = sigmoid(np.float64(begun.params["machine"]["b"]))
        np.testing.assert_allclose(found, h.mean(0), atol=1e-5)
        before.append(begun.params["machine"])


@pytest.mark.parametrize("name", ["rbm_0", "rbm_1"])
def test_a_layers_gradient_is_outer_products_of_draws_of_what_is_below(name, digits16):
    """By chains from these draws, as many steps and as much decay as of pretraining."""
    own = {"pretraining.decay": 0.3, "pretraining.negatives": 2, "decay": 0.0}
    ((recipe, every),) = run.plan(config("deep_belief", digits16, **own))
    phase = next(phase for phase in every if phase.name == name)
    batches = run.batches_of(phase, recipe, slice(0, 16))
    batch = jax.jit(batches.prepare)(batches.first, KEY)
    assert [phase.steps for phase in every] == [2, 2, 4]
    variables = create(phase.model, batches.prepare, batches.first, KEY)
    variables = moved(variables._replace(opt={}, average={}))
    p, (inputs, chains) = variables.params["machine"], jax.random.split(KEY)
    keys, v = example_keys(inputs, batch), machine.pixels(batch)
    for number, layer in enumerate(variables.state["below"]):
        v = machine.flip(machine.fold_in(keys, number), RBM.hidden(layer, v))
    fantasy = np.float64(RBM.chain(p, example_keys(chains, batch), v, 2))
    loss = phase.model.players[0].moves[0].objective
    found = jax.jit(
        jax.grad(lambda p: loss(variables._replace(params={"machine": p}), batch, KEY, 0)[0])
    )(p)
    p, v = {name: np.float64(value) for name, value in p.items()}, np.float64(v)
    h, h_fantasy = (sigmoid(p["c"] + x @ p["w"]) for x in (v, fantasy))
    expected = (fantasy.T @ h_fantasy - v.T @ h) / 16 + 0.3 * p["w"]
    np.testing.assert_allclose(found["w"], expected, atol=1e-4)
    np.testing.assert_allclose(found["b"], (fantasy - v).mean(0), atol=1e-5)
    np.testing.assert_allclose(found["c"], (h_fantasy - h).mean(0), atol=1e-5)


def test_annealing_finds_the_top_machines_z(phases):
    phases, start, _ = phases
    variables = moved(start["top"])
    found = jax.jit(phases["top"].model.functions["annealing"])
    row = partition.estimate(found(variables, {"index": jnp.arange(2000)}, KEY)["log_weight"])
    low, high = row["interval"]
    assert low < RBM.log_z(variables.params["machine"]) < high and high - low < 0.5
