"""Whatever kills a run, the same command ends it as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from environment import OPTIMIZED
from games import GAMES, config

import gm_jax
from gm_jax.training import checkpoint, loop, parallel
from gm_jax.training.checkpoint import Progress

LAUNCH = str(Path(__file__).parent.parent / "launch.py")
SETTINGS = ("--config.report.every=3", "--config.checkpoint.every=4", "--config.show.every=0")


def command(system, workdir, *more):
    recipe = f"--config=configs/{GAMES[system].recipe}.py:smoke"
    path = GAMES[system].overrides.get("data.path", "")
    data = (f"--config.data.path={path}",) if path else ()
    return [sys.executable, LAUNCH, recipe, f"--workdir={workdir}", *SETTINGS, *data, *more]


def environment():
    """Two devices and full optimisation, as a user's run has it."""
    return {**os.environ, "JAX_NUM_CPU_DEVICES": "2", **OPTIMIZED}


def saved(workdir, step):
    """Everything in a checkpoint, as arrays by path."""
    manager = checkpoint.open_checkpoints(workdir / "checkpoints" / "train", None).manager
    found = manager.restore(
        step,
        args=checkpoint.ocp.args.Composite(
            variables=checkpoint.ocp.args.StandardRestore(), place=checkpoint.ocp.args.JsonRestore()
        ),
    )
    return found.variables, found.place


@pytest.mark.parametrize(
    "system", ["gan", *(pytest.param(s, marks=pytest.mark.slow) for s in ("vae", "ddpm", "gpt"))]
)
def test_a_killed_run_ends_bitwise_as_one_never_interrupted(system, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    steps = "--config.steps=20"
    subprocess.run(
        command(system, whole, steps), check=True, env=environment(), capture_output=True
    )
    # Long enough to be killed on the way: the kill comes once step 9 is on record.
    process = subprocess.Popen(
        command(system, killed, "--config.steps=100000"), env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    log = killed / "metrics.jsonl"
    deadline = time.time() + 240
    while not (log.exists() and '"step": 9' in log.read_text()):
        assert process.poll() is None and time.time() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    forget_after(killed, 16)
    subprocess.run(
        command(system, killed, steps), check=True, env=environment(), capture_output=True
    )
    assert log.read_text() == (whole / "metrics.jsonl").read_text()
    (a, place_a), (b, place_b) = saved(whole, 20), saved(killed, 20)
    assert place_a == place_b and place_a["position"] == (20 if system != "gan" else 40)
    jax.tree.map(np.testing.assert_array_equal, a, b)


def forget_after(workdir, step):
    """A quick run may pass step 20 before the signal lands: drop its checkpoints beyond `step`."""
    for folder in (workdir / "checkpoints" / "train").glob("[0-9]*"):
        if folder.name.isdigit() and int(folder.name) > step:
            subprocess.run(["rm", "-r", str(folder)], check=True)


def small(digits16, **overrides):
    return config(
        "vae", digits16,
        **{"report.every": 3, "checkpoint.every": 4, "show.every": 0, "steps": 8, **overrides},
    )  # fmt: skip


def assert_equal(a, b):
    jax.tree.map(
        np.testing.assert_array_equal, *(parallel.to_host(t.variables.params) for t in (a, b))
    )


def test_a_truncated_checkpoint_falls_back_to_the_one_before_loudly(digits16, tmp_path):
    one = jax.devices()[:1]
    whole = gm_jax.train(small(digits16), tmp_path / "whole", one)
    gm_jax.train(small(digits16), tmp_path / "broken", one)
    files = (tmp_path / "broken/checkpoints/train/8/variables/d").glob("*")
    largest = max(files, key=lambda f: f.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)
    with pytest.warns(RuntimeWarning, match="checkpoint 8 cannot be read"):
        again = gm_jax.train(small(digits16), tmp_path / "broken", one)
    assert_equal(whole, again)
    assert (tmp_path / "broken/checkpoints/train/broken-8").is_dir()
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "broken")]
    assert logs[0] == logs[1]
    # The new checkpoint 8 is whole again.
    assert_equal(whole, gm_jax.load(tmp_path / "broken", devices=one))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_saves_and_the_same_call_goes_on(number, digits16, tmp_path, monkeypatch):
    one = jax.devices()[:1]
    whole = gm_jax.train(small(digits16), tmp_path / "whole", one)
    rounds = loop.rounds

    def interrupted(*arguments):
        for item in rounds(*arguments):
            if item[0] == 5:
                os.kill(os.getpid(), number)
            yield item

    monkeypatch.setattr(loop, "rounds", interrupted)
    with pytest.raises(loop.Stopped, match="stopped at step 5 and saved"):
        gm_jax.train(small(digits16), tmp_path / "stopped", one)
    monkeypatch.setattr(loop, "rounds", rounds)
    assert_equal(whole, gm_jax.train(small(digits16), tmp_path / "stopped", one))
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "stopped")]
    assert logs[0] == logs[1]


