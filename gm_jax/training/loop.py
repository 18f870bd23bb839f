"""The loop: rounds of moves, reports, checkpoints. It knows games, and no system.

The loop waits for the device only to report, and to keep at most two moves in flight.
"""

import collections
import contextlib
import functools
import itertools
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax

from gm_jax.errors import UserError
from gm_jax.fingerprint import of_stages
from gm_jax.model import Batch, GenerativeModel, Phase, Variables
from gm_jax.training import checkpoint, parallel, profiling, reporting, state, step


class Batches(NamedTuple):
    """A phase's data.

    start    (position, put=function) -> this process' rows of the batches from there on, each as
             `put` returns it, which is called ahead of time and in other threads
    first    one whole batch
    prepare  (batch, key) -> batch, on the device
    """

    start: Callable[..., Iterator[Batch]]
    first: Batch
    prepare: Callable


class Settings(NamedTuple):
    """How often to write what, in rounds.

    parallel  how variables lie on the devices: a form of `parallel`
    periodic  [(every, (variables, step) -> {metric: value}), ...]: called between rounds
    profile   rounds to trace, see `profiling`; 0 for none
    """

    seed: int
    report_every: int
    checkpoint_every: int
    keep: int
    parallel: str = "pmap"
    periodic: tuple = ()
    profile: int = 0


# They stop a run once it has saved itself. Slurm sends either of the last two before the end.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Stopped(Exception):
    """The run was asked to stop (SIGNALS) and has saved itself."""


def rounds(
    model: GenerativeModel, variables: Variables, batches: Batches, key,
    progress: checkpoint.Progress, devices=None, before=0, form="pmap",
) -> Iterator[tuple[int, int, Variables, dict]]:  # fmt: skip
    """Plays endlessly from `progress`: (rounds played, batches drawn, variables, metrics).

    `variables` are copied to the devices; those of a round are valid until the next one.
    before  rounds of earlier phases, whose averages continue in this one
    form    how they lie there: see `parallel`
    """
    variables = parallel.place(variables, devices, form)
    frozen, variables = variables.frozen, variables._replace(frozen=())
    make = functools.partial(step.make_move, prepare=batches.prepare)
    mapped = functools.partial(parallel.map_move, devices=devices, form=form)
    players = [
        [(f"{player.name}/{move.name}", move, mapped(make(player, move))) for move in player.moves]
        for player in model.players
    ]
    position = progress.position
    drawn = batches.start(position, put=parallel.feed(devices, form))
    in_flight, most = collections.deque(), parallel.in_flight(devices)
    for number in itertools.count(progress.step):
        metrics = {}
        for moves in players:
            due = [(label, play) for label, move, play in moves for _ in range(move.times(number))]
            for left, (label, play) in zip(reversed(range(len(due))), due, strict=True):
                when = number, position, before + number, left == 0
                with jax.profiler.TraceAnnotation("wait for data"):
                    batch = next(drawn)
                with jax.profiler.TraceAnnotation(label):
                    variables, aux = play(variables, frozen, batch, key, *when)
                position += 1
                metrics.update({f"{label}/{name}": value for name, value in aux.items()})
                in_flight.append(aux)
                if len(in_flight) >= most:
                    jax.block_until_ready(in_flight.popleft())
        yield number + 1, position, variables._replace(frozen=frozen), metrics


def fresh(phase: Phase, batches: Batches, seed: int, previous: Variables | None) -> Variables:
    """A phase's variables before its first round, without those of its stages."""
    key = jax.random.key(seed)
    first = jax.jit(batches.prepare)(batches.first, jax.random.fold_in(key, 1))
    return state.create(phase.model, jax.random.fold_in(key, 2), first, previous)


