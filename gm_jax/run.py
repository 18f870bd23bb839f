"""From a recipe to a trained model: what the launcher and notebooks call.

config = gm_jax.load_config("configs/ddpm_digits.py")
trained = gm_jax.train(config, "runs/ddpm_digits")
images = gm_jax.sample(trained, 64)["image"]
"""

import copy
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
from gm_jax.settings import Recipes, fields, read
from gm_jax.trained import Trained, mapped_functions, show
from gm_jax.training import checkpoint, loop, parallel, profiling, state
from gm_jax.workdir import agree, alone, begin, located, recipe_of


def build(config: ConfigDict) -> tuple[Phase, ...]:
    """The phases of a recipe, its stages' first. Raises UserError if it cannot be built."""
    return tuple(phase for _, phases in plan(config) for phase in phases)


def plan(config: ConfigDict, prefix: str = "") -> list[tuple[ConfigDict, tuple[Phase, ...]]]:
    """What a run trains, in order: recipes with their phases, those of stages first.

    A stage is the workdir of an earlier run, or a recipe that this run trains first, with its own
    settings. Its phases are named after it: `vqvae_train`.
    """
    schema = schema_of(config)
    settings, late = read(schema, config), fields(schema)["stages"].mark(Recipes).late
    spec = data.open_source(settings.data).spec
    before, stages = [], {}
    for name, stage in settings.stages.items():
        if not isinstance(stage, str):
            before += plan(stage, f"{prefix}{name}_")
            last = before[-1][1][-1]
            stages[name] = Stage(last.model, last.name, name in late)
        elif stage or name not in late:
            stages[name] = _stage(path_of(stage))._replace(late=name in late)
    phases = zoo.SYSTEMS[settings.system].build(settings, spec, stages)
    _check_functions(config, phases)
    return [*before, (config, tuple(p._replace(name=prefix + p.name) for p in phases))]


def _check_functions(config: ConfigDict, phases: tuple[Phase, ...]) -> None:
    """Raises UserError if a recipe shows a function that no phase has, or evaluates one that the
    last does not have. A count of 0 leaves one out, but in evaluate.counts, where it means all."""
    for part, counts in _named(config).items():
        shown = part == "show.counts"
        functions = [name for p in (phases if shown else phases[-1:]) for name in p.model.functions]
        for name, count in counts.items():
            if name not in functions and (count or part == "evaluate.counts"):
                raise UserError(
                    f"{part}.{name}: the model has no function {name}; it has:"
                    f" {', '.join(dict.fromkeys(functions))} (show.counts.NAME=0 leaves one out)"
                )


def _named(config: ConfigDict) -> dict[str, ConfigDict]:
    """The settings that name functions of a model."""
    return {
        "show.counts": config.show.counts, "evaluate.counts": config.evaluate.counts,
        "evaluate.attributes": config.evaluate.attributes,
    }  # fmt: skip


def _within(config: ConfigDict, phase: Phase) -> ConfigDict:
    """A recipe that shows and evaluates those functions alone that a phase has."""
    config = copy.deepcopy(config)
    for counts in _named(config).values():
        for name in [name for name in counts if name not in phase.model.functions]:
            del counts[name]
    return config


def train(
    config: ConfigDict, workdir: str | Path, devices: parallel.Devices = None, profile: int = 0
) -> Trained:
    """Trains a recipe's phases in order, continuing from whatever `workdir` holds of them.

    profile  rounds of each phase to trace, see `training.profiling`; 0 for none

    Raises UserError if another process trains there, if the processes of this run disagree, or if
    no phase has enough rounds left for a trace.
    """
    with parallel.together():
        workdir = path_of(workdir)
        agree("settings", json.loads(config.to_json_best_effort()))
        config = located(workdir, config)
        recipes = plan(config)
        rows = [rows_of(recipe, devices) for recipe, _ in recipes]
    with alone(workdir):
        phases = [phase for _, phases in recipes for phase in phases]
        begin(workdir, config, phases)
        if profile:
            profiling.check(phases, workdir, profile)
        return _train(config, workdir, recipes, rows, devices, profile)


def _train(
    config: ConfigDict, workdir: Path, recipes: list, rows: list[slice], devices, profile: int
) -> Trained:
    """Plays what a run has planned, in a workdir that no other run uses."""
    ended = {}
    for (recipe, phases), share in zip(recipes, rows, strict=True):
        variables, before = None, 0
        for phase in phases:
            phase = with_stages(phase, ended)
            variables = begun(phase, variables)
            functions = mapped_functions(phase, devices, recipe.parallel)
            own = _within(recipe, phase)
            trained = functools.partial(_trained, own, phase, functions, devices)
            stage = "" if recipe is config and phase.name == phases[-1].name else phase.name
            settings = loop.Settings(
                seed=recipe.seed,
                report_every=recipe.report.every,
                checkpoint_every=recipe.checkpoint.every,
                keep=recipe.checkpoint.keep,
                parallel=recipe.parallel,
                periodic=_periodic(recipe, trained, workdir, stage),
                profile=profile,
            )
            batches = batches_of(phase, recipe, share)
            variables, step = loop.train(
                phase, batches, settings, workdir, variables, devices, before
            )
            before += phase.steps
            ended[phase.name] = parallel.to_host(_averaged(phase, variables))
    if config.show.every and jax.process_index() == 0:
        for name in config.show.counts:
            with files.local_folder(workdir / "samples", f"step_*_{name}.png") as folder:
                data.film(folder, name)
    return trained(variables, step)


