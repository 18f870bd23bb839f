"""Where the time of a traced run goes, by kind of operation.

    python launch.py --config=configs/NAME.py --workdir=WORKDIR --profile=10
    python benchmarks/operations.py WORKDIR [--most=12]

For each trace of the run: milliseconds a round, how long the host waited for data, and the time of
the compiled programs' operations, by kind, summed over threads and devices. An operation's time is
without those within it, so a loop counts for what it adds to its body. The names are XLA's: fusions
are named after what they fuse.
"""

import argparse
import collections
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from jax.profiler import ProfileData

import gm_jax

DATA = "wait for data"


def own_times(events: Iterable) -> list[tuple[str, float]]:
    """(name, duration without that of the events within it) of one thread's events, in ns."""
    found, within = [], []
    for event in sorted(events, key=lambda e: (e.start_ns, -e.duration_ns)):
        while within and event.start_ns >= within[-1][0]:
            within.pop()
        found.append([event.name, event.duration_ns])
        if within:
            within[-1][1][1] -= event.duration_ns
        within.append((event.start_ns + event.duration_ns, found[-1]))
    return [(name, own) for name, own in found]


def kind(name: str) -> str:
    """An operation's name without its number: `loop_fusion.12` is a `loop_fusion`."""
    return re.sub(r"([._](\d+|clone|remat\d*))+$", "", name.lstrip("%"))


def read(path: Path) -> dict[str, float]:
    """ms a round of one trace: `round`, `data`, and of each kind of operation."""
    rounds, waited, operations = [], 0.0, collections.Counter()
    for plane in ProfileData.from_file(str(path)).planes:
        for line in plane.lines:
            inside = []
            for event in line.events:
                if event.name == "round":
                    rounds.append(event)
                elif event.name == DATA:
                    waited += event.duration_ns
                elif "hlo_op" in dict(event.stats):
                    inside.append(event)
            for name, own in own_times(inside):
                operations[kind(name)] += own
    count, scale = len(rounds), 1e-6 / max(1, len(rounds))
    whole = max(e.start_ns + e.duration_ns for e in rounds) - min(e.start_ns for e in rounds)
    times = {name: time * scale for name, time in operations.most_common()}
    return {"rounds": count, "round": whole * scale, "data": waited * scale, **times}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--most", type=int, default=12)
    options = parser.parse_args(arguments)
    traces = sorted((options.workdir / "profile").rglob("*.xplane.pb"))
    if not traces:
        raise gm_jax.UserError(f"{options.workdir} holds no trace: train it with --profile=10")
    for path in traces:
        times = read(path)
        count, whole, data = (times.pop(name) for name in ("rounds", "round", "data"))
        busy = sum(times.values())
        print(f"{path.parent.relative_to(options.workdir)}: {count} rounds")
        print(f"{whole:10.2f} ms a round; waiting for data {data:.3f} ms; operations {busy:.2f} ms")
        for name, time in list(times.items())[: options.most]:
            print(f"{time:10.2f} ms {100 * time / busy:5.1f} %  {name}")


if __name__ == "__main__":
    try:
        main()
    except gm_jax.UserError as error:
        sys.exit(f"error: {error}")
