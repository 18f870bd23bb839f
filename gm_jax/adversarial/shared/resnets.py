"""Residual generators and discriminators, of any even image size.

wgan_gp_resnet  Gulrajani et al. 2017, CIFAR-10's: all maps of one width, mean over the pixels
sngan_resnet    Miyato et al. 2018, table 4: the same with the sum over the pixels and, for
                Miyato & Koyama 2018, conditional batch norm in G and D's projection
sagan           Zhang et al. 2019: twice the features each time the image is halved, self-attention
                at 32x32, spectral norm in G, too
biggan          Brock et al. 2019, figure 15: as SAGAN, attention at 64x64, orthogonal weights;
                labels are embedded once, and each block sees its own part of z
biggan_cifar    the same authors' for CIFAR-10: as SNGAN's, with spectral norm in G
biggan_deep     the same paper, figure 16: bottlenecks, two a size; each block sees all of z

Labels enter as one-hot vectors y [B, classes], or not at all. Miyato & Koyama's projection adds
<V y, h> to the logits, h D's last map summed over the pixels. Weights are those of the authors'
code.
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.initializers import glorot_uniform, normal, orthogonal, variance_scaling

from gm_jax.adversarial.shared.resnet_blocks import (
    ConditionalBatchNorm,
    DeepDownBlock,
    DeepUpBlock,
    DownBlock,
    Layers,
    SelfAttention,
    UpBlock,
    Weights,
    halvings,
)
from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import full_precision
from gm_jax.nn.remat import rematerialised

DOWN = (True, True, False, False)  # blocks of a discriminator of one width

# N(0, 4 / (in + out)) and N(0, 2 / (in + out)), as uniform distributions.
BEFORE_RELU = Weights(variance_scaling(2.0, "fan_avg", "uniform"), glorot_uniform())
GLOROT = Weights(glorot_uniform(), glorot_uniform())
ORTHOGONAL = Weights(orthogonal(), orthogonal(), orthogonal())
SMALL = Weights(*[normal(0.02)] * 3)


def whole(z: Array, y: Array | None, blocks: int) -> tuple[Array, list]:
    """What the first layer and each block see: z; and y."""
    return z, [y] * blocks


def joined(z: Array, y: Array | None, blocks: int) -> tuple[Array, list]:
    """Both see z and y. Brock et al. 2019, BigGAN-deep."""
    both = z if y is None else jnp.concatenate([z, y], axis=-1)
    return both, [both] * blocks


def split(z: Array, y: Array | None, blocks: int) -> tuple[Array, list]:
    """A part of z; and another part with y. Brock et al. 2019, "hierarchical latent spaces"."""
    if z.shape[-1] % (blocks + 1):
        raise UserError(
            f"latents {z.shape[-1]} do not divide into {blocks + 1} equal parts, one for the first"
            " layer and one for each block: choose a multiple"
        )
    first, *parts = jnp.split(z, blocks + 1, axis=-1)
    return first, [joined(part, y, 1)[0] for part in parts]


class ResNetGenerator(nn.Module):
    """z [B, D], y [B, classes] or None, to an image [B, *shape] in [-1, 1].

    width      channels of the last hidden map
    flat       whether all maps have that many; if not, twice as many at each halving, up to 16
    spectral   spectral norm of every layer but the embedding
    attention  the largest side of a map that is attended; 0 for none
    embedding  size of the one embedding of labels; 0 for one in each layer
    inputs     what the first layer and the blocks see: whole, split or joined
    deep       BigGAN-deep's blocks
    remat      whether the backward pass computes the inside of each block again
    """

    shape: tuple[int, int, int]
    width: int = 64
    dtype: jnp.dtype = jnp.float32
    weights: Weights = BEFORE_RELU
    flat: bool = True
    spectral: bool = False
    attention: int = 0
    embedding: int = 0
    inputs: Callable = whole
    deep: bool = False
    remat: bool = False

    @nn.compact
    def __call__(self, z: Array, y: Array | None = None, train: bool = False) -> Array:
        layers = Layers(self.weights, self.spectral, train, self.dtype)
        side = min(self.shape[:2])
        blocks = halvings(side)
        attended = _attended(side, self.attention)
        one = self.spectral and bool(self.embedding)
        if y is not None and self.embedding:
            plain = layers._replace(spectral=False)
            y = plain.dense(self.embedding, bias=False, name="embedding")(y)
        z, conditions = self.inputs(z, y, blocks)
        height, width = (side >> blocks for side in self.shape[:2])
        first, *features = (self._features(level) for level in reversed(range(blocks + 1)))
        attend, up, deep = (
            rematerialised(block, self.remat) for block in (SelfAttention, UpBlock, DeepUpBlock)
        )
        x = layers.dense(height * width * first)(z).reshape(-1, height, width, first)
        for count, condition in zip(features, conditions, strict=True):
            if min(x.shape[1:3]) == attended:
                x = attend(layers)(x)
            if self.deep:
                x = deep(x.shape[-1], layers, one, up=False)(x, condition)
                x = deep(count, layers, one)(x, condition)
            else:
                x = up(count, layers, one)(x, condition)
        x = nn.relu(ConditionalBatchNorm(layers)(x))
        return jnp.tanh(full_precision(layers.last_conv(self.shape[-1])(x)))

    def _features(self, level: int) -> int:
        return self.width * (1 if self.flat else min(2**level, 16))


class ResNetDiscriminator(nn.Module):
    """Image [B, H, W, C], y [B, classes] or None, to `outputs` logits an image, [B, outputs].

    The last hidden map is sown as intermediates/hidden. width, weights, flat, attention, deep
    and remat are as in `ResNetGenerator`.
    normalization  spectral, of every layer; or none
    pool           over the pixels of the last map: jnp.sum or jnp.mean
    bias           whether the logits have one
    """

    width: int = 64
    outputs: int = 1
    normalization: str = "spectral"
    dtype: jnp.dtype = jnp.float32
    weights: Weights = BEFORE_RELU
    flat: bool = True
    attention: int = 0
    pool: Callable = jnp.sum
    bias: bool = True
    deep: bool = False
    remat: bool = False

    @nn.compact
    def __call__(self, x: Array, y: Array | None = None, train: bool = False) -> Array:
        if self.normalization == "batch":
            raise UserError(
                "residual discriminators have no batch normalisation: set"
                " discriminator.normalization to spectral or none"
            )
        layers = Layers(self.weights, self.normalization == "spectral", train, self.dtype)
        side = min(x.shape[1:3])
        attended = _attended(side, self.attention)
        attend, half, deep = (
            rematerialised(block, self.remat) for block in (SelfAttention, DownBlock, DeepDownBlock)
        )
        if self.deep:
            x = layers.conv(self.width)(x)
        for number, (features, down) in enumerate(self._blocks(halvings(side))):
            if self.deep:
                x = deep(features, layers)(x)
                x = deep(features, layers, down=False)(x)
            else:
                x = half(features, layers, down, first=number == 0)(x)
            if down and min(x.shape[1:3]) == attended:
                x = attend(layers)(x)
        x = full_precision(nn.relu(x))
        self.sow("intermediates", "hidden", x)
        hidden = self.pool(x, axis=(1, 2))
        logits = layers.dense(self.outputs, self.bias)(hidden)
        if y is not None:
            of_label = layers.dense(hidden.shape[-1], bias=False, name="embedding")(y)
            logits += jnp.sum(of_label * hidden, axis=-1, keepdims=True)
        return full_precision(logits)

    def _blocks(self, count: int) -> list[tuple[int, bool]]:
        """Each block's features, and whether it halves the image."""
        if self.flat:
            return [(self.width, down) for down in DOWN]
        levels = range(1, count + 1) if self.deep else range(count + 1)
        return [(self.width * min(2**n, 16), self.deep or n < count) for n in levels]


def _attended(side: int, most: int) -> int:
    """The largest side of a map, of those that halving reaches, that is at most so large."""
    return next((s for k in range(1, halvings(side) + 1) if (s := side >> k) <= most), 0)


_SAGAN = {"weights": GLOROT, "flat": False, "attention": 32}
_BIGGAN = {"weights": ORTHOGONAL, "flat": False, "attention": 64}
_EMBEDDED = {"spectral": True, "embedding": 128}

# Settings of the generator and of the discriminator, by the names of `networks`.
RESNETS = {
    "wgan_gp_resnet": ({}, {"pool": jnp.mean}),
    "sngan_resnet": ({}, {"bias": False}),
    "sagan": ({**_SAGAN, "spectral": True}, _SAGAN),
    "biggan": ({**_BIGGAN, **_EMBEDDED, "inputs": split}, _BIGGAN),
    "biggan_cifar": ({"weights": SMALL, "spectral": True}, {"weights": SMALL}),
    "biggan_deep": (
        {**_BIGGAN, **_EMBEDDED, "inputs": joined, "deep": True},
        {**_BIGGAN, "deep": True},
    ),
}
