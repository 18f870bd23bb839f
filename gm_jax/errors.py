"""The errors and notes that are part of the interface."""

import sys


class UserError(ValueError):
    """A request that cannot be carried out; its message is one line that says what to do."""


class NotFinite(UserError):
    """A loss became NaN or infinite."""


def note(text: str) -> None:
    """Tells the user, in one line on stderr, what is not a mistake but should not go unnoticed."""
    print(f"note: {text}", file=sys.stderr, flush=True)


def one_of(kind: str, name: str, known) -> None:
    """Raises UserError listing the known names if `name` is not one of them."""
    if name not in known:
        raise UserError(f"unknown {kind} {name!r}; choose one of: {', '.join(known)}")


def choose(kind: str, name: str, table):
    """`table[name]`, or the error of `one_of`."""
    one_of(kind, name, table)
    return table[name]