def train(
    phase: Phase,
    batches: Batches,
    settings: Settings,
    workdir: Path,
    previous: Variables | None = None,
    devices: parallel.Devices = None,
    before: int = 0,
) -> tuple[Variables, int]:
    """Plays a phase to its end, from its newest checkpoint if there is one.

    `previous` holds the variables at the end of the phase before, `before` all rounds until then.

    Returns the variables on the devices, and the step that they have reached, more than
    `phase.steps` if an earlier run went further. Raises Stopped after a signal (saved first),
    NotFinite if a loss became NaN or infinite.
    """
    begin = functools.partial(fresh, phase, batches, settings.seed)
    place = functools.partial(parallel.place, devices=devices, form=settings.parallel)
    previous = parallel.to_host(previous)
    if not phase.steps:
        return place(begin(previous)._replace(frozen=state.frozen(phase))), 0
    checkpoints = checkpoint.open_checkpoints(workdir / "checkpoints" / phase.name, settings.keep)
    template = jax.eval_shape(begin, previous)
    saved = checkpoint.restore(checkpoints, template, state.fixed(phase))
    # On the host: no device keeps a second copy of where the phase began.
    variables, progress = saved or (parallel.to_host(begin(previous)), checkpoint.Progress())
    variables = variables._replace(frozen=state.frozen(phase))
    if progress.step >= phase.steps:
        return place(variables), progress.step

    silent = jax.process_index() != 0
    if not silent and not saved:
        print(f"phase {phase.name}\n{reporting.overview(variables)}")
    log = reporting.open_log(workdir, phase.name, progress.step, phase.steps, silent)
    key = jax.random.fold_in(jax.random.key(settings.seed), 3)
    try:
        with _signals() as stop_requested:
            how = devices, before, settings.parallel
            game = rounds(phase.model, variables, batches, key, progress, *how)
            with contextlib.closing(game):  # Nothing is read ahead of a run that ends.
                if settings.profile and not silent:
                    folder = workdir / "profile" / phase.name
                    game = profiling.traced(game, phase, progress.step, settings.profile, folder)
                args = phase, progress, settings, checkpoints, log, stop_requested
                return _watch(game, *args), phase.steps
    finally:
        reporting.close(log)


def _watch(game, phase, progress, settings, checkpoints, log, stop_requested) -> Variables:
    """Draws rounds from a game, reports and saves them when it is time, and ends it."""
    window, waiting, began, last = list(progress.window), [], None, progress.step
    frozen = of_stages(state.fixed(phase))
    for number, position, variables, metrics in game:
        if began is None:  # The first round compiles: time what follows it.
            jax.block_until_ready(metrics)
            began, last = time.perf_counter(), number
        waiting.append((number, metrics))
        report = number % settings.report_every == 0
        ending = number >= phase.steps
        # Processes must stop at the same round: if there are several, they agree at reports.
        alone, stop = jax.process_count() == 1, stop_requested()
        stop = stop if alone else report and parallel.any_process(stop)
        saving = ending or stop or number % settings.checkpoint_every == 0
        due = [act for every, act in settings.periodic if ending or number % every == 0]
        if report or saving or due:
            window += [(n, {k: float(v) for k, v in m.items()}) for n, m in jax.device_get(waiting)]
            waiting = []
            reporting.check_finite(window, phase.name, checkpoint.newest(checkpoints))
            reporting.advance(log, number)
        rate = (number - last) / (time.perf_counter() - began)
        try:
            measured = {k: v for act in due for k, v in act(variables, number).items()}
        except UserError:  # A score that cannot be computed must not cost any training.
            progress = checkpoint.Progress(number, position, tuple(window), frozen)
            checkpoint.save(checkpoints, variables, progress)
            raise
        if report or measured:
            summary = {**reporting.summarize(window), **measured}
            reporting.write(log, number, summary, {"steps_per_second": rate})
            window, began, last = [], time.perf_counter(), number
        if saving:
            progress = checkpoint.Progress(number, position, tuple(window), frozen)
            checkpoint.save(checkpoints, variables, progress)
        if ending:
            return variables
        if stop:
            raise Stopped(f"stopped at step {number} and saved; the same command continues")
    raise UserError(f"phase {phase.name} has no moves to play")


@contextlib.contextmanager
def _signals():
    """Keeps SIGNALS from ending the process; yields a function that says whether one came.

    The second SIGINT is a KeyboardInterrupt, which ends a long compilation or evaluation.
    """
    received = []

    def remember(number, frame):
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    try:
        old = {s: signal.signal(s, remember) for s in SIGNALS}
    except ValueError:  # Only the main thread receives signals.
        old = {}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
