"""What must hold for every game: who changes what, on how many devices, compiled how often."""

import re
import types

import jax
import numpy as np
import pytest
from games import EVERY_GAME, GAMES, GAMES_WITH_MEMORY, config, opening, outline, perturb, play

import gm_jax
from gm_jax import run, zoo
from gm_jax.model import example_keys
from gm_jax.trained import _used, mapped_functions
from gm_jax.training import parallel, step

# Of those with several, how many.
PHASES = {
    "stylegan": 3, "progan": 3, "progan_discrimination": 3, "simgan": 3, "srgan": 2,
    "everybody_dance_now_face": 2, "unclip_causal_prior": 2, "stacked_autoencoder": 3,
    "deep_boltzmann": 3, "deep_belief": 3, "deep_autoencoder": 4, "psd_encoder": 2,
}  # fmt: skip


@pytest.mark.parametrize("system", EVERY_GAME)
def test_a_move_changes_all_its_player_owns_and_nothing_else_on_all_devices_alike(system, digits16):
    phase, batches, variables = opening(config(system, digits16))
    variables = variables._replace(params=perturb(variables.params))
    count = len(jax.devices())
    batch = {k: v.reshape(count, -1, *v.shape[1:]) for k, v in batches.first.items()}
    for player in phase.model.players:
        owned = {name: variables.params[name] for name in player.owns}
        unchanged = set(_by_path(owned))
        for move in player.moves:
            program = jax.pmap(
                step.make_move(player, move, batches.prepare), axis_name="data",
                in_axes=(None, None, 0, *[None] * 5), out_axes=0,
            )  # fmt: skip
            when = jax.random.key(1), 0, 0, 0, True
            rows, _ = jax.device_get(program(variables, variables.frozen, batch, *when))
            for row in jax.tree.leaves(rows):
                np.testing.assert_array_equal(row, np.broadcast_to(row[:1], row.shape))
            after = jax.tree.map(lambda row: row[0], rows)
            for name in set(variables.params) - set(player.owns):
                assert_equal(after.params[name], variables.params[name])
            for other in set(variables.opt) - {player.name}:
                assert_equal(after.opt[other], variables.opt[other])
            new = _by_path({name: after.params[name] for name in player.owns})
            old = _by_path(owned)
            unchanged -= {path for path in old if not np.array_equal(old[path], new[path])}
        unchanged -= set(GAMES[system].undecided)
        assert unchanged == set(_by_path(owned)) & set(GAMES[system].without_gradient)


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def assert_near(a, b):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-8), a, b)


def _by_path(tree) -> dict:
    return {jax.tree_util.keystr(p): x for p, x in jax.tree_util.tree_leaves_with_path(tree)}


@pytest.mark.parametrize("system", EVERY_GAME)
def test_one_and_eight_devices_are_the_same_run_and_trace_every_move_once(
    system, digits16, monkeypatch
):
    """In float64, so that only a real difference shows: leaves of zero gradient would drift."""
    traces = []
    make = step.make_move

    def counting(player, move, prepare):
        program = make(player, move, prepare)

        def traced(*arguments):
            traces.append((player.name, move.name))
            return program(*arguments)

        return traced

    monkeypatch.setattr("gm_jax.training.loop.step.make_move", counting)
    settings = config(system, digits16, dtype="float64")
    runs = []
    with jax.enable_x64(True):
        for count in (1, 2, 8) if system == "vae" else (1, 8):
            traces.clear()
            runs.append(play(settings, 6, jax.devices()[:count], np.float64))
            # Tables, without parameters, are float32 in any case: the first round converts them.
            assert traces and (not runs[0][0][0].params or sorted(traces) == sorted(set(traces)))
    for other in runs[1:]:
        assert_near(runs[0][-1], other[-1])
    start, end = (_by_path(v.params or v.state) for v, _ in (runs[0][0], runs[0][-1]))
    moved = [
        np.abs(end[path] - start[path]).max()
        for path in end
        if path not in GAMES[system].without_gradient + GAMES[system].undecided
    ]
    # The run went somewhere; of what is only counted, not every table changes.
    assert (min if runs[0][0][0].params else max)(moved) > 1e-6


