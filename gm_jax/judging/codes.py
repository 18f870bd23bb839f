"""How near the codes of a split are to the prior that they are meant to follow.

The model has the functions `prior`, draws of it, and `encode`, a draw of each example's code; both
return codes [B, D] as `point` or `latent`. `own_part` tells whether a code is in its label's part.
"""

import numpy as np
from scipy.spatial.distance import cdist

from gm_jax.errors import UserError
from gm_jax.trained import Trained, sample

OTHER_SEED = 1  # of a second draw of the prior


def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'| of samples [N, D] and [M, D]: 0 if they are alike.

    Szekely & Rizzo 2013 (J. Stat. Plan. Inference 143); each mean over all pairs, so never below 0.
    """
    between, within_a, within_b = (cdist(*pair).mean() for pair in ((a, b), (a, a), (b, b)))
    return float(2.0 * between - within_a - within_b)


def to_prior(trained: Trained, count: int) -> dict[str, dict]:
    """energy_distance_to_prior of `count` codes of the split, beside that of other draws of it.

    And own_part, the share of them in their label's part of the prior, if it has parts. Raises
    UserError if the model has no prior of codes.
    """
    for name in ("prior", "encode"):
        if name not in trained.functions:
            raise UserError(
                f"evaluate.codes needs a model with a function {name}; this one has:"
                f" {', '.join(trained.functions)}"
            )

    def codes(function, split="train", seed=None):
        outputs = sample(trained, count, function, split, seed=seed)
        return np.float64(next(outputs[name] for name in ("point", "latent") if name in outputs))

    split, prior = trained.config.evaluate.split, codes("prior")
    seed = trained.config.sample.seed + OTHER_SEED
    about = {"examples": count, "split": split}
    distance = {
        "value": energy_distance(codes("encode", split), prior),
        "real_against_real": energy_distance(codes("prior", seed=seed), prior),
    }
    results = {"energy_distance_to_prior": {**distance, **about}}
    if "own_part" in trained.functions:
        hits = sample(trained, count, "own_part", split)["own_part"]
        error = float(np.std(hits, ddof=1) / np.sqrt(count))
        row = {"value": float(np.mean(hits)), "standard_error": error}
        results["own_part"] = {**row, **about}
    return results
