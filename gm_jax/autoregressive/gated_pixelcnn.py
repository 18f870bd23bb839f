"""The gated PixelCNN, of images and of a class.

van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders (arXiv 1606.05328).

    p(x | h) = prod_i p(x_i | x_1 .. x_{i-1}, h)                                          eq. 3
"""

import jax.numpy as jnp

from gm_jax.autoregressive import pixels
from gm_jax.model import Phase, field_of
from gm_jax.nn.gated_pixelcnn import GatedPixelCNN


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Two stacks of gated layers; configs/gated_pixelcnn_mnist.py shows the keys."""
    image = field_of(spec, "image")
    net = GatedPixelCNN(
        image.cardinality,
        image.shape[-1],
        classes=pixels.classes(config, spec),
        **config.network,
        dtype=jnp.dtype(config.dtype),
    )
    model, init = pixels.causal(net, image.shape), pixels.init(net, image)
    return pixels.phases(config, spec, model, init, conditional=config.conditional)
