"""PixelRNN with row LSTMs or diagonal BiLSTMs.

van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel Recurrent Neural Networks (arXiv 1601.06759),
sections 3.1 and 3.2; the layers' equations are in `nn.lstm`.

    p(x) = prod_i p(x_i | x_1 .. x_{i-1})                                                 eq. 1
"""

import jax.numpy as jnp

from gm_jax.autoregressive import pixels
from gm_jax.errors import UserError
from gm_jax.model import Phase, field_of
from gm_jax.nn.pixelrnn import LSTMS, PixelRNN


def build(config, spec, stages) -> tuple[Phase, ...]:
    """A stack of recurrent layers; configs/pixelrnn_mnist.py shows the keys."""
    if config.network.lstm not in LSTMS:
        raise UserError(f"network.lstm is {config.network.lstm!r}; it can be: {', '.join(LSTMS)}")
    image = field_of(spec, "image")
    net = PixelRNN(
        image.cardinality, image.shape[-1], **config.network, dtype=jnp.dtype(config.dtype)
    )
    model = pixels.causal(net, image.shape, margin=net.margin)
    return pixels.phases(config, spec, model, pixels.init(net, image))
