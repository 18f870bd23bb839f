"""Codes of which some are random: how they are noised, and how they are found again in a few steps.

Rampas et al. 2022 (Paella, arXiv 2211.07292), section 3, and the code of its authors.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import uniform


def random_codes(keys: Array, length: int, count: int) -> Array:
    """Codes [B, length], each of the `count` values equally likely."""
    return jax.vmap(lambda key: jax.random.randint(key, (length,), 0, count))(keys)


def noised(codes: Array, noise: Array, share: Array, keys: Array) -> tuple[Array, Array]:
    """Codes [B, N] in which each is that of `noise` with probability `share` [B], and which are.

    At share 1 nothing of the codes is left, at share 0 all of them.
    """
    chosen = uniform(keys, codes.shape[1:]) < share[:, None]
    return jnp.where(chosen, noise, codes), chosen


def weights(chosen: Array, share: Array, discount: float) -> Array:
    """1 - (1 - chosen) (1 - share) discount, [B, N]: codes that are shown as they are count less.

    The fewer codes are noised, the less they count: the network could copy them.
    """
    return 1.0 - (1.0 - chosen) * (1.0 - share[:, None]) * discount


def decode(
    logits_of: Callable[[Array, Array], Array],
    codes: Array,
    noise: Array,
    known: Array,
    keys: Array,
    start: float,
    steps: int,
    renoised: int,
    temperatures: tuple[float, float],
) -> Array:
    """Codes [B, N] that are drawn in `steps` rounds where they are not `known` [B, N].

    Each round draws all codes from logits_of(codes, share) / temperature; then, in the first
    `renoised` rounds, a share of them that falls in equal steps from `start` to 0 is noised again,
    at positions that are drawn anew, always by the same `noise` [B, N].
    temperatures  of the first and the last round
    """
    shares = jnp.linspace(start, 0.0, steps + 1)
    tempered = jnp.linspace(*temperatures, steps)

    def at(keys, codes, share):
        codes, _ = noised(codes, noise, share, keys)
        return codes

    def round_(shown, number):
        share, next_share = (jnp.full(len(codes), shares[n]) for n in (number, number + 1))
        own = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, number + 1)))(keys)
        logits = logits_of(shown, share) / tempered[number]
        drawn = jax.vmap(jax.random.categorical)(own[:, 0], logits)
        again = jnp.where(number < renoised, next_share, 0.0)
        return jnp.where(known, codes, at(own[:, 1], drawn, again)), None

    first = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, 0)
    begun = jnp.where(known, codes, at(first, codes, jnp.full(len(codes), start)))
    found, _ = jax.lax.scan(round_, begun, jnp.arange(steps))
    return found
