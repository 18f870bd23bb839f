"""The vector-quantised autoencoder of two levels.

Razavi, van den Oord & Vinyals 2019 (arXiv 1906.00446), algorithm 1.

    h_bottom = E_bottom(x)
    e_top = quantize(E_top(h_bottom))
    e_bottom = quantize(E(h_bottom, D_top(e_top)))         the bottom code sees the decoded top code
    p(x | e_top, e_bottom) = D(e_top, e_bottom)

An image's codes are one sequence, top level first, each level in raster order: what a prior over
them needs to draw the bottom level given the top.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.autoencoders import codes
from gm_jax.errors import choose
from gm_jax.losses.likelihoods import LIKELIHOODS
from gm_jax.model import Aux, Field, GenerativeModel, Move, Phase, Player, Variables, field_of
from gm_jax.nn import quantizers
from gm_jax.nn.grid import GridDecoder, GridEncoder, halved
from gm_jax.optimizers import optimizer, warmed_up

LEVELS = ("top", "bottom")


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Two encoders, two codebooks, two decoders; configs/vqvae2_mnist.py shows the keys."""
    shape, network, dtype = field_of(spec, "image").shape, config.network, jnp.dtype(config.dtype)
    hidden = network.widths[-1]
    bottom = halved(shape, len(network.widths))
    top = halved(bottom, len(network.top_widths))
    split = math.prod(top)
    quantizer = quantizers.make(config.quantizer)
    likelihood = choose("likelihood", config.likelihood, LIKELIHOODS)
    level = (network.widths, network.blocks, dtype)
    upper = (network.top_widths, network.blocks, dtype)
    networks = {
        "encoder_bottom": GridEncoder(hidden, *level),
        "encoder_top": GridEncoder(quantizer.width, *upper),
        "decoder_top": GridDecoder((*bottom, hidden), *upper),
        "join": nn.Dense(quantizer.width, dtype=dtype),
        "decoder": GridDecoder(shape, *level),
    }

    def apply(variables, name, x):
        return networks[name].apply({"params": variables.params[name]}, x)

    def init(key, batch, previous):
        *keys, top_key, bottom_key = jax.random.split(key, len(networks) + 2)
        examples = {
            "encoder_bottom": batch["image"],
            "encoder_top": jnp.zeros((1, *bottom, hidden)),
            "decoder_top": jnp.zeros((1, *top, quantizer.width)),
            "join": jnp.zeros((1, *bottom, 2 * hidden)),
            "decoder": jnp.zeros((1, *bottom, 2 * quantizer.width)),
        }
        params = {
            name: net.init(k, examples[name])["params"]
            for k, (name, net) in zip(keys, networks.items(), strict=True)
        }
        learned, carried = zip(quantizer.init(top_key), quantizer.init(bottom_key), strict=True)
        params |= {name: jnp.zeros(()) for name in likelihood.learned}
        params["codebook"] = dict(zip(LEVELS, learned, strict=True))
        return Variables(params, dict(zip(LEVELS, carried, strict=True)))

    def quantize(variables, name, z):
        return quantizer.quantize(variables.params["codebook"][name], variables.state[name], z)

    def look_up(variables, name, indices):
        return quantizer.look_up(variables.params["codebook"][name], variables.state[name], indices)

    def encode(variables, x):
        """{level: (encoder's output, the codes chosen, loss [B])}. Algorithm 1, lines 1 to 5."""
        h = nn.relu(apply(variables, "encoder_bottom", x))
        z_top = apply(variables, "encoder_top", h)
        quantized_top, loss_top = quantize(variables, "top", z_top)
        seen = apply(variables, "decoder_top", quantized_top.code)
        z_bottom = apply(variables, "join", jnp.concatenate([h, nn.relu(seen)], axis=-1))
        quantized_bottom, loss_bottom = quantize(variables, "bottom", z_bottom)
        return {
            "top": (z_top, quantized_top, loss_top),
            "bottom": (z_bottom, quantized_bottom, loss_bottom),
        }

    def decode(variables, top_code, bottom_code):
        """The decoder's output for codes as vectors, [B, h, w, D] of each level."""
        factor = 2 ** len(network.top_widths)
        wide = top_code.repeat(factor, axis=1).repeat(factor, axis=2)[:, : bottom[0], : bottom[1]]
        return apply(variables, "decoder", jnp.concatenate([wide, bottom_code], axis=-1))

    def log_prob(variables, x, output, keys=None):
        return likelihood.log_prob(x, output, variables.params)

    def negative_bound(variables, batch, key, step):
        """Eq. 3 of the VQ-VAE with the terms of both levels, and both codebooks after the batch."""
        x, found = batch["image"], encode(variables, batch["image"])
        output = decode(variables, *(found[name][1].code for name in LEVELS))
        reconstruction = log_prob(variables, x, output)
        state, metrics = {}, {"reconstruction": jnp.mean(reconstruction)}
        for name, fresh in zip(LEVELS, jax.random.split(key), strict=True):
            z, quantized, loss = found[name]
            carried = variables.state[name]
            state[name], of_level = quantizer.update(carried, z, quantized.indices, fresh)
            of_level["quantization"] = jnp.mean(loss)
            metrics |= {f"{metric}_{name}": value for metric, value in of_level.items()}
        loss = found["top"][2] + found["bottom"][2] - reconstruction
        return jnp.mean(loss), Aux(metrics, state)

    def indices(variables, x):
        """The codes of both levels, [B, T]."""
        found = encode(variables, x)
        flat = [found[name][1].indices.reshape(len(x), -1) for name in LEVELS]
        return jnp.concatenate(flat, axis=1)

    def output(variables, sequence):
        top_code = look_up(variables, "top", sequence[:, :split].reshape(-1, *top))
        bottom_code = look_up(variables, "bottom", sequence[:, split:].reshape(-1, *bottom))
        return decode(variables, top_code, bottom_code)

    def distortion(variables, batch, key):
        """As every model of codes has it; the codes of each level, whose codebooks are its own."""
        found = dict(functions["distortion"](variables, batch, key))
        of_level = jnp.split(found["code"], [split], axis=1)
        return found | {f"code_{name}": c for name, c in zip(LEVELS, of_level, strict=True)}

    player = Player(
        "vqvae2",
        owns=(*networks, "codebook", *likelihood.learned),
        optimizer=optimizer(config.optimizer),
        moves=(Move("negative_bound", negative_bound),),
        average=warmed_up(config.average),
    )
    code = Field((split + math.prod(bottom),), quantizer.count)
    functions = codes.functions(code, indices, output, likelihood.mean, log_prob)
    work = functions | {"distortion": distortion}
    model = GenerativeModel(init, (player,), work, {"image": spec["image"], "code": code})
    return (Phase("train", model, config.data, config.steps),)
