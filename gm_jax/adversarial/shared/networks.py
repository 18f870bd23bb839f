"""Pairs of a generator and a discriminator, by their names in recipes.

dcgan   Radford, Metz & Chintala 2016, at any image size: batch norm except at the generator's
        output and the discriminator's input; ReLU in the generator, LeakyReLU 0.2 in the
        discriminator; no fully connected hidden layers (dense_dcgan: one in each); weights
        N(0, 0.02)
small   for stacked MNIST, with a discriminator too small to tell all modes apart. Metz et al. 2017
        (Unrolled GAN, arXiv 1611.02163), appendix, with the layers of PacGAN's authors, who
        repeated that experiment: 3x3 kernels, three halvings, LeakyReLU 0.3, batch norm in every
        hidden layer. A generator of width 8 has 64, 32, 16 and 8 channels; a discriminator of
        width 2 (2, 4, 8) is "a quarter of it", one of 4 half
points  of the plane: two hidden layers of tanh with orthogonal weights of gain 1.4, as in the
        notebook of Metz et al.'s authors
others  residual: gm_jax/adversarial/shared/resnets.py
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.adversarial.shared.resnet_blocks import halvings
from gm_jax.adversarial.shared.resnets import RESNETS, ResNetDiscriminator, ResNetGenerator
from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import BatchNorm, full_precision, layer
from gm_jax.nn.strides import StridedConv, TransposedConv

WEIGHTS = nn.initializers.normal(0.02)
ORTHOGONAL = nn.initializers.orthogonal(1.4)
HALVINGS = 3  # of the small pair


class DCGANGenerator(nn.Module):
    """z [B, D] to an image [B, *shape] in [-1, 1]; the last hidden map has `width` channels.

    dense  a fully connected layer of 16 `width` before the first map (Chen et al. 2016, C.1)
    """

    shape: tuple[int, int, int]
    width: int = 64
    dtype: jnp.dtype = jnp.float32
    dense: bool = False

    @nn.compact
    def __call__(self, z: Array, train: bool) -> Array:
        if self.dense:
            z = nn.Dense(16 * self.width, use_bias=False, kernel_init=WEIGHTS, dtype=self.dtype)(z)
            z = nn.relu(BatchNorm(train, self.dtype)(z))
        doublings = halvings(min(self.shape[:2]))
        height, width = (side >> doublings for side in self.shape[:2])
        features = self.width << max(doublings - 1, 0)
        x = nn.Dense(
            height * width * features, use_bias=False, kernel_init=WEIGHTS, dtype=self.dtype
        )(z)
        x = x.reshape(-1, height, width, features)
        x = nn.relu(BatchNorm(train, self.dtype)(x))
        for level in reversed(range(doublings)):
            last = level == 0
            features = self.shape[-1] if last else self.width << (level - 1)
            x = TransposedConv(features, use_bias=last, kernel_init=WEIGHTS, dtype=self.dtype)(x)
            x = x if last else nn.relu(BatchNorm(train, self.dtype)(x))
        return jnp.tanh(full_precision(x))


class DCGANDiscriminator(nn.Module):
    """Image [B, H, W, C] to `outputs` logits an image, [B, outputs].

    The last hidden map is sown as intermediates/hidden.
    normalization  one of NORMALIZATIONS: batch (DCGAN), spectral (Miyato et al. 2018: of every
                   layer)
    dense          a fully connected layer of 16 `width` after the last map (Chen et al. 2016, C.1)
    """

    width: int = 64
    outputs: int = 1
    normalization: str = "batch"
    dtype: jnp.dtype = jnp.float32
    dense: bool = False

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        batch, spectral = (self.normalization == name for name in ("batch", "spectral"))
        for level in range(halvings(min(x.shape[1:3]))):
            first = level == 0
            x = layer(
                StridedConv(
                    self.width << level, (4, 4), use_bias=first or not batch,
                    kernel_init=WEIGHTS, dtype=self.dtype,
                ), spectral, train,
            )(x)  # fmt: skip
            x = nn.leaky_relu(BatchNorm(train, self.dtype)(x) if batch and not first else x, 0.2)
        self.sow("intermediates", "hidden", full_precision(x))
        x = x.reshape(x.shape[0], -1)
        if self.dense:
            dense = nn.Dense(
                16 * self.width, use_bias=not batch, kernel_init=WEIGHTS, dtype=self.dtype
            )
            x = layer(dense, spectral, train)(x)
            x = nn.leaky_relu(BatchNorm(train, self.dtype)(x) if batch else x, 0.2)
        x = layer(nn.Dense(self.outputs, kernel_init=WEIGHTS, dtype=self.dtype), spectral, train)(x)
        return full_precision(x)


class SmallGenerator(nn.Module):
    """z [B, D] to an image [B, *shape] in [-1, 1]; the last hidden map has `width` channels."""

    shape: tuple[int, int, int]
    width: int = 8
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, train: bool) -> Array:
        def hidden(x):
            return nn.relu(BatchNorm(train, self.dtype)(x))

        sizes = [
            tuple(-(-side // 2**level) for side in self.shape[:2]) for level in range(HALVINGS + 1)
        ]
        height, width = sizes[-1]
        features = self.width << HALVINGS
        x = nn.Dense(height * width * features, kernel_init=WEIGHTS, dtype=self.dtype)(z)
        x = hidden(x.reshape(-1, height, width, features))
        for level in reversed(range(HALVINGS)):
            x = hidden(
                TransposedConv(
                    self.width << level, 3, sizes[level], kernel_init=WEIGHTS, dtype=self.dtype
                )(x)
            )
        x = nn.Conv(self.shape[-1], (3, 3), kernel_init=WEIGHTS, dtype=self.dtype)(x)
        return jnp.tanh(full_precision(x))


class SmallDiscriminator(nn.Module):
    """Image [B, H, W, C] to `outputs` logits an image, [B, outputs]; normalization as DCGAN's."""

    width: int = 2
    outputs: int = 1
    normalization: str = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        batch, spectral = (self.normalization == name for name in ("batch", "spectral"))
        for level in range(HALVINGS):
            conv = StridedConv(self.width << level, (3, 3), kernel_init=WEIGHTS, dtype=self.dtype)
            x = layer(conv, spectral, train)(x)
            x = nn.leaky_relu(BatchNorm(train, self.dtype)(x) if batch else x, 0.3)
        self.sow("intermediates", "hidden", full_precision(x))
        dense = nn.Dense(self.outputs, kernel_init=WEIGHTS, dtype=self.dtype)
        return full_precision(layer(dense, spectral, train)(x.reshape(len(x), -1)))


