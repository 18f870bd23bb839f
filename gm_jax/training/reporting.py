"""What a run writes down and shows: metrics, timings, TensorBoard events, a progress bar.

`metrics.jsonl` holds what is the same in every repetition of a run, bit for bit; times go to
`timings.jsonl`. A resumed run first cuts the metrics back to its checkpoint's step.
"""

import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from clu import parameter_overview
from tensorboardX import SummaryWriter
from tqdm.auto import tqdm

from gm_jax.errors import NotFinite
from gm_jax.model import Variables

Window = list[tuple[int, dict[str, float]]]


class Log(NamedTuple):
    """Open files and the bar of one phase. A silent log (other processes') holds None."""

    directory: Path
    phase: str
    events: SummaryWriter | None
    bar: Any


def open_log(directory: Path, phase: str, step: int, steps: int, silent: bool) -> Log:
    """The log of a phase that goes on at `step` of `steps`; what came after it is cut off."""
    if silent:
        return Log(directory, phase, None, None)
    _cut_back(directory / "metrics.jsonl", phase, step)
    events = SummaryWriter(str(directory / "events" / phase), purge_step=step + 1)
    bar = tqdm(total=steps, initial=step, desc=phase, unit="step", dynamic_ncols=True)
    return Log(directory, phase, events, bar)


def summarize(window: Window) -> dict[str, float]:
    """The mean of each metric over the rounds of a window."""
    names = dict.fromkeys(name for _, metrics in window for name in metrics)
    values = {n: [metrics[n] for _, metrics in window if n in metrics] for n in names}
    return {name: math.fsum(v) / len(v) for name, v in values.items()}


def check_finite(window: Window, phase: str, last_good: str) -> None:
    """Raises NotFinite with the first step and the terms that are NaN or infinite."""
    for step, metrics in window:
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            raise NotFinite(
                f"phase {phase}, step {step}: {', '.join(bad)} became NaN or infinite; the last"
                f" good checkpoint is {last_good}. Lower the learning rate, or clip the gradients"
            )


def write(log: Log, step: int, metrics: dict[str, float], timings: dict[str, float]) -> None:
    """Adds one report. Metrics are on disk when this returns: a checkpoint may rely on them."""
    if log.bar is None:
        return
    for name, values in (("metrics", metrics), ("timings", timings)):
        with open(log.directory / f"{name}.jsonl", "a") as file:
            file.write(json.dumps({"phase": log.phase, "step": step, **values}) + "\n")
            file.flush()
            os.fsync(file.fileno())
    for name, value in {**metrics, **timings}.items():
        log.events.add_scalar(name, value, step)
    losses = {name: f"{v:.4g}" for name, v in metrics.items() if name.endswith("loss")}
    log.bar.set_postfix(losses, refresh=False)


def advance(log: Log, step: int) -> None:
    """Moves the bar to `step`."""
    if log.bar is not None:
        log.bar.update(step - log.bar.n)


def close(log: Log) -> None:
    """Closes the files and leaves the bar as it stands."""
    if log.bar is not None:
        log.bar.close()
        log.events.close()


def overview(variables: Variables) -> str:
    """A table of the parameters: name, shape, size, mean and standard deviation."""
    return parameter_overview.get_parameter_overview(variables.params)


def _cut_back(path: Path, phase: str, step: int) -> None:
    """Drops the lines of `phase` after `step`, all of later phases, and a line half written."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines(keepends=True):
        row = json.loads(line) if line.endswith("\n") else None
        if row is None or (row["phase"] == phase and row["step"] > step):
            break
        kept.append(line)
    temporary = path.with_suffix(".part")
    temporary.write_text("".join(kept))
    temporary.replace(path)
