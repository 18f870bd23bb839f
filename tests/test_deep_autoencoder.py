"""Stacked RBMs, and the autoencoder that they become."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, create, perturb
from twins.numbers import sigmoid

from gm_jax import run
from gm_jax.energy.shared import machine
from gm_jax.energy.shared.machine import Machine
from gm_jax.model import example_keys

KEY = jax.random.key(0)


def phases_of(digits16, **overrides):
    """The phases of the smoke recipe by name, the variables each starts from, and a batch."""
    settings = config("deep_autoencoder", digits16, **overrides)
    ((recipe, phases),) = run.plan(settings)
    batches = run.batches_of(phases[0], recipe, slice(0, 16))
    batch = jax.jit(batches.prepare)(batches.first, KEY)
    start = {p.name: create(p.model, batches.prepare, batches.first, KEY) for p in phases}
    return {p.name: p for p in phases}, start, batch


@pytest.mark.parametrize("name", ["rbm_0", "rbm_1", "rbm_2"])
def test_a_layers_gradient_is_outer_products_of_what_is_below(name, digits16):
    """Of probabilities of the layers below; means, never draws, are visible."""
    phases, start, batch = phases_of(digits16, **{"pretraining.decay": 0.3})
    variables = perturb(start[name]._replace(opt={}, average={}), 0.2)
    p, v = variables.params["machine"], np.float64(machine.pixels(batch))
    assert len(variables.state["below"]) == int(name[-1])
    for layer in variables.state["below"]:
        v = sigmoid(np.float64(layer["c"]) + v @ np.float64(layer["w"]))
    linear = name == "rbm_2"
    rbm = Machine(machine.binary(), drawn=False, linear=linear)
    fantasy = np.float64(rbm.chain(p, example_keys(KEY, batch), jnp.float32(v), 1))
    loss = phases[name].model.players[0].moves[0].objective
    found = jax.jit(
        jax.grad(lambda p: loss(variables._replace(params={"machine": p}), batch, KEY, 0)[0])
    )(p)
    p = {name: np.float64(value) for name, value in p.items()}
    h, h_fantasy = (
        p["c"] + x @ p["w"] if linear else sigmoid(p["c"] + x @ p["w"]) for x in (v, fantasy)
    )
    expected = (fantasy.T @ h_fantasy - v.T @ h) / 16 + 0.3 * p["w"]
    np.testing.assert_allclose(found["w"], expected, atol=1e-4)
    np.testing.assert_allclose(found["b"], (fantasy - v).mean(0), atol=1e-5)
    np.testing.assert_allclose(found["c"], (h_fantasy - h).mean(0), atol=1e-5)


def test_layers_are_handed_on_and_unrolled(digits16):
    phases, start, batch = phases_of(digits16)
    assert list(phases) == ["rbm_0", "rbm_1", "rbm_2", "unrolled"]
    assert [phase.steps for phase in phases.values()] == [2, 2, 2, 4]
    before, layers = None, []
    for name in ("rbm_0", "rbm_1", "rbm_2"):
        variables = phases[name].model.init(KEY, batch, before)
        jax.tree.map(np.testing.assert_array_equal, variables.state["below"], layers)
        before = jax.tree.map(lambda x: x + 0.1 * (1 + x.shape[-1]), variables)
        before = before._replace(state={"below": layers})
        layers = [*layers, before.params["machine"]]
    net = phases["unrolled"].model.init(KEY, batch, before).params
    assert [layer["w"].shape for layer in net["encoder"]] == [(64, 8), (8, 7), (7, 3)]
    assert [layer["w"].shape for layer in net["decoder"]] == [(3, 7), (7, 8), (8, 64)]
    for trained, up, down in zip(layers, net["encoder"], reversed(net["decoder"]), strict=True):
        np.testing.assert_array_equal(up["w"], trained["w"])
        np.testing.assert_array_equal(up["bias"], trained["c"])
        np.testing.assert_array_equal(down["w"], trained["w"].T)
        np.testing.assert_array_equal(down["bias"], trained["b"])
    # What a layer's phase can do is what the unrolled machine can.
    pictures = [
        phases[name].model.functions["reconstruct"](variables, batch, KEY)["image"]
        for name, variables in (
            ("rbm_2", before), ("unrolled", start["unrolled"]._replace(params=net))
        )
    ]  # fmt: skip
    np.testing.assert_allclose(pictures[0], pictures[1], atol=1e-6)


def test_without_pretraining_there_is_one_phase(digits16):
    phases, start, _ = phases_of(digits16, **{"pretraining.steps": 0})
    assert list(phases) == ["unrolled"]
    first = start["unrolled"].params["encoder"][0]["w"]
    assert abs(float(jnp.std(first)) - 0.1) < 0.02
