"""Images in black and white: drawn once and for all, or anew at each visit.

"fixed"    pixel = 255 with probability grey/255, by a draw keyed by the split's name and the
           example's number in it: the same image at every visit, in every run. The draws are our
           own, so this is not the file of Larochelle & Murray 2011 (binarized_mnist)
"redrawn"  the same at each visit anew (Burda et al. 2015), done on the device by `prepare`
"""

import numpy as np

from gm_jax.data.source import Source
from gm_jax.errors import UserError
from gm_jax.model import Field


def binarized(source: Source, how: str, split: str) -> Source:
    """The source as `how` says, "" for as it is; its images then take two values.

    Raises UserError where `how` is none of these.
    """
    if not how or "image" not in source.spec:
        return source
    if how not in ("fixed", "redrawn"):
        raise UserError(f'data.binarize is {how!r}: it can be "fixed", "redrawn" or "" (grey)')
    image = source.spec["image"]
    load = _fixed(source, split) if how == "fixed" else source.load
    return source._replace(load=load, spec={**source.spec, "image": Field(image.shape, 2)})


def _fixed(source: Source, split: str):
    name = list(split.encode())

    def thresholds(number: int) -> np.ndarray:
        # A grey value g of 255 exceeds g of these equally likely 255.
        draw = np.random.default_rng([*name, int(number)])
        return draw.integers(0, 255, source.spec["image"].shape, np.uint8)

    def load(indices: np.ndarray) -> dict[str, np.ndarray]:
        batch = source.load(indices)
        levels = np.stack([thresholds(number) for number in indices])
        return {**batch, "image": np.where(batch["image"] > levels, 255, 0).astype(np.uint8)}

    return load
