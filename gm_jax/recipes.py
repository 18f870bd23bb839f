"""Recipes: how a file in configs/ becomes a configuration, and what its header says."""

import ast
import importlib.util
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ml_collections import ConfigDict
from ml_collections.config_dict import FieldReference

from gm_jax import zoo
from gm_jax.errors import UserError, choose
from gm_jax.settings import (
    Recipes,
    Rest,
    Restartable,
    defaults,
    fields,
    is_schema,
    nearest,
    unknown_setting,
)


def schema_of(settings: Mapping) -> type:
    """The `Settings` of the system that a recipe names. Raises UserError if it names none."""
    if not settings.get("system"):
        raise UserError("this recipe states no system: gm_jax/zoo.py lists them")
    return choose("system", settings["system"], zoo.SYSTEMS).Settings


def recipe(variant: str, *layers: dict, **variants: dict) -> ConfigDict:
    """The system's defaults, then a recipe's layers, then the variant ("" for none).

    Raises UserError if the recipe does not have the variant, or the system a setting.
    """
    only(variant, *variants)
    system = next((layer["system"] for layer in reversed(layers) if "system" in layer), "")
    settings = defaults(schema_of({"system": system}))
    for layer in (*layers, variants.get(variant, {})):
        settings = changed(settings | {"system": system}, layer)
    return ConfigDict(settings)


def only(variant: str, *names: str) -> None:
    """Raises UserError if a recipe's variant is neither "" nor one of those that it has."""
    if variant and variant not in names:
        has = ", ".join(names) or "none"
        raise UserError(f"this recipe has no variant {variant!r}; it has: {has}")


def complete(settings: Mapping) -> ConfigDict:
    """The settings that a run began with, under today's schema.

    Settings added since have their defaults; those that no longer exist are dropped.
    """
    return ConfigDict(_settings(_known(schema_of(settings), settings)))


def changed(settings: dict, changes: Mapping) -> dict:
    """A recipe's settings with `changes` applied, nested ones too.

    Another `system` keeps the settings that both systems have; the others are dropped. Changes of
    the data reach stages that have the same data, unless the changes give a stage its own.
    """
    schema = schema_of({**settings, **changes})
    if changes.get("system", settings.get("system")) != settings.get("system"):
        settings = _settings(_known(schema, {**settings, "system": changes["system"]}))
    merged = merge(schema, settings, changes)
    if "data" in changes:
        for name, stage in merged["stages"].items():
            before = settings["stages"].get(name)
            if _same_data(before, settings) and _same_data(before, stage):
                merged["stages"][name] = changed(stage, {"data": changes["data"]})
    return merged


def _same_data(recipe, other) -> bool:
    """Whether both are recipes, not workdirs, and of the same data."""
    both = isinstance(recipe, Mapping) and isinstance(other, Mapping)
    return both and recipe.get("data") == other.get("data")


def merge(schema: type | None, base: Mapping, layer: Mapping, path: str = "") -> dict:
    """`base` with the settings of `layer` in place of its own, nested ones too.

    A part whose schema is `whole`, such as an optimizer, is replaced if the layer names another.
    Raises UserError if the schema does not have a setting.
    """
    merged, known = dict(base), fields(schema) if schema else {}
    open_ended = not schema or any(setting.mark(Rest) for setting in known.values())
    for key, value in layer.items():
        if key not in known and not open_ended:
            raise UserError(unknown_setting(path, key, known))
        setting, before = known.get(key), merged.get(key)
        if value is None and isinstance(before, FieldReference):
            continue  # A placeholder, which keeps its type for the command line.
        if not isinstance(value, Mapping | ConfigDict):
            merged[key] = value
        elif setting and is_schema(setting.kind):
            replaced = getattr(setting.kind, "whole", False) and "name" in value
            start = defaults(setting.kind) if replaced else before
            merged[key] = merge(setting.kind, start, value, f"{path}{key}.")
        elif setting and setting.mark(Recipes):
            merged[key] = before | {name: _stage(before.get(name), value[name]) for name in value}
        else:
            start = before if isinstance(before, Mapping) else {}
            merged[key] = merge(None, start, value, f"{path}{key}.")
    return merged


def _stage(before, value):
    """A recipe within a recipe with the settings of `value`; or the workdir of an earlier run."""
    if not isinstance(value, Mapping | ConfigDict):
        return value
    start = before if isinstance(before, Mapping) else defaults(schema_of(value))
    return changed(dict(start), value)


def _known(schema: type, settings: Mapping) -> dict:
    """Those settings that the schema has, nested ones too."""
    known, kept = fields(schema), {}
    open_ended = any(setting.mark(Rest) for setting in known.values())
    for key, value in settings.items():
        if key in known and is_schema(known[key].kind) and isinstance(value, Mapping | ConfigDict):
            kept[key] = _known(known[key].kind, value)
        elif key in known or open_ended:
            kept[key] = value
    return kept


