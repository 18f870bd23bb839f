"""Schemas: the settings of a system, a network or a data set, each stated once.

A schema is a frozen dataclass. Its annotations are the checks (`settings.marks`), its defaults what
a recipe starts from, its docstring the help: a line for each field, with its name, two spaces and
its meaning.

    @schema
    class Sampler:
        \"\"\"From noise to image.

        name   the sampler
        steps  evaluations of the network
        \"\"\"

        name: Annotated[str, one_of(SAMPLERS)] = "ddim"
        steps: Annotated[int, at_least(1)] = 50

`defaults` gives the dict that a recipe starts from, `read` a checked instance of the finished
recipe, `describe` the text of --help. A method `wrong` yields one line for each combination of
choices that is not allowed.
"""

import dataclasses
import functools
import inspect
import math
import re
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
from ml_collections import config_dict
from ml_collections.config_dict import FieldReference

from gm_jax.errors import UserError
from gm_jax.settings.marks import Recipes, Rest, Rule, nearest

schema = dataclasses.dataclass(frozen=True, kw_only=True)


class Setting(NamedTuple):
    """One field of a schema.

    kind     its type without marks: int, tuple[int, ...], another schema, ...
    default  dataclasses.MISSING if the recipe must state it
    marks    what was annotated
    """

    name: str
    kind: Any
    default: Any
    marks: tuple
    meaning: str

    def mark(self, kind):
        """The first mark of a kind, or None."""
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)


def is_schema(kind) -> bool:
    """Whether a setting's type is a schema."""
    return dataclasses.is_dataclass(kind)


@functools.cache
def fields(of: type) -> dict[str, Setting]:
    """The settings of a schema, in the order of their definition, by name."""
    meanings = {}
    for cls in reversed(of.__mro__):
        meanings |= _meanings(cls.__dict__.get("__doc__") or "")
    hints = typing.get_type_hints(of, include_extras=True)
    found = {}
    for field in dataclasses.fields(of):
        kind, marks = _split(hints[field.name])
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        for mark in marks:
            if isinstance(mark, Recipes):
                default = dict.fromkeys(mark.late, "") | default
        meaning = meanings.get(field.name, "")
        found[field.name] = Setting(field.name, kind, default, marks, meaning)
    return found


def defaults(of: type) -> dict[str, Any]:
    """The settings that a recipe begins with, as nested dicts, without those it must state."""
    return _plain(of, {name: setting.default for name, setting in fields(of).items()})


def as_dict(instance) -> dict[str, Any]:
    """An instance of a schema as nested dicts, as a recipe would hold it."""
    names = [field.name for field in dataclasses.fields(instance)]
    return _plain(type(instance), {name: getattr(instance, name) for name in names})


def _plain(of: type, values: Mapping) -> dict[str, Any]:
    plain = {}
    for name, setting in fields(of).items():
        value = values[name]
        rest = setting.mark(Rest)
        if value is dataclasses.MISSING:
            continue
        if rest:
            plain |= {key: config_dict.placeholder(object) for key in rest.offered} | dict(value)
        elif dataclasses.is_dataclass(value):
            plain[name] = as_dict(value)
        elif value is None:
            plain[name] = config_dict.placeholder(_without_none(setting.kind))
        else:
            plain[name] = value
    return plain


def read(of: type, config, path: str = ""):
    """A checked instance of a schema from a recipe's ConfigDict, a dict or an instance.

    path  the prefix of a setting's name in messages: "optimizer."
    Raises UserError, in one line that names the setting, if one is unknown, missing, of another
    type, out of bounds, or does not go with another.
    """
    if isinstance(config, of):
        return config
    if not isinstance(config, Mapping | config_dict.ConfigDict):
        raise UserError(f"{path[:-1]} is {config!r}: it must be a group of settings")
    given = {k: v.get() if isinstance(v, FieldReference) else v for k, v in config.items()}
    known = fields(of)
    rest = next((s for s in known.values() if s.mark(Rest)), None)
    unknown = [key for key in given if key not in known or (rest and key == rest.name)]
    values = {}
    if rest:
        values[rest.name] = {k: given[k] for k in unknown if given[k] is not None}
    elif unknown:
        raise UserError(unknown_setting(path, unknown[0], known))
    for name, setting in known.items():
        if setting is rest:
            continue
        if name in given:
            values[name] = _value(setting.kind, setting.marks, given[name], f"{path}{name}")
        elif setting.default is dataclasses.MISSING:
            raise UserError(f"{path}{name} is missing: the recipe must state it")
    instance = of(**values)
    for message in getattr(instance, "wrong", tuple)():
        raise UserError(f"{path[:-1]}: {message}" if path else message)
    return instance


def unknown_setting(path: str, name: str, known) -> str:
    """The message for a setting that a schema does not have."""
    return (
        f"unknown setting {path}{name}{nearest(name, known)}; there are:"
        f" {', '.join(sorted(known)) or 'none'}"
    )


def _value(kind, marks, value, path: str):
    """One setting's value, converted to its type and checked."""
    if is_schema(kind):
        return read(kind, value, f"{path}.")
    converted = _converted(kind, value, path)
    for mark in marks:
        message = mark.wrong(converted) if isinstance(mark, Rule) and value is not None else ""
        if message:
            raise UserError(f"{path} is {value!r}: it {message}")
    return converted


def _converted(kind, value, path: str):
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(value, np.generic):
        value = value.item()
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _converted(_without_none(kind), value, path)
    if kind is Any:
        return value
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(kinds) == len(value):
            return tuple(_value(*_split(k), v, path) for k, v in zip(kinds, value, strict=True))
    elif origin is dict and isinstance(value, Mapping | config_dict.ConfigDict):
        return {k: _value(*_split(inner[1]), v, f"{path}.{k}") for k, v in value.items()}
    elif type(value) is kind and kind is not float:
        return value
    raise UserError(f"{path} is {value!r}: it must be {_said(kind)}")


def _said(kind) -> str:
    """A type as a person says it."""
    plain = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
    if kind in plain:
        return plain[kind]
    origin, inner = typing.get_origin(kind), [_split(k)[0] for k in typing.get_args(kind)]
    if origin is tuple and inner[-1] is not Ellipsis:
        return f"{len(inner)} values ({', '.join(_said(k) for k in inner)})"
    if origin is tuple:
        return f"a list in parentheses, each {_said(inner[0])}"
    return "a group of settings"


def _split(hint) -> tuple[Any, tuple]:
    """A type and its marks."""
    annotated = typing.get_origin(hint) is Annotated
    kind, *marks = typing.get_args(hint) if annotated else (hint,)
    return kind, tuple(marks)


def _without_none(kind):
    """T of T | None."""
    kinds = [k for k in typing.get_args(kind) if k is not type(None)]
    return kinds[0] if kinds else kind


def _meanings(docstring: str) -> dict[str, str]:
    """{name: meaning} of the lines `name  meaning`, continued by indentation."""
    found, last = {}, ()
    for line in inspect.cleandoc(docstring).splitlines():
        entry = re.fullmatch(r"(\w+(?:, \w+)*)  +(\S.*)", line)
        if entry:
            last = entry[1].split(", ")
            found |= dict.fromkeys(last, entry[2])
        elif last and line.startswith("  "):
            found |= {name: f"{found[name]} {line.strip()}" for name in last}
        else:
            last = ()
    return found
