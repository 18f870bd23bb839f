"""Normalisations of adversarial networks: batch normalisation, and spectral of weights."""

import functools

import flax.linen as nn
import jax.numpy as jnp

from gm_jax import replicas
from gm_jax.model import Array

NORMALIZATIONS = ("batch", "spectral", "none")  # of discriminators


def _scale_around_one(key, shape, dtype=jnp.float32):
    return 1.0 + nn.initializers.normal(0.02)(key, shape, dtype)


class BatchNorm(nn.Module):
    """Batch normalisation over the global batch, as one device would compute it."""

    train: bool
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return nn.BatchNorm(
            use_running_average=not self.train,
            momentum=0.9,
            dtype=self.dtype,
            scale_init=_scale_around_one,
            axis_name=replicas.name(),
        )(x)


def layer(module: nn.Module, spectral: bool, train: bool):
    """A layer as it is, or with its weights divided by their largest singular value.

    Miyato et al. 2018 (arXiv 1802.05957), algorithm 1: one step of power iteration per move; the
    vector that it reaches is state (`batch_stats`).
    """
    return functools.partial(nn.SpectralNorm(module), update_stats=train) if spectral else module
