"""p, the probability of each change, which follows how often D is right on real images."""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import replicas
from gm_jax.adversarial.shared.augmentation.draws import PIPELINES
from gm_jax.model import Array
from gm_jax.settings import above, at_least, at_most, one_of, schema


@schema
class Augmentation:
    """Of what D sees.

    name    the authors' pipelines: bgc is flips, turns, shifts, scaling, rotation and colour; f
            adds gains of four bands of frequencies, n noise and c a hole; "" for no augmentation
    p       the probability of each change, at the start
    target  of the mean sign of D on real images, to which p adapts; if not set, p stays
    speed   images in which p could go from 0 to 1
    every   rounds between two changes of p
    """

    name: Annotated[str, one_of(("", *PIPELINES))] = ""
    p: Annotated[float, at_least(0.0), at_most(1.0)] = 0.0
    target: float | None = 0.6
    speed: Annotated[float, above(0.0)] = 500_000.0
    every: Annotated[int, at_least(1)] = 4


def init(settings: Augmentation) -> dict[str, Array]:
    """The entry of the state: p, and the sum and number of signs since it changed."""
    return {"p": jnp.float32(settings.p), "signs": jnp.float32(0.0), "count": jnp.float32(0.0)}


def counted(state: dict[str, Array], logits: Array) -> dict[str, Array]:
    """The state with the signs of D's logits [B] on real images."""
    signs = replicas.mean(jnp.mean(jnp.sign(logits)))
    return {**state, "signs": state["signs"] + signs, "count": state["count"] + 1.0}


def adapted(settings: Augmentation, state: dict[str, Array], step: Array, images: int) -> dict:
    """The state with another p, if it is time; `images` in the global batch."""
    if settings.target is None:
        return state
    mean = state["signs"] / jnp.maximum(state["count"], 1.0)
    change = jnp.sign(mean - settings.target) * (images * settings.every / settings.speed)
    due = step % settings.every == 0
    fresh = {"p": jnp.clip(state["p"] + change, 0.0, 1.0)} | dict.fromkeys(
        ("signs", "count"), jnp.zeros_like(mean)
    )
    return jax.tree.map(lambda new, old: jnp.where(due, new, old), fresh, state)
