"""Measured rows as text: a line while it runs, a section of a page at the end."""

import statistics
from pathlib import Path

HEADING = "## Beside PyTorch"
COLUMNS = (
    "family", "batch", "parameters", "compile s", "ms a round", "examples/s", "peak GiB",
    "GFLOP/s", "of a convolution / product", "PyTorch ms a round", "peak GiB",
    "ours / PyTorch, examples/s", "ours / compiled PyTorch",
)  # fmt: skip


def ratio(row: dict, twin: str) -> tuple[float, float, float] | None:
    """Our examples/s over a twin's: the median of the blocks, the least and the greatest; None if
    the twin has not run."""
    if twin not in row:
        return None
    pairs = zip(row[twin]["seconds"], row["ours"]["seconds"], strict=True)
    ratios = [theirs / ours for theirs, ours in pairs]
    return statistics.median(ratios), min(ratios), max(ratios)


def line(name: str, row: dict) -> str:
    """A row in short: milliseconds a round of each side, and the ratios."""
    sides = [f"{k} {1e3 * statistics.median(side['seconds']):.3g} ms" for k, side in row.items()]
    found = [f"x{_spread(ratio(row, kind))}" for kind in row if kind != "ours"]
    return f"{name:<26}{'   '.join(sides + found)}"


def cells(name: str, row: dict, peaks: dict[str, float]) -> list[str]:
    """A row of the table, as COLUMNS says; `peaks` are the machine's, in FLOP/s."""
    ours, eager = row["ours"], row.get("eager")
    seconds = statistics.median(ours["seconds"])
    rate = (ours["operations"] or 0) / seconds
    shares = " / ".join(f"{rate / peaks[kind]:.0%}" for kind in ("convolution", "product"))
    twin = statistics.median(eager["seconds"]) if eager else 0
    return [
        name, str(ours["examples"]), f"{ours['parameters']:,}", f"{ours['compile']:.1f}",
        f"{1e3 * seconds:.3g}", f"{ours['examples'] / seconds:.3g}", f"{ours['peak']:.2f}",
        f"{rate / 1e9:.3g}" if rate else "", shares if rate else "",
        f"{1e3 * twin:.3g}" if eager else "", f"{eager['peak']:.2f}" if eager else "",
        _spread(ratio(row, "eager")), _spread(ratio(row, "compiled")),
    ]  # fmt: skip


def _spread(found: tuple[float, float, float] | None) -> str:
    return "{:.2f} ({:.2f} to {:.2f})".format(*found) if found else ""


def section(rows: dict[str, dict], machine: dict, differs: dict[str, str]) -> str:
    """The section of the page, heading included.

    machine  its name, versions, and measured peaks in FLOP/s
    differs  {row: in what its twin is not the same computation}
    """
    peaks = machine["peaks"]
    lines = [list(COLUMNS), ["---"] * len(COLUMNS)]
    lines += [cells(name, row, peaks) for name, row in rows.items()]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = "\n".join(f"- {name}: {text}" for name, text in differs.items() if text)
    convolution, product = (peaks[kind] / 1e9 for kind in ("convolution", "product"))
    return f"""{HEADING}

Made by `make benchmark-all` on one thread of {machine["name"]}, {machine["versions"]}. A large
convolution reaches {convolution:.0f} GFLOP/s there and a product of 2048 x 2048 {product:.0f}.
Times are CPU times of a process. Both sides run in turns; a ratio is the median of the blocks, with
the least and the greatest, and above 1 this library is faster. Our side is the recipe's train step
as a run plays it, without the reading of data. The twins are plain PyTorch: as many parameters,
fused optimizers, constant learning rates, NCHW. Operations are counted by XLA before it optimises.

{table}

Where the twins differ:

{notes or "- nowhere"}
"""


def write(page: Path, text: str) -> None:
    """Puts the section in place of the one that the page has, or at its end."""
    old = page.read_text() if page.exists() else "# Performance\n"
    before, found, after = old.partition(HEADING)
    rest = after.partition("\n## ")
    after = f"\n## {rest[2]}" if found and rest[1] else ""
    page.write_text(before.rstrip() + "\n\n" + text + after)
