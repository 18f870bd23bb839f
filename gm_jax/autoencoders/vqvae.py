"""The vector-quantised autoencoder.

van den Oord, Vinyals & Kavukcuoglu 2017 (arXiv 1711.00937); lookup-free codes of Yu et al. 2023.

    z_q = e_k,  k = argmin_j |z_e(x) - e_j|                                     eq. 1, 2
    L = -log p(x|z_q) + |sg[z_e] - e|^2 + beta |z_e - sg[e]|^2                  eq. 3
    log p(x) >= log p(x|z_q) + log p(z_q)                                       section 3.2

Until a prior is learned over the codes (autoregressive/latent_prior.py), p(z) is uniform.
"""

import jax.numpy as jnp

from gm_jax.autoencoders.shared import quantizers, vector_quantized
from gm_jax.model import Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn.grid import GridDecoder, GridEncoder, GridSettings, halved
from gm_jax.settings import schema


@schema
class Settings(vector_quantized.Settings):
    """A VQ-VAE.

    network  encoder and decoder
    """

    network: GridSettings = GridSettings()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Encoder, codes and decoder; configs/vqvae_mnist.py."""
    shape, network = field_of(spec, "image").shape, settings.network
    architecture = (network.widths, network.blocks, jnp.dtype(settings.dtype))
    width = quantizers.make(settings.quantizer).width
    encoder = Network("encoder", GridEncoder(width, *architecture))
    decoder = Network("decoder", GridDecoder(shape, *architecture))
    grid = halved(shape, len(network.widths))
    return vector_quantized.phase("vqvae", settings, spec, "image", grid, encoder, decoder)
