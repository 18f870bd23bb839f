"""CLIP's image transformer, a ViT with a norm before its blocks.

Dosovitskiy et al. 2021 (arXiv 2010.11929); Radford et al. 2021 (arXiv 2103.00020), section 2.4.
The parts are named as in published files.
"""

from typing import Annotated, NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.clip_layers import ACTIVATIONS, EPSILON, Encoder
from gm_jax.nn.layers import Size
from gm_jax.settings import at_least, one_of


class ImageFeatures(NamedTuple):
    """What an image tower says of images.

    tokens  [B, N, width], a class token and the patches after all blocks, not normalised; of a
            ResNet its last map
    pooled  [B, width] of the class token, normalised, or [B, projection]
    """

    tokens: Array
    pooled: Array


class Embeddings(nn.Module):
    """Images [B, H, W, C] to a class token and their patches, [B, 1 + N, width], with positions."""

    patch: int
    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        deviation = nn.initializers.normal(self.width**-0.5)
        sides = (self.patch, self.patch)
        patches = nn.Conv(
            self.width, sides, sides, "VALID", use_bias=False, dtype=self.dtype,
            name="patch_embedding",
        )(x)  # fmt: skip
        patches = patches.reshape(len(x), -1, self.width)
        first = self.param("class_embedding", deviation, (self.width,)).astype(self.dtype)
        tokens = jnp.concatenate(
            [jnp.broadcast_to(first, (len(x), 1, self.width)), patches], axis=1
        )
        count = tokens.shape[1]
        positions = nn.Embed(
            count, self.width, self.dtype, embedding_init=deviation, name="position_embedding"
        )
        return tokens + positions(jnp.arange(count))


class ViT(nn.Module):
    """Images [B, H, W, C] to `ImageFeatures`. Raises UserError if sides do not divide into patches.

    patch       side of a patch, in pixels
    width       features of a patch
    layers      blocks
    heads       of attention; they divide the width
    hidden      features within a block's MLP
    activation  quick_gelu (CLIP) or gelu (OpenCLIP)
    projection  features of the pooled vector; 0 leaves it as it is
    """

    patch: Size = 32
    width: Size = 768
    layers: Size = 12
    heads: Size = 12
    hidden: Size = 3072
    activation: Annotated[str, one_of(ACTIVATIONS)] = "quick_gelu"
    projection: Annotated[int, at_least(0)] = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> ImageFeatures:
        _, height, width, _ = x.shape
        if height % self.patch or width % self.patch:
            raise UserError(
                f"images of {height}x{width} do not divide into patches of {self.patch} pixels:"
                " choose another patch or another size"
            )

        def norm(name):
            return nn.LayerNorm(EPSILON, dtype=self.dtype, name=name)

        h = Embeddings(self.patch, self.width, self.dtype, name="embeddings")(x)
        encoder = Encoder(
            self.layers, self.heads, self.hidden, self.activation, False, self.dtype, name="encoder"
        )
        # So, without an "e", in published files.
        tokens = encoder(norm("pre_layrnorm")(h))[-1]
        pooled = norm("post_layernorm")(tokens[:, 0])
        if self.projection:
            init = nn.initializers.normal(self.width**-0.5)
            pooled = nn.Dense(
                self.projection, False, self.dtype, kernel_init=init, name="visual_projection"
            )(pooled)
        return ImageFeatures(tokens, pooled)
