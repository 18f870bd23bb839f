"""A recipe put to work: build, train, sample, evaluate. The launcher and notebooks call these.

config = gm_jax.load_config("configs/ddpm_digits.py")
trained = gm_jax.train(config, "runs/ddpm_digits")
images = gm_jax.sample(trained, 64)["image"]
"""

import functools
import json
import operator
import warnings
from collections.abc import Callable
from pathlib import Path

import jax
from ml_collections import ConfigDict

from gm_jax import data, zoo
from gm_jax.errors import UserError, choose
from gm_jax.model import Phase, Stage, Variables
from gm_jax.recipes import check, complete, differences
from gm_jax.scoring import evaluate
from gm_jax.trained import Trained, mapped_functions, show
from gm_jax.training import checkpoint, loop, parallel, state


def build(config: ConfigDict) -> tuple[Phase, ...]:
    """The phases of a recipe, its stages' first. Raises UserError where it asks for what is not."""
    return tuple(phase for _, phases in plan(config) for phase in phases)


def plan(config: ConfigDict, prefix: str = "") -> list[tuple[ConfigDict, tuple[Phase, ...]]]:
    """What a run does in order: recipes with their phases, the stages that are recipes before it.

    A stage is the workdir of an earlier run, or a recipe that this run trains first, under its own
    settings. Phases are named after their stage: `vqvae_train`.
    """
    check(config)
    build_system = choose("system", config.system, zoo.SYSTEMS)
    spec = data.open_source(config.data).spec
    before, stages = [], {}
    for name, given in config.stages.items():
        if isinstance(given, str):
            stages[name] = _stage(Path(given))
        else:
            before += plan(given, f"{prefix}{name}_")
            last = before[-1][1][-1]
            stages[name] = Stage(last.model, operator.itemgetter(last.name))
    phases = build_system(config, spec, stages)
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
    """Trains a recipe's phases in order, going on from whatever `workdir` holds of them."""
    workdir, recipes = Path(workdir), plan(config)
    rows = [parallel.rows(own.batch_size, devices) for own, _ in recipes]
    _claim(workdir, config, [phase for _, phases in recipes for phase in phases])
    ended = {}
    for (own, phases), share in zip(recipes, rows, strict=True):
        variables = None
        for phase in phases:
            phase = thawed(phase, ended)
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
            variables = loop.train(phase, feed, settings, workdir, variables, devices)
            ended[phase.name] = parallel.to_host(state.at_work(variables))
    if config.show.every and jax.process_index() == 0:
        for name in config.show.counts:
            data.film(workdir / "samples", name)
    return trained(state.at_work(variables))


def load(workdir: str | Path, config: ConfigDict | None = None, devices=None) -> Trained:
    """The model that a run has trained so far, under its own configuration or a given one."""
    own, phase, variables, _ = _read(Path(workdir), config)
    variables = parallel.replicate(variables, devices)
    return Trained(own, phase, mapped_functions(phase, devices), variables, devices)


def _read(workdir: Path, config: ConfigDict | None = None):
    """A run's last phase: its recipe, itself, its variables at work on the host, its place."""
    if not (workdir / "config.json").exists():
        raise UserError(f"{workdir} is not the workdir of a run: it has no config.json")
    own = complete(json.loads((workdir / "config.json").read_text()))
    config = own if config is None else config
    _same_recipe(workdir, own, config)
    _same_data(workdir, config)
    ended, last = {}, None
    for own, phases in plan(config):
        previous = None
        for phase in phases:
            if not (workdir / "checkpoints" / phase.name).exists():
                break
            phase = thawed(phase, ended)
            found = _saved(workdir, own, phase, previous)
            if found is None:
                break
            previous = found[0]
            ended[phase.name] = state.at_work(found[0]._replace(frozen=phase.frozen))
            last = own, phase, ended[phase.name], found[1]
    if last is None:
        raise UserError(f"{workdir} holds no checkpoint yet: train first, with --mode=train")
    return last


def thawed(phase: Phase, ended: dict[str, Variables]) -> Phase:
    """The phase with the functions in its `frozen` replaced by what they find among `ended`."""
    found = jax.tree.map(lambda leaf: leaf(ended) if callable(leaf) else leaf, phase.frozen)
    return phase._replace(frozen=found)


