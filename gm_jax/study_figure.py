"""The figure of a study: its pictures and measures, or one measure against another."""

import json
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

COLUMNS = 5  # of panels


def versions(values: dict, intervals: dict, runs: dict, config: ConfigDict, path: Path) -> None:
    """A row per entry: the last picture of every seed, then each measure.

    Over rounds a line per seed, if the recipe evaluates in training; at the end a dot per seed.
    values     {entry: {measure: [value a seed]}}
    intervals  {entry: {measure: [(low, high) a seed, or None]}}
    runs       {(entry, seed): folder}
    """
    from matplotlib.figure import Figure

    seeds, measures, names = config.study.seeds, config.study.measures, list(values)
    wide = 3 if config.evaluate.every else 2  # Columns of a measure.
    columns = len(seeds) + wide * len(measures)
    figure = Figure(figsize=(1.1 * columns + 1.5, 1.1 * len(names)), dpi=80, layout="constrained")
    grid = figure.add_gridspec(len(names), columns)
    for row, name in enumerate(names):
        for column, seed in enumerate(seeds):
            axes = figure.add_subplot(grid[row, column])
            axes.set(xticks=[], yticks=[])
            if picture := _last_picture(runs[name, seed]):
                axes.imshow(_image(picture), cmap="gray")
            if not column:
                axes.set_ylabel(name, rotation=0, ha="right", va="center")
            if not row:
                axes.set_title(f"seed {seed}", fontsize=9)
    for i, measure in enumerate(measures):
        left = len(seeds) + wide * i
        if config.evaluate.every:
            places = [grid[row, left] for row in range(len(names))]
            _curves(figure, places, [[runs[n, s] for s in seeds] for n in names], measure)
            left += 1
        _dots(figure.add_subplot(grid[:, left : left + 2]), values, intervals, measure)
    figure.savefig(path)


def _last_picture(folder: Path) -> Path | None:
    """The last picture, in its last phase, of the first function that a finished run shows."""
    counts = json.loads((folder / "result.json").read_text())["config"]["show"]["counts"]
    shown = next((name for name, count in counts.items() if count), None)
    pictures = (folder / "samples").rglob(f"step_*_{shown}.png")
    return max(pictures, key=lambda path: (path.stat().st_mtime, path.name), default=None)


def _dots(axes, values: dict, intervals: dict, measure: str) -> None:
    """A measure at the end: a row per entry, a dot per seed, and a line if it has an interval."""
    for row, name in enumerate(values):
        for interval in filter(None, intervals[name][measure]):
            axes.plot(interval, [row, row], color="black", alpha=0.5, lw=1.0)
        finite = [v for v in values[name][measure] if np.isfinite(v)]
        axes.plot(finite, [row] * len(finite), "o", color="black", alpha=0.5, ms=4)
        # A mean without the failures would flatter.
        if len(finite) == len(values[name][measure]):
            axes.plot(np.mean(finite), row, "|", color="C3", ms=14)
    axes.set(ylim=(len(values) - 0.5, -0.5), yticks=[])
    axes.set_title(measure.replace("_", " "), fontsize=9)
    axes.grid(axis="x", alpha=0.3)


def _curves(figure, places: list, folders: list[list[Path]], measure: str) -> None:
    """A measure over rounds: a row per entry, a line per seed, all on one scale."""
    rows = [[_over_rounds(folder, measure) for folder in seeds] for seeds in folders]
    highest = max((max(v, default=0.0) for lines in rows for _, v in lines), default=1.0)
    for number, (place, lines) in enumerate(zip(places, rows, strict=True)):
        axes = figure.add_subplot(place)
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


def lines_of(values: dict, x: str, measure: str) -> dict[str, np.ndarray]:
    """{line: [x, mean, least, greatest of the seeds] of its points, [4, points] by growing x}.

    A line has the entries whose names are the same before the last "_". With a failed run among
    the seeds the mean is NaN, a gap; an entry of nothing else is left out.
    """
    lines = {}
    for name, row in values.items():
        at, heights = [v for v in row[x] if np.isfinite(v)], row[measure]
        if at:
            point = np.mean(at), np.mean(heights), np.min(heights), np.max(heights)
            lines.setdefault(name.rpartition("_")[0] or name, []).append(point)
    return {line: np.array(sorted(points)).T for line, points in lines.items()}


def against(values: dict, x: str, floors: dict[str, float], path: Path) -> None:
    """Each other measure against `x`: a line per group of entries, a panel for each line.

    In each panel the others are grey, a band goes from the least to the greatest seed, and the
    floor {measure: real against real} is dashed. Scales are logarithmic if values differ tenfold.
    """
    from matplotlib.figure import Figure

    measures = [measure for measure in next(iter(values.values())) if measure != x]
    lines = {measure: lines_of(values, x, measure) for measure in measures}
    count = max(len(lines[measures[0]]), 1)  # 1 if all runs have failed.
    columns = min(count, COLUMNS)
    rows = -(-count // columns)  # of a measure
    size = 1.7 * columns + 0.6, 1.4 * rows * len(measures) + 0.4
    figure = Figure(figsize=size, dpi=80, layout="constrained")
    grid = figure.subplots(rows * len(measures), columns, sharex=True, squeeze=False)
    for number, measure in enumerate(measures):
        panels = grid[rows * number : rows * (number + 1)]
        for axes in panels.flat[1:]:
            axes.sharey(panels.flat[0])
            axes.tick_params(labelleft=axes in panels[:, 0])
        for axes, name in zip(panels.flat, lines[measure], strict=False):
            _panel(axes, lines[measure], name, floors.get(measure))
        _scale(panels.flat[0], "y", values, measure)
        for axes in panels.flat[count:]:
            axes.set_visible(False)
        panels[0, 0].set_ylabel(measure.replace("_", " "), fontsize=8)
    _scale(grid.flat[0], "x", values, x)
    figure.supxlabel(x, fontsize=8)
    figure.savefig(path)


def _panel(axes, lines: dict[str, np.ndarray], name: str, floor: float | None) -> None:
    """One of the lines above the others and its floor."""
    for at, mean, _, _ in lines.values():
        axes.plot(at, mean, color="0.85", lw=1.0)
    at, mean, least, most = lines[name]
    axes.plot(at, mean, "o-", color="C0", lw=1.2, ms=3)
    axes.fill_between(at, least, most, color="C0", alpha=0.3, lw=0)
    if floor is not None:
        axes.axhline(floor, color="black", ls="--", lw=0.8)
    axes.set_title(name, fontsize=8)
    axes.tick_params(labelsize=7)


def _scale(axes, which: str, values: dict, measure: str) -> None:
    """Makes the x- or y-axis logarithmic if its measure is positive and differs tenfold."""
    from matplotlib.ticker import LogLocator, NullLocator

    heights = [v for row in values.values() for v in row[measure] if np.isfinite(v)]
    if heights and 0 < 10 * min(heights) <= max(heights):
        axes.set(**{f"{which}scale": "log"})
        axis = getattr(axes, f"{which}axis")
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
