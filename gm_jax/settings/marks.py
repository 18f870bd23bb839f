"""What is annotated to a setting: the checks of its value, and what it is to a run."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """A check of one value, and the names to choose from, if it is a choice.

    wrong  value -> what is wrong with it, or ""
    """

    wrong: Callable[[Any], str]
    choices: Any = ()


def at_least(bound: float) -> Rule:
    """value >= bound."""
    return Rule(lambda value: "" if value >= bound else f"must be at least {bound}")


def above(bound: float) -> Rule:
    """value > bound."""
    return Rule(lambda value: "" if value > bound else f"must be above {bound}")


def at_most(bound: float) -> Rule:
    """value <= bound."""
    return Rule(lambda value: "" if value <= bound else f"must be at most {bound}")


def below(bound: float) -> Rule:
    """value < bound."""
    return Rule(lambda value: "" if value < bound else f"must be below {bound}")


def one_of(table) -> Rule:
    """A name from a table, or from any other iterable of names."""

    def wrong(value):
        names = [name or '""' for name in table]
        return (
            "" if value in table else f"must be one of: {', '.join(names)}{nearest(value, names)}"
        )

    return Rule(wrong, tuple(table))  # Hashable, as a type that it marks must be.


class Restartable(NamedTuple):
    """Marks settings that may differ between a run and its continuation.

    trains  whether another value is another training, such as of more rounds or of data elsewhere;
            the others are about the use of a trained model and about reports
    """

    trains: bool = False


class Recipes(NamedTuple):
    """Marks a dict of recipes within a recipe, each with the schema of its own system.

    late  names of those that only functions read, never an objective; "" for none. They may come,
          go and change after training
    """

    late: tuple[str, ...] = ()

    def read_in_training(self, stages: Mapping, before: Mapping) -> dict:
        """`stages` without the late ones, but with those that a run trains, now and `before`."""
        trained = {n for n, s in stages.items() if isinstance(s, Mapping)}
        trained &= {n for n, s in before.items() if isinstance(s, Mapping)}
        return {n: s for n, s in stages.items() if n not in self.late or n in trained}


class Rest(NamedTuple):
    """Marks the dict that takes the keys no field has, such as the arguments of an optimizer.

    offered  keys that the command line can always set; None leaves them out
    """

    offered: tuple[str, ...] = ()


def nearest(name, known) -> str:
    """A hint at the name that was meant, or ""."""
    near = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    return f" (did you mean {near[0]}?)" if near else ""
