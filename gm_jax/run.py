"""A recipe put to work: build, train, sample, evaluate. The launcher and notebooks call these.

config = gm_jax.load_config("configs/ddpm_digits.py")
trained = gm_jax.train(config, "runs/ddpm_digits")
images = gm_jax.sample(trained, 64)["image"]
"""

import functools
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import jax
from ml_collections import ConfigDict

from gm_jax import data, files, zoo
from gm_jax.errors import UserError
from gm_jax.files import path_of
from gm_jax.model import Phase, Stage, Variables
from gm_jax.recipes import schema_of
from gm_jax.scoring import evaluate
from gm_jax.settings import read
from gm_jax.trained import Trained, mapped_functions, show
from gm_jax.training import checkpoint, loop, parallel, state
from gm_jax.workdir import agree, alone, begin, located, recipe_of


def build(config: ConfigDict) -> tuple[Phase, ...]:
    """The phases of a recipe, its stages' first. Raises UserError where it asks for what is not."""
    return tuple(phase for _, phases in plan(config) for phase in phases)


def plan(config: ConfigDict, prefix: str = "") -> list[tuple[ConfigDict, tuple[Phase, ...]]]:
    """What a run does in order: recipes with their phases, the stages that are recipes before it.

    A stage is the workdir of an earlier run, or a recipe that this run trains first, under its own
    settings. Phases are named after their stage: `vqvae_train`.
    """
    settings = read(schema_of(config), config)
    spec = data.open_source(settings.data).spec
    before, stages = [], {}
    for name, given in settings.stages.items():
        if isinstance(given, str):
            stages[name] = _stage(path_of(given))
        else:
            before += plan(given, f"{prefix}{name}_")
            last = before[-1][1][-1]
            stages[name] = Stage(last.model, last.name)
    phases = zoo.SYSTEMS[settings.system].build(settings, spec, stages)
    _check_functions(config, phases)
    return [*before, (config, tuple(p._replace(name=prefix + p.name) for p in phases))]


def _check_functions(config: ConfigDict, phases: tuple[Phase, ...]) -> None:
    """Raises UserError where a recipe is to show or evaluate what its models cannot do."""
    for part, asked in (("show", config.show), ("evaluate", config.evaluate)):
        for phase in phases:
            there = phase.model.functions
            for name, count in asked.counts.items():
                if name not in there and (count or part == "evaluate"):
                    raise UserError(
                        f"{part}.counts.{name}: the model has no function of that name; it has:"
                        f" {', '.join(there)} (show.counts.NAME=0 leaves one out)"
                    )


def train(config: ConfigDict, workdir: str | Path, devices: parallel.Devices = None) -> Trained:
    """Trains a recipe's phases in order, going on from whatever `workdir` holds of them.

    Raises UserError if another process trains there, or if the processes of this run disagree.
    """
    with parallel.together():
        workdir = path_of(workdir)
        agree("settings", json.loads(config.to_json_best_effort()))
        config = located(workdir, config)
        recipes = plan(config)
        rows = [parallel.rows(own.batch_size, devices) for own, _ in recipes]
    with alone(workdir):
        begin(workdir, config, [phase for _, phases in recipes for phase in phases])
        return _train(config, workdir, recipes, rows, devices)


def _train(config: ConfigDict, workdir: Path, recipes: list, rows: list[slice], devices) -> Trained:
    """Plays what a run has planned, in a workdir that is its own."""
    ended = {}
    for (own, phases), share in zip(recipes, rows, strict=True):
        variables, before = None, 0
        for phase in phases:
            phase = with_stages(phase, ended)
            functions = mapped_functions(phase, devices)
            trained = functools.partial(Trained, own, phase, functions, devices=devices)
            settings = loop.Settings(
                seed=own.seed,
                report_every=own.report.every,
                checkpoint_every=own.checkpoint.every,
                keep=own.checkpoint.keep,
                periodic=_periodic(own, trained, workdir, "" if own is config else phase.name),
            )
            feed = _feed(phase, own, share)
            variables, step = loop.train(phase, feed, settings, workdir, variables, devices, before)
            before += phase.steps
            ended[phase.name] = parallel.to_host(state.averaged(variables))
    if config.show.every and jax.process_index() == 0:
        for name in config.show.counts:
            with files.local_folder(workdir / "samples", f"step_*_{name}.png") as folder:
                data.film(folder, name)
    return trained(state.averaged(variables), step=step)