def _periodic(
    config: ConfigDict, trained: Callable[[Variables], Trained], workdir: Path, stage: str
) -> tuple:
    """What `show.every` and `evaluate.every` ask to be done between rounds."""

    def pictures(variables: Variables, step: int) -> dict:
        folder = workdir / "samples" / stage
        show(trained(state.at_work(variables)), folder, f"step_{step:07d}_")
        return {}

    def scores(variables: Variables, step: int) -> dict:
        results = evaluate(trained(state.at_work(variables)), workdir)
        return {f"evaluate/{name}": row["value"] for name, row in results.items()}

    acts = ((config.show.every, pictures), (config.evaluate.every, scores))
    return tuple((every, act) for every, act in acts if every)


def _feed(phase: Phase, config: ConfigDict, rows: slice) -> loop.Feed:
    source = data.open_source(phase.data)
    batches = functools.partial(data.training_batches, source, config.batch_size, config.seed)
    first = next(batches(0, slice(0, config.batch_size)))
    return loop.Feed(functools.partial(batches, rows=rows), first, data.preparation(phase.data))


def _saved(workdir: Path, config: ConfigDict, phase: Phase, previous: Variables | None):
    """A phase's newest checkpoint: variables on the host, without `frozen`, and place; or None."""
    folder = workdir / "checkpoints" / phase.name
    create = functools.partial(state.create, phase.model)
    first = _feed(phase, config, slice(0, config.batch_size))
    first = jax.eval_shape(first.prepare, first.first, jax.random.key(0))
    template = jax.eval_shape(create, jax.random.key(0), first, previous)
    return checkpoint.restore(checkpoint.open_checkpoints(folder, None), template, phase.frozen)


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


def _check_order(workdir: Path, phases: list[Phase]) -> None:
    """Raises UserError where a phase would go on beneath one that was built upon its end."""
    folders = [workdir / "checkpoints" / phase.name for phase in phases]
    for phase, folder, later in zip(phases, folders, folders[1:], strict=False):
        if not later.exists():
            return
        step = checkpoint.open_checkpoints(folder, None).manager.latest_step() or 0
        if step < phase.steps:
            raise UserError(
                f"{phase.name} ended at step {step} and {later.name} was built upon it: to go on to"
                f" step {phase.steps}, choose another --workdir or delete {later}"
            )


def _claim(workdir: Path, config: ConfigDict, phases: list[Phase]) -> None:
    """Makes the workdir this recipe's. Refuses another's, or one that cannot go on so."""
    saved = workdir / "config.json"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        if saved.exists():
            _same_recipe(workdir, complete(json.loads(saved.read_text())), config)
            _same_data(workdir, config)
            _check_order(workdir, phases)
        if jax.process_index() == 0:
            looks = json.dumps(_looks(config))
            texts = {"data.json": looks, "config.json": config.to_json_best_effort(indent=2)}
            for name, text in texts.items():
                path = workdir / name
                whole = path.with_suffix(".part")  # Other processes never see half a file.
                whole.write_text(text + "\n")
                whole.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write to {workdir} ({error.strerror}): choose another --workdir"
        ) from error


def _same_recipe(workdir: Path, own: ConfigDict, config: ConfigDict) -> None:
    found = differences(own.to_dict(), json.loads(config.to_json_best_effort()))
    if found:
        raise UserError(
            f"{workdir} belongs to another recipe ({'; '.join(found[:3])}): choose another"
            " --workdir, or give the settings it was begun with"
        )


def _same_data(workdir: Path, config: ConfigDict) -> None:
    """Raises UserError where the data no longer looks as it did when the run began."""
    path = workdir / "data.json"
    then, now = json.loads(path.read_text()) if path.exists() else {}, _looks(config)
    changed = [name for name in then if then[name] != now.get(name)]
    if changed:
        name = changed[0]
        raise UserError(
            f"{workdir} was begun with data of another kind: {name} was {then[name]}, now"
            f" {now.get(name)} (shape, values, symbols)"
        )


def _looks(config: ConfigDict) -> dict[str, list]:
    """The spec of a recipe's data, as JSON has it."""
    spec = data.open_source(config.data).spec
    return {name: [list(field.shape), *field[1:]] for name, field in spec.items()}
