"""The PixelCNN.

van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel Recurrent Neural Networks (arXiv 1601.06759),
section 3.4: masked convolutions, a softmax over the levels of each colour channel.

    p(x) = prod_i p(x_i,R | x_<i) p(x_i,G | x_<i, x_i,R) p(x_i,B | x_<i, x_i,R, x_i,G)    eq. 1, 2
"""

import jax.numpy as jnp

from gm_jax.autoregressive import pixels
from gm_jax.model import Phase, field_of
from gm_jax.nn.pixelcnn import PixelCNN


def build(config, spec, stages) -> tuple[Phase, ...]:
    """A stack of masked convolutions; configs/pixelcnn_mnist.py shows the keys."""
    image = field_of(spec, "image")
    net = PixelCNN(
        image.cardinality, image.shape[-1], **config.network, dtype=jnp.dtype(config.dtype)
    )

    return pixels.phases(config, spec, pixels.causal(net, image.shape), pixels.init(net, image))
