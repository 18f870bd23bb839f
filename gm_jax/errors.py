"""The one error that is part of the interface."""


class UserError(ValueError):
    """What was asked for cannot be done as asked; the message is one line that says what to do."""


def choose(kind: str, name: str, table):
    """`table[name]`. Raises UserError that names what there is, where it is not there."""
    if name not in table:
        raise UserError(f"unknown {kind} {name!r}; there are: {', '.join(table)}")
    return table[name]
