"""Recipes: how a file in configs/ becomes a configuration, and what its header says."""

import ast
import importlib.util
from pathlib import Path

from ml_collections import ConfigDict

from gm_jax.errors import UserError, one_of

# What every recipe has; a recipe states only what differs.
DEFAULTS = {
    "seed": 0,
    "dtype": "float32",  # of the networks' computation: float32, bfloat16
    "average": 0.0,  # decay of the parameters' moving average; 0 keeps none
    "data": {"name": "digits", "path": "", "directory": "", "flip": False, "binarize": ""},
    "report": {"every": 100},
    "checkpoint": {"every": 1000, "keep": 2},
    "show": {"every": 1000, "counts": {"sample": 64}},
    "sample": {"count": 1000},
    "evaluate": {
        "every": 0,  # rounds; 0: only when asked
        "batch_size": 256,
        "counts": {},  # {function: examples of the split, 0 for all}
        "split": "test",
        "score": 0,  # samples for the Fréchet distance on a small classifier's features
        "modes": 0,  # samples for mode coverage
        "agreement": 0,  # samples whose label, or pair, a classifier is to see
        "preserved": 0,  # examples whose reconstruction a classifier is to see
        "clustering": 0,  # examples whose codes are matched with their labels
        # Inception's: "fid,kid,prdc" of so many samples against the training images.
        "metrics": "",
        "samples": 10_000,
        "protocol": "tf2015",
        "grey": "repeat",
        "weights": "",
    },
    "study": {"entries": {}, "seeds": (), "measures": ()},  # as gm_jax/study.py says
    "stages": {},  # {name: workdir} of earlier runs that this one builds upon
}

# What every recipe says itself.
STATED = ("system", "steps", "batch_size")

# The least that makes sense; what is less would train or write nothing, and say so too late.
LEAST = {
    "seed": 0, "steps": 1, "batch_size": 1, "report.every": 1, "checkpoint.every": 1,
    "checkpoint.keep": 1, "show.every": 0, "evaluate.every": 0, "evaluate.batch_size": 1,
    "evaluate.samples": 1, "sample.count": 1,
}  # fmt: skip

# Keys that may differ between a run and its continuation: they do not change what is learned.
FREE = ("steps", "report", "checkpoint", "show", "sample", "sampler", "evaluate")


def recipe(variant: str, *layers: dict, **variants: dict) -> ConfigDict:
    """DEFAULTS, then a recipe's layers, then that of the variant asked for ("" for none).

    The first layer may be a system's defaults: what a recipe names can be set on the command line.
    Raises UserError on a variant the recipe does not have.
    """
    if variant and variant not in variants:
        raise UserError(f"no variant {variant!r} of this recipe; it has: {', '.join(variants)}")
    merged = DEFAULTS
    for layer in layers:
        merged = merge(merged, layer)
    changes = variants.get(variant, {})
    _refuse_unknown(changes, merged)
    return ConfigDict(merge(merged, changes))


def complete(settings: dict) -> ConfigDict:
    """Settings that a run was begun with, and DEFAULTS for what has come to be since."""
    return ConfigDict(merge(DEFAULTS, settings))


def fill(config: ConfigDict, defaults: dict) -> ConfigDict:
    """A configuration with a system's defaults where it says nothing, down to nested settings.

    Raises UserError on a nested setting that the defaults do not know (an optimizer's are optax's).
    """
    settings = config.to_dict()
    known = {**dict.fromkeys(STATED), **dict.fromkeys(DEFAULTS), **defaults}
    _refuse_unknown(settings, known)
    return ConfigDict(merge(defaults, settings))


def check(config: ConfigDict) -> None:
    """Raises UserError on what no recipe can mean: counts below LEAST, parts with unknown names."""
    for path, least in LEAST.items():
        value = config
        for name in path.split("."):
            value = value[name]
        if value < least:
            raise UserError(f"{path} is {value}: it must be {least} or more")
    one_of("dtype", config.dtype, ("float32", "bfloat16", "float16", "float64"))
    for name in ("report", "checkpoint", "show", "sample", "evaluate"):
        _refuse_unknown(config[name].to_dict(), DEFAULTS[name], f"{name}.")


# Whose keys are not ours to know: optax's arguments, a model's functions, a study's entries, ...
_FREE_PARTS = ("optimizer", "counts", "entries", "data", "stages", "sampler", "network")


def _refuse_unknown(settings, known, path: str = "") -> None:
    if not (isinstance(known, dict) and isinstance(settings, dict)):
        return
    unknown = set(settings) - set(known)
    if unknown:
        raise UserError(
            f"unknown setting {path}{min(unknown)}; there are: {', '.join(sorted(known))}"
        )
    for name in set(settings) - set(_FREE_PARTS):
        _refuse_unknown(settings[name], known[name], f"{path}{name}.")


def load_config(name: str) -> ConfigDict:
    """The configuration of a recipe file, `configs/NAME.py` or `configs/NAME.py:VARIANT`."""
    path, _, variant = str(name).partition(":")
    spec = importlib.util.spec_from_file_location("recipe", path)
    if spec is None or not Path(path).exists():
        raise UserError(f"no recipe at {path}; python launch.py --list shows all there are")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(variant)


def derive(name: str | Path, changes: dict) -> ConfigDict:
    """Another recipe, `configs/NAME.py[:VARIANT]`, with what differs from it.

    A variant keeps its own number of steps.
    """
    if str(name).partition(":")[2]:
        changes = {key: value for key, value in changes.items() if key != "steps"}
    return ConfigDict(merge(load_config(name).to_dict(), changes))


def differences(old: dict, new: dict, prefix: str = "", free: tuple[str, ...] = FREE) -> list[str]:
    """What two configurations disagree on, outside the keys `free`: "key: old, now new"."""
    found = []
    for key in sorted({*old, *new}):
        if not prefix and key in free:
            continue
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key}: {a!r}, now {b!r}")
    return found


def header(path: Path) -> dict[str, str]:
    """The evidence at the top of a recipe: its `field: text` lines, continued by indentation."""
    lines = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
    fields, last = {"title": lines[0] if lines else ""}, None
    for line in lines[1:]:
        name, colon, text = line.partition(":")
        if colon and name.isidentifier():
            last = name
            fields[last] = text.strip()
        elif last and line.startswith(" "):
            fields[last] = f"{fields[last]} {line.strip()}".strip()
    return fields


def table(folder: Path) -> str:
    """All recipes of a folder as a table in Markdown: system, data, status, our number."""
    rows = ["| recipe | system | data | status | measured | time |", "|---|---|---|---|---|---|"]
    for path in sorted(folder.glob("[!_]*.py")):
        fields, config = header(path), load_config(path)
        status, ours, time = (
            fields.get(name, "").replace("|", r"\|") for name in ("status", "measured", "time")
        )
        rows.append(
            f"| [{path.stem}]({folder.name}/{path.name}) | {config.system} | {config.data.name}"
            f" | {status or 'unverified'} | {ours} | {time} |"
        )
    return "\n".join(rows)


def merge(base: dict, layer: dict) -> dict:
    """`base` with what `layer` says instead, down to nested settings.

    An optimizer is replaced as a whole: another one has other arguments.
    """
    merged = dict(base)
    for key, value in layer.items():
        nested = isinstance(value, dict) and isinstance(base.get(key), dict) and key != "optimizer"
        merged[key] = merge(base[key], value) if nested else value
    return merged
