"""PixelCNN++.

Salimans, Karpathy, Chen & Kingma 2017 (arXiv 1701.05517): a discretised mixture of logistics for
the channels of a pixel together, gated residual blocks, short cuts.

    p(x | pi, mu, s) = sum_k pi_k [sigma((x + .5 - mu_k) / s_k) - sigma((x - .5 - mu_k) / s_k)]
                                                                                          eq. 2
    mu_G = mu_G + alpha x_R,   mu_B = mu_B + beta x_R + gamma x_G                         eq. 3

To the sampler of sequences its channels come one after the other: a place's logits are those of one
channel's levels, given the channels before it.
"""

import jax.numpy as jnp

from gm_jax.autoregressive import pixels
from gm_jax.losses import logistic_mixture
from gm_jax.model import Phase, field_of
from gm_jax.nn.masked import scaled
from gm_jax.nn.pixelcnnpp import PixelCNNpp


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Mixtures of logistics from two stacks; configs/pixelcnnpp_mnist.py shows the keys."""
    image, classes = field_of(spec, "image"), pixels.classes(config, spec)
    components, levels, colors = config.components, image.cardinality, image.shape[-1]
    net = PixelCNNpp(
        levels, logistic_mixture.parameters(components, colors), classes=classes,
        **config.network, dtype=jnp.dtype(config.dtype),
    )  # fmt: skip

    def logits(x, raw):
        return logistic_mixture.level_logits(scaled(x, levels), raw, components, levels)

    def nats(params, x, label, keys):
        x = x.reshape(-1, *image.shape)
        raw = net.apply({"params": params}, x, label, keys)
        return logistic_mixture.log_prob(scaled(x, levels), raw, components, levels)

    return pixels.phases(
        config, spec,
        pixels.causal(net, image.shape, logits),
        pixels.init(net, image),
        conditional=config.conditional,
        nats=nats,
    )  # fmt: skip
