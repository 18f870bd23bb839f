"""C-ViViT: films as grids of codes, of which the first are those of a film that ends earlier.

Villegas et al. 2022, Phenaki (arXiv 2210.02399), section 2.1:

    z_e(x): patches of the first frame, blocks of several frames after it; attention within each
            time, then causal attention over times
    z_q = e_k,  k = argmin_j |z_e - e_j|
    x' (z_q): causal attention over times, then attention within each
    L = |x - x'|^2 / 2 s^2 + log s + |sg[z_e] - e|^2 + beta |z_e - sg[e]|^2

An image is a film of one frame. The squared error is that of a Gaussian with one learned variance
s^2; the paper's perceptual terms and its discriminator are left out.
"""

import jax.numpy as jnp

from gm_jax.autoencoders.shared import quantizers, vector_quantized
from gm_jax.model import Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn.cvivit import FilmDecoder, FilmEncoder, FilmSettings, grid_of
from gm_jax.settings import arguments, schema


@schema
class Settings(vector_quantized.Settings):
    """A C-ViViT.

    network  encoder and decoder
    """

    likelihood: str = "gaussian"
    network: FilmSettings = FilmSettings()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Encoder, codes and decoder; configs/cvivit_shapes.py."""
    shape, own = field_of(spec, "video").shape, arguments(settings.network)
    grid = grid_of(shape, own["frames"], own["patch"])
    own |= dict(length=shape[0], dtype=jnp.dtype(settings.dtype))
    encoder = Network("encoder", FilmEncoder(quantizers.make(settings.quantizer).width, **own))
    decoder = Network("decoder", FilmDecoder(shape[-1], **own))
    return vector_quantized.phase("cvivit", settings, spec, "video", grid, encoder, decoder)
