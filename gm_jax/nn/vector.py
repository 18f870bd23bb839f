"""Pairs of networks between images and vectors, by the name a recipe gives them."""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import choose
from gm_jax.nn.convolutional import ConvDecoder, ConvEncoder
from gm_jax.nn.mlp import MLP, ImageMLP

PAIRS = {"mlp": (MLP, ImageMLP), "conv": (ConvEncoder, ConvDecoder)}


def pair(network, outputs: int, shape: tuple[int, ...], dtype) -> tuple[nn.Module, nn.Module]:
    """Encoder of images [B, *shape] to [B, outputs] and decoder back, of a recipe's `network`."""
    encoder, decoder = choose("network", network.name, PAIRS)
    dtype = jnp.dtype(dtype)
    return encoder(outputs, network.widths, dtype=dtype), decoder(
        shape, network.widths, dtype=dtype
    )
