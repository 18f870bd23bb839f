"""The generator and discriminator of DCGAN (Radford, Metz & Chintala 2016), at any image size.

Batch norm except at the generator's output and the discriminator's input; ReLU in the generator,
LeakyReLU 0.2 in the discriminator; weights N(0, 0.02); no fully connected hidden layers.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.common import full_precision
from gm_jax.nn.normalization import BatchNorm, layer
from gm_jax.nn.transposed import TransposedConv

WEIGHTS = nn.initializers.normal(0.02)


def halvings(size: int) -> int:
    """How often an image's side is halved: down to 4 to 7 pixels, or until it is odd."""
    count = 0
    while size > 4 and size % 2 == 0:
        size, count = size // 2, count + 1
    return count


class Generator(nn.Module):
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


class Discriminator(nn.Module):
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
                nn.Conv(
                    self.width << level, (4, 4), strides=2, use_bias=first or not batch,
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
