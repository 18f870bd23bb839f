"""gm_jax: generative models as games of pure functions."""

from gm_jax.errors import UserError
from gm_jax.recipes import load_config
from gm_jax.run import Trained, apply, build, load, sample, save_samples, show, train
from gm_jax.scoring import evaluate, report

__all__ = [
    "Trained",
    "UserError",
    "apply",
    "build",
    "evaluate",
    "load",
    "load_config",
    "report",
    "sample",
    "save_samples",
    "show",
    "train",
]
