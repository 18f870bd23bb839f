"""Codes of which some are masked: how many, which, and how they are found again in a few steps.

Chang et al. 2022 (MaskGIT, arXiv 2202.04200), sections 3.2 and 3.3.
"""

import math
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp

from gm_jax.model import Array


def cosine(share: Array) -> Array:
    """gamma: the share of codes that is masked after this share of the steps; 1 at 0, 0 at 1."""
    return jnp.cos(0.5 * jnp.pi * share)


def masks(keys: Array, length: int, least: float) -> Array:
    """Which codes are masked in training, [B, length]: ceil(gamma(r) N) of them, r uniform.

    least  share of the codes that is masked at least
    """

    def one(key):
        share_key, order_key = jax.random.split(key)
        share = jnp.maximum(cosine(jax.random.uniform(share_key)), least)
        return _rank(jax.random.uniform(order_key, (length,))) < jnp.ceil(share * length)

    return jax.vmap(one)(keys)


def decode(
    logits_of: Callable[[Array], Array],
    codes: Array,
    known: Array,
    keys: Array,
    steps: int,
    mask: int,
    temperature: float,
) -> Array:
    """Codes [B, N] that are drawn in `steps` rounds where they are not `known` [B, N].

    Each round draws all masked codes and masks those again that it is least sure of:
    log p(drawn) + temperature (1 - r) Gumbel, of the untempered p. The answer is what the last
    round drew: after it nothing is masked, though each round but it masks one code at least.
    mask  the value of a masked code
    """
    unknown = jnp.sum(~known, axis=1)

    def round_(carry, number):
        codes, masked = carry
        log_p = jax.nn.log_softmax(logits_of(jnp.where(masked, mask, codes)))
        own = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, number)))(keys)
        drawn = jax.vmap(jax.random.categorical)(own[:, 0], log_p)
        codes = jnp.where(masked, drawn, codes)
        sure = jnp.take_along_axis(log_p, codes[..., None], axis=-1)[..., 0]
        noise = jax.vmap(lambda key: jax.random.gumbel(key, sure.shape[1:]))(own[:, 1])
        done = (number + 1) / steps
        sure = jnp.where(masked, sure + temperature * (1.0 - done) * noise, jnp.inf)
        left = jnp.clip(jnp.floor(cosine(done) * unknown), 1, jnp.maximum(unknown - 1, 0))
        return (codes, jax.vmap(_rank)(sure) < left[:, None]), None

    start = jnp.where(known, codes, mask), ~known
    (codes, _), _ = jax.lax.scan(round_, start, jnp.arange(steps))
    return codes


def guided(conditional: Array, null: Array, weight: float, plausible: float = 0.0) -> Array:
    """Logits (1 + w) conditional - w null, of what is plausible given the condition.

    What is unlikely with the condition and still less likely without it would gain the most. So it
    is never drawn if its probability is less than `plausible` times that of the likeliest, as in
    contrastive decoding (Li et al. 2022, arXiv 2210.15097, eq. 2); 0 for no such limit.
    """
    moved = conditional + weight * (conditional - null)
    if not plausible:
        return moved
    least = jnp.max(conditional, axis=-1, keepdims=True) + math.log(plausible)
    return jnp.where(conditional >= least, moved, -jnp.inf)


def unguided(sampler) -> Iterator[str]:
    """A line if guidance is limited to what is plausible, and there is none."""
    if sampler.plausible and not sampler.guidance:
        yield "sampler.plausible limits what guidance prefers: set sampler.guidance"


def _rank(x: Array) -> Array:
    """The position of each number of x [N] in their order."""
    return jnp.argsort(jnp.argsort(x))
