"""A trace of some rounds by jax.profiler: what the host and the devices do, and when."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax

from gm_jax.errors import UserError
from gm_jax.model import GenerativeModel, Phase
from gm_jax.training import checkpoint

WARM = 5  # rounds before a trace: caches are filled and the data is read ahead by then


def begins(model: GenerativeModel, step: int, rounds: int) -> int:
    """How many rounds have been played when a trace of `rounds` begins, in a run that is at `step`.

    At least WARM more than `step`, and each move that the trace will show has been played since,
    so that no compilation is part of it.
    """
    moves = [move for player in model.players for move in player.moves]

    def played(first: int, end: int) -> set[int]:
        return {i for i, m in enumerate(moves) if any(map(m.times, range(first, end)))}

    begin = step + WARM
    while not played(begin, begin + rounds) <= played(step, begin):
        begin += 1
    return begin


def check(phases: list[Phase], workdir: Path, rounds: int) -> None:
    """Raises UserError if no phase of a run has enough rounds left for a trace."""
    steps = [checkpoint.latest_step(workdir / "checkpoints" / phase.name) for phase in phases]
    left = [(p, step) for p, step in zip(phases, steps, strict=True) if step < p.steps]
    if not left:
        raise UserError(
            "profile: this run has no rounds left to trace: set more steps, or another workdir"
        )
    if not any(fits(phase, step, rounds) for phase, step in left):
        phase, step = left[-1]
        raise UserError(
            f"profile {rounds}: the trace cannot end before round {step + WARM + rounds} of"
            f" {phase.name}, which has {phase.steps}: trace fewer rounds, or set more steps"
        )


def fits(phase: Phase, step: int, rounds: int) -> bool:
    """Whether a phase that is at `step` has enough rounds left for a trace."""
    possible = step + WARM + rounds <= phase.steps  # Or there may be very many rounds to look at.
    return possible and begins(phase.model, step, rounds) + rounds <= phase.steps


def traced(
    game: Iterator[tuple], phase: Phase, step: int, rounds: int, folder: Path
) -> Iterator[tuple]:
    """The rounds of a game that is at `step`; so many of them are traced, if the phase has enough.

    The trace is written below `folder`, as TensorBoard's profiler and XProf expect it, and where
    it is is printed. It shows this process and its devices.
    """
    if not fits(phase, step, rounds):
        yield from game
        return
    begin = begins(phase.model, step, rounds)
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0  # Python's own calls would be most of the file.
    running = False
    with tempfile.TemporaryDirectory() as local:
        try:
            for number in itertools.count(step + 1):
                with jax.profiler.StepTraceAnnotation("round", step_num=number):
                    item = next(game)
                    if number in (begin, begin + rounds):
                        jax.block_until_ready(item)
                if number == begin + rounds:
                    jax.profiler.stop_trace()
                    running = False
                    target = folder / "plugins" / "profile" / f"rounds_{begin + 1}_to_{number}"
                    _copy(Path(local), target)
                    print(f"trace of rounds {begin + 1} to {number}: {target}", flush=True)
                yield item
                if number == begin:
                    jax.profiler.start_trace(local, profiler_options=options)
                    running = True
        finally:  # A run that stops within a trace leaves none.
            if running:
                jax.profiler.stop_trace()


def _copy(source: Path, target: Path) -> None:
    """Copies the files of a trace to a folder, on a disk or in a bucket."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.rglob("*"):
        if file.is_file():
            (target / file.name).write_bytes(file.read_bytes())
