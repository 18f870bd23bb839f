"""The first stages of latent diffusion: convolutional autoencoders with a Gaussian or a code book.

Esser et al. 2021 (arXiv 2012.09841), Rombach et al. 2022 (arXiv 2112.10752), appendix G; the
second is Stable Diffusion's. The parts are named as in published files.
"""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.dot_product_attention import attend
from gm_jax.nn.layers import Dense, GroupNorm, Pointwise, Size, doubled, full_precision
from gm_jax.settings import at_least, part_of

EPSILON = 1e-6  # of group normalisation; the U-Nets over the latents have 1e-5
LOG_VARIANCE = (-30.0, 20.0)  # the range of a latent's, outside of which it is clamped


def norm(groups: int, dtype, name: str) -> GroupNorm:
    """Group normalisation."""
    return GroupNorm(groups, EPSILON, dtype, name=name)


class ResidualBlock(nn.Module):
    """x + conv(swish(norm(conv(swish(norm(x))))))."""

    features: int
    groups: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def conv(size, name):
            return nn.Conv(self.features, (size, size), dtype=self.dtype, name=name)

        h = conv(3, "conv1")(nn.swish(norm(self.groups, self.dtype, "norm1")(x)))
        h = conv(3, "conv2")(nn.swish(norm(self.groups, self.dtype, "norm2")(h)))
        return h + (x if x.shape[-1] == self.features else conv(1, "conv_shortcut")(x))


class SelfAttention(nn.Module):
    """x + attention(norm(x)) over all positions of [B, H, W, C], with one head."""

    groups: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        b, height, width, c = x.shape

        def dense(h, name):
            return Dense(c, dtype=self.dtype, name=name)(h)

        h = norm(self.groups, self.dtype, "group_norm")(x).reshape(b, height * width, 1, c)
        mixed = attend(dense(h, "to_q"), dense(h, "to_k"), dense(h, "to_v"))
        return x + dense(mixed, "to_out_0").reshape(x.shape)


class Middle(nn.Module):
    """Residual block, attention, residual block."""

    groups: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        features = x.shape[-1]
        x = ResidualBlock(features, self.groups, self.dtype, name="resnets_0")(x)
        x = SelfAttention(self.groups, self.dtype, name="attentions_0")(x)
        return ResidualBlock(features, self.groups, self.dtype, name="resnets_1")(x)


class Resample(nn.Module):
    """Half the resolution, or twice it by nearest neighbours, and a convolution."""

    up: bool
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if self.up:
            return nn.Conv(x.shape[-1], (3, 3), dtype=self.dtype, name="conv")(doubled(x))
        # Zeros below and to the right alone; a U-Net has them on all sides.
        padding = ((0, 1), (0, 1))
        conv = nn.Conv(x.shape[-1], (3, 3), 2, padding=padding, dtype=self.dtype, name="conv")
        return conv(x)


class Level(nn.Module):
    """Residual blocks at one resolution, then the way to the next: "down", "up" or none."""

    features: int
    blocks: int
    groups: int
    resample: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for number in range(self.blocks):
            name = f"resnets_{number}"
            x = ResidualBlock(self.features, self.groups, self.dtype, name=name)(x)
        if self.resample:
            name = f"{self.resample}samplers_0"
            x = Resample(self.resample == "up", self.dtype, name=name)(x)
        return x


class Encoder(nn.Module):
    """Images [B, H, W, C] to [B, H / f, W / f, outputs], f = 2^(levels - 1)."""

    widths: tuple[int, ...]
    blocks: int
    groups: int
    outputs: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.Conv(self.widths[0], (3, 3), dtype=self.dtype, name="conv_in")(x)
        for depth, width in enumerate(self.widths):
            way = "down" if depth < len(self.widths) - 1 else ""
            name = f"down_blocks_{depth}"
            x = Level(width, self.blocks, self.groups, way, self.dtype, name=name)(x)
        x = Middle(self.groups, self.dtype, name="mid_block")(x)
        x = nn.swish(norm(self.groups, self.dtype, "conv_norm_out")(x))
        return nn.Conv(self.outputs, (3, 3), dtype=self.dtype, name="conv_out")(x)


class Decoder(nn.Module):
    """[B, h, w, latents] to [B, f h, f w, outputs]; a level has a block more than the encoder's."""

    widths: tuple[int, ...]
    blocks: int
    groups: int
    outputs: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, z: Array) -> Array:
        x = nn.Conv(self.widths[-1], (3, 3), dtype=self.dtype, name="conv_in")(z)
        x = Middle(self.groups, self.dtype, name="mid_block")(x)
        for depth, width in enumerate(reversed(self.widths)):
            way = "up" if depth < len(self.widths) - 1 else ""
            name = f"up_blocks_{depth}"
            x = Level(width, self.blocks + 1, self.groups, way, self.dtype, name=name)(x)
        x = nn.swish(norm(self.groups, self.dtype, "conv_norm_out")(x))
        x = nn.Conv(self.outputs, (3, 3), dtype=self.dtype, name="conv_out")(x)
        return full_precision(x)


