"""Two processes over localhost are one run."""

import os
import socket
import subprocess
import sys

import jax
import numpy as np
from test_resume import LAUNCH, SETTINGS, saved

RECIPE = ("--config=configs/vae_digits.py:smoke", "--config.steps=12", "--config.dtype=float64")


def launch(workdir, devices, *more):
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": str(devices), "JAX_ENABLE_X64": "1"}
    return subprocess.Popen(
        [sys.executable, LAUNCH, *RECIPE, *SETTINGS, f"--workdir={workdir}", *more],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(*processes):
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output


def pair(workdir_of, *more, only_second=()):
    """Two processes of one run with a device each, in the workdirs of 0 and 1."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        joint = (f"--coordinator=localhost:{free.getsockname()[1]}", "--processes=2")
    each = ((), only_second)
    return [launch(workdir_of(i), 1, *joint, f"--process={i}", *more, *each[i]) for i in range(2)]


def test_two_processes_are_one_run_and_resume_as_one(tmp_path):
    """One process with two devices; two with one each; two that one process goes on from."""

    def both(workdir, *more):
        return pair(lambda i: workdir, *more)

    finish(launch(tmp_path / "one", 2))
    finish(*both(tmp_path / "two"))
    finish(*both(tmp_path / "split", "--config.steps=6"))
    finish(launch(tmp_path / "split", 2))
    one, place = saved(tmp_path / "one", 12)
    assert place["position"] == 12
    for name in ("two", "split"):
        other, other_place = saved(tmp_path / name, 12)
        assert other_place["position"] == 12
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-6), one, other)
    lines = [
        len((tmp_path / name / "metrics.jsonl").read_text().splitlines()) for name in ("one", "two")
    ]
    assert lines == [4, 4]  # Written by one process only.


def test_processes_that_see_other_checkpoints_refuse_to_begin(tmp_path):
    """They would begin at different rounds and wait for each other for ever."""
    finish(launch(tmp_path / "one", 1, "--config.steps=4"))
    for process in pair(lambda i: tmp_path / ("one", "none")[i]):
        output = process.communicate(timeout=300)[0]
        assert process.returncode == 2, output
        assert "the same checkpoints on every process" in output


def test_processes_with_other_settings_refuse_to_begin(tmp_path):
    """They would train on, each at its own game."""
    for process in pair(lambda i: tmp_path / "run", only_second=("--config.seed=5",)):
        output = process.communicate(timeout=300)[0]
        assert process.returncode == 2, output
        assert "other settings: seed is 0 on process 0 and 5 on 1" in output
    assert not (tmp_path / "run").exists()
