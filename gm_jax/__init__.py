"""gm_jax: generative models as games of pure functions."""

from gm_jax.errors import UserError
from gm_jax.recipes import load_config
from gm_jax.run import build, load, train
from gm_jax.scoring import evaluate, report
from gm_jax.study import study
from gm_jax.trained import Trained, apply, sample, save_samples, show

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
    "study",
    "train",
]
