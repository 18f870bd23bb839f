"""The loop: rounds of moves, reports, checkpoints. It knows games, and no system.

The loop waits for the device only to report and to keep at most two moves under way.
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
from gm_jax.training import checkpoint, parallel, reporting, state, step


class Feed(NamedTuple):
    """A phase's data: this process' rows of the batches from a position on, and one whole batch.

    prepare   (batch, key) -> batch, on the device
    """

    batches: Callable[[int], Iterator[Batch]]
    first: Batch
    prepare: Callable


class Settings(NamedTuple):
    """When to write what, in rounds.

    periodic  [(every, (variables, step) -> {metric: value}), ...], called between rounds
    """

    seed: int
    report_every: int
    checkpoint_every: int
    keep: int
    periodic: tuple = ()


# What stops a run when it has saved itself. Slurm sends either of the last two ahead of the end.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Stopped(Exception):
    """The run was asked to stop (SIGNALS) and has saved itself."""


def rounds(
    model: GenerativeModel, variables: Variables, feed: Feed, key, place, devices=None, before=0
) -> Iterator[tuple[int, int, Variables, dict]]:
    """Plays on from a place for ever: (rounds played, batches drawn, variables, metrics).

    The variables given are copied to the devices; those of a round are good until the next one.
    before  rounds of earlier phases, whose averages go on in this one
    """
    variables = parallel.replicate(variables, devices)
    frozen, variables = variables.frozen, variables._replace(frozen=())
    made = functools.partial(step.make_move, prepare=feed.prepare)
    players = [
        [
            (f"{player.name}/{move.name}", move, parallel.map_move(made(player, move), devices))
            for move in player.moves
        ]
        for player in model.players
    ]
    batches, position = feed.batches(place.position), place.position
    under_way, most = collections.deque(), parallel.in_flight(devices)
    for number in itertools.count(place.step):
        metrics = {}
        for moves in players:
            due = [(label, play) for label, move, play in moves for _ in range(move.times(number))]
            for left, (label, play) in zip(reversed(range(len(due))), due, strict=True):
                when = number, position, before + number, left == 0
                variables, aux = play(variables, frozen, next(batches), key, *when)
                position += 1
                metrics.update({f"{label}/{name}": value for name, value in aux.items()})
                under_way.append(aux)
                if len(under_way) >= most:
                    jax.block_until_ready(under_way.popleft())
        yield number + 1, position, variables._replace(frozen=frozen), metrics


def train(
    phase: Phase,
    feed: Feed,
    settings: Settings,
    workdir: Path,
    previous: Variables | None = None,
    devices: parallel.Devices = None,
    before: int = 0,
) -> tuple[Variables, int]:
    """Plays a phase to its end, from its newest checkpoint if there is one.

    `previous` holds the variables that the phase before ended with, `before` all rounds until then.

    Returns the variables, replicated over the devices, and the step that they have reached: more
    than `phase.steps` if an earlier run went further. Raises Stopped after a signal (saved first),
    UserError on a loss that is not finite.
    """
    key = jax.random.key(settings.seed)
    first = jax.jit(feed.prepare)(feed.first, jax.random.fold_in(key, 1))
    begin = functools.partial(state.create, phase.model, jax.random.fold_in(key, 2))
    checkpoints = checkpoint.open_checkpoints(workdir / "checkpoints" / phase.name, settings.keep)
    template = jax.eval_shape(begin, first, previous)
    found = checkpoint.restore(checkpoints, template, state.frozen(phase))
    variables, place = found or (begin(first, previous), checkpoint.Place())
    variables = variables._replace(frozen=state.frozen(phase))
    if place.step >= phase.steps:
        return parallel.replicate(variables, devices), place.step

    silent = jax.process_index() != 0
    if not silent and not found:
        print(f"phase {phase.name}\n{reporting.overview(variables)}")
    log = reporting.open_log(workdir, phase.name, place.step, phase.steps, silent)
    key = jax.random.fold_in(key, 3)
    try:
        with _signals() as asked:
            game = rounds(phase.model, variables, feed, key, place, devices, before)
            return _watch(game, phase, place, settings, checkpoints, log, asked), phase.steps
    finally:
        reporting.close(log)


def _watch(game, phase, place, settings, checkpoints, log, asked) -> Variables:
    """Draws rounds from a game, reports and saves them when it is time, and ends it."""
    window, waiting, began, last = list(place.window), [], None, place.step
    frozen = of_stages(state.frozen(phase))
    for number, position, variables, metrics in game:
        if began is None:  # The first round compiles: time what follows it.
            jax.block_until_ready(metrics)
            began, last = time.perf_counter(), number
        waiting.append((number, metrics))
        report = number % settings.report_every == 0
        ending = number >= phase.steps
        # Processes must stop at the same round, so where there are several they agree at reports.
        stop = asked() if jax.process_count() == 1 else report and parallel.any_process(asked())
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
        except UserError:  # A score that cannot be had costs none of the training.
            here = checkpoint.Place(number, position, tuple(window), frozen)
            checkpoint.save(checkpoints, variables, here)
            raise
        if report or measured:
            summary = {**reporting.summarize(window), **measured}
            reporting.write(log, number, summary, {"steps_per_second": rate})
            window, began, last = [], time.perf_counter(), number
        if saving:
            here = checkpoint.Place(number, position, tuple(window), frozen)
            checkpoint.save(checkpoints, variables, here)
        if ending:
            return variables
        if stop:
            raise Stopped(
                f"stopped at step {number} and saved; the same command goes on from there"
            )
    raise UserError(f"phase {phase.name} has no moves to play")


@contextlib.contextmanager
def _signals():
    """Within, SIGNALS raise a flag instead of ending the process: `asked()` reads it.

    The second SIGINT is a KeyboardInterrupt: a long compilation or evaluation can be left.
    """
    raised = []

    def remember(number, frame):
        if raised and number == signal.SIGINT:
            raise KeyboardInterrupt
        raised.append(number)

    try:
        old = {s: signal.signal(s, remember) for s in SIGNALS}
    except ValueError:  # Not the main thread: signals go elsewhere.
        old = {}
    try:
        yield lambda: bool(raised)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
