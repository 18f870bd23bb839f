"""Two processes over localhost are one run."""

import os
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
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


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The workdir of a run by one process with two devices."""
    workdir = tmp_path_factory.mktemp("one")
    finish(launch(workdir, 2))
    return workdir


@pytest.mark.slow
def test_two_processes_are_one_run_and_one_process_continues_it(one, tmp_path):
    """Two with a device each until step 6, then one with two devices."""
    finish(*pair(lambda i: tmp_path, "--config.steps=6"))
    log = tmp_path / "metrics.jsonl"
    assert len(log.read_text().splitlines()) == 2  # Written by one process only.
    finish(launch(tmp_path, 2))
    assert len(log.read_text().splitlines()) == 4
    (a, progress), (b, other_progress) = saved(one, 12), saved(tmp_path, 12)
    assert progress["position"] == other_progress["position"] == 12
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-6), a, b)


@pytest.mark.slow
def test_processes_that_see_other_checkpoints_refuse_to_begin(one, tmp_path):
    """They would begin at different rounds and wait for each other for ever."""
    for process in pair(lambda i: (one, tmp_path)[i], "--config.steps=15"):
        output = process.communicate(timeout=300)[0]
        assert process.returncode == 2, output
        assert "the same checkpoints on every process" in output


@pytest.mark.slow
def test_processes_with_other_settings_refuse_to_begin(tmp_path):
    """They would train on, each at its own game."""
    for process in pair(lambda i: tmp_path / "run", only_second=("--config.seed=5",)):
        output = process.communicate(timeout=300)[0]
        assert process.returncode == 2, output
        assert "different settings: seed is 0 on process 0 and 5 on 1" in output
    assert not (tmp_path / "run").exists()
