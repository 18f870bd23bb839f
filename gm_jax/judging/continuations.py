"""What it costs to predict the frames of a film without a model: beneath and above every model.

Films are grey, of 0 to 1, and a frame z costs H(z, y) = -sum z log y + (1 - z) log(1 - y) nats.
"""

import numpy as np

from gm_jax import data
from gm_jax.errors import UserError
from gm_jax.trained import Trained

CLIPPED = 0.05  # how near to black and white the frame before is taken at its word
TINY = 1e-6


def references(trained: Trained, count: int) -> dict[str, dict]:
    """Of the frames of `count` films of the split that the model predicts, in nats a frame:

    frame_floor   H(z, z), which no prediction is below
    frame_mean    predicted by the mean of so many training films' frames, pixel by pixel
    frame_before  predicted by the true frame before, clipped to 0.05 .. 0.95
    Raises UserError if the model does not continue films.
    """
    known, split = trained.config.get("known"), trained.config.evaluate.split
    opened = [data.open_source(trained.phase.data, name) for name in ("train", split)]
    if known is None or "video" not in opened[0].spec:
        raise UserError("evaluate.references needs a model that continues films: set it to 0")
    train, films = (source.load(np.arange(count))["video"] / 255.0 for source in opened)
    mean, scored = train[:, known:].mean((0, 1)), films[:, known:]
    predictions = {
        "floor": np.clip(scored, TINY, 1 - TINY),
        "mean": np.clip(mean, TINY, 1 - TINY),
        "before": np.clip(films[:, known - 1 : -1], CLIPPED, 1 - CLIPPED),
    }
    rows = {name: cross_entropy(scored, y).mean(1) for name, y in predictions.items()}
    return {
        f"frame_{name}": {
            "value": float(values.mean()),
            "standard_error": float(values.std(ddof=1) / np.sqrt(count)),
            "examples": count,
            "split": split,
        }
        for name, values in rows.items()
    }


def cross_entropy(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """H(z, y) of frames [N, T, H, W, C] of 0 to 1, [N, T]."""
    return -(z * np.log(y) + (1 - z) * np.log1p(-y)).sum((2, 3, 4))
