"""One side of a row in a process of its own: `python -m benchmarks.all.worker SIDE NAME`.

SIDE is `ours`, `eager` or `compiled`. It speaks JSON lines: it reads a job, says what it has built,
then answers each number of rounds by the CPU seconds they took, and the end of the input by its
peak memory. The job names the file of the batch, which ours writes and the twins read. SIDE may
also be `machine`, without a name: it answers what the machine reaches at most.
"""

import functools
import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.all.subjects import SUBJECTS, Side, Subject


def ours(subject: Subject, job: dict) -> tuple[Side, dict]:
    """This library's side; writes its settings and batch to the file of the job."""
    from benchmarks.all import functions
    from benchmarks.all.ours import of_recipe

    build = functools.partial(of_recipe, subject.recipe, subject.data)
    if not subject.recipe:
        build = getattr(functions, subject.twin)
    side, batch, task = build()
    np.savez(job["batch"], **batch)
    return side, {"task": task}


def twin(subject: Subject, job: dict, compiled: bool) -> tuple[Side, dict]:
    """PyTorch's side, on the settings and the batch that ours has written."""
    import torch

    from benchmarks.all.twins.common import Task

    torch.set_num_threads(1)
    torch.manual_seed(0)
    with np.load(job["batch"]) as saved:
        batch = {name: torch.from_numpy(values) for name, values in saved.items()}
    build = importlib.import_module(f"benchmarks.all.twins.{subject.twin}").twin
    wrap = torch.compile if compiled else (lambda function: function)
    task = Task(**job["task"], batch=batch, wrap=wrap)
    return build(task), {}


def cpu_seconds(function, *arguments) -> float:
    """Of this process, all threads, in one call."""
    began = time.process_time()
    function(*arguments)
    return time.process_time() - began


def answer(channel, row: dict) -> None:
    channel.write(json.dumps(row, default=str) + "\n")
    channel.flush()


def machine() -> dict:
    """Its name, the versions, and FLOP/s of float32 that a large product and convolution reach."""
    import jax

    from benchmarks.evaluation import peak_rates

    rates, versions = peak_rates(time.process_time), f"jax {jax.__version__}"
    if importlib.util.find_spec("torch"):
        versions += f", PyTorch {importlib.metadata.version('torch')}"
    return {
        "name": _processor(),
        "versions": versions,
        "peaks": {name: 1e9 * rate for name, rate in rates.items()},
    }


def _processor() -> str:
    """The processor's name, as Linux has it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def main(kind: str, name: str = "") -> None:
    # Whatever a library prints must not come between the lines.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if kind == "machine":
        return answer(channel, machine())
    subject, job = SUBJECTS[name], json.loads(sys.stdin.readline())
    if kind == "ours":
        side, more = ours(subject, job)
    else:
        side, more = twin(subject, job, kind == "compiled")
    first = cpu_seconds(side.play, subject.period)
    second = cpu_seconds(side.play, subject.period)
    built = {"compile": first - second, "round": second / subject.period}
    answer(channel, side._replace(play=None)._asdict() | built | more)
    for line in sys.stdin:
        answer(channel, {"seconds": cpu_seconds(side.play, int(line))})
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    answer(channel, {"peak": peak})


if __name__ == "__main__":
    main(*sys.argv[1:])
