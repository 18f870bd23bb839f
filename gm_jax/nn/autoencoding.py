"""Auto-encoders as discriminators: what the energy-based games judge with."""

import flax.linen as nn

from gm_jax.nn.composite import AutoEncoder
from gm_jax.nn.convolutional import ConvDecoder, ConvEncoder
from gm_jax.nn.mlp import MLP, ImageMLP


def auto_encoder(settings, shape: tuple[int, ...], dtype) -> AutoEncoder:
    """Convolutional for images; for points one hidden layer of tanh on either side of the code."""
    width, code = settings.discriminator.width, settings.code
    if len(shape) == 3:
        widths = (width, 2 * width)
        encoder = ConvEncoder(code, widths, dtype=dtype)
        return AutoEncoder(encoder, ConvDecoder(shape, widths, dtype=dtype))
    encoder = MLP(code, (width,), nn.tanh, dtype)
    return AutoEncoder(encoder, ImageMLP(shape, (width,), nn.tanh, dtype))
