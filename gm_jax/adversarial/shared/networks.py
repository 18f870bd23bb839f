"""Pairs of a generator and a discriminator, by their names in recipes."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn

from gm_jax.adversarial.shared import dcgan, plane, stacked_mnist


class Pair(NamedTuple):
    """Networks that go together.

    generator      (shape of an example, width, dtype) -> module: z [B, D] to [B, *shape]
    discriminator  (width, outputs, normalization, dtype) -> module: [B, *shape] to [B, outputs]
    axes           of an example: 3 for images, 1 for points
    """

    generator: Callable[..., nn.Module]
    discriminator: Callable[..., nn.Module]
    axes: int


NETWORKS = {
    "dcgan": Pair(dcgan.Generator, dcgan.Discriminator, 3),
    "dense_dcgan": Pair(
        functools.partial(dcgan.Generator, dense=True),
        functools.partial(dcgan.Discriminator, dense=True),
        3,
    ),
    "small": Pair(stacked_mnist.Generator, stacked_mnist.Discriminator, 3),
    "points": Pair(plane.Generator, plane.Discriminator, 1),
}
