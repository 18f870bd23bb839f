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
    """A row an entry: the last picture of every seed, then each measure as one dot a seed."""
    from matplotlib.figure import Figure

    seeds, measures, names = config.study.seeds, config.study.measures, list(values)
    columns = len(seeds) + 2 * len(measures)
    figure = Figure(figsize=(1.1 * columns + 1.5, 1.1 * len(names)), dpi=80, layout="constrained")
    places = figure.add_gridspec(len(names), columns)
    shown = next(iter(config.show.counts), None)
    for row, name in enumerate(names):
        for column, seed in enumerate(seeds):
            axes = figure.add_subplot(places[row, column])
            axes.set(xticks=[], yticks=[])
            pictures = sorted((runs[name, seed] / "samples").glob(f"step_*_{shown}.png"))
            if pictures:
                axes.imshow(_image(pictures[-1]))
            if not column:
                axes.set_ylabel(name, rotation=0, ha="right", va="center")
            if not row:
                axes.set_title(f"seed {seed}", fontsize=9)
    for i, measure in enumerate(measures):
        axes = figure.add_subplot(places[:, len(seeds) + 2 * i : len(seeds) + 2 * i + 2])
        for row, name in enumerate(names):
            finite = [v for v in values[name][measure] if np.isfinite(v)]
            axes.plot(finite, [row] * len(finite), "o", color="black", alpha=0.5, ms=4)
            if len(finite) == len(seeds):  # The mean without a failure would flatter.
                axes.plot(np.mean(finite), row, "|", color="C3", ms=14)
        axes.set(ylim=(len(names) - 0.5, -0.5), yticks=[])
        axes.set_title(measure.replace("_", " "), fontsize=9)
        axes.grid(axis="x", alpha=0.3)
    figure.savefig(path)


def _image(path: Path):
    from PIL import Image

    return np.asarray(Image.open(path))