def _trained(config, phase: Phase, functions: dict, devices, variables, step: int = 0) -> Trained:
    """The model at some point of its training."""
    variables = _averaged(phase, variables)
    return Trained(config, phase, functions, variables, devices, step)


def _averaged(phase: Phase, variables: Variables) -> Variables:
    """What functions see of variables in training, with a copy of all of it on each device."""
    return state.averaged(phase.model, parallel.whole(variables._replace(opt={})))


def load(workdir: str | Path, config: ConfigDict | None = None, devices=None) -> Trained:
    """The model that a run has trained so far, with the run's configuration or another one.

    A recipe that trains nothing, such as one of published weights, needs no run before.
    """
    workdir = path_of(workdir)
    started = config is None or (workdir / "config.json").exists()
    recipe = recipe_of(workdir, config) if started else config
    if not _trains(recipe):
        return train(recipe, workdir, devices)
    recipe, phase, variables, progress = _read(workdir, recipe)
    variables = parallel.place(variables, devices, recipe.parallel)
    functions = mapped_functions(phase, devices, recipe.parallel)
    return Trained(_within(recipe, phase), phase, functions, variables, devices, progress.step)


def _trains(config: ConfigDict) -> bool:
    """Whether a recipe, or a stage that is one, has rounds to play."""
    stages = [stage for stage in config.stages.values() if not isinstance(stage, str)]
    return bool(config.steps) or any(map(_trains, stages))


def _read(workdir: Path, config: ConfigDict):
    """A run's last phase: its recipe, the phase, its averaged variables (on the host), progress."""
    ended, last = {}, None
    for recipe, phases in plan(config):
        previous = None
        for phase in phases:
            if phase.steps and not (workdir / "checkpoints" / phase.name).exists():
                break
            phase = with_stages(phase, ended)
            saved = _saved(workdir, recipe, phase, begun(phase, previous))
            if saved is None:
                break
            previous, progress = saved
            whole = previous._replace(frozen=state.frozen(phase))
            ended[phase.name] = state.averaged(phase.model, whole)
            last = recipe, phase, ended[phase.name], progress
    if last is None:
        raise UserError(f"{workdir} holds no checkpoint yet: train first, with --mode=train")
    return last


def with_stages(phase: Phase, ended: dict[str, Variables]) -> Phase:
    """The phase with its stages' variables; `ended` holds those of the phases of this run."""

    def variables(name, stage):
        if isinstance(stage.variables, str) and stage.variables not in ended:
            raise UserError(
                f"stages.{name} is a recipe that this run has not trained: train it by itself, and"
                f" set stages.{name} to its workdir"
            )
        if isinstance(stage.variables, str):
            return ended[stage.variables]
        return stage.variables() if callable(stage.variables) else stage.variables

    stages = {n: s._replace(variables=variables(n, s)) for n, s in phase.stages.items()}
    return phase._replace(stages=stages)


def begun(phase: Phase, previous: Variables | None) -> Variables | None:
    """What a phase goes on from: the end of the phase before, or what it reads at its start."""
    return phase.start(phase.stages) if previous is None and phase.start else previous


def _periodic(
    config: ConfigDict, trained: Callable[[Variables], Trained], workdir: Path, stage: str
) -> tuple:
    """What to do between rounds, by `show.every` and `evaluate.every`."""

    def pictures(variables: Variables, step: int) -> dict:
        folder = workdir / "samples" / stage
        show(trained(variables), folder, f"step_{step:07d}_")
        return {}

    def scores(variables: Variables, step: int) -> dict:
        results = evaluate(trained(variables), workdir)
        return {f"evaluate/{name}": row["value"] for name, row in results.items()}

    acts = ((config.show.every, pictures), (config.evaluate.every, scores))
    return tuple((every, act) for every, act in acts if every)


def rows_of(config: ConfigDict, devices: parallel.Devices) -> slice:
    """The rows of a recipe's batches that this process feeds; of one without rounds, any."""
    every = slice(0, config.batch_size)
    return parallel.rows(config.batch_size, devices) if config.steps else every


def batches_of(phase: Phase, config: ConfigDict, rows: slice) -> loop.Batches:
    """A phase's batches in training, of which this process feeds some rows."""
    source = data.open_source(phase.data)
    drawn = source, config.batch_size, config.seed
    first = data.batch_at(*drawn, slice(0, config.batch_size))(0)
    prepare = data.preparation(phase.data, spec=source.spec)
    start = functools.partial(data.training_batches, *drawn, rows=rows)
    return loop.Batches(start, first, prepare)


def _saved(workdir: Path, config: ConfigDict, phase: Phase, previous: Variables | None):
    """A phase's newest checkpoint, (variables without `frozen`, progress) on the host, or None.

    A phase that trains nothing has none: it is as it begins.
    """
    batches = batches_of(phase, config, slice(0, config.batch_size))
    begin = functools.partial(loop.fresh, phase, batches, config.seed)
    if not phase.steps:
        return begin(previous), checkpoint.Progress()
    template = jax.eval_shape(begin, previous)
    folder = workdir / "checkpoints" / phase.name
    checkpoints = checkpoint.open_checkpoints(folder, None, reader=True)
    return checkpoint.restore(checkpoints, template, state.fixed(phase))


def _stage(workdir: Path) -> Stage:
    """The model of an earlier run; warns if that run has not played all its rounds."""
    _, phase, variables, progress = _read(workdir, recipe_of(workdir))
    if progress.step < phase.steps:
        warnings.warn(
            f"stage {workdir} is at step {progress.step} of {phase.steps}: finish its training"
            " first, or this model is built on a half-trained one",
            RuntimeWarning,
            stacklevel=2,
        )
    return Stage(phase.model, variables)
