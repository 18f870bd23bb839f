"""The parts of residual GANs: blocks, conditional batch normalisation, self-attention.

up      BN, ReLU, to twice the size, 3x3, BN, ReLU, 3x3, beside a 1x1 convolution
down    ReLU, 3x3, ReLU, 3x3, mean of 2x2 pixels, beside a 1x1 convolution. The first block begins
        with its convolution: an image needs no ReLU
deep    Brock et al. 2019 (BigGAN-deep), appendix B: 1x1, 3x3, 3x3, 1x1 with a quarter of the
        features between them. What goes beside keeps its first channels in G; in D, a 1x1
        convolution adds the channels that it lacks

A 1x1 convolution is exchanged with the change of size that surrounds it, which costs a quarter and
is the same function.
"""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.initializers import Initializer, zeros

from gm_jax.model import Array
from gm_jax.nn.layers import BatchNorm, Pointwise, doubled, full_precision, layer


def halvings(size: int) -> int:
    """How often an image's side is halved: down to 4 to 7 pixels, or until it is odd."""
    count = 0
    while size > 4 and size % 2 == 0:
        size, count = size // 2, count + 1
    return count


def halved(x: Array) -> Array:
    """[B, H, W, C] to [B, H/2, W/2, C]: the mean of 2x2 pixels."""
    return nn.avg_pool(x, (2, 2), (2, 2))


class Weights(NamedTuple):
    """How weights begin.

    inner      those of the blocks' convolutions
    outer      all others: beside the blocks, of the first and the last layer, of labels
    condition  what a condition adds to the gains and shifts of batch normalisation
    """

    inner: Initializer
    outer: Initializer
    condition: Initializer = zeros


class Layers(NamedTuple):
    """The layers of one network.

    spectral  whether their weights are divided by their largest singular value
    """

    weights: Weights
    spectral: bool
    train: bool
    dtype: jnp.dtype

    def conv(self, features: int, size: int = 3, bias: bool = True):
        """A convolution: within a block if of 3x3, else beside it."""
        if size == 1:
            return self._layer(Pointwise(features, **self._common(bias, self.weights.outer)))
        return self._layer(
            nn.Conv(features, (size, size), **self._common(bias, self.weights.inner))
        )

    def last_conv(self, features: int):
        """The 3x3 convolution to an image."""
        return self._layer(nn.Conv(features, (3, 3), **self._common(True, self.weights.outer)))

    def dense(self, features: int, bias: bool = True, name: str | None = None):
        """A fully connected layer."""
        common = self._common(bias, self.weights.outer)
        return self._layer(nn.Dense(features, name=name, **common))

    def _common(self, bias: bool, begin: Initializer) -> dict:
        return {"use_bias": bias, "kernel_init": begin, "dtype": self.dtype}

    def _layer(self, module: nn.Module):
        return layer(module, self.spectral, self.train)


class ConditionalBatchNorm(nn.Module):
    """Batch normalisation of x [B, H, W, C] with gain 1 + W y and shift V y, y [B, N].

    De Vries et al. 2017 (arXiv 1707.00683). Without y, gain and shift are learned.
    spectral  whether W and V are divided by their largest singular value, too
    """

    layers: Layers
    spectral: bool = False

    @nn.compact
    def __call__(self, x: Array, y: Array | None = None) -> Array:
        def learned(name):
            if y is None:
                return self.param(name, zeros, (x.shape[-1],)).astype(x.dtype)
            dense = nn.Dense(
                x.shape[-1], use_bias=False, kernel_init=self.layers.weights.condition,
                dtype=self.layers.dtype, name=name,
            )  # fmt: skip
            return layer(dense, self.spectral, self.layers.train)(y)[:, None, None]

        x = BatchNorm(self.layers.train, self.layers.dtype, affine=False)(x)
        return x * (1.0 + learned("gain")) + learned("shift")


