"""The one error of this package: an input that cannot be evaluated, in one line."""

from gm_jax.errors import UserError


class EvaluationError(UserError):
    """What is wrong, where, and what to do about it, in one line."""
