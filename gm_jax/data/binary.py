"""Images in black and white: drawn once and for all, or redrawn at each visit.

"fixed"    pixel = 255 with probability grey/255, by a draw keyed by the split's name and the
           example's number in it, and by the entry's name if it is not `image`: the same image at
           every visit, in every run. The draws are our own, so this is not the file of
           Larochelle & Murray 2011 (binarized_mnist)
"redrawn"  the same with new draws at each visit (Burda et al. 2015), on the device, by `prepare`
"""

import numpy as np

from gm_jax.data.kinds import of_kind
from gm_jax.data.source import Source


def binarized(source: Source, how: str, split: str) -> Source:
    """The source with its images binarised as `how` says; "" leaves them as they are."""
    images = of_kind(source.spec, "image")
    if not how or not images:
        return source
    spec = {**source.spec, **{name: source.spec[name]._replace(cardinality=2) for name in images}}
    if how == "redrawn":
        return source._replace(spec=spec)

    def fixed(batch: dict[str, np.ndarray], indices: np.ndarray) -> dict[str, np.ndarray]:
        drawn = {name: _draw(batch[name], indices, split, name) for name in images}
        return {**batch, **drawn}

    visit = source.visit and (lambda indices, draws: fixed(source.visit(indices, draws), indices))
    return source._replace(
        load=lambda indices: fixed(source.load(indices), indices), visit=visit, spec=spec
    )


def _draw(image: np.ndarray, indices: np.ndarray, split: str, name: str) -> np.ndarray:
    """Images [n, ...] in black and white, by draws of its own for each example and entry."""
    stream = list((split if name == "image" else f"{split} {name}").encode())

    def thresholds(number: int) -> np.ndarray:
        # A grey value g of 255 exceeds g of these equally likely 255.
        draw = np.random.default_rng([*stream, int(number)])
        return draw.integers(0, 255, image.shape[1:], np.uint8)

    levels = np.stack([thresholds(number) for number in indices])
    return np.where(image > levels, 255, 0).astype(np.uint8)
