"""How well what a model makes agrees with its captions."""

import numpy as np

from gm_jax import data
from gm_jax.errors import UserError
from gm_jax.evaluation import shapes
from gm_jax.evaluation.uncertainty import share_interval
from gm_jax.trained import Trained, sample


def attributes(trained: Trained, counts: dict[str, int]) -> dict[str, dict]:
    """FUNCTION_right: the share of pictures or films of the shapes world that show their caption.

    counts  {function: examples of the split}; of `reconstruct`, which returns pairs, the second is
            judged: what no sample of latents can surpass
    Beside it the same share if captions are shuffled, and of each attribute its own share. Raises
    UserError for data whose captions cannot be judged.
    """
    split, results = trained.config.evaluate.split, {}
    source = data.open_source(trained.phase.data, split)
    if "attributes" not in source.spec:
        raise UserError(f"evaluate.attributes needs the data set shapes, not {source.name}")
    for name, count in counts.items():
        if not count:
            continue
        outputs = sample(trained, count, name, split)
        made, wanted = _pictures(outputs, name), source.load(np.arange(count))["attributes"]
        found = shapes.judge(made)
        floor = shapes.agreement(found, np.roll(wanted, 1, axis=0))["all"]
        for attribute, right in shapes.agreement(found, wanted).items():
            key = f"{name}_right" if attribute == "all" else f"{name}_right_{attribute}"
            results[key.replace(" ", "_")] = {**_share(right), "split": split}
        results[f"{name}_right"]["shuffled"] = float(np.mean(floor))
        if made.ndim == 5:
            results[f"{name}_constant"] = {**_share(shapes.constant(made)), "split": split}
    return results


def _pictures(outputs: dict, name: str) -> np.ndarray:
    """Pictures [n, H, W, 3] or films [n, T, H, W, 3] that a function returned."""
    if "video" in outputs:
        return outputs["video"]
    if "image" not in outputs:
        raise UserError(f"evaluate.attributes.{name}: that function returns no image or video")
    image = outputs["image"]
    return image[:, -1] if image.ndim == 5 else image


def _share(hits: np.ndarray) -> dict:
    """The share of hits [n], with its 95 % interval."""
    interval = share_interval(int(hits.sum()), len(hits))
    return {"value": float(np.mean(hits)), "interval95": interval, "examples": len(hits)}
