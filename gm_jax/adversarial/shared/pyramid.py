"""The networks of a Laplacian pyramid of GANs.

Those of the authors' code for CIFAR-10: of Denton et al. 2015 (arXiv 1506.05751), appendix A. A
label enters as a plane of its own, or beside the inputs of a dense network; without labels it is
None.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import Dropout, full_precision

SMALLEST = 9  # pixels a side that D's two convolutions leave something of

# U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)), Torch's.
UNIFORM = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


class Residual(nn.Module):
    """G_k: z [B, H, W, 1], l [B, H, W, C] and one-hot labels [B, classes] or None to h, linear."""

    width: int = 64
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, low: Array, label: Array | None) -> Array:
        def conv(features, size):
            return nn.Conv(features, (size, size), kernel_init=UNIFORM, dtype=self.dtype)

        x = jnp.concatenate([z, *_plane(label, low, self.dtype), low], axis=-1)
        x = nn.relu(conv(self.width, 7)(x))
        x = nn.relu(conv(self.width, 7)(x))
        return full_precision(conv(low.shape[-1], 5)(x))


class Critic(nn.Module):
    """D_k: images [B, H, W, C] and one-hot labels [B, classes] or None to logits [B].

    dropout  share of hidden units that are dropped, by one key an example
    """

    width: int = 64
    dropout: float = 0.5
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, label: Array | None, keys: Array) -> Array:
        def conv(**strides):
            return nn.Conv(self.width, (5, 5), padding="VALID", kernel_init=UNIFORM,
                           dtype=self.dtype, **strides)  # fmt: skip

        x = jnp.concatenate([x, *_plane(label, x, self.dtype)], axis=-1)
        x = nn.relu(conv()(x))
        x = nn.relu(conv(strides=2)(x))
        x = Dropout(self.dropout)(x.reshape(len(x), -1), keys)
        return full_precision(nn.Dense(1, kernel_init=UNIFORM, dtype=self.dtype)(x))[:, 0]


def _plane(label: Array | None, x: Array, dtype) -> tuple[Array, ...]:
    """One plane of x's size, a linear layer and ReLU of the one-hot label; none without labels."""
    if label is None:
        return ()
    _, height, width, _ = x.shape
    plane = nn.Dense(height * width, kernel_init=UNIFORM, dtype=dtype, name="label")(label)
    return (nn.relu(plane).reshape(-1, height, width, 1),)


class CoarseGenerator(nn.Module):
    """G_K: z [B, D] and one-hot labels [B, classes] or None to images [B, *shape], linear."""

    shape: tuple[int, int, int]
    width: int = 1200
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, label: Array | None) -> Array:
        def dense(features):
            return nn.Dense(features, kernel_init=nn.initializers.normal(0.05), dtype=self.dtype)

        x = _with(z, label)
        for _ in range(2):
            x = nn.relu(dense(self.width)(x))
        height, width, channels = self.shape
        x = dense(height * width * channels)(x)
        return full_precision(x).reshape(-1, *self.shape)


class CoarseCritic(nn.Module):
    """D_K: images [B, H, W, C] and one-hot labels [B, classes] or None to logits [B]."""

    width: int = 600
    dropout: float = 0.5
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, label: Array | None, keys: Array) -> Array:
        def dense(features):
            return nn.Dense(features, kernel_init=nn.initializers.normal(0.005), dtype=self.dtype)

        x = _with(x.reshape(len(x), -1), label)
        for _ in range(2):
            x = Dropout(self.dropout)(nn.relu(dense(self.width)(x)), keys)
        return full_precision(dense(1)(x))[:, 0]


def _with(x: Array, label: Array | None) -> Array:
    return x if label is None else jnp.concatenate([x, label], axis=-1)
