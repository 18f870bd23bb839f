"""Every family beside a PyTorch model of the same shapes, on one thread.

    python -m benchmarks.all [NAME ...] [--compiled] [--seconds=2] [--blocks=5] [--write=PAGE]

Each side has a process of its own, and they take turns: a block of rounds of one, one of the
other. What is timed is the CPU time of a process on one thread, pinned to one core (--core): other
work on the machine falls out of it, but for shared caches. Without PyTorch there is our side alone;
--compiled also runs the twins through torch.compile, which needs a C++ compiler. --write puts the
table into a page, between its heading "Beside PyTorch" and the next.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.all import table
from benchmarks.all.subjects import SUBJECTS

ROOT = Path(__file__).parents[2]
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu", "JAX_COMPILATION_CACHE_DIR": "", "TQDM_DISABLE": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}  # fmt: skip


class Process:
    """A worker, which answers each line by one."""

    def __init__(self, *arguments: str):
        command = [sys.executable, "-m", "benchmarks.all.worker", *arguments]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process = subprocess.Popen(command, cwd=ROOT, env=os.environ | ONE_THREAD, **pipes)

    def ask(self, question: dict | int) -> dict:
        """The answer to a line."""
        print(json.dumps(question), file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self) -> dict:
        """Its next line. Raises SystemExit if the process has ended."""
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.process.args)} ended with {self.process.wait()}")
        return json.loads(line)

    def last(self) -> dict:
        """What it answers to the end of its input."""
        self.process.stdin.close()
        answer = self.answer()
        self.process.wait()
        return answer


def measure(name: str, twins: list[str], seconds: float, blocks: int) -> dict:
    """A row: {side: its figures}; a block of a side takes about so many seconds."""
    subject = SUBJECTS[name]
    sides = {kind: Process(kind, name) for kind in ("ours", *twins)}
    with tempfile.TemporaryDirectory() as folder:
        job, row = {"batch": f"{folder}/batch.npz"}, {}
        for kind, side in sides.items():  # Ours is first: it says what the twins are built for.
            row[kind] = side.ask(job)
            job["task"] = row["ours"].pop("task", job.get("task"))
    check(name, row)
    counts = {k: rounds_of(subject.period, side["round"], seconds) for k, side in row.items()}
    for side in row.values():
        side["seconds"] = []
    for _ in range(blocks):
        for kind, side in sides.items():
            taken = side.ask(counts[kind])["seconds"]
            row[kind]["seconds"].append(taken / counts[kind])
    for kind, side in sides.items():
        row[kind] |= side.last()
    return row


def rounds_of(period: int, round_seconds: float, seconds: float) -> int:
    """How many rounds a block of about so many seconds has, a multiple of the period."""
    return period * max(1, round(seconds / round_seconds / period))


def check(name: str, row: dict) -> None:
    """Raises SystemExit if a twin has not as many parameters, or examples in a round."""
    for figure in ("parameters", "examples"):
        found = {kind: side[figure] for kind, side in row.items()}
        if len(set(found.values())) > 1:
            raise SystemExit(f"{name}: the sides differ in their {figure}: {found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=", ".join(SUBJECTS))
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a block")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--core", type=int, default=None, help="to pin to; by default the last")
    parser.add_argument("--write", type=Path, help="a page, such as docs/performance.md")
    parser.add_argument(
        "--rows", type=Path, default=ROOT / "runs/benchmark.json", help="kept between calls"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(SUBJECTS):
        parser.error(f"no row {', '.join(unknown)}; there are: {', '.join(SUBJECTS)}")
    if hasattr(os, "sched_setaffinity"):
        core = max(os.sched_getaffinity(0)) if arguments.core is None else arguments.core
        os.sched_setaffinity(0, {core})
    twins = ["eager"] if importlib.util.find_spec("torch") else []
    if arguments.compiled and twins and shutil.which("c++"):
        twins.append("compiled")
    kept = json.loads(arguments.rows.read_text()) if arguments.rows.exists() else {"rows": {}}
    if "machine" not in kept:
        kept["machine"] = Process("machine").answer()
    for name in arguments.names or SUBJECTS:
        kept["rows"][name] = measure(name, twins, arguments.seconds, arguments.blocks)
        print(table.line(name, kept["rows"][name]), flush=True)
        arguments.rows.parent.mkdir(parents=True, exist_ok=True)
        arguments.rows.write_text(json.dumps(kept, indent=1))
    if arguments.write:
        rows = {name: kept["rows"][name] for name in SUBJECTS if name in kept["rows"]}
        differs = {name: SUBJECTS[name].differs for name in rows}
        table.write(arguments.write, table.section(rows, kept["machine"], differs))


if __name__ == "__main__":
    main()
