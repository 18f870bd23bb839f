"""A study: many versions of one recipe, each with several seeds, in one table and one figure.

A recipe's `study` has

    entries   {name: settings that differ from the recipe's}
    seeds     (0, 1, ...)
    measures  names among the values that `evaluate` returns; an entry may lack one, whose cell is
              then empty
    against   what is on the figure's x-axis, if anything: a measure, or a setting whose number
              differs between entries (sampler.guidance)

Every run has the workdir WORKDIR/NAME/seed_N, and is trained, evaluated and reported regardless of
its result, even if its loss becomes NaN. Runs that train alike, because they differ only in the use
of the trained model (sampler, evaluation), share the training of the first of them. Finished runs
(those with a result.json) are not repeated, and the same command in a second shell runs what the
first has not started.
"""

import json
import math
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from gm_jax import files, study_figure
from gm_jax.errors import NotFinite, UserError, choose
from gm_jax.recipes import changed, complete, differences, of_training
from gm_jax.run import load, train
from gm_jax.scoring import evaluate
from gm_jax.trained import Trained, show


class Run(NamedTuple):
    """One version with one seed: its workdir, and its recipe."""

    folder: Path
    recipe: ConfigDict


def study(config: ConfigDict, workdir: str | Path, devices=None) -> Path | None:
    """Plays all unfinished runs of a study, then writes table.md, results.json and figure.png.

    Returns the table's path, or None if another process is still playing the last runs. Raises
    UserError if the recipe is not a study, or if this run has several processes.
    """
    workdir, plan = files.path_of(workdir), config.study
    if not (plan.entries and plan.seeds and plan.measures):
        raise UserError("this recipe is not a study: set study.entries, .seeds and .measures")
    if set(plan.measures) == {plan.against}:
        raise UserError("study.measures must hold another one than study.against")
    if jax.process_count() > 1:
        raise UserError(
            "each run of a study is one process: start it without --pod, once per shell"
        )
    if files.in_bucket(workdir):
        raise UserError(f"a study needs file locks, and {workdir} has none: use a disk")
    runs = {
        (name, seed): Run(workdir / name / f"seed_{seed}", version(config, name, seed))
        for seed in plan.seeds
        for name in plan.entries
    }
    axis = {}  # Of settings it is known before the first run, and refused before it.
    if plan.against not in ("", *plan.measures):
        axis = {pair: _setting(run.recipe, plan) for pair, run in runs.items()}
    trainers = _trainers(runs)
    # Seed by seed, so that every entry has its first result early; those that train come first.
    for pair in sorted(runs, key=lambda p: (plan.seeds.index(p[1]), trainers[p] is not runs[p])):
        _play(runs[pair], trainers[pair], devices)
    results = {pair: _result(run) for pair, run in runs.items()}
    if not all(results.values()):
        return None
    _check_measures(list(results.values()), plan.measures)
    values, intervals = (
        {
            name: {m: [read(results[name, seed], m) for seed in plan.seeds] for m in plan.measures}
            for name in plan.entries
        }
        for read in (_value, _interval)
    )
    (workdir / "results.json").write_text(json.dumps(values, indent=2) + "\n")
    (workdir / "table.md").write_text(table(values, intervals) + "\n")
    values = _without_none(values)
    if plan.against:
        floors = _floors(list(results.values()), plan.measures)
        for name, row in values.items() if axis else ():
            row[plan.against] = [axis[name, seed] for seed in plan.seeds]
        study_figure.against(values, plan.against, floors, workdir / "figure.png")
    else:
        folders = {pair: run.folder for pair, run in runs.items()}
        study_figure.versions(values, intervals, folders, config, workdir / "figure.png")
    return workdir / "table.md"


def _trainers(runs: dict) -> dict:
    """{(entry, seed): the run, its own or another, that trains for it}.

    Runs that train alike have one trainer: the first that has begun to, or else the first.
    """
    alike = {}
    for pair, run in runs.items():
        alike.setdefault(json.dumps(of_training(run.recipe), sort_keys=True), []).append(pair)
    trainers = {}
    for pairs in alike.values():
        begun = [pair for pair in pairs if (runs[pair].folder / "checkpoints").exists()]
        trainers |= dict.fromkeys(pairs, runs[(begun or pairs)[0]])
    return trainers


def version(config: ConfigDict, name: str, seed: int) -> ConfigDict:
    """The recipe of one run of a study."""
    settings = config.to_dict()
    changes = settings.pop("study")["entries"][name]
    return ConfigDict(changed(complete({**settings, "seed": seed}).to_dict(), changes))


