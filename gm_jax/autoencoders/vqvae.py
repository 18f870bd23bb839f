"""The vector-quantised autoencoder.

van den Oord, Vinyals & Kavukcuoglu 2017 (arXiv 1711.00937); lookup-free codes of Yu et al. 2023.

    z_q = e_k,  k = argmin_j |z_e(x) - e_j|                                     eq. 1, 2
    L = -log p(x|z_q) + |sg[z_e] - e|^2 + beta |z_e - sg[e]|^2                  eq. 3
    log p(x) >= log p(x|z_q) + log p(z_q)                                       section 3.2

Until a prior is learned over the codes (autoregressive/latent_prior.py), p(z) is uniform.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.autoencoders.shared import codes, quantizers
from gm_jax.losses.likelihoods import LIKELIHOODS
from gm_jax.model import Aux, Field, Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn.grid import GridDecoder, GridEncoder, GridSettings, halved
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, one_of, schema


@schema
class Settings(Recipe):
    """A VQ-VAE.

    quantizer   how vectors become codes
    likelihood  p(x|z)
    network     encoder and decoder
    optimizer   one of optax's
    """

    quantizer: quantizers.Settings = quantizers.Settings()
    likelihood: Annotated[str, one_of(LIKELIHOODS)] = "bernoulli"
    network: GridSettings = GridSettings()
    optimizer: Optimizer = adam(1e-3)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Encoder, codes and decoder; configs/vqvae_mnist.py."""
    shape, network = field_of(spec, "image").shape, settings.network
    grid = halved(shape, len(network.widths))
    quantizer = quantizers.make(settings.quantizer)
    likelihood = LIKELIHOODS[settings.likelihood]
    architecture = (network.widths, network.blocks, jnp.dtype(settings.dtype))
    encoder = Network("encoder", GridEncoder(quantizer.width, *architecture))
    decoder = Network("decoder", GridDecoder(shape, *architecture))

    def init(key, batch, previous):
        *keys, codebook_key = jax.random.split(key, 3)
        z = jnp.zeros((1, *grid, quantizer.width))
        variables = networks.init(keys, (encoder, batch["image"]), (decoder, z))
        learned, carried = quantizer.init(codebook_key)
        own = {"codebook": learned, **{name: jnp.zeros(()) for name in likelihood.learned}}
        return variables._replace(params=variables.params | own, state={"codebook": carried})

    def codebook(variables):
        return variables.params["codebook"], variables.state["codebook"]

    def quantize(variables, x):
        """z_e(x) [B, h, w, D], its codes, and the last two terms of eq. 3 [B]."""
        z = encoder(variables, x)
        return z, *quantizer.quantize(*codebook(variables), z)

    def log_prob(variables, x, output, keys=None):
        return likelihood.log_prob(x, output, variables.params)

    def negative_bound(variables, batch, key, step):
        """Eq. 3, and the codebook after this batch."""
        x = batch["image"]
        z, quantized, loss = quantize(variables, x)
        reconstruction = log_prob(variables, x, decoder(variables, quantized.code))
        carried, metrics = quantizer.update(variables.state["codebook"], z, quantized.indices, key)
        metrics |= {"reconstruction": jnp.mean(reconstruction), "quantization": jnp.mean(loss)}
        return jnp.mean(loss - reconstruction), Aux(metrics, {"codebook": carried})

    def indices(variables, x):
        """The codes of images, [B, h, w]."""
        return quantize(variables, x)[1].indices

    def output(variables, indices):
        """What the decoder makes of codes [B, h, w]."""
        return decoder(variables, quantizer.look_up(*codebook(variables), indices))

    owns = ("encoder", "decoder", "codebook", *likelihood.learned)
    moves, average = {"negative_bound": negative_bound}, settings.average
    players = (games.player("vqvae", owns, moves, settings, average),)
    code = Field(grid, quantizer.count)
    functions = codes.functions(code, indices, output, likelihood.mean, log_prob)
    encoded = {"image": spec["image"], "code": code}
    return (games.phase(settings, init, players, functions, encoded),)
