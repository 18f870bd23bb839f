"""gm_jax: generative models as games of pure functions."""

from gm_jax.errors import UserError
from gm_jax.recipes import load_config
from gm_jax.run import Trained, apply, build, load, sample, show, train

__all__ = ["Trained", "UserError", "apply", "build", "load", "load_config", "sample", "show", "train"]