def _setting(recipe: ConfigDict, plan) -> float:
    """The number of the setting that `study.against` names. Raises UserError if it names none."""
    value = recipe
    for name in plan.against.split("."):
        value = value.get(name) if isinstance(value, ConfigDict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(
            f"study.against is {plan.against!r}: choose from {', '.join(plan.measures)}, or name a"
            " setting that is a number, such as sampler.guidance"
        )
    return float(value)


def table(values: dict, intervals: dict) -> str:
    """{entry: {measure: [value a seed]}} in Markdown: mean ± deviation, then every seed.

    Of one seed: its value, and its own interval if it has one. Empty if an entry has no such value.
    """
    measures = list(next(iter(values.values())))
    lines = [
        "| |" + "".join(f" {m} | each seed |" for m in measures),
        "|---|" + "---|---|" * len(measures),
    ]
    for name, row in values.items():
        cells = [_cells(row[m], intervals[name][m]) for m in measures]
        lines.append(f"| {name} |" + "".join(cells))
    return "\n".join(lines)


def _cells(values: list[float | None], intervals: list[list[float] | None]) -> str:
    """A measure's two cells: its summary, and each seed."""
    if None in values:
        return " | |"
    return f" {_summary(values, intervals)} | {', '.join(map(_short, values))} |"


def _summary(values: list[float], intervals: list[list[float] | None]) -> str:
    if not np.all(np.isfinite(values)):
        return "not finite"
    mean = _short(np.mean(values))
    if len(values) > 1:
        return f"{mean} ± {_short(np.std(values, ddof=1))}"
    (interval,) = intervals
    return mean if interval is None else f"{mean} [{', '.join(map(_short, interval))}]"


def _short(value: float) -> str:
    return "failed" if np.isnan(value) else f"{value:.3g}"


def _play(run: Run, trainer: Run, devices) -> None:
    """One run, and its result: its values, or why it failed, with its settings.

    Nothing if it is finished, or if another process plays it or its trainer.
    """
    folder = run.folder
    folder.mkdir(parents=True, exist_ok=True)
    # Beside the folder: the lock inside is of training, this one is held until the result exists.
    with files.locked(folder.parent / f"{folder.name}.lock") as other:
        if other is not None or _result(run) or not (trainer is run or _result(trainer)):
            return
        try:
            if trainer is run:
                trained = train(run.recipe, folder, devices)
            else:
                trained = _use(run, trainer, devices)
            result = {"values": evaluate(trained, folder)}
        except NotFinite as failure:
            result = {"failed": str(failure)}
        result["config"] = json.loads(run.recipe.to_json_best_effort())
        text = json.dumps(result, default=np.ndarray.tolist) + "\n"
        files.write(folder / "result.json", text)  # A run killed before this is unfinished.
    jax.clear_caches()  # No other run uses this one's programs, which would fill the memory.


def _use(run: Run, trainer: Run, devices) -> Trained:
    """The model of a finished run with this run's settings, and this run's pictures of it.

    Raises NotFinite if that run failed.
    """
    result = _result(trainer)
    if "failed" in result:
        raise NotFinite(result["failed"])
    trained = load(trainer.folder, run.recipe, devices)
    if run.recipe.show.every:
        show(trained, run.folder / "samples", f"step_{trained.step:07d}_")
    return trained


def _result(run: Run) -> dict | None:
    """The result of a finished run, or None. Raises UserError if its settings differed."""
    path = run.folder / "result.json"
    if not path.exists():
        return None
    result = json.loads(path.read_text())
    differ = differences(complete(result["config"]), run.recipe, free=False)
    if differ:
        raise UserError(
            f"{run.folder} belongs to another study ({'; '.join(differ[:3])}): choose another"
            " --workdir"
        )
    return result


def _check_measures(results: list[dict], measures) -> None:
    """Raises UserError if no run has a measure."""
    known = [name for result in results for name in result.get("values", {})]
    for measure in measures if known else ():
        choose("measure of the study", measure, dict.fromkeys(known))


def _value(result: dict, measure: str) -> float | None:
    """A run's value of a measure; NaN if the run failed, None if its system has no such value."""
    if "failed" in result:
        return math.nan
    return result["values"].get(measure, {}).get("value")


def _without_none(values: dict) -> dict:
    """Values of a study as figures draw them: NaN, which leaves a gap, in place of None."""
    return {
        name: {m: [math.nan if v is None else v for v in each] for m, each in row.items()}
        for name, row in values.items()
    }


def _interval(result: dict, measure: str) -> list[float] | None:
    """A run's own 95 % interval of a measure, of those that have one."""
    return result.get("values", {}).get(measure, {}).get("interval95")


def _floors(results: list[dict], measures) -> dict[str, float]:
    """{measure: its mean value of real data against real}, of those that have one."""
    found = [r["values"] for r in results if "values" in r]
    rows = [(m, values[m]) for values in found for m in measures if m in values]
    known = {m: [] for m, row in rows if "real_against_real" in row}
    for m, row in rows:
        if m in known:
            known[m].append(row["real_against_real"])
    return {m: float(np.mean(values)) for m, values in known.items()}
