"""Log-likelihoods of models that know their density up to a constant, which AIS estimates.

The model has the functions

    annealing      a run an example: {"log_weight" [B]}, the mean of whose exp is Z
    unnormalised   {name [B]}: log-likelihoods, or a bound on them, plus log Z
"""

import math

import numpy as np

from gm_jax import data
from gm_jax.errors import UserError
from gm_jax.trained import Trained, apply

RUNS = 2  # at least: one has no deviation


def partition(trained: Trained, runs: int) -> dict[str, dict]:
    """log_z by `runs` runs of AIS, and with it annealed_NAME for each value of `unnormalised`.

    The latter over the whole split. Each has an `interval` of three standard deviations of the
    mean weight, in logs, and the number of runs that are `effective`. The estimate of Z is
    unbiased, so log Z is low on average, and log-likelihoods are flattered.
    Raises UserError if the model has no such functions.
    """
    for name in ("annealing", "unnormalised"):
        if name not in trained.functions:
            raise UserError(
                f"evaluate.annealing needs a model with a function {name}; this one has:"
                f" {', '.join(trained.functions)}"
            )
    if runs < RUNS:
        raise UserError(f"evaluate.annealing is {runs}: take at least {RUNS} runs")
    weights = np.concatenate([p["log_weight"] for p in apply(trained, "annealing", runs)])
    log_z = estimate(weights)
    results, split = {"log_z": log_z}, trained.config.evaluate.split
    size = data.open_source(trained.phase.data, split).size
    if size is None:
        raise UserError(f"evaluate.annealing needs a split of finite size, and {split} is endless")
    parts = list(apply(trained, "unnormalised", size, split))
    for name in parts[0]:
        values = np.concatenate([part[name] for part in parts]).astype(np.float64)
        low, high = log_z["interval"]
        bound = {"bound": "lower"} if name.endswith("bound") else {}
        results[f"annealed_{name}"] = {
            "value": float(values.mean() - log_z["value"]),
            "standard_error": float(values.std(ddof=1) / np.sqrt(size)),
            "examples": size,
            "split": split,
            "interval": [
                float(values.mean() - high),
                None if low is None else float(values.mean() - low),
            ],
            "runs": runs,
            "effective": log_z["effective"],
            **bound,
        }
    return results


def estimate(log_weights: np.ndarray) -> dict:
    """log of the mean of exp(log_weights) [N], its interval, and how many runs carry it.

    The interval is log(m -+ 3 s / sqrt(N)), m and s the mean and deviation of the weights; its
    lower end is None if that is no number. `effective` is (sum w)^2 / sum w^2.
    """
    log_weights = np.asarray(log_weights, np.float64)
    top = log_weights.max()
    weights = np.exp(log_weights - top)
    mean, spread = weights.mean(), 3.0 * weights.std(ddof=1) / math.sqrt(len(weights))
    low = float(top + math.log(mean - spread)) if mean > spread else None
    return {
        "value": float(top + math.log(mean)),
        "interval": [low, float(top + math.log(mean + spread))],
        "runs": len(weights),
        "effective": float(weights.sum() ** 2 / (weights**2).sum()),
    }


def said(row: dict) -> str:
    """The interval and the effective runs of a row, as text."""
    low, high = ("none" if end is None else f"{end:.4f}" for end in row["interval"])
    return f" [{low}, {high}] by {row['runs']} runs, {row['effective']:.1f} effective"
