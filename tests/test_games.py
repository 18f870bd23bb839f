"""What must hold for every game: who changes what, on how many devices, compiled how often."""

import types

import jax
import numpy as np
import pytest
from games import EVERY_GAME, GAMES, QUICK_GAMES, config, opening, perturb, play

import gm_jax
from gm_jax import zoo
from gm_jax.model import example_keys
from gm_jax.trained import mapped_functions
from gm_jax.training import parallel, step


@pytest.mark.parametrize("system", EVERY_GAME)
def test_a_move_changes_all_its_player_owns_and_nothing_else(system, digits16):
    phase, batches, variables = opening(config(system, digits16), jax.devices()[:1])
    variables = variables._replace(params=perturb(variables.params))
    for player in phase.model.players:
        changed = set()
        for move in player.moves:
            program = jax.jit(step.make_move(player, move, batches.prepare))
            when = jax.random.key(1), 0, 0, 0, True
            after, _ = program(variables, variables.frozen, batches.first, *when)
            for name in variables.params:
                if name not in player.owns:
                    jax.tree.map(
                        np.testing.assert_array_equal, after.params[name], variables.params[name]
                    )
            for other in set(variables.opt) - {player.name}:
                jax.tree.map(np.testing.assert_array_equal, after.opt[other], variables.opt[other])
            owned = {name: (variables.params[name], after.params[name]) for name in player.owns}
            for path, old in jax.tree_util.tree_leaves_with_path(
                {n: o for n, (o, _) in owned.items()}
            ):
                new = after.params
                for entry in path:
                    new = new[entry.key]
                if not np.array_equal(old, new):
                    changed.add(jax.tree_util.keystr(path))
        leaves = {
            jax.tree_util.keystr(path)
            for path, _ in jax.tree_util.tree_leaves_with_path(
                {name: variables.params[name] for name in player.owns}
            )
        }
        still = leaves - changed - set(GAMES[system].undecided)
        assert still == leaves & set(GAMES[system].without_gradient)


@pytest.mark.parametrize("system", EVERY_GAME)
def test_one_two_and_eight_devices_are_the_same_run(system, digits16):
    """In float64, so that only a real difference shows: leaves of zero gradient would drift."""
    with jax.enable_x64(True):
        settings = config(system, digits16, dtype="float64")
        one, *others = (play(settings, 20, jax.devices()[:n], np.float64) for n in (1, 2, 8))
        for other in others:
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-8), one, other
            )
        start, _ = play(settings, 1, jax.devices()[:1], np.float64)
    learned = [v.params or v.state for v in (one[0], start)]
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), *learned)
    moved = [
        far for path, far in jax.tree_util.tree_leaves_with_path(moved)
        if jax.tree_util.keystr(path)
        not in GAMES[system].without_gradient + GAMES[system].undecided
    ]  # fmt: skip
    # The run went somewhere; of what is only counted, not every table changes.
    assert (min if one[0].params else max)(moved) > 1e-6


@pytest.mark.parametrize("system", EVERY_GAME)
def test_every_move_is_traced_once_and_its_state_is_equal_on_all_devices(
    system, digits16, monkeypatch
):
    traces = []
    make = step.make_move

    def counting(player, move, prepare):
        program = make(player, move, prepare)

        def traced(*arguments):
            traces.append((player.name, move.name))
            return program(*arguments)

        return traced

    monkeypatch.setattr("gm_jax.training.loop.step.make_move", counting)
    settings = config(system, digits16)
    play(settings, 5)
    assert sorted(traces) == sorted(set(traces)) and traces

    phase, batches, variables = opening(settings)
    count = len(jax.devices())
    batch = {k: v.reshape(count, -1, *v.shape[1:]) for k, v in batches.first.items()}
    for player in phase.model.players:
        for move in player.moves:
            mapped = jax.pmap(
                make(player, move, batches.prepare), axis_name="data",
                in_axes=(None, None, 0, *[None] * 5), out_axes=0,
            )  # fmt: skip
            after, _ = mapped(variables, variables.frozen, batch, jax.random.key(1), 0, 0, 0, True)
            for row in jax.tree.leaves(after):
                np.testing.assert_array_equal(row, np.broadcast_to(row[:1], row.shape))


