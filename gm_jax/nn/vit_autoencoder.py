"""Transformers between images and grids of vectors: the encoder and the decoder of ViT-VQGAN.

Yu et al. 2021 (arXiv 2110.04627), section 3.1: patches are tokens, both transformers end in two
layers with a tanh between them, and nothing bends what comes out.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.clip_layers import EPSILON, Encoder
from gm_jax.nn.dit import image_of, patches_of
from gm_jax.nn.layers import Dense, Size, full_precision
from gm_jax.settings import part_of, schema

POSITIONS = nn.initializers.normal(0.02)


class Tower(nn.Module):
    """Tokens [B, N, D] to [B, N, outputs]: learned positions, blocks, a layer, tanh, a layer."""

    outputs: int
    width: int
    layers: int
    heads: int
    hidden: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, tokens: Array) -> Array:
        def dense(features, name):
            return Dense(features, dtype=self.dtype, name=name)

        h = dense(self.width, "read")(tokens)
        positions = self.param("positions", POSITIONS, (tokens.shape[1], self.width))
        blocks = Encoder(
            self.layers, self.heads, self.hidden, "gelu", False, self.dtype, name="encoder"
        )
        h = blocks(h + positions.astype(self.dtype))[-1]
        h = nn.LayerNorm(EPSILON, dtype=self.dtype, name="norm")(h)
        h = nn.tanh(dense(self.hidden, "up")(h))
        # Outputs pass through the width, as wide as codes were if they were not factorised.
        return full_precision(dense(self.outputs, "out")(dense(self.width, "down")(h)))


class ViTEncoder(nn.Module):
    """Images [B, H, W, C] to [B, H / patch, W / patch, features].

    patch   side of a patch, in pixels
    width   features of a patch
    layers  blocks of the encoder, and of the decoder
    heads   of attention; they divide the width
    hidden  features within a block's MLP
    """

    features: int
    patch: Size = 4
    width: Size = 128
    layers: Size = 4
    heads: Size = 4
    hidden: Size = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        sizes = self.width, self.layers, self.heads, self.hidden, self.dtype
        h = Tower(self.features, *sizes, name="tower")(patches_of(x, self.patch))
        return h.reshape(len(x), *grid_of(x.shape[1:], self.patch), self.features)


class ViTDecoder(nn.Module):
    """The way back: [B, h, w, D] to [B, h patch, w patch, channels], unbounded."""

    channels: int
    patch: int = 4
    width: int = 128
    layers: int = 4
    heads: int = 4
    hidden: int = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        sizes = self.width, self.layers, self.heads, self.hidden, self.dtype
        tower = Tower(self.patch**2 * self.channels, *sizes, name="tower")
        h = tower(z.reshape(len(z), -1, z.shape[-1]))
        return image_of(h, z.shape[1:3], self.patch)


def grid_of(shape: tuple[int, ...], patch: int) -> tuple[int, int]:
    """Rows and columns of an image's patches. Raises UserError if its sides do not divide."""
    height, width = shape[:2]
    if height % patch or width % patch:
        raise UserError(
            f"network.patch {patch} does not divide the sides of {height}x{width} images: choose"
            " another patch or another size"
        )
    return height // patch, width // patch


@schema
class ViTSettings(part_of(ViTEncoder, "features", "dtype")):
    """Two transformers."""

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.width % self.heads:
            yield f"width {self.width} does not divide into heads {self.heads}"
