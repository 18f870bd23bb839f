"""Sparse autoencoders, and autoencoders stacked into a classifier."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, create, refuses
from twins.test_coding import denoising, masks

from gm_jax import run
from gm_jax.autoencoders.sparse_autoencoder import k_largest
from gm_jax.losses.sparsity import kl_from_target
from gm_jax.nn.layers import product

KEY = jax.random.key(0)


def test_the_largest_are_kept_not_those_of_largest_size():
    z = jnp.array([[3.0, -9.0, 1.0, 2.0], [-1.0, -2.0, -3.0, -4.0]])
    np.testing.assert_array_equal(k_largest(z, 2), [[3, 0, 0, 2], [-1, -2, 0, 0]])
    slope = jax.grad(lambda z: jnp.sum(k_largest(z, 2) ** 2))(z)
    np.testing.assert_array_equal(slope, [[6, 0, 0, 4], [-2, -4, 0, 0]])
    np.testing.assert_array_equal(jax.jit(k_largest)(z, 4), z)


def test_kl_is_zero_at_its_target_and_that_of_coins_elsewhere():
    np.testing.assert_allclose(kl_from_target(jnp.array([0.2]), 0.2), 0.0, atol=1e-7)
    expected = 0.1 * np.log(0.1 / 0.4) + 0.9 * np.log(0.9 / 0.6)
    np.testing.assert_allclose(kl_from_target(jnp.array([0.4]), 0.1), expected, rtol=1e-5)


def phases_of(digits16, **overrides):
    """The phases of the smoke recipe by name, the variables each starts from, and a batch."""
    settings = config("stacked_autoencoder", digits16, **overrides)
    ((recipe, phases),) = run.plan(settings)
    batches = run.batches_of(phases[0], recipe, slice(0, 16))
    batch = jax.jit(batches.prepare)(batches.first, KEY)
    start = {p.name: create(p.model, batches.prepare, batches.first, KEY) for p in phases}
    return {p.name: p for p in phases}, start, batch


@pytest.mark.parametrize("number", [0, 1])
def test_a_layer_mends_the_clean_code_of_those_below(number, digits16):
    """It is corrupted on the way in alone, by its own share, and so is no layer below."""
    phases, start, batch = phases_of(digits16, **{"pretraining.masked": (0.2, 0.5)})
    variables = start[f"layer_{number}"]
    h = (np.float64(batch["image"]).reshape(16, -1) + 1) / 2
    for layer in variables.state["below"]:
        h = 1 / (1 + np.exp(-(h @ np.float64(layer["w"]) + np.float64(layer["c"]))))
    layer = jax.tree.map(np.float64, variables.params["layer"])
    assert len(variables.state["below"]) == number
    kept = masks(KEY, batch, h.shape[1], (0.2, 0.5)[number])
    loss = phases[f"layer_{number}"].model.players[0].moves[0].objective
    found, _ = jax.jit(loss)(variables, batch, KEY, 0)
    np.testing.assert_allclose(found, denoising(layer, h, kept).mean(), rtol=1e-5)
    assert 0.0 < kept.mean() < 1.0


def test_without_masks_all_is_seen(digits16):
    phases, start, batch = phases_of(digits16, **{"pretraining.masked": (0.0, 0.0)})
    h = (np.float64(batch["image"]).reshape(16, -1) + 1) / 2
    layer = jax.tree.map(np.float64, start["layer_0"].params["layer"])
    loss = phases["layer_0"].model.players[0].moves[0].objective
    found, _ = jax.jit(loss)(start["layer_0"], batch, KEY, 0)
    np.testing.assert_allclose(found, denoising(layer, h, 1.0).mean(), rtol=1e-5)


def test_layers_are_handed_on_to_the_classifier(digits16):
    phases, _, batch = phases_of(digits16)
    assert list(phases) == ["layer_0", "layer_1", "classifier"]
    assert [phase.steps for phase in phases.values()] == [2, 2, 4]
    before, layers = None, []
    for name in ("layer_0", "layer_1"):
        variables = phases[name].model.init(KEY, batch, before)
        jax.tree.map(np.testing.assert_array_equal, variables.state["below"], layers)
        before = jax.tree.map(lambda x: x + 0.1 * (1 + x.shape[-1]), variables)
        before = before._replace(state={"below": layers})
        layers = [*layers, before.params["layer"]]
    params = phases["classifier"].model.init(KEY, batch, before).params
    for trained, layer in zip(layers, params["layers"], strict=True):
        np.testing.assert_array_equal(layer["w"], trained["w"])
        np.testing.assert_array_equal(layer["c"], trained["c"])
    assert params["head"]["w"].shape == (7, 10) and not np.any(params["head"]["w"])
    # Down again by the same weights.
    h = (np.float64(batch["image"]).reshape(16, -1) + 1) / 2
    first, second = layers
    for layer, weights in ((first, "w"), (second, "w")):
        h = jax.nn.sigmoid(product(h, layer[weights], np.float32) + layer["c"])
    for layer in (second, first):
        h = jax.nn.sigmoid(product(h, layer["w"].T, np.float32) + layer["b"])
    pair = phases["layer_1"].model.functions["reconstruct"](before, batch, KEY)["image"]
    np.testing.assert_allclose(pair[:, 1].reshape(16, -1), 2 * h - 1, atol=1e-5)


def test_from_scratch_there_is_one_phase_that_starts_alike(digits16):
    _, pretrained, _ = phases_of(digits16)
    scratch = {"pretraining.steps": 0, "show.counts.reconstruct": 0}
    phases, start, _ = phases_of(digits16, **scratch)
    assert list(phases) == ["classifier"]
    for layer, sizes in zip(start["classifier"].params["layers"], [(64, 8), (8, 7)], strict=True):
        bound = 4 * np.sqrt(6 / sum(sizes))
        assert layer["w"].shape == sizes and 0.9 * bound < np.abs(layer["w"]).max() <= bound
    np.testing.assert_array_equal(
        start["classifier"].params["layers"][0]["w"],
        pretrained["classifier"].params["layers"][0]["w"],
    )


def test_pretrained_layers_learn_slower_than_the_output(digits16):
    phases, start, _ = phases_of(digits16, slower=0.25)
    (player,) = phases["classifier"].model.players
    params = {name: start["classifier"].params[name] for name in player.owns}
    slopes = jax.tree.map(jnp.ones_like, params)
    updates, _ = player.optimizer.update(slopes, player.optimizer.init(params), params)
    np.testing.assert_allclose(updates["head"]["w"], -1e-3, rtol=1e-4)
    np.testing.assert_allclose(updates["layers"][1]["w"], -0.25e-3, rtol=1e-4)


@pytest.mark.parametrize(
    ("recipe", "overrides", "message"),
    [
        ("sparse_ae_mnist", {"k_sparse.first": 2}, "first 2 must be at least k 3"),
        ("sparse_ae_mnist", {"hidden": 9}, "k_sparse.first 10 must be at most hidden 9"),
        ("sdae_mnist", {"widths": (8, 7, 6)}, "masked needs a share for each of the 3 widths"),
        ("sdae_mnist", {"pretraining.masked": (0.0, 1.5)}, "must be at most 1"),
    ],
)
def test_what_does_not_go_is_said_in_a_line(recipe, overrides, message):
    refuses(recipe, overrides, message)
