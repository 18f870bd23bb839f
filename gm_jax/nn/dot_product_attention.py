"""Dot-product attention, softmax(q k^T / sqrt(D)) v: Vaswani et al. 2017 (1706.03762), eq. 1.

The softmax is in float32, or in float64 if the inputs are. Heads come first within, so that the
products of each are those of plain matrices. JAX's own attention adds an axis for groups of heads,
and takes up to twice as long on a CPU with its gradients.
"""

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.model import Array
from gm_jax.nn.layers import full_precision

LONG, BLOCK = 2**20, 512  # queries times keys from which attention is by blocks, and their length
CAUSAL_BLOCK, CAUSAL_BLOCKS = 64, 8  # the least length of a causal block, and the most blocks


def attend(q: Array, k: Array, v: Array, causal: bool = False, seen: Array | None = None) -> Array:
    """What queries [B, N, heads, D] read of keys and values [B, M, heads, D]; [B, N, heads, D].

    causal  whether each reads what is at its position and before it
    seen    [N, M], or what broadcasts to [B, heads, N, M]: which others each reads; None for all
    """
    q, k, v = (x.swapaxes(1, 2) for x in (q, k, v))
    return attend_by_head(q, k, v, causal, seen).swapaxes(1, 2)


def attend_by_head(
    q: Array, k: Array, v: Array, causal: bool = False, seen: Array | None = None
) -> Array:
    """`attend` of arrays whose heads come first: [B, heads, N or M, D] to [B, heads, N, D].

    On a CPU, long sequences are read by blocks of queries, which stay in its cache, and causal ones
    by blocks that skip the keys after them.
    """
    if causal and q.shape[2] > CAUSAL_BLOCK:
        return lax.platform_dependent(q, k, v, cpu=_causal_by_blocks, default=_causal_at_once)
    if causal:
        return _causal_at_once(q, k, v)
    if seen is not None or q.shape[2] * k.shape[2] < LONG or q.shape[2] % BLOCK:
        return _at_once(q, k, v, seen)
    return lax.platform_dependent(q, k, v, cpu=_by_blocks, default=_at_once)


def _at_once(q, k, v, seen=None):
    wide = jnp.promote_types(q.dtype, jnp.float32)
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k, preferred_element_type=wide)
    scores = scores * q.shape[-1] ** -0.5
    if seen is not None:
        scores = jnp.where(seen, scores, jnp.finfo(wide).min)
    weights = jax.nn.softmax(scores).astype(v.dtype)
    return jnp.einsum("bhqk,bhkd->bhqd", weights, v)


def _causal_at_once(q, k, v, first=0):
    """Of queries at the positions from `first` on."""
    return _at_once(q, k, v, jnp.tri(q.shape[2], k.shape[2], first, dtype=bool))


def _causal_by_blocks(q, k, v):
    """Each block of queries reads the keys up to its own end: about half of all products."""
    length = q.shape[2]
    size = max(CAUSAL_BLOCK, -(-length // CAUSAL_BLOCKS))

    def block(first):
        end = first + size
        return _causal_at_once(q[:, :, first:end], k[:, :, :end], v[:, :, :end], first)

    return jnp.concatenate([block(first) for first in range(0, length, size)], axis=2)


def _by_blocks(q, k, v):
    """Head by head and block by block; the sum of the weights divides what they have summed."""

    def head(inputs):
        q, k, v = inputs

        @jax.checkpoint
        def block(q):
            scores = full_precision(q @ k.T) * q.shape[-1] ** -0.5
            weights = jnp.exp(scores - jnp.max(scores, axis=-1, keepdims=True))
            read = weights.astype(v.dtype) @ v
            return read / jnp.sum(weights, axis=-1, keepdims=True).astype(v.dtype)

        return lax.map(block, q.reshape(-1, BLOCK, q.shape[-1])).reshape(q.shape)

    read = lax.map(head, tuple(x.reshape(-1, *x.shape[2:]) for x in (q, k, v)))
    return read.reshape(q.shape)
