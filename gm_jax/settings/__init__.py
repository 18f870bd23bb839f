"""What can be set, each thing stated once: schemas, and what every recipe has."""

from gm_jax.settings.describe import describe
from gm_jax.settings.marks import (
    Recipes,
    Rest,
    Restartable,
    Rule,
    above,
    at_least,
    at_most,
    below,
    nearest,
    one_of,
)
from gm_jax.settings.parts import arguments, part_of
from gm_jax.settings.recipe import Data, Recipe
from gm_jax.settings.schema import (
    as_dict,
    defaults,
    fields,
    is_schema,
    read,
    schema,
    unknown_setting,
)

__all__ = [
    "Data",
    "Recipe",
    "Recipes",
    "Rest",
    "Restartable",
    "Rule",
    "above",
    "arguments",
    "as_dict",
    "at_least",
    "at_most",
    "below",
    "defaults",
    "describe",
    "fields",
    "is_schema",
    "nearest",
    "one_of",
    "part_of",
    "read",
    "schema",
    "unknown_setting",
]