@pytest.mark.slow
def test_earlier_phases_are_tested_of_every_game_that_has_them(digits16):
    plans = {name: run.plan(config(name, digits16)) for name in GAMES}
    several = {name: len(phases) for name, (*_, (_, phases)) in plans.items() if len(phases) > 1}
    assert several == PHASES


@pytest.mark.slow
@pytest.mark.parametrize(
    "system, before", [(name, n) for name, count in PHASES.items() for n in range(1, count)]
)
def test_one_and_eight_devices_are_the_same_in_earlier_phases(system, before, digits16):
    settings = config(system, digits16, dtype="float64")
    with jax.enable_x64(True):
        one, eight = (
            play(settings, 3, jax.devices()[:count], np.float64, before) for count in (1, 8)
        )
    assert_near(one[-1][0], eight[-1][0])
    for name, value in one[-1][1].items():
        np.testing.assert_allclose(eight[-1][1][name], value, rtol=0, atol=1e-8, err_msg=name)
    start, end = (_by_path(variables.params) for variables, _ in (one[0], one[-1]))
    # Principal components are counted, not learned.
    assert max((np.abs(end[p] - start[p]).max() for p in end), default=1.0) > 1e-6


@pytest.mark.parametrize("system", GAMES_WITH_MEMORY)
def test_a_run_in_two_parts_ends_bitwise_as_one_in_one(system, digits16, tmp_path):
    """Its memory included: codebooks, counts, pools and measures are variables like any other."""

    def trained(steps, folder):
        own = {"checkpoint.every": 2, "show.every": 0, GAMES[system].steps: steps}
        settings = config(system, digits16, **own)
        return gm_jax.train(settings, tmp_path / folder, jax.devices()[:2])

    whole, _, parts = trained(4, "whole"), trained(2, "parts"), trained(4, "parts")
    jax.tree.map(np.testing.assert_array_equal, whole.variables, parts.variables)


@pytest.mark.slow
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


@pytest.mark.parametrize("system", EVERY_GAME)
def test_samples_do_not_see_the_data(system, digits16):
    phase, batches, variables = outline(config(system, digits16))
    batch = jax.eval_shape(batches.prepare, batches.first, jax.random.key(0))
    if sample := phase.model.functions.get("sample"):
        used = _used(lambda v, b: sample(v, b, jax.random.key(3)), variables, batch)
        assert used <= {"index", "label", "caption"}


def test_example_keys_follow_the_global_index():
    whole = example_keys(jax.random.key(0), {"index": np.arange(8)})
    half = example_keys(jax.random.key(0), {"index": np.arange(4, 8)})
    np.testing.assert_array_equal(jax.random.key_data(whole[4:]), jax.random.key_data(half))
    assert len(np.unique(jax.random.key_data(whole), axis=0)) == 8


@pytest.mark.parametrize("system", EVERY_GAME)
def test_bfloat16_keeps_parameters_losses_and_statistics_in_float32(system, digits16):
    phase, batches, variables = outline(config(system, digits16, dtype="bfloat16"))
    for player in phase.model.players:
        for move in player.moves:
            program = step.make_move(player, move, batches.prepare)
            when = jax.random.key(0), 0, 0, 0, True
            trace = jax.make_jaxpr(program, return_shape=True)
            jaxpr, (after, metrics) = trace(variables, variables.frozen, batches.first, *when)
            leaves = jax.tree.leaves((after.params, after.state, metrics))
            dtypes = {x.dtype for x in leaves if jax.numpy.issubdtype(x.dtype, np.inexact)}
            assert dtypes == {np.dtype("float32")}
            # Something is computed in the other precision, if anything is learned.
            assert not after.params or re.search(
                r"bf16\[[\d,]*\] = (dot_general|conv_general)", str(jaxpr)
            )


@pytest.mark.slow
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
