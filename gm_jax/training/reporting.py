"""What a run records and shows: metrics, timings, TensorBoard events, a progress bar.

`metrics.jsonl` is the same in every repetition of a run, bit for bit; times go to
`timings.jsonl`. A resumed run first cuts the metrics back to the step of its checkpoint.
"""

import contextlib
import json
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

from clu import parameter_overview
from flax.serialization import to_state_dict
from tensorboardX import record_writer, summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tqdm.auto import tqdm

from gm_jax import files
from gm_jax.errors import NotFinite, note
from gm_jax.model import Variables

Window = list[tuple[int, dict[str, float]]]


class Log(NamedTuple):
    """Open files and the bar of one phase. A silent log (other processes') holds None."""

    directory: Path
    phase: str
    events: EventsWriter | None
    bar: Any


def open_log(directory: Path, phase: str, step: int, steps: int, silent: bool) -> Log:
    """The log of a phase that continues at `step` of `steps`; later lines are cut off."""
    if silent:
        return Log(directory, phase, None, None)
    with files.writing(directory, files.TO_CONTINUE):
        _cut_back(directory / "metrics.jsonl", phase, step)
        folder = directory / "events" / phase
        folder.mkdir(parents=True, exist_ok=True)
        # Written in this thread: on a full disk tensorboardX's own threads would fail silently.
        events = EventsWriter(str(folder / "events"))
        start = SessionLog(status=SessionLog.START)
        _add_event(events, Event(session_log=start, step=step + 1))  # Hides later events.
    bar = tqdm(total=steps, initial=step, desc=phase, unit="step", dynamic_ncols=True)
    return Log(directory, phase, events, bar)


def summarize(window: Window) -> dict[str, float]:
    """The mean of each metric over the rounds of a window."""
    names = dict.fromkeys(name for _, metrics in window for name in metrics)
    values = {n: [metrics[n] for _, metrics in window if n in metrics] for n in names}
    return {name: math.fsum(v) / len(v) for name, v in values.items()}


def check_finite(window: Window, phase: str, last_good: str) -> None:
    """Raises NotFinite naming the first step with NaN or infinity, and its metrics."""
    for step, metrics in window:
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            raise NotFinite(
                f"phase {phase}, step {step}: {', '.join(bad)} became NaN or infinite; the last"
                f" good checkpoint is {last_good}. Lower the learning rate, or clip the gradients"
            )


def write(log: Log, step: int, metrics: dict[str, float], timings: dict[str, float]) -> None:
    """Adds one report. The metrics are on disk when this returns: checkpoints rely on that."""
    if log.bar is None:
        return
    with files.writing(log.directory, files.TO_CONTINUE):
        for name, values in (("metrics", metrics), ("timings", timings)):
            line = json.dumps({"phase": log.phase, "step": step, **values})
            files.append(log.directory / f"{name}.jsonl", line)
        for name, value in {**metrics, **timings}.items():
            _add_event(log.events, Event(summary=summary.scalar(name, value), step=step))
        log.events.flush()
    losses = {name: f"{v:.4g}" for name, v in metrics.items() if name.endswith("loss")}
    log.bar.set_postfix(losses, refresh=False)


def advance(log: Log, step: int) -> None:
    """Moves the bar to `step`."""
    if log.bar is not None:
        log.bar.update(step - log.bar.n)


def close(log: Log) -> None:
    """Closes the files and leaves the bar as it is."""
    if log.bar is not None:
        log.bar.close()
        with contextlib.suppress(OSError):  # A full disk has been reported already.
            log.events.close()


def overview(variables: Variables) -> str:
    """A table of the parameters: name, shape, size, mean and standard deviation."""
    # A list of layers as a dict by their numbers: clu knows dicts alone.
    return parameter_overview.get_parameter_overview(to_state_dict(variables.params))


def _cut_back(path: Path, phase: str, step: int) -> None:
    """Drops the lines of `phase` after `step`, those of later phases, and damaged ones.

    A machine that loses power leaves lines that are half written, empty or full of NULs.
    """
    if not path.exists():
        return
    kept, bad = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        row = _report(line)
        if row is None:
            bad += 1
        elif row["phase"] == phase and row["step"] > step:
            break
        else:
            kept.append(line)
    if bad:
        note(f"{path}: {bad} damaged line{'s' * (bad > 1)} dropped")
    files.write(path, b"".join(kept).decode())


def _report(line: bytes) -> dict | None:
    """A whole line of the log, or None."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) and {"phase", "step"} <= set(row) else None


def _add_event(events: EventsWriter, event: Event) -> None:
    event.wall_time = time.time()
    events.write_event(event)


class _Object:
    """An events file in a bucket: each flush writes the whole file again."""

    def __init__(self, path: str):
        self.path, self.parts = files.path_of(path), []

    def write(self, part: bytes) -> None:
        self.parts.append(part)

    def flush(self) -> None:
        self.path.write_bytes(b"".join(self.parts))

    close = flush


class _Objects:
    """How tensorboardX opens events files in a bucket."""

    open = _Object


record_writer.register_writer_factory("gs", _Objects)