def load(workdir: str | Path, config: ConfigDict | None = None, devices=None) -> Trained:
    """The model that a run has trained so far, under its own configuration or a given one."""
    own, phase, variables, place = _read(path_of(workdir), config)
    variables = parallel.replicate(variables, devices)
    return Trained(own, phase, mapped_functions(phase, devices), variables, devices, place.step)


def _read(workdir: Path, config: ConfigDict | None = None):
    """A run's last phase: its recipe, itself, its variables at work on the host, its place."""
    config = recipe_of(workdir, config)
    ended, last = {}, None
    for own, phases in plan(config):
        previous = None
        for phase in phases:
            if not (workdir / "checkpoints" / phase.name).exists():
                break
            phase = with_stages(phase, ended)
            found = _saved(workdir, own, phase, previous)
            if found is None:
                break
            previous = found[0]
            ended[phase.name] = state.averaged(found[0]._replace(frozen=state.frozen(phase)))
            last = own, phase, ended[phase.name], found[1]
    if last is None:
        raise UserError(f"{workdir} holds no checkpoint yet: train first, with --mode=train")
    return last


def with_stages(phase: Phase, ended: dict[str, Variables]) -> Phase:
    """The phase with the variables of its stages, of which `ended` holds those of this run."""
    stages = {
        name: stage._replace(variables=ended[stage.variables])
        if isinstance(stage.variables, str)
        else stage
        for name, stage in phase.stages.items()
    }
    return phase._replace(stages=stages)


def _periodic(
    config: ConfigDict, trained: Callable[[Variables], Trained], workdir: Path, stage: str
) -> tuple:
    """What `show.every` and `evaluate.every` ask to be done between rounds."""

    def pictures(variables: Variables, step: int) -> dict:
        folder = workdir / "samples" / stage
        show(trained(state.averaged(variables)), folder, f"step_{step:07d}_")
        return {}

    def scores(variables: Variables, step: int) -> dict:
        results = evaluate(trained(state.averaged(variables)), workdir)
        return {f"evaluate/{name}": row["value"] for name, row in results.items()}

    acts = ((config.show.every, pictures), (config.evaluate.every, scores))
    return tuple((every, act) for every, act in acts if every)


def _feed(phase: Phase, config: ConfigDict, rows: slice) -> loop.Feed:
    source = data.open_source(phase.data)
    batches = functools.partial(data.training_batches, source, config.batch_size, config.seed)
    first = next(batches(0, slice(0, config.batch_size)))
    prepare = data.preparation(phase.data, spec=source.spec)
    return loop.Feed(functools.partial(batches, rows=rows), first, prepare)


def _saved(workdir: Path, config: ConfigDict, phase: Phase, previous: Variables | None):
    """A phase's newest checkpoint: variables on the host, without `frozen`, and place; or None."""
    folder = workdir / "checkpoints" / phase.name
    create = functools.partial(state.create, phase.model)
    first = _feed(phase, config, slice(0, config.batch_size))
    first = jax.eval_shape(first.prepare, first.first, jax.random.key(0))
    template = jax.eval_shape(create, jax.random.key(0), first, previous)
    checkpoints = checkpoint.open_checkpoints(folder, None, reader=True)
    return checkpoint.restore(checkpoints, template, state.frozen(phase))


def _stage(workdir: Path) -> Stage:
    """The model of an earlier run; a warning where that has not played all its rounds."""
    _, phase, variables, place = _read(workdir)
    if place.step < phase.steps:
        warnings.warn(
            f"stage {workdir} stands at step {place.step} of {phase.steps}: train it to its end, or"
            " the model built upon it is of a model half trained",
            RuntimeWarning,
            stacklevel=2,
        )
    return Stage(phase.model, variables)
