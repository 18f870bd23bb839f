"""The networks of a ladder: an encoder with noise at every layer, and a decoder beside it.

Batch normalisation is by statistics of the global batch, or by given ones, with neither scale nor
running averages: the caller keeps the statistics, as the costs need them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import replicas
from gm_jax.model import Array
from gm_jax.nn.layers import full_precision

EPSILON = 1e-10  # of batch normalisation

Moments = tuple[Array, Array]  # mean and variance [units]


class Rungs(NamedTuple):
    """What an encoder computes of a batch.

    z        the normalised units of each layer [B, units], the input first, with their noise
    top      the softmax of the last layer, [B, classes]
    logits   of it
    moments  mean and variance of each layer but the input, before normalisation
    """

    z: list[Array]
    top: Array
    logits: Array
    moments: list[Moments]


def moments_of(x: Array) -> Moments:
    """Mean and variance [units] of x [B, units] over the batch of all devices."""
    mean = replicas.mean(jnp.mean(x, axis=0))
    return mean, replicas.mean(jnp.mean((x - mean) ** 2, axis=0))


def normalised(x: Array, moments: Moments) -> Array:
    """x [B, units] less its mean, by its deviation."""
    mean, variance = moments
    return (x - mean) * lax.rsqrt(variance + EPSILON)


def combined(z: Array, u: Array, a: Array) -> Array:
    """The Gaussian combinator: the estimate of clean units by noisy ones z and those above, u.

    z and u [B, units], a [10, units] -> [B, units]:
        mu = a1 sigma(a2 u + a3) + a4 u + a5,  v = a6 sigma(a7 u + a8) + a9 u + a10
        estimate = (z - mu) v + mu
    If a unit and its noise are Gaussian, v is the prior's share of the precision: 1 / (1 + s^2).
    """

    def curve(a):
        return a[0] * jax.nn.sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]

    mean, v = curve(a[:5]), curve(a[5:])
    return (z - mean) * v + mean


def _slopes_of_one(key, shape):
    """a2 = a7 = 1 and all else 0: the first estimates are 0."""
    return jnp.zeros(shape).at[jnp.array([1, 6])].set(1.0)


def _dense(units: int, dtype) -> nn.Dense:
    """Weights N(0, 1 / fan-in), without a bias, which normalisation would undo."""
    init = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
    return nn.Dense(units, use_bias=False, kernel_init=init, dtype=dtype)


class LadderEncoder(nn.Module):
    """x [B, D] to its `Rungs`; z = BN(W h) + noise, h = relu(z + shift), at the top a softmax.

    widths   units of the hidden layers
    classes  units of the top, whose logits also have a scale
    noise    added to the input and to each layer's normalised units; () for none
    moments  of each layer but the input, in place of the batch's
    """

    widths: tuple[int, ...]
    classes: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, noise: Sequence[Array] = (), moments: Sequence[Moments] = ()
    ) -> Rungs:
        z, seen = [x + noise[0] if noise else x], []
        h = z[0]
        for number, units in enumerate((*self.widths, self.classes), start=1):
            before = full_precision(_dense(units, self.dtype)(h))
            seen.append(moments[number - 1] if moments else moments_of(before))
            z.append(normalised(before, seen[-1]) + (noise[number] if noise else 0.0))
            shift = self.param(f"shift_{number}", nn.initializers.zeros, (units,))
            h = nn.relu(z[-1] + shift)
        scale = self.param("scale", nn.initializers.ones, (self.classes,))
        logits = scale * (z[-1] + shift)
        return Rungs(z, jax.nn.softmax(logits), logits, seen)


class LadderDecoder(nn.Module):
    """Noisy z of all layers, the input first, and the noisy softmax, to estimates of clean z.

    u = BN(softmax) at the top, BN(V estimate) below. Returns the estimates of the layers from
    `lowest` on, [B, units] each.
    """

    lowest: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Sequence[Array], top: Array) -> list[Array]:
        estimates, u = [], normalised(top, moments_of(top))
        for number in reversed(range(self.lowest, len(z))):
            a = self.param(f"a_{number}", _slopes_of_one, (10, z[number].shape[-1]))
            estimates.insert(0, combined(z[number], u, a))
            if number > self.lowest:
                below = _dense(z[number - 1].shape[-1], self.dtype)(estimates[0])
                u = normalised(full_precision(below), moments_of(full_precision(below)))
        return estimates
