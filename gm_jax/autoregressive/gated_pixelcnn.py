"""The gated PixelCNN, of images and of a class.

van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders (arXiv 1606.05328).

    p(x | h) = prod_i p(x_i | x_1 .. x_{i-1}, h)                                          eq. 3

Its network is in `nn.gated_pixelcnn`: latent_prior.py has the same over codes.
"""

import jax.numpy as jnp

from gm_jax.autoregressive.shared import pixels
from gm_jax.model import Phase, classes_of, field_of
from gm_jax.nn.gated_pixelcnn import GatedPixelCNN
from gm_jax.settings import arguments, part_of, schema

NetworkSettings = part_of(GatedPixelCNN, "levels", "colors", "classes", "dtype")


@schema
class Settings(pixels.Settings):
    """A gated PixelCNN.

    conditional  whether the network knows the label
    network      the two stacks of gated layers
    """

    conditional: bool = False
    network: NetworkSettings = NetworkSettings()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Two stacks of gated layers in one phase; configs/gated_pixelcnn_mnist.py."""
    image = field_of(spec, "image")
    net = GatedPixelCNN(
        image.cardinality,
        image.shape[-1],
        classes=classes_of(spec) if settings.conditional else 0,
        **arguments(settings.network),
        dtype=jnp.dtype(settings.dtype),
    )
    model, init = pixels.causal(net, image.shape), pixels.init(net, image)
    return (pixels.phase(settings, image, model, init, conditional=settings.conditional),)
