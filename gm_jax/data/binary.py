"""Images in black and white: drawn once and for all, or anew at each visit.

"fixed"    pixel = 255 with probability grey/255, by a draw keyed by the split's name and the
           example's number in it: the same image at every visit, in every run. The draws are our
           own, so this is not the file of Larochelle & Murray 2011 (binarized_mnist)
"redrawn"  the same at each visit anew (Burda et al. 2015), done on the device by `prepare`
"""

import numpy as np

from gm_jax.data.source import Source
from gm_jax.model import Field


def binarized(source: Source, how: str, split: str) -> Source:
    """The source as `how` says, "" for as it is; its images then take two values."""
    if not how or "image" not in source.spec:
        return source
    spec = {**source.spec, "image": Field(source.spec["image"].shape, 2)}
    if how == "redrawn":
        return source._replace(spec=spec)
    fixed = _fixed(source.spec["image"].shape, split)
    visit = source.visit and (lambda indices, draws: fixed(source.visit(indices, draws), indices))
    return source._replace(
        load=lambda indices: fixed(source.load(indices), indices), visit=visit, spec=spec
    )


def _fixed(shape: tuple[int, ...], split: str):
    """(batch, indices) -> batch, its images black and white by draws of each example's own."""
    name = list(split.encode())

    def thresholds(number: int) -> np.ndarray:
        # A grey value g of 255 exceeds g of these equally likely 255.
        return np.random.default_rng([*name, int(number)]).integers(0, 255, shape, np.uint8)

    def draw(batch: dict[str, np.ndarray], indices: np.ndarray) -> dict[str, np.ndarray]:
        levels = np.stack([thresholds(number) for number in indices])
        return {**batch, "image": np.where(batch["image"] > levels, 255, 0).astype(np.uint8)}

    return draw
