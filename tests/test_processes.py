"""Several processes over localhost are one run."""

import os
import random
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from test_pods import run, stand_in
from test_resume import LAUNCH, SETTINGS, forget_after, saved

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


def pod(workdir_of, count, devices, *more, only_second=()):
    """So many processes of one run with so many devices each, in the workdirs of 0, 1, ..."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        joint = (f"--coordinator=localhost:{free.getsockname()[1]}", f"--processes={count}")
    own = {1: only_second}
    return [
        launch(workdir_of(i), devices, *joint, f"--process={i}", *more, *own.get(i, ()))
        for i in range(count)
    ]


def pair(workdir_of, *more, only_second=()):
    """Two processes of one run with a device each."""
    return pod(workdir_of, 2, 1, *more, only_second=only_second)


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


# Starts as many tasks as Slurm would, all on this host; fails if one of them does.
SRUN = """
[ "$1" = --kill-on-bad-exit=1 ] && shift
for ((i = 0; i < SLURM_NTASKS; i++)); do
    SLURM_PROCID=$i SLURM_LOCALID=$i "$@" &
    tasks+=($!)
done
code=0
for task in "${tasks[@]}"; do wait "$task" || code=$?; done
exit $code
"""


@pytest.mark.slow
def test_a_pod_that_lost_a_process_is_continued_by_another_pod_bitwise(tmp_path):
    """Four processes with two devices each; then two with four each, started as by Slurm."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(*pod(lambda i: whole, 4, 2, "--config.steps=20"))

    processes = pod(lambda i: killed, 4, 2, "--config.steps=100000")
    log, deadline = killed / "metrics.jsonl", time.time() + 600
    while not (log.exists() and '"step": 9' in log.read_text()):
        assert all(p.poll() is None for p in processes) and time.time() < deadline
        time.sleep(0.05)
    processes[2].kill()
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        if process is not processes[2]:
            # JAX's own coordination may notice first, and aborts.
            assert process.returncode in (3, -signal.SIGABRT), output
            if process.returncode == 3:
                assert "Traceback" not in output and output.count("error: another process") == 1

    forget_after(killed, 16)
    stand_in(tmp_path, "srun", SRUN)
    done = run(
        "slurm.sbatch", tmp_path, *RECIPE, *SETTINGS, f"--workdir={killed}", "--config.steps=20",
        PYTHON=sys.executable, SLURM_JOB_ID=str(random.randrange(4000)), SLURM_NTASKS="2",
        SLURM_STEP_NODELIST="localhost", JAX_NUM_CPU_DEVICES="4", JAX_ENABLE_X64="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert log.read_text() == (whole / "metrics.jsonl").read_text()
    (a, place_a), (b, place_b) = saved(whole, 20), saved(killed, 20)
    assert place_a == place_b and place_a["position"] == 20
    jax.tree.map(np.testing.assert_array_equal, a, b)
