"""The scripts for pods, as far as a machine without any can try them."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from absl import flags
from absl.testing import flagsaver

import launch

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
FLAGS = ("--config=configs/vae_digits.py:smoke", "--config.seed=3", "--workdir=runs/a b")


def stand_in(folder, name, body):
    """A program that stands in for another one of that name."""
    (folder / name).write_text(f"#!/bin/bash\n{body}\n")
    (folder / name).chmod(0o755)


def run(script, folder, *arguments, **variables):
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(SCRIPTS / script), *arguments], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PATH": path, **variables},
    )  # fmt: skip


def parsed(words):
    """The flags of a command that starts launch.py, as it parses them."""
    position = next(i for i, word in enumerate(words) if word.endswith("launch.py"))
    with flagsaver.flagsaver():
        launch._parse(words[position:])
        found = launch.POD.value, launch.WORKDIR.value
    for name in [n for n in flags.FLAGS if n.split(".")[0] == "config"]:
        delattr(flags.FLAGS, name)  # A program parses its command line once.
    return found


@pytest.mark.parametrize("script", sorted(p.name for p in SCRIPTS.iterdir() if p.suffix != ".yaml"))
def test_scripts_are_shell(script):
    subprocess.run(["bash", "-n", str(SCRIPTS / script)], check=True)


def test_a_slice_is_created_filled_and_trains_what_was_asked_for(tmp_path):
    """A stand-in for gcloud writes down its arguments; there is no slice at first."""
    calls = tmp_path / "calls"
    record = f'printf "%s\\0" "$@" >> {calls}; printf "\\1" >> {calls}'
    stand_in(tmp_path, "gcloud", f'{record}; [ "$4" != describe ]')
    done = run("tpu_vm.sh", tmp_path, *FLAGS, NAME="pod", ZONE="here", TYPE="v4-32", VERSION="base")
    assert done.returncode == 0, done.stderr
    commands = [call.split("\0")[:-1] for call in calls.read_text().split("\1")[:-1]]
    assert [c[3] for c in commands] == ["describe", "create", "scp", "ssh", "ssh"]
    assert all("--zone=here" in c for c in commands)
    assert {"--accelerator-type=v4-32", "--version=base"} <= set(commands[1])
    assert all("--worker=all" in c for c in commands[2:])
    install, train = (
        next(a for a in c if a.startswith("--command=")).removeprefix("--command=")
        for c in commands[3:]
    )
    for command in (install, train):
        subprocess.run(["bash", "-n", "-c", command], check=True)
    assert parsed(shlex.split(train)) == (True, "runs/a b")


def test_a_slice_without_a_name_is_refused(tmp_path):
    done = run("tpu_vm.sh", tmp_path, *FLAGS, NAME="", ZONE="here")
    assert done.returncode and "NAME: set it to the name of the TPU" in done.stderr


@pytest.mark.parametrize("code", [0, 130, 3])
def test_a_slurm_job_is_queued_again_if_it_was_stopped_and_not_if_it_failed(code, tmp_path):
    calls = tmp_path / "calls"
    stand_in(tmp_path, "srun", f'printf "%s\\n" "$@" > {calls}; exit {code}')
    stand_in(tmp_path, "scontrol", f'echo "$@" > {tmp_path / "requeued"}')
    done = run("slurm.sbatch", tmp_path, *FLAGS, SLURM_JOB_ID="7", PYTHON="python")
    assert done.returncode == code
    words = calls.read_text().splitlines()
    assert words[:2] == ["--kill-on-bad-exit=1", "python"]
    assert parsed(words) == (True, "runs/a b")
    assert (tmp_path / "requeued").exists() == (code == 130)
    if code == 130:
        assert (tmp_path / "requeued").read_text() == "requeue 7\n"


def test_a_slurm_job_has_a_task_for_each_gpu_and_is_warned():
    options = dict(re.findall(r"#SBATCH --(\S+?)=(\S+)", (SCRIPTS / "slurm.sbatch").read_text()))
    assert options["ntasks-per-node"] == options["gpus-per-node"]
    assert options["signal"] == "USR1@120"  # One of the loop's SIGNALS.


def test_the_parts_of_the_gke_job_agree():
    service, job = yaml.safe_load_all((SCRIPTS / "gke.yaml").read_text())
    name, spec = job["metadata"]["name"], job["spec"]
    pod = spec["template"]["spec"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert pod["subdomain"] == service["metadata"]["name"]
    assert spec["completions"] == spec["parallelism"] and spec["completionMode"] == "Indexed"
    (container,) = pod["containers"]
    chips = 1
    for side in pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x"):
        chips *= int(side)
    each = container["resources"]["limits"]["google.com/tpu"]
    assert container["resources"]["requests"]["google.com/tpu"] == each
    assert spec["completions"] * each == chips
    assert parsed(container["command"])[0]
