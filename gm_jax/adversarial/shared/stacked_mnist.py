"""Small networks for stacked MNIST: a discriminator too small to tell all modes apart.

Metz et al. 2017 (Unrolled GAN, arXiv 1611.02163), appendix, with the layers of PacGAN's authors,
who repeated that experiment: 3x3 kernels, three halvings, LeakyReLU 0.3, batch norm in every hidden
layer; weights N(0, 0.02). A generator of width 8 has 64, 32, 16 and 8 channels; a discriminator of
width 2 (2, 4, 8) is "a quarter of it", one of 4 half.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.adversarial.shared.dcgan import WEIGHTS
from gm_jax.model import Array
from gm_jax.nn.common import full_precision
from gm_jax.nn.normalization import BatchNorm, layer
from gm_jax.nn.transposed import TransposedConv

HALVINGS = 3


class Generator(nn.Module):
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


class Discriminator(nn.Module):
    """Image [B, H, W, C] to `outputs` logits an image, [B, outputs]; normalization as dcgan's."""

    width: int = 2
    outputs: int = 1
    normalization: str = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        batch, spectral = (self.normalization == name for name in ("batch", "spectral"))
        for level in range(HALVINGS):
            conv = nn.Conv(
                self.width << level, (3, 3), strides=2, kernel_init=WEIGHTS, dtype=self.dtype
            )
            x = layer(conv, spectral, train)(x)
            x = nn.leaky_relu(BatchNorm(train, self.dtype)(x) if batch else x, 0.3)
        self.sow("intermediates", "hidden", full_precision(x))
        dense = nn.Dense(self.outputs, kernel_init=WEIGHTS, dtype=self.dtype)
        return full_precision(layer(dense, spectral, train)(x.reshape(len(x), -1)))
