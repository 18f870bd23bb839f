"""Losses that tell pairs from all other combinations of a batch."""

import jax
import jax.numpy as jnp

from gm_jax.model import Array


def info_nce(logits: Array, pair: Array, ignored: Array) -> Array:
    """-log softmax of each row's pair among all candidates, [b].

    van den Oord et al. 2018 (arXiv 1807.03748), eq. 4.

    logits   [b, B], of each example and each candidate
    pair     [b], the number of its own candidate
    ignored  [b, B], candidates that are not counted, such as those equal to the pair; the pair
             itself always counts
    """
    own = pair[:, None] == jnp.arange(logits.shape[1])
    counted = jnp.where(ignored & ~own, -jnp.inf, logits)
    return jax.nn.logsumexp(counted, axis=1) - jnp.sum(jnp.where(own, logits, 0.0), axis=1)
