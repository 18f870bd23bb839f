"""Values that runs reported during training, against their rounds, as one figure.

    python benchmarks/curves.py OUT.png VALUE WORKDIR... [--phase=train] [--label=TEXT]

VALUE is a name in a run's metrics.jsonl, such as evaluate/bits_per_dimension; a run shows what it
reported in --phase, and its last value in the legend.
"""

import argparse
import json
import sys
from pathlib import Path

from matplotlib.figure import Figure


def curve(workdir: Path, value: str, phase: str) -> tuple[list[int], list[float]]:
    """Rounds and values, in order, of what a run reported under a name."""
    log = workdir / "metrics.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    rows = [row for row in map(json.loads, lines) if value in row and row["phase"] == phase]
    return [row["step"] for row in rows], [row[value] for row in rows]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("value")
    parser.add_argument("workdirs", nargs="+", type=Path)
    parser.add_argument("--phase", default="train")
    parser.add_argument("--label", default="")
    options = parser.parse_args(arguments)
    figure = Figure(figsize=(6, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot(xlabel="rounds", ylabel=options.label or options.value)
    for workdir in options.workdirs:
        steps, values = curve(workdir, options.value, options.phase)
        if not steps:
            sys.exit(f"error: {workdir} has reported no {options.value} in phase {options.phase}")
        axes.plot(steps, values, marker="o", label=f"{workdir.name}: {values[-1]:.4g}")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(options.out)


if __name__ == "__main__":
    main()
