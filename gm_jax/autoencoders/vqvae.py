"""The vector-quantised autoencoder.

van den Oord, Vinyals & Kavukcuoglu 2017 (arXiv 1711.00937); lookup-free codes of Yu et al. 2023.

    z_q = e_k,  k = argmin_j |z_e(x) - e_j|                                     eq. 1, 2
    L = -log p(x|z_q) + |sg[z_e] - e|^2 + beta |z_e - sg[e]|^2                  eq. 3
    log p(x) >= log p(x|z_q) + log p(z_q)                                       section 3.2

Until a prior is learned over the codes (autoregressive/latent_prior.py), p(z) is uniform.
"""

import jax
import jax.numpy as jnp

from gm_jax.autoencoders import codes
from gm_jax.errors import choose
from gm_jax.losses.likelihoods import LIKELIHOODS
from gm_jax.model import Aux, Field, GenerativeModel, Move, Phase, Player, Variables, field_of
from gm_jax.nn import quantizers
from gm_jax.nn.grid import GridDecoder, GridEncoder, halved
from gm_jax.optimizers import optimizer, warmed_up


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Encoder, codes and decoder; configs/vqvae_mnist.py shows the keys."""
    shape, network = field_of(spec, "image").shape, config.network
    grid = halved(shape, len(network.widths))
    quantizer = quantizers.make(config.quantizer)
    likelihood = choose("likelihood", config.likelihood, LIKELIHOODS)
    architecture = (network.widths, network.blocks, jnp.dtype(config.dtype))
    encoder = GridEncoder(quantizer.width, *architecture)
    decoder = GridDecoder(shape, *architecture)

    def init(key, batch, previous):
        keys = jax.random.split(key, 3)
        learned, carried = quantizer.init(keys[2])
        params = {
            "encoder": encoder.init(keys[0], batch["image"])["params"],
            "decoder": decoder.init(keys[1], jnp.zeros((1, *grid, quantizer.width)))["params"],
            "codebook": learned,
            **{name: jnp.zeros(()) for name in likelihood.learned},
        }
        return Variables(params, {"codebook": carried})

    def codebook(variables):
        return variables.params["codebook"], variables.state["codebook"]

    def quantize(variables, x):
        """z_e(x) [B, h, w, D], the codes chosen, and the last terms of eq. 3 [B]."""
        z = encoder.apply({"params": variables.params["encoder"]}, x)
        return z, *quantizer.quantize(*codebook(variables), z)

    def decode(variables, code):
        """The decoder's output for codes as vectors [B, h, w, D]."""
        return decoder.apply({"params": variables.params["decoder"]}, code)

    def log_prob(variables, x, output, keys=None):
        return likelihood.log_prob(x, output, variables.params)

    def negative_bound(variables, batch, key, step):
        """Eq. 3, and the codebook as it stands after this batch."""
        x = batch["image"]
        z, quantized, loss = quantize(variables, x)
        reconstruction = log_prob(variables, x, decode(variables, quantized.code))
        carried, metrics = quantizer.update(variables.state["codebook"], z, quantized.indices, key)
        metrics |= {"reconstruction": jnp.mean(reconstruction), "quantization": jnp.mean(loss)}
        return jnp.mean(loss - reconstruction), Aux(metrics, {"codebook": carried})

    player = Player(
        "vqvae",
        owns=("encoder", "decoder", "codebook", *likelihood.learned),
        optimizer=optimizer(config.optimizer),
        moves=(Move("negative_bound", negative_bound),),
        average=warmed_up(config.average),
    )
    code = Field(grid, quantizer.count)
    functions = codes.functions(
        code,
        indices=lambda variables, x: quantize(variables, x)[1].indices,
        output=lambda variables, i: decode(variables, quantizer.look_up(*codebook(variables), i)),
        mean=likelihood.mean,
        log_prob=log_prob,
    )
    model = GenerativeModel(init, (player,), functions, {"image": spec["image"], "code": code})
    return (Phase("train", model, config.data, config.steps),)
