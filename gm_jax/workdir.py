"""A run's workdir: whose it is, whether it can continue, and what has changed since.

config.json    the recipe
data.json      what its data looked like, and where it was
lock           held by the process that trains
metrics.jsonl  and timings.jsonl, events/, samples/, checkpoints/PHASE/STEP
"""

import contextlib
import copy
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from gm_jax import data, files
from gm_jax.errors import UserError, note
from gm_jax.fingerprint import fingerprint
from gm_jax.model import Phase, Spec
from gm_jax.recipes import complete, differences
from gm_jax.training import checkpoint, parallel

PROBES = 64  # examples that identify the data
ANOTHER = "choose another --workdir"


@contextlib.contextmanager
def alone(workdir: Path) -> Iterator[None]:
    """Locks the workdir for this run. Raises UserError naming the process that already holds it."""
    with contextlib.ExitStack() as held:
        with parallel.together():
            if jax.process_index() == 0:
                with files.writing(workdir, ANOTHER):
                    other = held.enter_context(files.locked(workdir / "lock"))
                if other:
                    raise UserError(f"{workdir} is in use by {other}: wait for it, or {ANOTHER}")
        yield


@parallel.together()
def begin(workdir: Path, config: ConfigDict, phases: list[Phase]) -> None:
    """Makes the workdir this recipe's, or continues in it, and notes what has changed since.

    Raises UserError if it belongs to another recipe or other data, or if a phase would be trained
    further although a later one was built on its end.
    """
    source = data.open_source(config.data)
    now = {"spec": _spec(source.spec), "size": source.size, "examples": _probe(source)}
    agree("data", now)
    with files.writing(workdir, ANOTHER):
        workdir.mkdir(parents=True, exist_ok=True)
        if jax.process_index() > 0:
            return
        settings = config.to_dict()
        if (workdir / "config.json").exists():
            own = _own_recipe(workdir)
            if own is None:
                note(f"{workdir / 'config.json'} is damaged; it is rewritten from the recipe")
            else:
                _check_recipe(workdir, own, config)
                _note_moved(workdir, own, config)
            _check_data(workdir, now["spec"])
            _note_data(workdir, now)
            if _beyond(workdir, phases) and own is not None:
                settings["steps"] = max(config.steps, own.steps)
        now["paths"] = {
            name: (part[key], _full(part[key]))
            for name, part, key in _paths(settings)
            if _exists(part[key])
        }
        files.write(workdir / "data.json", json.dumps(now) + "\n")
        text = ConfigDict(settings).to_json_best_effort(indent=2)
        files.write(workdir / "config.json", text + "\n")


def recipe_of(workdir: Path, config: ConfigDict | None = None) -> ConfigDict:
    """The recipe of a run, its own or the one given, with data and stages where they are now.

    Raises UserError if there is no run, if it has another recipe, or if its data has changed.
    """
    saved = workdir / "config.json"
    if not saved.exists():
        raise UserError(f"{workdir} is not the workdir of a run: it has no config.json")
    own = _own_recipe(workdir)
    if own is None and config is None:
        raise UserError(
            f"{saved} is damaged: train with this run's recipe, --config=configs/NAME.py, which"
            " continues from the last checkpoint and writes the file again"
        )
    config = located(workdir, own if config is None else config)
    if own is not None:
        _check_recipe(workdir, own, config)
        _note_moved(workdir, own, config)
    _check_data(workdir, _spec(data.open_source(config.data).spec))
    return config


def located(workdir: Path, config: ConfigDict) -> ConfigDict:
    """The recipe, with absolute paths for relative ones that are not found from here.

    A run remembers where its data and stages were. Raises UserError if they are gone from there.
    """
    settings = config.to_dict()
    then = (_read(workdir / "data.json") or {}).get("paths", {})
    for name, part, key in _paths(settings):
        written, was = then.get(name, (None, None))
        if part[key] != written or _exists(written):
            continue
        if not _exists(was):
            raise UserError(
                f"{name} is {written!r}, and {was} is gone: say where it is now with"
                f" --config={workdir / 'config.json'} --config.{name}=..."
            )
        if jax.process_index() == 0:
            note(f"{name} is {written!r}, which is not found from here: using {was}")
        part[key] = was
    return ConfigDict(settings)


def agree(kind: str, said: dict) -> None:
    """Raises UserError, on all processes of a run, unless all say the same; paths may differ."""
    texts = parallel.gather(json.dumps(_without_paths(said)))
    first, *others = (_flat(json.loads(text)) for text in texts)
    for number, other in enumerate(others, 1):
        for key in sorted({*first, *other}):
            if first.get(key) != other.get(key):
                raise UserError(
                    f"the processes of this run have different {kind}: {key} is"
                    f" {first.get(key)!r} on process 0 and {other.get(key)!r} on {number}; start"
                    " all of them with the same command and the same files"
                )


def writable(folder: str | os.PathLike) -> Path:
    """The path of a folder that process 0 can write to. Raises UserError, on all, if it cannot."""
    with parallel.together():
        folder = files.path_of(folder)
        if jax.process_index() == 0:
            files.check_writable(folder, "copy the run to a folder that you can write to")
    return folder


def _own_recipe(workdir: Path) -> ConfigDict | None:
    """The recipe that a run began with; None if the file is damaged."""
    settings = _read(workdir / "config.json")
    if settings is not None and "system" not in settings:
        raise UserError(
            f"{workdir / 'config.json'} is not this library's: it has no `system`; {ANOTHER}"
        )
    return None if settings is None else complete(settings)