class PointGenerator(nn.Module):
    """z [B, D] to points [B, *shape] (unbounded)."""

    shape: tuple[int, ...] = (2,)
    width: int = 128
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, train: bool) -> Array:
        for _ in range(2):
            z = nn.tanh(nn.Dense(self.width, kernel_init=ORTHOGONAL, dtype=self.dtype)(z))
        return full_precision(nn.Dense(*self.shape, kernel_init=ORTHOGONAL, dtype=self.dtype)(z))


class PointDiscriminator(nn.Module):
    """Points [B, 2] to `outputs` logits a point, [B, outputs]; normalization as DCGAN's."""

    width: int = 128
    outputs: int = 1
    normalization: str = "none"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        def dense(features):
            module = nn.Dense(features, kernel_init=ORTHOGONAL, dtype=self.dtype)
            return layer(module, self.normalization == "spectral", train)

        for _ in range(2):
            x = dense(self.width)(x)
            x = nn.tanh(BatchNorm(train, self.dtype)(x) if self.normalization == "batch" else x)
        self.sow("intermediates", "hidden", full_precision(x))
        return full_precision(dense(self.outputs)(x))


class Pair(NamedTuple):
    """Networks that go together.

    generator      (shape of an example, width, dtype) -> module: z [B, D] to [B, *shape]
    discriminator  (width, outputs, normalization, dtype) -> module: [B, *shape] to [B, outputs]
    axes           of an example: 3 for images, 1 for points
    takes_labels   whether both modules take one-hot labels [B, classes] as a second input; if not,
                   labels are appended to the first
    """

    generator: Callable[..., nn.Module]
    discriminator: Callable[..., nn.Module]
    axes: int
    takes_labels: bool = False


NETWORKS = {
    "dcgan": Pair(DCGANGenerator, DCGANDiscriminator, 3),
    "dense_dcgan": Pair(
        functools.partial(DCGANGenerator, dense=True),
        functools.partial(DCGANDiscriminator, dense=True),
        3,
    ),
    "small": Pair(SmallGenerator, SmallDiscriminator, 3),
    "points": Pair(PointGenerator, PointDiscriminator, 1),
} | {
    name: Pair(
        functools.partial(ResNetGenerator, **generator),
        functools.partial(ResNetDiscriminator, **discriminator),
        axes=3,
        takes_labels=True,
    )
    for name, (generator, discriminator) in RESNETS.items()
}


def pair_of(name: str, remat: bool) -> Pair:
    """The networks of a name; with `remat`, their blocks are computed again (`nn.remat`).

    Raises UserError if they have no blocks.
    """
    pair = NETWORKS[name]
    if not remat:
        return pair
    if name not in RESNETS:
        raise UserError(f"remat needs residual networks, {', '.join(RESNETS)}, not {name}")
    generator, discriminator = (functools.partial(made, remat=True) for made in pair[:2])
    return pair._replace(generator=generator, discriminator=discriminator)
