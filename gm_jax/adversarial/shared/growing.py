"""Growing: both networks are trained on small images first, and on larger ones in later phases.

Karras et al. 2018 (ProGAN, arXiv 1710.10196), section 2. At each side of the images one phase,
before which the layers of that side fade in during another; each with fresh optimizers. Real
images are halved to the side of the phase and, while layers fade in, mixed with themselves at half
that side by the share of the new layers.

The share rises with the round from 0 to 1 (figure 2). It is part of the state, for samples are
drawn with it, too.
"""

from typing import Annotated, NamedTuple

import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array, Variables
from gm_jax.nn.layers import Size, doubled, halved
from gm_jax.nn.progan import FIRST, mixed
from gm_jax.settings import Recipe, Rule, at_least, schema

POWER_OF_TWO = Rule(
    lambda side: "" if side >= FIRST and not side & (side - 1) else f"must be {FIRST}, 8, 16, ..."
)


@schema
class Growing(Recipe):
    """A GAN that grows.

    steps    rounds of the last phase, at the images' side
    first    side at which it begins; the images' for a GAN that does not grow
    stable   rounds at each smaller side, with all layers of that side
    fade     rounds in which the layers of a side fade in
    latents  size of z
    density  features of a map times its side
    most     features of a map, at most
    """

    first: Annotated[int, POWER_OF_TWO] = FIRST
    stable: Annotated[int, at_least(0)] = 1000
    fade: Annotated[int, at_least(0)] = 1000
    latents: Size = 512
    density: Size = 16384
    most: Size = 512


class Growth(NamedTuple):
    """A phase: some rounds at one side of the images, in which its layers fade in or are there."""

    side: int
    fading: bool
    steps: int

    @property
    def name(self) -> str:
        """Of the phase."""
        return f"{'fade' if self.fading else 'stable'}_{self.side}"

    def share_at(self, step: Array | int) -> tuple[Array | float, dict[str, Array]]:
        """The new layers' share of the image in a round, and the state that holds it."""
        if not self.fading:
            return 1.0, {}
        share = jnp.asarray(step) / self.steps
        return share, {"share": share}

    def real(self, x: Array, share: Array | float) -> Array:
        """Real images [B, H, W, C] as D sees them in this phase."""
        while x.shape[1] > self.side:
            x = halved(x)
        return mixed(doubled(halved(x)), x, share) if self.fading else x


def growths(settings: Growing, shape: tuple[int, int, int]) -> list[Growth]:
    """The phases of a recipe for images of `shape`, without those that have no rounds.

    Raises UserError if they are not squares whose side is `first`, doubled some times.
    """
    side, width, _ = shape
    if side != width:
        raise UserError(f"a GAN that grows makes square images, not {side}x{width}: set data.size")
    sides = [settings.first]
    while sides[-1] < side:
        sides.append(2 * sides[-1])
    if sides[-1] != side:
        raise UserError(
            f"images of {side}x{side} are not {settings.first}x{settings.first} (first) doubled:"
            " set data.size to a power of 2, and first to one up to it"
        )
    found = []
    for own in sides:
        fade = settings.fade if own > settings.first else 0
        found.append(Growth(own, True, fade))
        found.append(Growth(own, False, settings.stable if own < side else settings.steps))
    return [growth for growth in found if growth.steps]


def grown(fresh: Variables, previous: Variables | None) -> Variables:
    """Fresh variables with the layers of the phase before, and their state, as they ended."""
    if previous is None:
        return fresh

    def kept(new, old):
        if not isinstance(new, dict):
            return old
        return {k: kept(value, old[k]) if k in old else value for k, value in new.items()}

    params, state = kept(fresh.params, previous.params), kept(fresh.state, previous.state)
    return fresh._replace(params=params, state=state)


def enlarged(x: Array, side: int) -> Array:
    """Images [B, h, h, C] at a larger side, each pixel repeated."""
    while x.shape[1] < side:
        x = doubled(x)
    return x
