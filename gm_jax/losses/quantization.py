"""Quantisers as pure functions: vectors or logits become one of K codes each, and back.

    z_q = e_k,  k = argmin_j |z_e - e_j|                       van den Oord et al. 2017, eq. 1, 2
    L = -log p(x|z_q) + |sg[z_e] - e|^2 + beta |z_e - sg[e]|^2                            eq. 3

z is [B, ..., D], with any number of axes of positions in between, such as those of a grid. Losses
are summed over positions, as log p(x|z) is over pixels, and taken before the straight-through step.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.losses.likelihoods import sum_over_example
from gm_jax.model import Array


class Quantized(NamedTuple):
    """What every quantiser returns.

    code     [B, ..., D], the decoder's input; its gradient reaches the quantiser's input
    indices  [B, ...] int32, in 0..K-1
    losses   {name: [B]}, unweighted
    """

    code: Array
    indices: Array
    losses: dict[str, Array]


def quantize(codebook: Array, z: Array) -> Quantized:
    """The nearest of the codes [K, D] to each vector of z [B, ..., D].

    The code has the value of e and passes its gradient straight through to z. losses: `codebook`
    |sg[z] - e|^2 moves only the codes, `commitment` |z - sg[e]|^2 moves only z. Eq. 1 to 3.
    """
    product = jnp.einsum("...d,kd->...k", z, codebook, precision=lax.Precision.HIGHEST)
    indices = jnp.argmin(jnp.sum(codebook**2, axis=-1) - 2.0 * product, axis=-1).astype(jnp.int32)
    nearest = codebook[indices]
    losses = {
        "codebook": sum_over_example((lax.stop_gradient(z) - nearest) ** 2),
        "commitment": sum_over_example((z - lax.stop_gradient(nearest)) ** 2),
    }
    return Quantized(straight_through(nearest, z), indices, losses)


def gumbel_softmax(codebook: Array, logits: Array, noise: Array, temperature: Array) -> Quantized:
    """A relaxed draw from q = softmax(logits [B, ..., K]) over the codes [K, D].

    y = softmax((logits + noise) / temperature), noise ~ Gumbel of the logits' shape; the code is
    the mean of the codes under y, the indices argmax y, exact draws from q. losses: `kl`
    KL(q || uniform) in nats. Jang et al. 2017 (arXiv 1611.01144), eq. 2; Ramesh et al. 2021
    (arXiv 2102.12092).
    """
    noisy = logits + noise
    relaxed = jax.nn.softmax(noisy / temperature, axis=-1)
    code = jnp.einsum("...k,kd->...d", relaxed, codebook)
    losses = {"kl": kl_to_uniform(logits)}
    return Quantized(code, jnp.argmax(noisy, axis=-1).astype(jnp.int32), losses)


def lookup_free(z: Array) -> Quantized:
    """Each coordinate of z [B, ..., D] becomes its sign: 2^D codes without a codebook.

    Bit d of an index is whether coordinate d is positive. losses: `commitment` |z - sg[code]|^2.
    Yu et al. 2023 (arXiv 2310.05737), eq. 3, 4.
    """
    bits = z > 0.0
    indices = jnp.sum(bits * 2 ** jnp.arange(z.shape[-1]), axis=-1).astype(jnp.int32)
    code = jnp.where(bits, 1.0, -1.0).astype(z.dtype)
    losses = {"commitment": sum_over_example((z - code) ** 2)}
    return Quantized(straight_through(code, z), indices, losses)


def signs(indices: Array, width: int) -> Array:
    """The codes [..., width] of -1 and 1 to which `lookup_free` gives these indices."""
    return jnp.where(indices[..., None] >> jnp.arange(width) & 1, 1.0, -1.0)


def entropies(log_probabilities: Array, marginal: Array) -> tuple[Array, Array]:
    """Entropy of the codes at each position, and of their marginal, in nats, [B] each.

    log_probabilities  log q(k|z), [B, ..., K]
    marginal           q(k), the mean of q(k|z) over all positions of all examples, [K]

    Both are summed over positions: H(q(k|z)), and -sum_k q(k|z) log q(k). The mean of the latter
    is H(q(k)), and its gradient is that of H(q(k)) although `marginal` is held fixed. Yu et al.
    2023, eq. 5, is the difference of the two.
    """
    probabilities = jnp.exp(log_probabilities)
    log_marginal = jnp.log(lax.stop_gradient(marginal) + jnp.finfo(marginal.dtype).tiny)
    conditional = -sum_over_example(probabilities * log_probabilities)
    return conditional, -sum_over_example(probabilities * log_marginal)


def kl_to_uniform(logits: Array) -> Array:
    """KL(softmax(logits [B, ..., K]) || uniform) in nats, summed to [B]."""
    log_q = jax.nn.log_softmax(logits)
    return sum_over_example(jnp.exp(log_q) * (log_q + jnp.log(logits.shape[-1])))


def on_sphere(x: Array) -> Array:
    """Vectors [..., D] scaled to length 1; the slope at 0 is finite.

    Of two such, |a - b|^2 = 2 - 2 cos(a, b). Yu et al. 2021 (arXiv 2110.04627), section 3.2.
    """
    return x * lax.rsqrt(jnp.sum(x**2, axis=-1, keepdims=True) + 1e-12)


def straight_through(value: Array, z: Array) -> Array:
    """`value`, with its gradient passed to z."""
    return z + lax.stop_gradient(value - z)


def usage(indices: Array, count: int) -> Array:
    """How often each of `count` codes is used: frequencies [count] over all indices."""
    return jnp.bincount(indices.reshape(-1), length=count) / indices.size


def perplexity(frequencies: Array) -> Array:
    """exp of the entropy of frequencies [K]: a scalar from 1 (one code) to K (uniform)."""
    terms = jnp.where(frequencies > 0.0, frequencies * jnp.log(jnp.maximum(frequencies, 1e-30)), 0)
    return jnp.exp(-jnp.sum(terms))
