"""The errors that are part of the interface."""


class UserError(ValueError):
    """What was asked for cannot be done as asked; the message is one line that says what to do."""


class NotFinite(UserError):
    """A loss that is no finite number any more."""


def one_of(kind: str, name: str, known) -> None:
    """Raises UserError that names what there is, where `name` is not among it."""
    if name not in known:
        raise UserError(f"unknown {kind} {name!r}; there are: {', '.join(known)}")


def choose(kind: str, name: str, table):
    """`table[name]`, or the error of `one_of`."""
    one_of(kind, name, table)
    return table[name]


def choose_part(kind: str, part, table):
    """What the `name` of a recipe's part stands for, and its settings.

    Those beside the name are for whichever is chosen, those under a name are that one's own, so
    that a recipe can hold several: `{"name": "mixture", "mixture": {"components": 10}, ...}`.
    """
    chosen = choose(kind, part["name"], table)
    shared = {key: value for key, value in part.items() if key not in ("name", *table)}
    return chosen, {**shared, **part.get(part["name"], {})}