class SelfAttention(nn.Module):
    """Every position of a map [B, H, W, C] reads of all others, as far as `gain` lets it.

    Zhang et al. 2019 (SAGAN, arXiv 1805.08318), section 3: softmax over the keys of
    theta(x)^T phi(x), unscaled. As in the authors' code, keys and values are the maxima of 2x2
    pixels, values have C/2 channels, and no layer has a bias. The gain begins at 0.
    """

    layers: Layers

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def of_pixels(features):
            return self.layers.conv(features, 1, bias=False)(x)

        def of_fours(features):
            return nn.max_pool(of_pixels(features), (2, 2), (2, 2)).reshape(len(x), -1, features)

        features, half = max(x.shape[-1] // 8, 1), max(x.shape[-1] // 2, 1)
        queries = of_pixels(features).reshape(len(x), -1, features)
        keys, values = of_fours(features), of_fours(half)
        scores = full_precision(jnp.einsum("bqc,bkc->bqk", queries, keys))
        weights = nn.softmax(scores, axis=-1).astype(values.dtype)
        read = jnp.einsum("bqk,bkc->bqc", weights, values).reshape(*x.shape[:3], half)
        gain = self.param("gain", zeros, ()).astype(x.dtype)
        return x + gain * self.layers.conv(x.shape[-1], 1, bias=False)(read)


class UpBlock(nn.Module):
    """[B, H, W, C] to [B, 2H, 2W, features]; y as `ConditionalBatchNorm` takes it."""

    features: int
    layers: Layers
    spectral: bool = False

    @nn.compact
    def __call__(self, x: Array, y: Array | None = None) -> Array:
        def active(x):
            return nn.relu(ConditionalBatchNorm(self.layers, self.spectral)(x, y))

        conv = self.layers.conv
        h = conv(self.features)(doubled(active(x)))
        h = conv(self.features)(active(h))
        return h + doubled(conv(self.features, 1)(x))


class DownBlock(nn.Module):
    """[B, H, W, C] to [B, H/2, W/2, features], or of the same size; `first` if x is an image."""

    features: int
    layers: Layers
    down: bool = True
    first: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        conv = self.layers.conv
        h = conv(self.features)(x if self.first else nn.relu(x))
        h = conv(self.features)(nn.relu(h))
        if self.down:
            h, x = halved(h), halved(x)
        same = not self.down and x.shape[-1] == self.features
        return h + (x if same else conv(self.features, 1)(x))


class DeepUpBlock(nn.Module):
    """[B, H, W, C] to [B, 2H, 2W, features], or of the same size; y as in `UpBlock`."""

    features: int
    layers: Layers
    spectral: bool = False
    up: bool = True

    @nn.compact
    def __call__(self, x: Array, y: Array | None = None) -> Array:
        def active(x):
            return nn.relu(ConditionalBatchNorm(self.layers, self.spectral)(x, y))

        conv, hidden = self.layers.conv, max(x.shape[-1] // 4, 1)
        h = active(conv(hidden, 1)(active(x)))
        h = conv(hidden)(doubled(h) if self.up else h)
        h = conv(hidden)(active(h))
        h = conv(self.features, 1)(active(h))
        x = x[..., : self.features]
        return h + (doubled(x) if self.up else x)


class DeepDownBlock(nn.Module):
    """[B, H, W, C] to [B, H/2, W/2, features >= C], or of the same size."""

    features: int
    layers: Layers
    down: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        conv, hidden = self.layers.conv, max(self.features // 4, 1)
        h = conv(hidden, 1)(nn.relu(x))
        h = conv(hidden)(nn.relu(h))
        h = nn.relu(conv(hidden)(nn.relu(h)))
        if self.down:
            h, x = halved(h), halved(x)
        h = conv(self.features, 1)(h)
        more = self.features - x.shape[-1]
        return h + (jnp.concatenate([x, conv(more, 1)(x)], axis=-1) if more else x)
