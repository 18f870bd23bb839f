"""Critics built from other networks: an auto-encoder, and critics of pairs."""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array, Spec, modality_of
from gm_jax.nn.encoders import MLP, ConvDecoder, ConvEncoder, ImageMLP
from gm_jax.nn.layers import full_precision


class AutoEncoder(nn.Module):
    """Examples [B, ...] to (reconstructions [B, ...], codes [B, D])."""

    encoder: nn.Module
    decoder: nn.Module

    def __call__(self, x: Array, train: bool) -> tuple[Array, Array]:
        code = self.encoder(x)
        return self.decoder(code), code


class VectorPairCritic(nn.Module):
    """(x [B, N], z [B, D]) as one vector to the output of `critic`."""

    critic: nn.Module

    def __call__(self, x: Array, z: Array, train: bool) -> Array:
        return self.critic(jnp.concatenate([x, z], axis=-1), train=train)


class PairCritic(nn.Module):
    """(x [B, ...], z [B, D]) to one logit per pair, [B, 1]; the trunk sees only x."""

    trunk: nn.Module
    width: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, z: Array, train: bool) -> Array:
        of_x = nn.leaky_relu(self.trunk(x, train=train), 0.2)
        of_z = nn.leaky_relu(nn.Dense(self.width, dtype=self.dtype)(z), 0.2)
        both = jnp.concatenate([of_x, of_z], axis=-1)
        both = nn.leaky_relu(nn.Dense(self.width, dtype=self.dtype)(both), 0.2)
        return full_precision(nn.Dense(1, dtype=self.dtype)(both))


def auto_encoder(spec: Spec, width: int, code: int, dtype: str) -> AutoEncoder:
    """Of the data's examples: convolutional for images; for points one hidden layer of tanh on
    either side of the code."""
    shape, dtype = spec[modality_of(spec)].shape, jnp.dtype(dtype)
    if len(shape) == 3:
        widths = (width, 2 * width)
        encoder = ConvEncoder(code, widths, dtype=dtype)
        return AutoEncoder(encoder, ConvDecoder(shape, widths, dtype=dtype))
    encoder = MLP(code, (width,), nn.tanh, dtype)
    return AutoEncoder(encoder, ImageMLP(shape, (width,), nn.tanh, dtype))
