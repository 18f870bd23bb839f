"""CLIP's modified ResNet.

Radford et al. 2021 (arXiv 2103.00020), section 2.4: a stem of three convolutions with an average
pool, an average pool before every convolution that would have a stride (He et al. 2019, arXiv
1812.01187, ResNet-D, and Zhang 2019, arXiv 1904.11486), and attention in place of the last pool,
whose query is the mean. The parts are named as in published files.
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from gm_jax import replicas
from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.dot_product_attention import attend
from gm_jax.nn.layers import Dense, Size
from gm_jax.nn.vit import ImageFeatures
from gm_jax.settings import at_least

EXPANSION = 4  # of a block's output channels to its inner ones


def _pool(x: Array, size: int) -> Array:
    return nn.avg_pool(x, (size, size), (size, size)) if size > 1 else x


def _conv(features: int, size: int, dtype, name: str, stride: int = 1):
    """A convolution without bias that keeps the sides, or halves them."""
    padding = [(size // 2, size // 2)] * 2
    return nn.Conv(
        features, (size, size), stride, padding, use_bias=False, dtype=dtype, name=name
    )  # fmt: skip


def _norm(train: bool, dtype, name: str, scale=nn.initializers.ones):
    """Batch normalisation over the global batch."""
    return nn.BatchNorm(
        not train, momentum=0.9, epsilon=1e-5, dtype=dtype, scale_init=scale,
        axis_name=replicas.name(), name=name,
    )  # fmt: skip


class Bottleneck(nn.Module):
    """x + three convolutions, [B, H, W, C] to [B, H / stride, W / stride, 4 width]."""

    width: int
    stride: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        def conv(features, size, name):
            return _conv(features, size, self.dtype, name)

        def norm(name, scale=nn.initializers.ones):
            return _norm(train, self.dtype, name, scale)

        h = nn.relu(norm("bn1")(conv(self.width, 1, "conv1")(x)))
        h = nn.relu(norm("bn2")(conv(self.width, 3, "conv2")(h)))
        h = conv(EXPANSION * self.width, 1, "conv3")(_pool(h, self.stride))
        h = norm("bn3", nn.initializers.zeros)(h)
        if h.shape != x.shape:
            x = conv(h.shape[-1], 1, "downsample_0")(_pool(x, self.stride))
            x = norm("downsample_1")(x)
        return nn.relu(h + x)


class AttentionPool(nn.Module):
    """One vector [B, features] of a map [B, H, W, C]: what its mean reads of it."""

    heads: int
    features: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]
        init = nn.initializers.normal(width**-0.5)
        x = x.reshape(len(x), -1, width)
        x = jnp.concatenate([x.mean(1, keepdims=True), x], axis=1)
        x = x + self.param("positional_embedding", init, x.shape[1:]).astype(self.dtype)

        def dense(features, name):
            return Dense(features, dtype=self.dtype, kernel_init=init, name=name)

        def heads_of(name, inputs):
            y = dense(width, name)(inputs)
            return y.reshape(*y.shape[:2], self.heads, -1)

        q, k, v = heads_of("q_proj", x[:, :1]), heads_of("k_proj", x), heads_of("v_proj", x)
        return dense(self.features, "c_proj")(attend(q, k, v).reshape(len(x), width))


class ClipResNet(nn.Module):
    """Images [B, H, W, C] to `ImageFeatures`; sides are multiples of 32, or UserError is raised.

    width       inner features of the first level; each further level has twice as many
    layers      blocks of each of the four levels
    projection  features of the pooled vector
    """

    width: Size = 64
    layers: tuple[Size, ...] = (3, 4, 6, 3)
    projection: Annotated[int, at_least(1)] = 1024
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> ImageFeatures:
        shrunk = 2 ** (1 + len(self.layers))
        if x.shape[1] % shrunk or x.shape[2] % shrunk:
            raise UserError(
                f"images of {x.shape[1]}x{x.shape[2]} have no sides that {shrunk} divides: choose"
                " another size"
            )
        h = x
        for number, width in enumerate((self.width // 2, self.width // 2, self.width), 1):
            stride = 2 if number == 1 else 1
            h = _conv(width, 3, self.dtype, f"conv{number}", stride)(h)
            h = nn.relu(_norm(train, self.dtype, f"bn{number}")(h))
        h = _pool(h, 2)
        for level, count in enumerate(self.layers):
            for number in range(count):
                stride = 2 if level and not number else 1
                name = f"layer{level + 1}_{number}"
                h = Bottleneck(self.width * 2**level, stride, self.dtype, name=name)(h, train)
        pool = AttentionPool(self.width // 2, self.projection, self.dtype, name="attnpool")
        return ImageFeatures(h, pool(h))
