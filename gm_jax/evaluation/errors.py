"""The one error of this package: an input that cannot be judged, said in one line."""


class EvaluationError(ValueError):
    """What is wrong, where, and what to do about it, in one line."""
