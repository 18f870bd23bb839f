"""A study: one recipe in many versions, each over several seeds; one table and one figure of all.

A recipe's `study` says

    entries   {name: settings that differ from the recipe's}
    seeds     (0, 1, ...)
    measures  names among the values that `evaluate` finds

Every run of it lives in WORKDIR/NAME/seed_N, and is trained, evaluated and reported whatever comes
out, a loss that is not finite included. Runs that are done (they have a result.json) are not done
again, and the same command in a second shell takes the runs that the first has not begun.
"""

import json
import math
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from gm_jax import files, run
from gm_jax.errors import NotFinite, UserError, choose
from gm_jax.recipes import changed, complete, differences
from gm_jax.scoring import evaluate


def study(config: ConfigDict, workdir: str | Path, devices=None) -> Path | None:
    """Plays all runs of a study that are left, then writes table.md, results.json and figure.png.

    Returns the table's path, or None where another process still works on the last runs. Raises
    UserError where the recipe holds no study, or several processes play one run.
    """
    workdir, plan = files.path_of(workdir), config.study
    if not (plan.entries and plan.seeds and plan.measures):
        raise UserError("this recipe is no study: it needs study.entries, .seeds and .measures")
    if jax.process_count() > 1:
        raise UserError("a study's runs are of one process each: start it without --pod, in shells")
    if files.in_bucket(workdir):
        raise UserError(f"a study shares its runs by locks, which {workdir} has not: use a disk")
    runs = {(name, seed): workdir / name / f"seed_{seed}" for name, seed in _pairs(plan)}
    for pair, folder in runs.items():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder, whose own lock is the run's: this one holds until the result is there.
        with files.locked(folder.parent / f"{folder.name}.lock") as other:
            if other is None and not _result(folder, version(config, *pair)):
                _play(version(config, *pair), folder, devices)
    found = {pair: _result(folder, version(config, *pair)) for pair, folder in runs.items()}
    if not all(found.values()):
        return None
    values = {
        name: {m: [_value(found[name, seed], m) for seed in plan.seeds] for m in plan.measures}
        for name in plan.entries
    }
    (workdir / "results.json").write_text(json.dumps(values, indent=2) + "\n")
    (workdir / "table.md").write_text(table(values) + "\n")
    _figure(values, runs, config, workdir / "figure.png")
    return workdir / "table.md"


def version(config: ConfigDict, name: str, seed: int) -> ConfigDict:
    """The recipe of one run of a study."""
    settings = config.to_dict()
    changes = settings.pop("study")["entries"][name]
    return ConfigDict(changed(complete({**settings, "seed": seed}).to_dict(), changes))


def table(values: dict) -> str:
    """{entry: {measure: [value a seed]}} in Markdown: mean ± deviation, then every seed."""
    measures = list(next(iter(values.values())))
    lines = [
        "| |" + "".join(f" {m} | each seed |" for m in measures),
        "|---|" + "---|---|" * len(measures),
    ]
    for name, row in values.items():
        cells = [f" {_summary(row[m])} | {', '.join(map(_short, row[m]))} |" for m in measures]
        lines.append(f"| {name} |" + "".join(cells))
    return "\n".join(lines)


def _summary(values: list[float]) -> str:
    if not np.all(np.isfinite(values)):
        return "not finite"
    return f"{_short(np.mean(values))} ± {_short(np.std(values, ddof=1) if len(values) > 1 else 0)}"


def _short(value: float) -> str:
    return "failed" if np.isnan(value) else f"{value:.3g}"


def _pairs(plan):
    """Seed by seed, so that every entry has a first result early."""
    return [(name, seed) for seed in plan.seeds for name in plan.entries]


def _play(config: ConfigDict, folder: Path, devices) -> None:
    """One run, and its result: what was found, or why nothing was, beside its settings."""
    try:
        found = {"values": evaluate(run.train(config, folder, devices), folder)}
    except NotFinite as failure:
        found = {"failed": str(failure)}
    own = json.loads(config.to_json_best_effort())
    found = json.dumps({**found, "config": own}, default=np.ndarray.tolist)
    files.write(folder / "result.json", found + "\n")  # A run killed before is one not yet done.


