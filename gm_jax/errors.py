"""The one error that is part of the interface."""


class UserError(ValueError):
    """What was asked for cannot be done as asked; the message is one line that says what to do."""