def load_config(name: str | Path) -> ConfigDict:
    """The configuration of a recipe, `configs/NAME.py[:VARIANT]`, or of a run, `DIR/config.json`.

    Raises UserError, in one line, if the file gives none.
    """
    path, _, variant = str(name).partition(":")
    if not Path(path).is_file():
        files = [*Path(path).parent.glob("*.py"), *Path("configs").glob("*.py")]
        raise UserError(f"no recipe at {path}{nearest(path, files)}; docs/zoo.md shows all recipes")
    if path.endswith(".json"):
        try:
            return complete(json.loads(Path(path).read_text()))
        except (ValueError, AttributeError) as error:
            raise UserError(f"{path} is not a run's config.json: {error}") from error
    settings = _get_config(path)(variant) if variant else _get_config(path)()
    if not isinstance(settings, Mapping | ConfigDict):
        raise UserError(f"get_config of {path} must return settings, not {settings!r}")
    return ConfigDict(_settings(ConfigDict(settings).to_dict()))


def _get_config(path: str):
    """The function of a recipe's file that makes its configuration."""
    spec = importlib.util.spec_from_file_location("recipe", path)
    if spec is None:
        raise UserError(f"{path} is not a recipe: give a file like configs/NAME.py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except UserError:
        raise
    except Exception as error:  # A user's file may raise anything.
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UserError(
            f"{path}{line} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    function = getattr(module, "get_config", None)
    if not callable(function):
        raise UserError(f'{path} has no function get_config(variant=""), which returns settings')

    def get_config(*variant):
        try:
            inspect.signature(function).bind(*variant)
        except TypeError as error:
            raise UserError(f"get_config of {path} takes no variant: leave out :NAME") from error
        return function(*variant)

    return get_config


def derive(name: str | Path, changes: dict) -> ConfigDict:
    """Another recipe, `configs/NAME.py[:VARIANT]`, with `changes`.

    A variant keeps its own number of steps.
    """
    if str(name).partition(":")[2]:
        changes = {key: value for key, value in changes.items() if key != "steps"}
    return ConfigDict(_settings(changed(load_config(name).to_dict(), changes)))


def _settings(stated: Mapping) -> dict:
    """The settings that a recipe states, and the defaults of its system for the others.

    A stage with the same data shares them, so that an override of the recipe's data reaches both.
    """
    schema = schema_of(stated)
    settings = merge(schema, defaults(schema), stated)
    for name, stage in stated.get("stages", {}).items():
        if _same_data(stage, stated):
            settings["stages"][name]["data"] = settings["data"]
    return settings


def differences(old: Mapping, new: Mapping, free: bool = True) -> list[str]:
    """How two configurations differ: "key: old, now new", the system first.

    free  whether to leave out settings that may differ between a run and its continuation
    """
    old, new = _as_json(old), _as_json(new)
    if old.get("system") != new.get("system"):
        return [f"system: {old.get('system')!r}, now {new.get('system')!r}"]
    if free:
        schema = schema_of(old)
        old, new = (_without(schema, s, lambda mark: True) for s in (old, new))
        for name, setting in fields(schema).items():
            if name in old and name in new and (stages := setting.mark(Recipes)):
                a, b = old[name], new[name]
                old[name], new[name] = (
                    stages.read_in_training(a, b), stages.read_in_training(b, a)
                )  # fmt: skip
    return list(_differences(old, new, ""))


def of_training(settings: Mapping) -> dict:
    """The settings that training depends on, as config.json holds them."""
    return _without(schema_of(settings), _as_json(settings), lambda mark: not mark.trains)


def _without(schema, settings: dict, drop: Callable[[Restartable], bool]) -> dict:
    """The settings but those with a mark that is to be dropped, nested ones too."""
    known, kept = fields(schema) if schema else {}, {}
    for key, value in settings.items():
        setting = known.get(key)
        mark = setting and setting.mark(Restartable)
        if mark is not None and drop(mark):
            continue
        part = setting.kind if setting and is_schema(setting.kind) else None
        kept[key] = _without(part, value, drop) if isinstance(value, dict) else value
    return kept


def _differences(old: dict, new: dict, path: str) -> Iterator[str]:
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differences(a, b, f"{path}{key}.")
        elif a != b:
            yield f"{path}{key}: {a!r}, now {b!r}"


def _as_json(settings: Mapping) -> dict:
    """As config.json holds it: lists for tuples."""
    return json.loads(ConfigDict(settings).to_json_best_effort())


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
