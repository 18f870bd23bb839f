"""The text of --help: every setting of a recipe, with its value and meaning."""

import dataclasses
from collections.abc import Iterator, Mapping

from ml_collections import ConfigDict

from gm_jax.settings.marks import Rest, Rule
from gm_jax.settings.schema import fields, is_schema


def describe(of: type, config: Mapping, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Every setting of a recipe: its name on the command line, its value, its meaning.

    Choices follow the meaning, and the default if the recipe has another value.
    """
    known = fields(of)
    for name, setting in known.items():
        if setting.mark(Rest):
            others = {key: config[key] for key in config if key not in known}
            for key, value in others.items():
                if value is not None:
                    yield f"{path}{key}", _shown(value), setting.meaning
            unset = [key for key, value in others.items() if value is None]
            yield f"{path}[{'|'.join(unset)}]", "None", setting.meaning
        elif is_schema(setting.kind):
            yield from describe(setting.kind, config[name], f"{path}{name}.")
        else:
            value = _shown(config[name]) if name in config else "(must be stated)"
            yield (
                f"{path}{name}",
                value,
                setting.meaning + _choices(setting) + _usual(setting, value),
            )


def _choices(setting) -> str:
    rules = [mark for mark in setting.marks if isinstance(mark, Rule)]
    names = [name or '""' for rule in rules for name in rule.choices]
    return f" [{', '.join(names)}]" if names else ""


def _usual(setting, value: str) -> str:
    if setting.default is dataclasses.MISSING or _shown(setting.default) == value:
        return ""
    return f" (default: {_shown(setting.default)})"


def _shown(value) -> str:
    if isinstance(value, Mapping | ConfigDict):
        nested = any(isinstance(v, Mapping | ConfigDict) for v in value.values())
        return ", ".join(value if nested else (f"{k}: {v}" for k, v in value.items())) or "{}"
    return str(tuple(value)) if isinstance(value, list | tuple) else str(value) or '""'
