"""What holds the latents of a first stage: a KL to N(0, I), or a codebook.

Rombach et al. 2022 (arXiv 2112.10752), section 3.1: both only slightly, so that little is lost.
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax.numpy as jnp

from gm_jax.autoencoders.shared.quantizers import used
from gm_jax.losses.likelihoods import gaussian_kl
from gm_jax.losses.quantization import quantize
from gm_jax.networks import Network
from gm_jax.nn.latent_autoencoder import LOG_VARIANCE, KLAutoencoder, VQAutoencoder
from gm_jax.nn.layers import normal
from gm_jax.settings import at_least, one_of, schema


class Bottleneck(NamedTuple):
    """An autoencoder's network, and what happens between its encoder and its decoder.

    latent  (variables, x, keys [B] or None) -> (z [B, h, w, C], loss [B]): drawn, or without keys
            the most probable
    expand  (variables, z) -> (what the decoder sees, loss [B], metrics)
    """

    network: Network
    latent: Callable
    expand: Callable


def kl(settings: "Settings", **sizes) -> Bottleneck:
    """q(z|x) = N(mean, variance), whose KL to N(0, I) is the loss."""
    network = Network("autoencoder", KLAutoencoder(latents=settings.channels, **sizes))

    def latent(variables, x, keys=None):
        moments = network(variables, x, method="moments")
        mean, log_variance = jnp.split(moments, 2, axis=-1)
        log_variance = jnp.clip(log_variance, *LOG_VARIANCE)
        loss = gaussian_kl(*(m.reshape(len(x), -1) for m in (mean, log_variance)))
        if keys is None:
            return mean, loss
        return mean + jnp.exp(0.5 * log_variance) * normal(keys, mean.shape[1:]), loss

    def expand(variables, z):
        return z, jnp.zeros(len(z)), {}

    return Bottleneck(network, latent, expand)


def vq(settings: "Settings", **sizes) -> Bottleneck:
    """The nearest vector of a codebook; a latent is what is before that.

    The loss is |sg[z] - e|^2 + beta |z - sg[e]|^2, the mean over positions and channels times the
    numbers of an image: it weighs against a sum over pixels what it weighs in Esser et al.'s code
    against a mean.
    """
    codes, width = settings.codes, settings.channels
    module = VQAutoencoder(latents=width, code=width, codes=codes, **sizes)
    network = Network("autoencoder", module)

    def latent(variables, x, keys=None):
        return network(variables, x, method="encode"), jnp.zeros(len(x))

    def expand(variables, z):
        quantized = quantize(network(variables, method="book"), z)
        loss = quantized.losses["codebook"] + settings.beta * quantized.losses["commitment"]
        halvings = len(module.widths) - 1
        ratio = 4**halvings * module.channels / width
        return quantized.code, ratio * loss, used(quantized.indices, codes)

    return Bottleneck(network, latent, expand)


BOTTLENECKS = {"kl": kl, "vq": vq}


@schema
class Settings:
    """What holds the latents.

    name      a KL to N(0, I) (kl), or a codebook (vq)
    weight    of its loss
    channels  of a latent
    codes     vectors in vq's codebook
    beta      of vq's commitment
    """

    name: Annotated[str, one_of(BOTTLENECKS)] = "kl"
    weight: Annotated[float, at_least(0.0)] = 1e-6
    channels: Annotated[int, at_least(1)] = 4
    codes: Annotated[int, at_least(2)] = 256
    beta: Annotated[float, at_least(0.0)] = 0.25
