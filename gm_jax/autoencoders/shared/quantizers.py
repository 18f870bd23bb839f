"""Quantisers with their parameters and state: one interface, so that a system takes any of them.

Codes follow moving averages (van den Oord et al. 2017, appendix A.1), the gradient (eq. 3) or are
fixed (signs; Yu et al. 2023). Those that move are looked up as they are, or on the sphere (Yu et
al. 2021, arXiv 2110.04627, section 3.2). `losses.quantization.gumbel_softmax` also returns a
`Quantized`, but of logits, not of vectors: the dVAE alone takes it.
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import replicas
from gm_jax.losses import quantization
from gm_jax.model import Array
from gm_jax.settings import above, arguments, at_least, below, one_of, part_of, schema


class Quantizer(NamedTuple):
    """count codes of `width` numbers each.

    init      key -> (learned, carried), which go into Variables.params and .state
    quantize  (learned, carried, z [B, ..., width]) -> (Quantized, loss [B])
    look_up   (learned, carried, indices) -> the codes [..., width]
    update    (carried, z, indices, key) -> (carried, metrics), equal on all devices
    """

    count: int
    width: int
    init: Callable
    quantize: Callable
    look_up: Callable
    update: Callable


class Memory(NamedTuple):
    """A codebook that follows the vectors assigned to its codes.

    vectors [K, D]; moving averages of the counts [K] and sums [K, D] of what is assigned to each
    """

    vectors: Array
    counts: Array
    sums: Array


def remember(vectors: Array) -> Memory:
    """The memory at its first move: counts at 1, sums at the codes, whose ratio is the codes."""
    return Memory(vectors, jnp.ones(len(vectors)), vectors)


def ema_update(
    memory: Memory, z: Array, indices: Array, key: Array,
    decay: float = 0.99, epsilon: float = 1e-5, revive_below: float = 0.0,
) -> tuple[Memory, Array]:  # fmt: skip
    """The memory after a batch z [B, ..., D] that was quantised, with the old codes, to `indices`.

        N <- decay N + (1 - decay) n,  m <- decay m + (1 - decay) sum z,  e = m / N

    over all devices' examples (van den Oord et al. 2017, eq. 6 to 8). N is Laplace-smoothed for the
    division alone: smoothed in place, it would gain epsilon at every move. A code whose N falls
    below `revive_below` restarts at a random vector of the batch, with the N and m of a first move;
    how many did is returned as well. The key must be the same on all devices.
    """
    count, width = memory.vectors.shape
    flat, chosen = lax.stop_gradient(z).reshape(-1, width), indices.reshape(-1)
    number = jnp.zeros(count, flat.dtype).at[chosen].add(1.0)
    total = jnp.zeros((count, width), flat.dtype).at[chosen].add(flat)
    number, total = jax.tree.map(lambda x: x * replicas.size(), replicas.mean((number, total)))
    counts = decay * memory.counts + (1.0 - decay) * number
    sums = decay * memory.sums + (1.0 - decay) * total
    everything = jnp.sum(counts)
    smoothed = (counts + epsilon) / (everything + count * epsilon) * everything
    moved = Memory(sums / smoothed[:, None], counts, sums)

    candidates = replicas.gather(flat)
    fresh = remember(candidates[jax.random.randint(key, (count,), 0, len(candidates))])
    dead = counts < revive_below
    memory = Memory(
        jnp.where(dead[:, None], fresh.vectors, moved.vectors),
        jnp.where(dead, fresh.counts, moved.counts),
        jnp.where(dead[:, None], fresh.sums, moved.sums),
    )
    return memory, jnp.sum(dead, dtype=flat.dtype)


def averaged(
    count: int,
    width: int,
    beta: float = 0.25,
    normalised: bool = False,
    decay: Annotated[float, at_least(0.0), below(1.0)] = 0.99,
    epsilon: Annotated[float, above(0.0)] = 1e-5,
    revive_below: Annotated[float, at_least(0.0)] = 0.5,
) -> Quantizer:
    """Codes that are moving averages of the vectors assigned to them; loss: beta x commitment.

    decay         of the averages
    epsilon       of the Laplace smoothing of counts
    revive_below  average count below which a code restarts at a vector of the batch; 0 for never
    """

    scaled = quantization.on_sphere if normalised else as_it_is

    def init(key):
        return {}, remember(scaled(jax.random.normal(key, (count, width))))._asdict()

    def quantize(learned, carried, z):
        quantized = quantization.quantize(scaled(carried["vectors"]), scaled(z))
        return quantized, beta * quantized.losses["commitment"]

    def look_up(learned, carried, indices):
        return scaled(carried["vectors"])[indices]

    def update(carried, z, indices, key):
        memory, revived = ema_update(
            Memory(**carried), scaled(z), indices, key, decay, epsilon, revive_below
        )
        return memory._asdict(), {**used(indices, count), "revived_codes": revived}

    return Quantizer(count, width, init, quantize, look_up, update)


def learned(count: int, width: int, beta: float = 0.25, normalised: bool = False) -> Quantizer:
    """Codes moved by the gradient of eq. 3; loss: codebook + beta x commitment."""
    scaled = quantization.on_sphere if normalised else as_it_is

    def init(key):
        # As in van den Oord et al.'s code: all codes begin near the origin.
        near = jax.random.uniform(key, (count, width), minval=-1.0) / count
        return {"vectors": scaled(near)}, {}

    def quantize(learned, carried, z):
        quantized = quantization.quantize(scaled(learned["vectors"]), scaled(z))
        losses = quantized.losses
        return quantized, losses["codebook"] + beta * losses["commitment"]

    def look_up(learned, carried, indices):
        return scaled(learned["vectors"])[indices]

    def update(carried, z, indices, key):
        return carried, used(indices, count)

    return Quantizer(count, width, init, quantize, look_up, update)


def as_it_is(x: Array) -> Array:
    """The vectors themselves."""
    return x


def lookup_free(
    count: int,
    width: int,
    beta: float = 0.25,
    entropy: Annotated[float, at_least(0.0)] = 0.1,
    temperature: Annotated[float, above(0.0)] = 1.0,
) -> Quantizer:
    """Signs as codes; loss: beta x commitment + entropy x (H(q(k|z)) - H(q(k))).

    entropy      weight of the entropies
    temperature  of q(k|z)

    q(k|z) = softmax_k(-|z - e_k|^2 / temperature). Yu et al. 2023, eq. 5. `width` is not used: the
    codes are as wide as `count` has bits.
    """
    bits = count.bit_length() - 1

    def quantize(learned, carried, z):
        quantized = quantization.lookup_free(z)
        codes = quantization.signs(jnp.arange(count), bits).astype(z.dtype)
        # |z - e|^2 differs between codes by its cross term alone.
        log_q = jax.nn.log_softmax(2.0 * z @ codes.T / temperature)
        marginal = replicas.mean(jnp.mean(jnp.exp(log_q), axis=tuple(range(z.ndim - 1))))
        unsure, spread = quantization.entropies(log_q, marginal)
        return quantized, beta * quantized.losses["commitment"] + entropy * (unsure - spread)

    def update(carried, z, indices, key):
        return carried, used(indices, count)

    def look_up(learned, carried, indices):
        return quantization.signs(indices, bits)

    return Quantizer(count, bits, lambda key: ({}, {}), quantize, look_up, update)


QUANTIZERS = {"averaged": averaged, "learned": learned, "lookup_free": lookup_free}


AveragedSettings = part_of(averaged, "beta", "normalised")
LookupFreeSettings = part_of(lookup_free, "beta")


@schema
class Settings:
    """How vectors become codes.

    name         moving averages of vectors (averaged), learned by gradient, or signs (lookup_free)
    count        K, the number of codes
    width        numbers of a code; of lookup_free it is the logarithm of `count` instead
    beta         weight of the commitment
    normalised   whether vectors and codes are scaled to length 1 first; not of lookup_free
    averaged     codes as moving averages
    lookup_free  codes of signs
    """

    name: Annotated[str, one_of(QUANTIZERS)] = "averaged"
    count: Annotated[int, at_least(1)] = 128
    width: Annotated[int, at_least(1)] = 16
    beta: Annotated[float, at_least(0.0)] = 0.25
    normalised: bool = False
    averaged: AveragedSettings = AveragedSettings()
    lookup_free: LookupFreeSettings = LookupFreeSettings()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        lower = max(2, 2 ** (self.count.bit_length() - 1))
        if self.name == "lookup_free" and self.count != lower:
            yield (
                f"count {self.count} is not a power of two, as the number of lookup_free's codes"
                f" is: set it to {lower} or {2 * lower}"
            )
        if self.name == "lookup_free" and self.normalised:
            yield "signs are of one length: set normalised=False, or name=averaged or learned"


def make(settings: Settings) -> Quantizer:
    """The quantiser that a recipe names, with that one's own settings."""
    own = getattr(settings, settings.name, None)
    named = arguments(own) if own else {}
    if settings.name != "lookup_free":
        named["normalised"] = settings.normalised
    return QUANTIZERS[settings.name](settings.count, settings.width, settings.beta, **named)


def used(indices: Array, count: int) -> dict[str, Array]:
    """Perplexity of the codes chosen on all devices, and how many of `count` were never chosen."""
    frequencies = replicas.mean(quantization.usage(indices, count))
    return {
        "perplexity": quantization.perplexity(frequencies),
        "unused_codes": jnp.sum(frequencies == 0.0, dtype=frequencies.dtype),
    }
