"""Networks for points of the plane, the toy problem of mode coverage.

Two hidden layers of tanh with orthogonal weights of gain 1.4, as in the notebook of the authors of
Metz et al. 2017 (Unrolled GAN, arXiv 1611.02163).
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.common import full_precision
from gm_jax.nn.normalization import BatchNorm, layer

WEIGHTS = nn.initializers.orthogonal(1.4)


class Generator(nn.Module):
    """z [B, D] to points [B, *shape] (unbounded)."""

    shape: tuple[int, ...] = (2,)
    width: int = 128
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, train: bool) -> Array:
        for _ in range(2):
            z = nn.tanh(nn.Dense(self.width, kernel_init=WEIGHTS, dtype=self.dtype)(z))
        return full_precision(nn.Dense(*self.shape, kernel_init=WEIGHTS, dtype=self.dtype)(z))


class Discriminator(nn.Module):
    """Points [B, 2] to `outputs` logits a point, [B, outputs]; normalization as dcgan's has it."""

    width: int = 128
    outputs: int = 1
    normalization: str = "none"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        def dense(features):
            module = nn.Dense(features, kernel_init=WEIGHTS, dtype=self.dtype)
            return layer(module, self.normalization == "spectral", train)

        for _ in range(2):
            x = dense(self.width)(x)
            x = nn.tanh(BatchNorm(train, self.dtype)(x) if self.normalization == "batch" else x)
        self.sow("intermediates", "hidden", full_precision(x))
        return full_precision(dense(self.outputs)(x))