@pytest.mark.parametrize("system", EVERY_GAME)
def test_a_run_in_two_parts_ends_bitwise_as_one_in_one(system, digits16, tmp_path):
    """Its memory included: codebooks, counts, pools and measures are variables like any other."""
    settings = config(system, digits16, **{"checkpoint.every": 2, "show.every": 0, "steps": 4})
    whole = gm_jax.train(settings, tmp_path / "whole", jax.devices()[:2])
    settings.steps = 2
    gm_jax.train(settings, tmp_path / "parts", jax.devices()[:2])
    settings.steps = 4
    parts = gm_jax.train(settings, tmp_path / "parts", jax.devices()[:2])
    jax.tree.map(np.testing.assert_array_equal, whole.variables, parts.variables)


def test_functions_do_not_depend_on_batch_size_or_devices_and_drop_nothing(digits16):
    """37 examples: in one batch on one device, and in padded batches over eight."""
    settings = config("ddpm", digits16)
    phase, _, variables = opening(settings)
    outputs = []
    for devices, size in ((jax.devices()[:1], 37), (jax.devices(), 16)):
        settings.evaluate.batch_size = size
        placed = parallel.replicate(variables, devices)
        functions = mapped_functions(phase, devices)
        trained = gm_jax.Trained(settings, phase, functions, placed, devices)
        outputs.append(gm_jax.sample(trained, 37)["image"].astype(int))
    assert outputs[0].shape == outputs[1].shape == (37, 8, 8, 1)
    assert np.abs(outputs[0] - outputs[1]).max() <= 1


def test_samples_do_not_see_the_data(digits16):
    for system in QUICK_GAMES:
        phase, batches, variables = opening(config(system, digits16), jax.devices()[:1])
        batch = jax.jit(batches.prepare)(batches.first, jax.random.key(0))
        told = ("index", "label")
        blank = {name: x if name in told else x * 0 for name, x in batch.items()}
        sample = jax.jit(phase.model.functions["sample"])
        a, b = (sample(variables, x, jax.random.key(3)) for x in (batch, blank))
        jax.tree.map(np.testing.assert_array_equal, a, b)


def test_example_keys_follow_the_global_index():
    whole = example_keys(jax.random.key(0), {"index": np.arange(8)})
    half = example_keys(jax.random.key(0), {"index": np.arange(4, 8)})
    np.testing.assert_array_equal(jax.random.key_data(whole[4:]), jax.random.key_data(half))
    assert len(np.unique(jax.random.key_data(whole), axis=0)) == 8


def test_bfloat16_keeps_parameters_losses_and_statistics_in_float32(digits16):
    for system in QUICK_GAMES:
        variables, metrics = play(config(system, digits16, dtype="bfloat16"), 1, jax.devices()[:1])
        leaves = jax.tree.leaves((variables.params, variables.state, metrics))
        dtypes = {x.dtype for x in leaves if jax.numpy.issubdtype(x.dtype, np.inexact)}
        assert dtypes == {np.dtype("float32")}
        full, _ = play(config(system, digits16), 1, jax.devices()[:1])
        differ = jax.tree.map(lambda a, b: not np.array_equal(a, b), variables.params, full.params)
        assert any(jax.tree.leaves(differ))  # The computation did run in another precision.


def test_a_function_is_compiled_once_however_often_it_is_shown(digits16, tmp_path, monkeypatch):
    traces = []
    vae = zoo.SYSTEMS["vae"]

    def counting(*arguments):
        (phase,) = vae.build(*arguments)
        sample = phase.model.functions["sample"]

        def traced(variables, batch, key):
            traces.append(batch["index"].shape)
            return sample(variables, batch, key)

        functions = {**phase.model.functions, "sample": traced}
        return (phase._replace(model=phase.model._replace(functions=functions)),)

    system = types.SimpleNamespace(Settings=vae.Settings, build=counting)
    monkeypatch.setitem(zoo.SYSTEMS, "vae", system)
    shown = {"show.every": 1, "show.counts": {"sample": 16}}
    gm_jax.train(config("vae", digits16, **shown), tmp_path, jax.devices()[:1])
    assert len(list((tmp_path / "samples").glob("step_*.png"))) == 4 and len(traces) == 1
