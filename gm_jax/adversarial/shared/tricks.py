"""Tricks that practitioners add to the game, each a function.

Salimans et al. 2016 (arXiv 1606.03498): one-sided soft labels. Sonderby et al. 2017
(arXiv 1610.04490): instance noise. Shrivastava et al. 2017 (arXiv 1612.07828): replay of old fakes.
Lin et al. 2018 (PacGAN, arXiv 1712.04086): packing. Soft and noisy labels, flips, separate
batches, SGD for D: Chintala et al. 2016, "How to train a GAN?".
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import normal
from gm_jax.settings import at_least, at_most, schema

Share = Annotated[float, at_least(0.0), at_most(1.0)]


@schema
class Noise:
    """Instance noise on what D sees.

    deviation  its standard deviation at the start
    steps      rounds in which it falls linearly to 0
    """

    deviation: Annotated[float, at_least(0.0)] = 0.0
    steps: Annotated[int, at_least(0)] = 0

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.deviation and not self.steps:
            yield "deviation needs steps, the rounds until it reaches 0"


@schema
class Replay:
    """A pool of old fakes.

    size   number of fakes; 0 for no pool
    share  share of D's fakes that are old ones
    """

    size: Annotated[int, at_least(0)] = 0
    share: Share = 0.5


@schema
class Tricks:
    """Tricks that practitioners add to the game; all are off by default.

    real_label     (low, high): the label of each real example is drawn from U(low, high)
    fake_label     (low, high): the same for fake examples
    flips          share of pairs whose real and fake examples are swapped for D
    noise          instance noise
    replay         old fakes shown again
    joint_batches  real and fake pass D as one batch, with common statistics
    packing        examples that D sees at once (PacGAN)
    """

    real_label: tuple[float, float] = (1.0, 1.0)
    fake_label: tuple[float, float] = (0.0, 0.0)
    flips: Share = 0.0
    noise: Noise = Noise()
    replay: Replay = Replay()
    joint_batches: bool = False
    packing: Annotated[int, at_least(1)] = 1


def noisy_labels(keys: Array, low: float, high: float) -> Array:
    """Labels from U(low, high), one per example, [B]; low = high gives soft labels."""
    return jax.vmap(lambda key: jax.random.uniform(key, (), minval=low, maxval=high))(keys)


def flip(keys: Array, share: float, real: Array, fake: Array) -> tuple[Array, Array]:
    """D's outputs [B], real and fake swapped in a `share` of the pairs."""
    flipped = jax.vmap(lambda key: jax.random.bernoulli(key, share))(keys)
    return jnp.where(flipped, fake, real), jnp.where(flipped, real, fake)


def instance_noise(keys: Array, x: Array, step: Array, deviation: float, steps: int) -> Array:
    """x [B, ...] with noise whose deviation falls linearly from `deviation` to 0 at `steps`."""
    now = deviation * jnp.maximum(0.0, 1.0 - step / steps)
    return x + now.astype(x.dtype) * normal(keys, x.shape[1:]).astype(x.dtype)


def pack(x: Array, count: int) -> Array:
    """Neighbouring examples [B, ..., C] side by side as channels, [B / count, ..., count C]."""
    if count == 1:
        return x
    x = jnp.moveaxis(x.reshape(-1, count, *x.shape[1:]), 1, -2)
    return x.reshape(*x.shape[:-2], -1)


def unpack(x: Array, count: int) -> Array:
    """The examples [B, ..., C] of packs [B / count, ..., count C]."""
    x = jnp.moveaxis(x.reshape(*x.shape[:-1], count, -1), -2, 1)
    return x.reshape(-1, *x.shape[2:])