def _read(path: Path) -> dict | None:
    """What a JSON file holds; None if it is missing or damaged, as after a power cut."""
    try:
        found = json.loads(path.read_bytes()) if path.exists() else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _check_recipe(workdir: Path, own: ConfigDict, config: ConfigDict) -> None:
    found = differences(*(_without_paths(c.to_dict()) for c in (own, config)))
    if found:
        raise UserError(
            f"{workdir} belongs to another recipe ({'; '.join(found[:3])}): {ANOTHER}, or use the"
            " settings it began with"
        )


def _check_data(workdir: Path, now: dict) -> None:
    """Raises UserError if the data no longer looks as it did when the run began."""
    for name, then in _spec_then(_read(workdir / "data.json") or {}).items():
        if {**now.get(name, {}), **then} != now.get(name):
            raise UserError(
                f"{workdir} began with data of another kind: {name} was {then}, now"
                f" {now.get(name)} (shape, values, symbols)"
            )


def _note_data(workdir: Path, now: dict) -> None:
    """Notes it if a run continues with other examples than it began with."""
    then = _read(workdir / "data.json")
    if then is None:
        note(f"{workdir / 'data.json'} is damaged or missing: the data may have changed")
    elif then.get("size", now["size"]) != now["size"]:
        note(
            f"the data held {then['size']} examples and holds {now['size']} now: the run"
            " continues with these, in another order"
        )
    elif then.get("examples", now["examples"]) != now["examples"]:
        note("the data holds other examples than before: the run continues with these")


def _note_moved(workdir: Path, own: ConfigDict, config: ConfigDict) -> None:
    """Notes which data and stages are not where they were when the run began."""
    if jax.process_index() > 0:
        return
    then = {name: (part[key], _full(part[key])) for name, part, key in _paths(own.to_dict())}
    then |= (_read(workdir / "data.json") or {}).get("paths", {})
    for name, part, key in _paths(config.to_dict()):
        was, now = then.get(name, (None, None))[1], _full(part[key])
        if was and was != now:  # A stage that comes after training was nowhere.
            note(f"{name} was {was} and is now {now}")


def _beyond(workdir: Path, phases: list[Phase]) -> bool:
    """Whether the run has already gone further than its recipe says, which it notes.

    Raises UserError if a phase would be trained further although a later one was built on its end.
    """
    beyond, folders = False, [workdir / "checkpoints" / phase.name for phase in phases]
    late = [s.variables for p in phases for s in p.stages.values() if s.late]
    for phase, folder, later in zip(phases, folders, [*folders[1:], None], strict=True):
        step, built_upon = checkpoint.latest_step(folder), later is not None and later.exists()
        if built_upon and phase.name not in late and step < phase.steps:
            raise UserError(
                f"{phase.name} stopped at step {step} and {later.name} was trained on top of it: to"
                f" continue to step {phase.steps}, choose another --workdir or delete {later}"
            )
        if step > phase.steps:
            beyond = True
            note(
                f"phase {phase.name} is already at step {step}, beyond steps={phase.steps}:"
                " there is nothing to train"
            )
    return beyond


def _spec(spec: Spec) -> dict[str, dict]:
    """A spec in the form of data.json."""
    return {
        name: {"shape": list(f.shape), "cardinality": f.cardinality, "symbols": _listed(f.symbols)}
        for name, f in spec.items()
    }


def _listed(symbols) -> str | list[str]:
    """Characters as they are, words as the list that JSON makes of any sequence."""
    return symbols if isinstance(symbols, str) else list(symbols)


def _spec_then(found: dict) -> dict[str, dict]:
    """The spec in a data.json; the oldest files held only that, as a list for each entry."""
    if "spec" in found:
        return found["spec"]
    return {
        name: dict(zip(("shape", "cardinality", "symbols"), row, strict=False))
        for name, row in found.items()
    }


def _probe(source: data.Source) -> str:
    """A fingerprint of a source's key and of examples spread over it."""
    size = PROBES if source.size is None else source.size
    rows = np.unique(np.linspace(0, size - 1, PROBES).astype(int))
    return fingerprint((np.array(source.key), source.load(rows)))


def _paths(settings: dict, prefix: str = "") -> Iterator[tuple[str, dict, str]]:
    """The settings that are paths: (full name, the part that holds it, its key)."""
    part = settings.get("data", {})
    for key in ("path", "directory"):
        if isinstance(part, dict) and part.get(key):
            yield f"{prefix}data.{key}", part, key
    stages = settings.get("stages", {})
    for name, stage in stages.items():
        if isinstance(stage, Mapping):
            yield from _paths(stage, f"{prefix}stages.{name}.")
        elif stage:
            yield f"{prefix}stages.{name}", stages, name


def _without_paths(settings: dict) -> dict:
    settings = copy.deepcopy(settings)
    for _, part, key in _paths(settings):
        part[key] = ""
    return settings


def _flat(settings: dict, path: str = "") -> dict:
    """{full name of a setting: its value}."""
    flat = {}
    for key, value in settings.items():
        nested = isinstance(value, dict)
        flat |= _flat(value, f"{path}{key}.") if nested else {f"{path}{key}": value}
    return flat


def _full(path: str) -> str:
    return path if "://" in path else os.path.abspath(os.path.expanduser(path))


def _exists(path: str) -> bool:
    return "://" in path or os.path.exists(os.path.expanduser(path))
