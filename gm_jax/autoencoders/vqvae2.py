"""The vector-quantised autoencoder of two levels.

Razavi, van den Oord & Vinyals 2019 (arXiv 1906.00446), algorithm 1.

    h_bottom = E_bottom(x)
    e_top = quantize(E_top(h_bottom))
    e_bottom = quantize(E(h_bottom, D_top(e_top)))         the bottom code sees the decoded top code
    p(x | e_top, e_bottom) = D(e_top, e_bottom)

An image's codes are one sequence, top level first, each level in raster order: a prior over it
draws the bottom level given the top.
"""

import math
from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.autoencoders.shared import codes, quantizers
from gm_jax.losses.likelihoods import LIKELIHOODS
from gm_jax.model import Aux, Field, Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn.grid import GridDecoder, GridEncoder, GridSettings, Widths, halved
from gm_jax.nn.layers import full_precision
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, one_of, schema

LEVELS = ("top", "bottom")


@schema
class TwoGrids(GridSettings):
    """Encoders and decoders of both levels.

    widths      channels between the image and the bottom level, each halving the sides
    top_widths  channels between the bottom and the top level, each halving the sides
    """

    widths: Widths = (32,)
    top_widths: Widths = (64,)


@schema
class Settings(Recipe):
    """A VQ-VAE-2.

    quantizer   how vectors become codes, on both levels
    likelihood  p(x|z)
    network     encoders and decoders
    optimizer   one of optax's
    """

    quantizer: quantizers.Settings = quantizers.Settings()
    likelihood: Annotated[str, one_of(LIKELIHOODS)] = "bernoulli"
    network: TwoGrids = TwoGrids()
    optimizer: Optimizer = adam(1e-3)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Two encoders, two codebooks, two decoders; configs/vqvae2_mnist.py."""
    shape, network = field_of(spec, "image").shape, settings.network
    hidden, dtype = network.widths[-1], jnp.dtype(settings.dtype)
    bottom = halved(shape, len(network.widths))
    top = halved(bottom, len(network.top_widths))
    quantizer = quantizers.make(settings.quantizer)
    likelihood = LIKELIHOODS[settings.likelihood]
    lower = (network.widths, network.blocks, dtype)
    upper = (network.top_widths, network.blocks, dtype)
    encoder_bottom = Network("encoder_bottom", GridEncoder(hidden, *lower))
    encoder_top = Network("encoder_top", GridEncoder(quantizer.width, *upper))
    decoder_top = Network("decoder_top", GridDecoder((*bottom, hidden), *upper))
    join = Network("join", nn.Dense(quantizer.width, dtype=dtype))
    decoder = Network("decoder", GridDecoder(shape, *lower))

    def init(key, batch, previous):
        calls = (
            (encoder_bottom, batch["image"]),
            (encoder_top, jnp.zeros((1, *bottom, hidden))),
            (decoder_top, jnp.zeros((1, *top, quantizer.width))),
            (join, jnp.zeros((1, *bottom, 2 * hidden))),
            (decoder, jnp.zeros((1, *bottom, 2 * quantizer.width))),
        )
        *keys, top_key, bottom_key = jax.random.split(key, len(calls) + 2)
        variables = networks.init(keys, *calls)
        learned, carried = zip(quantizer.init(top_key), quantizer.init(bottom_key), strict=True)
        own = {name: jnp.zeros(()) for name in likelihood.learned}
        own["codebook"] = dict(zip(LEVELS, learned, strict=True))
        state = dict(zip(LEVELS, carried, strict=True))
        return variables._replace(params=variables.params | own, state=state)

    def codebook(variables, level):
        return variables.params["codebook"][level], variables.state[level]

    def encode(variables, x):
        """{level: (vectors before quantising, Quantized, loss [B])}. Algorithm 1, lines 1 to 5."""
        h = nn.relu(encoder_bottom(variables, x))
        z_top = encoder_top(variables, h)
        quantized_top, loss_top = quantizer.quantize(*codebook(variables, "top"), z_top)
        decoded_top = nn.relu(decoder_top(variables, quantized_top.code))
        z_bottom = full_precision(join(variables, jnp.concatenate([h, decoded_top], axis=-1)))
        quantized_bottom, loss_bottom = quantizer.quantize(*codebook(variables, "bottom"), z_bottom)
        return {
            "top": (z_top, quantized_top, loss_top),
            "bottom": (z_bottom, quantized_bottom, loss_bottom),
        }

    def decode(variables, top_code, bottom_code):
        """The decoder's output for codes as vectors, [B, h, w, D] of each level."""
        factor = 2 ** len(network.top_widths)
        wide = top_code.repeat(factor, axis=1).repeat(factor, axis=2)[:, : bottom[0], : bottom[1]]
        return decoder(variables, jnp.concatenate([wide, bottom_code], axis=-1))

    def log_prob(variables, x, output, keys=None):
        return likelihood.log_prob(x, output, variables.params)

    def negative_bound(variables, batch, key, step):
        """Eq. 3 of the VQ-VAE with the terms of both levels, and both codebooks after the batch."""
        x, levels = batch["image"], encode(variables, batch["image"])
        output = decode(variables, *(levels[name][1].code for name in LEVELS))
        reconstruction = log_prob(variables, x, output)
        state, metrics = {}, {"reconstruction": jnp.mean(reconstruction)}
        for name, fresh in zip(LEVELS, jax.random.split(key), strict=True):
            z, quantized, loss = levels[name]
            carried = variables.state[name]
            state[name], of_level = quantizer.update(carried, z, quantized.indices, fresh)
            of_level["quantization"] = jnp.mean(loss)
            metrics |= {f"{metric}_{name}": value for metric, value in of_level.items()}
        loss = levels["top"][2] + levels["bottom"][2] - reconstruction
        return jnp.mean(loss), Aux(metrics, state)

    split = math.prod(top)  # of the sequence of an image's codes

    def indices(variables, x):
        """The codes of both levels, [B, T]."""
        levels = encode(variables, x)
        flat = [levels[name][1].indices.reshape(len(x), -1) for name in LEVELS]
        return jnp.concatenate(flat, axis=1)

    def output(variables, sequence):
        """What the decoder makes of the codes of both levels, [B, T]."""
        grids = sequence[:, :split].reshape(-1, *top), sequence[:, split:].reshape(-1, *bottom)
        vectors = (
            quantizer.look_up(*codebook(variables, name), grid)
            for name, grid in zip(LEVELS, grids, strict=True)
        )
        return decode(variables, *vectors)

    def distortion(variables, batch, key):
        """As every model of codes has it; and the codes of each level, which has its own book."""
        values = functions["distortion"](variables, batch, key)
        of_level = jnp.split(values["code"], [split], axis=1)
        return values | {f"code_{name}": c for name, c in zip(LEVELS, of_level, strict=True)}

    parts = (encoder_bottom, encoder_top, decoder_top, join, decoder)
    owns = (*(part.name for part in parts), "codebook", *likelihood.learned)
    moves, average = {"negative_bound": negative_bound}, settings.average
    players = (games.player("vqvae2", owns, moves, settings, average),)
    code = Field((split + math.prod(bottom),), quantizer.count)
    functions = codes.functions("image", code, indices, output, likelihood.mean, log_prob)
    encoded = {"image": spec["image"], "code": code}
    everything = functions | {"distortion": distortion}
    return (games.phase(settings, init, players, everything, encoded),)
