"""Schemas of what already states its settings: Flax modules and functions."""

import dataclasses
import inspect
import typing
from typing import Any

import flax.linen as nn


def part_of(source, *without: str, **changed) -> type:
    """The schema of a Flax module's own fields, or of a function's arguments that have defaults.

    Meanings come from its docstring; `without` are those that the system itself decides.
    changed  {name: another default}
    """
    if inspect.isclass(source) and issubclass(source, nn.Module):
        without = (*without, "name", "parent")
        hints = typing.get_type_hints(source, include_extras=True)
        found = {f.name: f.default for f in dataclasses.fields(source)}
    else:
        hints = typing.get_type_hints(source, include_extras=True)
        parameters = inspect.signature(source).parameters.values()
        found = {p.name: p.default for p in parameters if p.default is not p.empty}
    found = {name: default for name, default in (found | changed).items() if name not in without}
    members = [
        (name, hints[name])
        if default is dataclasses.MISSING
        else (name, hints[name], dataclasses.field(default=default))
        for name, default in found.items()
    ]
    made = dataclasses.make_dataclass(source.__name__, members, frozen=True, kw_only=True)
    made.__doc__ = source.__doc__
    return made


def arguments(instance, *without: str) -> dict[str, Any]:
    """An instance's settings by name, to be passed on: `UNet(**arguments(settings.network))`."""
    names = (field.name for field in dataclasses.fields(instance))
    return {name: getattr(instance, name) for name in names if name not in without}
