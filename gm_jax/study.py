"""A study: many versions of one recipe, each with several seeds, in one table and one figure.

A recipe's `study` has

    entries   {name: settings that differ from the recipe's}
    seeds     (0, 1, ...)
    measures  names among the values that `evaluate` returns

Every run has the workdir WORKDIR/NAME/seed_N, and is trained, evaluated and reported regardless of
its result, even if its loss becomes NaN. Finished runs (those with a result.json) are not repeated,
and the same command in a second shell runs what the first has not started.
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
    """Plays all unfinished runs of a study, then writes table.md, results.json and figure.png.

    Returns the table's path, or None if another process is still playing the last runs. Raises
    UserError if the recipe is not a study, or if this run has several processes.
    """
    workdir, plan = files.path_of(workdir), config.study
    if not (plan.entries and plan.seeds and plan.measures):
        raise UserError("this recipe is not a study: set study.entries, .seeds and .measures")
    if jax.process_count() > 1:
        raise UserError(
            "each run of a study is one process: start it without --pod, once per shell"
        )
    if files.in_bucket(workdir):
        raise UserError(f"a study needs file locks, and {workdir} has none: use a disk")
    runs = {(name, seed): workdir / name / f"seed_{seed}" for name, seed in _pairs(plan)}
    for pair, folder in runs.items():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder: the lock inside is the run's, this one is held until the result exists.
        with files.locked(folder.parent / f"{folder.name}.lock") as other:
            if other is None and not _result(folder, version(config, *pair)):
                _play(version(config, *pair), folder, devices)
    results = {pair: _result(folder, version(config, *pair)) for pair, folder in runs.items()}
    if not all(results.values()):
        return None
    values = {
        name: {m: [_value(results[name, seed], m) for seed in plan.seeds] for m in plan.measures}
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
    """Seed by seed, so that every entry has its first result early."""
    return [(name, seed) for seed in plan.seeds for name in plan.entries]


def _play(config: ConfigDict, folder: Path, devices) -> None:
    """One run, and its result: its values, or why it failed, with its settings."""
    try:
        result = {"values": evaluate(run.train(config, folder, devices), folder)}
    except NotFinite as failure:
        result = {"failed": str(failure)}
    result["config"] = json.loads(config.to_json_best_effort())
    text = json.dumps(result, default=np.ndarray.tolist) + "\n"
    files.write(folder / "result.json", text)  # A run killed before this is unfinished.


def _result(folder: Path, config: ConfigDict) -> dict | None:
    """The result of a finished run, or None. Raises UserError if its settings differed."""
    path = folder / "result.json"
    if not path.exists():
        return None
    result = json.loads(path.read_text())
    differ = differences(complete(result["config"]), config, free=False)
    if differ:
        raise UserError(
            f"{folder} belongs to another study ({'; '.join(differ[:3])}): choose another --workdir"
        )
    return result


def _value(result: dict, measure: str) -> float:
    """A run's value of a measure; NaN if the run failed."""
    if "failed" in result:
        return math.nan
    return choose("measure of the study", measure, result["values"])["value"]


def _figure(values: dict, runs: dict, config: ConfigDict, path: Path) -> None:
    """A row per entry: the last picture of every seed, then each measure.

    Over rounds a line per seed, if the recipe evaluates in training; at the end a dot per seed.
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
    """A measure at the end: a row per entry, a dot per seed."""
    for row, name in enumerate(values):
        finite = [v for v in values[name][measure] if np.isfinite(v)]
        axes.plot(finite, [row] * len(finite), "o", color="black", alpha=0.5, ms=4)
        # A mean without the failures would flatter.
        if len(finite) == len(values[name][measure]):
            axes.plot(np.mean(finite), row, "|", color="C3", ms=14)
    axes.set(ylim=(len(values) - 0.5, -0.5), yticks=[])
    axes.set_title(measure.replace("_", " "), fontsize=9)
    axes.grid(axis="x", alpha=0.3)


def _curves(figure, column, folders: list[list[Path]], measure: str) -> None:
    """A measure over rounds: a row per entry, a line per seed, all on one scale."""
    rows = [[_over_rounds(folder, measure) for folder in seeds] for seeds in folders]
    highest = max((max(v, default=0.0) for lines in rows for _, v in lines), default=1.0)
    grid = column.subgridspec(len(rows), 1)
    for number, lines in enumerate(rows):
        axes = figure.add_subplot(grid[number, 0])
        for steps, heights in lines:
            axes.plot(steps, heights, color="black", alpha=0.5, lw=0.8)
        axes.set(xticks=[], yticks=[], ylim=(0.0, 1.05 * highest or 1.0))
        if not number:
            axes.set_title("over rounds", fontsize=9)


def _over_rounds(folder: Path, measure: str) -> tuple[list[int], list[float]]:
    """A measure at each evaluation in training: (steps, values), the finite ones."""
    log = folder / "metrics.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    name = f"evaluate/{measure}"
    points = [(r["step"], r[name]) for r in rows if name in r and np.isfinite(r[name])]
    return [step for step, _ in points], [value for _, value in points]


def _image(path: Path):
    from PIL import Image

    return np.asarray(Image.open(path))