def _result(folder: Path, config: ConfigDict) -> dict | None:
    """What a run has found. Raises UserError where it was one of other settings."""
    path = folder / "result.json"
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    differ = differences(complete(found["config"]), config, free=False)
    if differ:
        raise UserError(
            f"{folder} is a run of another study ({'; '.join(differ[:3])}): choose another"
            " --workdir"
        )
    return found


def _value(result: dict, measure: str) -> float:
    """A run's value of a measure; not a number where the run has failed."""
    if "failed" in result:
        return math.nan
    return choose("measure of the study", measure, result["values"])["value"]


def _figure(values: dict, runs: dict, config: ConfigDict, path: Path) -> None:
    """A row an entry: the last picture of every seed, then each measure over rounds and at the end.

    Over rounds, a line a seed, if the recipe evaluates in training; at the end, a dot a seed.
    """
    from matplotlib.figure import Figure

    seeds, measures, names = config.study.seeds, config.study.measures, list(values)
    wide = 3 if config.evaluate.every else 2  # Columns of a measure.
    columns = len(seeds) + wide * len(measures)
    figure = Figure(figsize=(1.1 * columns + 1.5, 1.1 * len(names)), dpi=80, layout="constrained")
    grid = figure.add_gridspec(len(names), columns)
    shown = next((name for name, count in config.show.counts.items() if count), None)
    for row, name in enumerate(names):
        for column, seed in enumerate(seeds):
            axes = figure.add_subplot(grid[row, column])
            axes.set(xticks=[], yticks=[])
            pictures = sorted((runs[name, seed] / "samples").glob(f"step_*_{shown}.png"))
            if pictures:
                axes.imshow(_image(pictures[-1]))
            if not column:
                axes.set_ylabel(name, rotation=0, ha="right", va="center")
            if not row:
                axes.set_title(f"seed {seed}", fontsize=9)
    for i, measure in enumerate(measures):
        left = len(seeds) + wide * i
        if config.evaluate.every:
            _curves(figure, grid[:, left], [[runs[n, s] for s in seeds] for n in names], measure)
            left += 1
        _dots(figure.add_subplot(grid[:, left : left + 2]), values, measure)
    figure.savefig(path)


def _dots(axes, values: dict, measure: str) -> None:
    """A measure at the end, a row an entry and a dot a seed."""
    for row, name in enumerate(values):
        finite = [v for v in values[name][measure] if np.isfinite(v)]
        axes.plot(finite, [row] * len(finite), "o", color="black", alpha=0.5, ms=4)
        if len(finite) == len(values[name][measure]):  # The mean without a failure would flatter.
            axes.plot(np.mean(finite), row, "|", color="C3", ms=14)
    axes.set(ylim=(len(values) - 0.5, -0.5), yticks=[])
    axes.set_title(measure.replace("_", " "), fontsize=9)
    axes.grid(axis="x", alpha=0.3)


def _curves(figure, column, folders: list[list[Path]], measure: str) -> None:
    """A measure over rounds, a row an entry and a line a seed, all on one scale."""
    rows = [[_over_rounds(folder, measure) for folder in seeds] for seeds in folders]
    highest = max((max(v, default=0.0) for lines in rows for _, v in lines), default=1.0)
    grid = column.subgridspec(len(rows), 1)
    for number, lines in enumerate(rows):
        axes = figure.add_subplot(grid[number, 0])
        for steps, found in lines:
            axes.plot(steps, found, color="black", alpha=0.5, lw=0.8)
        axes.set(xticks=[], yticks=[], ylim=(0.0, 1.05 * highest or 1.0))
        if not number:
            axes.set_title("over rounds", fontsize=9)


def _over_rounds(folder: Path, measure: str) -> tuple[list[int], list[float]]:
    """Where a run stood at each evaluation in training: (steps, values), the finite ones."""
    log = folder / "metrics.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    name = f"evaluate/{measure}"
    found = [(r["step"], r[name]) for r in rows if name in r and np.isfinite(r[name])]
    return [step for step, _ in found], [value for _, value in found]


def _image(path: Path):
    from PIL import Image

    return np.asarray(Image.open(path))