def test_a_longer_run_goes_on_from_a_shorter_ones_end(digits16, tmp_path):
    one = jax.devices()[:1]
    gm_jax.train(small(digits16), tmp_path, one)
    longer = gm_jax.train(small(digits16, steps=12), tmp_path, one)
    assert_equal(longer, gm_jax.train(small(digits16, steps=12), tmp_path / "at_once", one))


def test_a_workdir_of_another_recipe_is_refused_and_untouched(digits16, tmp_path):
    gm_jax.train(small(digits16), tmp_path, jax.devices()[:1])
    before = (tmp_path / "config.json").read_text()
    with pytest.raises(gm_jax.UserError, match=r"another recipe \(beta: 1.0, now 4.0\)"):
        gm_jax.train(small(digits16, beta=4.0), tmp_path, jax.devices()[:1])
    assert (tmp_path / "config.json").read_text() == before


def test_a_loss_that_is_not_finite_stops_with_step_term_and_last_good_checkpoint(
    digits16, tmp_path, monkeypatch
):
    rounds = loop.rounds

    def poisoned(*arguments):
        for number, position, variables, metrics in rounds(*arguments):
            bad = {"vae/kl": np.float32(np.nan)} if number == 6 else {}
            yield number, position, variables, {**metrics, **bad}

    monkeypatch.setattr(loop, "rounds", poisoned)
    with pytest.raises(gm_jax.UserError, match=r"step 6: vae/kl became NaN .*train/4\."):
        gm_jax.train(small(digits16), tmp_path, jax.devices()[:1])
    assert sorted(p.name for p in (tmp_path / "checkpoints/train").glob("[0-9]*")) == ["4"]
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").open()]
    assert steps == [3]


def test_a_checkpoint_restores_on_another_number_of_devices(digits16, tmp_path):
    gm_jax.train(small(digits16), tmp_path, jax.devices()[:1])
    eight = gm_jax.train(small(digits16, steps=9), tmp_path, jax.devices())
    assert {len(x.sharding.device_set) for x in jax.tree.leaves(eight.variables.params)} == {8}


def test_progress_survives_the_checkpoint_bit_by_bit(digits16, tmp_path):
    window = ((1, {"loss": 0.1}), (2, {"loss": float(np.float32(1) / 3)}))
    store = checkpoint.open_checkpoints(tmp_path, 2)
    variables = gm_jax.model.Variables({"w": np.arange(3.0)}, opt={"p": ()})
    checkpoint.save(store, variables, Progress(2, 7, window))
    saved, progress = checkpoint.restore(store, variables, {})
    assert progress.position == 7 and [tuple(row) for row in progress.window] == list(window)
    np.testing.assert_array_equal(saved.params["w"], np.arange(3.0))
    wider = variables._replace(params={"w": np.zeros(4)})
    with pytest.raises(gm_jax.UserError, match=r"ms/w has shape \(3,\), this model's \(4,\)"):
        checkpoint.restore(store, wider, {})
    more = variables._replace(state={"v": np.zeros(2)})
    with pytest.raises(gm_jax.UserError, match=r"state/v has shape None, this model's \(2,\)"):
        checkpoint.restore(store, more, {})
    assert store.manager.all_steps() == [2]  # It is not broken, and stays where it is.
    poisoned = variables._replace(params={"w": np.array([0.0, np.inf, 1.0])})
    with pytest.raises(gm_jax.UserError, match=r"step 3: .*w.* became NaN or infinite, and is not"):
        checkpoint.save(store, poisoned, Progress(3))
    assert store.manager.all_steps() == [2]


@pytest.mark.slow
def test_a_score_that_cannot_be_computed_costs_no_training(digits16, tmp_path, monkeypatch):
    monkeypatch.delenv("GM_JAX_INCEPTION", raising=False)
    settings = small(digits16, **{"evaluate.every": 6, "evaluate.metrics": "fid"})
    with pytest.raises(gm_jax.UserError, match="weights"):
        gm_jax.train(settings, tmp_path, jax.devices()[:1])
    assert "6" in {p.name for p in (tmp_path / "checkpoints/train").iterdir()}


@pytest.mark.slow
def test_a_text_that_is_another_one_now_is_refused(tmp_path):
    """Numbers of other characters would be read with no word."""
    text, run = tmp_path / "text.txt", tmp_path / "run"
    text.write_text("abcd\n" * 200)
    settings = config("gpt", None, **{"data.path": str(text), "show.every": 0})
    gm_jax.train(settings, run, jax.devices()[:1])
    text.write_text("abce\n" * 200)
    for again in (
        lambda: gm_jax.load(run),
        lambda: gm_jax.train(settings, run, jax.devices()[:1]),
    ):
        with pytest.raises(gm_jax.UserError, match="data of another kind: text was .*abcd.*abce"):
            again()