class KLAutoencoder(nn.Module):
    """Images to a Gaussian over latents, and latents to images.

    channels  of images
    widths    channels at each resolution, from the full one down; each level halves it
    blocks    residual blocks of a level
    latents   channels of a latent
    groups    of group normalisation
    """

    channels: Size = 3
    widths: tuple[Size, ...] = (128, 256, 512, 512)
    blocks: Size = 2
    latents: Size = 4
    groups: Size = 32
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        inner = self.widths, self.blocks, self.groups
        self.encoder = Encoder(*inner, 2 * self.latents, self.dtype)
        self.decoder = Decoder(*inner, self.channels, self.dtype)
        self.quant_conv = Pointwise(2 * self.latents, dtype=self.dtype)
        self.post_quant_conv = Pointwise(self.latents, dtype=self.dtype)

    def __call__(self, x: Array) -> Array:
        """The reconstruction from the mean."""
        return self.decode(jnp.split(self.moments(x), 2, axis=-1)[0])

    def moments(self, x: Array) -> Array:
        """Mean and log-variance, not clamped, of [B, H, W, C]: [B, h, w, 2 latents]."""
        return full_precision(self.quant_conv(self.encoder(x)))

    def encode(self, x: Array) -> tuple[Array, Array]:
        """The Gaussian of [B, H, W, C]: mean and standard deviation, [B, h, w, latents] each."""
        mean, log_variance = jnp.split(self.moments(x), 2, axis=-1)
        return mean, jnp.exp(0.5 * jnp.clip(log_variance, *LOG_VARIANCE))

    def decode(self, z: Array) -> Array:
        """Images in [-1, 1], not clipped, of latents [B, h, w, latents]."""
        return self.decoder(self.post_quant_conv(z))


class VQAutoencoder(nn.Module):
    """Images to latents near a code book's vectors, and latents to images.

    channels  of images
    widths    channels at each resolution, from the full one down; each level halves it
    blocks    residual blocks of a level
    latents   channels between encoder and decoder
    codes     vectors in the code book
    code      channels of a vector
    groups    of group normalisation
    """

    channels: Size = 3
    widths: tuple[Size, ...] = (128, 256, 512)
    blocks: Size = 2
    latents: Size = 3
    codes: Annotated[int, at_least(2)] = 8192
    code: Size = 3
    groups: Size = 32
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        inner = self.widths, self.blocks, self.groups
        self.encoder = Encoder(*inner, self.latents, self.dtype)
        self.decoder = Decoder(*inner, self.channels, self.dtype)
        self.quant_conv = Pointwise(self.code, dtype=self.dtype)
        self.post_quant_conv = Pointwise(self.latents, dtype=self.dtype)
        self.quantize = CodeBook(self.codes, self.code)

    def __call__(self, x: Array) -> Array:
        """The reconstruction from the nearest vectors."""
        return self.decode(self.vectors(self.indices(self.encode(x))))

    def encode(self, x: Array) -> Array:
        """Latents [B, h, w, code] of images [B, H, W, C], before they are moved to a vector."""
        return full_precision(self.quant_conv(self.encoder(x)))

    def book(self) -> Array:
        """The vectors, [codes, code]."""
        return self.quantize()

    def indices(self, z: Array) -> Array:
        """The number of the nearest vector, [B, h, w]."""
        book = self.book()
        products = jnp.einsum("...c,kc->...k", z, book)
        return jnp.argmin(jnp.sum(book**2, axis=1) - 2.0 * products, axis=-1)

    def vectors(self, indices: Array) -> Array:
        """The vectors of numbers [B, h, w]: [B, h, w, code]."""
        return self.book()[indices]

    def decode(self, z: Array) -> Array:
        """Images in [-1, 1], not clipped, of vectors [B, h, w, code]."""
        return self.decoder(self.post_quant_conv(z))


class CodeBook(nn.Module):
    """Vectors [codes, features], at first uniform in [-1 / codes, 1 / codes]."""

    codes: int
    features: int

    def setup(self):
        def init(key, shape, dtype):
            return jax.random.uniform(key, shape, dtype, -1.0 / self.codes, 1.0 / self.codes)

        self.embedding = nn.Embed(self.codes, self.features, embedding_init=init)

    def __call__(self) -> Array:
        return self.embedding.embedding


AutoencoderSettings = part_of(KLAutoencoder, "channels", "latents", "dtype")
