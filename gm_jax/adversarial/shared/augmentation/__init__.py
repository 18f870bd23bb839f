"""Augmentation of all that D sees, real and generated, which G's gradient goes through.

Karras et al. 2020 (ADA, arXiv 2006.06676), appendix B: each change is made with probability p, one
draw an example. A random change that only some of the images undergo does not leak into what is
generated, and p follows how often D is right on real images:

    p <- p + sign(mean sign D(x) - target) images seen / speed,    kept in [0, 1]

    draws        pipelines, and the random numbers of each example
    geometry     flips, turns, shifts, and affine maps of the coordinates
    colour       one affine map of each pixel
    corruption   gains of four bands of frequencies, noise, and a square that is cut out
    probability  p and its settings
"""

from gm_jax.adversarial.shared.augmentation.colour import colours, recoloured
from gm_jax.adversarial.shared.augmentation.corruption import banded, cut
from gm_jax.adversarial.shared.augmentation.draws import (
    COLOUR,
    GEOMETRY,
    PIPELINES,
    PIXELS,
    Draws,
    draw,
)
from gm_jax.adversarial.shared.augmentation.geometry import coordinates, moved
from gm_jax.adversarial.shared.augmentation.probability import (
    Augmentation,
    adapted,
    counted,
    init,
)
from gm_jax.model import Array

__all__ = [
    "COLOUR", "GEOMETRY", "PIPELINES", "PIXELS", "Augmentation", "Draws", "adapted", "augmented",
    "counted", "draw", "init",
]  # fmt: skip


def augmented(x: Array, draws: Draws, pipeline: str) -> Array:
    """Images [B, H, W, C], changed as drawn; differentiable in them, and twice."""
    names = set(PIPELINES[pipeline])
    if names & {*PIXELS, *GEOMETRY}:
        x = moved(x, coordinates(draws, x.shape[1:3]))
    if names & {*COLOUR}:
        x = recoloured(x, colours(draws))
    if "bands" in names:
        x = banded(x, draws.bands)
    if "noise" in names:
        x = x + draws.noise.astype(x.dtype)
    return cut(x, draws.cutout) if "cutout" in names else x
