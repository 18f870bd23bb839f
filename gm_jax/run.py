"""A recipe put to work: build, train, sample, evaluate. The launcher and notebooks call these.

config = gm_jax.load_config("configs/ddpm_digits.py")
trained = gm_jax.train(config, "runs/ddpm_digits")
images = gm_jax.sample(trained, 64)["image"]
"""

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from gm_jax import data, zoo
from gm_jax.errors import UserError, choose
from gm_jax.model import Phase, Stage, Variables
from gm_jax.recipes import complete, differences
from gm_jax.scoring import evaluate
from gm_jax.trained import Trained, apply, mapped_functions, show
from gm_jax.training import checkpoint, loop, parallel, state


def build(config: ConfigDict) -> tuple[Phase, ...]:
    """The phases of a recipe. Raises UserError where it asks for what there is not."""
    system = choose("system", config.system, zoo.SYSTEMS)
    spec = data.open_source(config.data).spec
    stages = {name: _stage(Path(path)) for name, path in config.stages.items()}
    return system(config, spec, stages)


def train(config: ConfigDict, workdir: str | Path, devices: parallel.Devices = None) -> Trained:
    """Trains a recipe's phases in order, going on from whatever `workdir` holds of them."""
    workdir = Path(workdir)
    rows = parallel.rows(config.batch_size, devices)
    phases = build(config)
    _claim(workdir, config)
    variables = None
    for phase in phases:
        functions = mapped_functions(phase, devices)
        trained = functools.partial(Trained, config, phase, functions, devices=devices)
        settings = loop.Settings(
            seed=config.seed,
            report_every=config.report.every,
            checkpoint_every=config.checkpoint.every,
            keep=config.checkpoint.keep,
            periodic=_periodic(config, trained, workdir),
        )
        feed = _feed(phase, config, rows)
        variables = loop.train(phase, feed, settings, workdir, variables, devices)
    if config.show.every and jax.process_index() == 0:
        for name in config.show.counts:
            data.film(workdir / "samples", name)
    return trained(state.at_work(variables))


def load(workdir: str | Path, config: ConfigDict | None = None, devices=None) -> Trained:
    """The model that a run has trained so far, under its own configuration or a given one."""
    workdir = Path(workdir)
    if not (workdir / "config.json").exists():
        raise UserError(f"{workdir} is not the workdir of a run: it has no config.json")
    own = complete(json.loads((workdir / "config.json").read_text()))
    config = own if config is None else config
    _same_recipe(workdir, own, config)
    for phase in reversed(build(config)):
        folder = workdir / "checkpoints" / phase.name
        if not folder.exists():
            continue
        create = functools.partial(state.create, phase.model)
        first = _feed(phase, config, slice(0, config.batch_size))
        first = jax.eval_shape(first.prepare, first.first, jax.random.key(0))
        template = jax.eval_shape(create, jax.random.key(0), first, None)
        found = checkpoint.restore(checkpoint.open_checkpoints(folder, None), template)
        if found:
            variables = found[0]._replace(frozen=phase.frozen)
            variables = parallel.replicate(state.at_work(variables), devices)
            return Trained(config, phase, mapped_functions(phase, devices), variables, devices)
    raise UserError(f"{workdir} holds no checkpoint yet: train first, with --mode=train")


def sample_images(workdir: str | Path, count: int) -> Iterator[np.ndarray]:
    """`count` samples of a run's model, batch by batch, uint8 [b, H, W, C]."""
    return (batch["image"] for batch in apply(load(workdir), "sample", count))


def _periodic(config: ConfigDict, trained: Callable[[Variables], Trained], workdir: Path) -> tuple:
    """What `show.every` and `evaluate.every` ask to be done between rounds."""

    def pictures(variables: Variables, step: int) -> dict:
        show(trained(state.at_work(variables)), workdir / "samples", f"step_{step:07d}_")
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


def _stage(workdir: Path) -> Stage:
    earlier = load(workdir)
    return Stage(earlier.phase.model, parallel.to_host(earlier.variables))


def _claim(workdir: Path, config: ConfigDict) -> None:
    """Makes the workdir this recipe's, or refuses one that is another's."""
    saved = workdir / "config.json"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        if saved.exists():
            _same_recipe(workdir, complete(json.loads(saved.read_text())), config)
        if jax.process_index() == 0:
            whole = saved.with_suffix(".part")  # Other processes never see half a file.
            whole.write_text(config.to_json_best_effort(indent=2) + "\n")
            whole.replace(saved)
    except OSError as error:
        raise UserError(
            f"cannot write to {workdir} ({error.strerror}): choose another --workdir"
        ) from error


def _same_recipe(workdir: Path, own: ConfigDict, config: ConfigDict) -> None:
    found = differences(
        own.to_dict(), ConfigDict(json.loads(config.to_json_best_effort())).to_dict()
    )
    if found:
        raise UserError(
            f"{workdir} belongs to another recipe ({'; '.join(found[:3])}): choose another"
            " --workdir, or give the settings it was begun with"
        )
