"""ViT-VQGAN: images as codes, by two transformers against a discriminator.

Yu et al. 2021, Vector-quantized Image Modeling with Improved VQGAN (arXiv 2110.04627), section 3;
the codes of Parti (arXiv 2206.10789), section 2.1.

    z = e_k / |e_k|,  k = argmin_j |l2(E(x)) - l2(e_j)|           l2(v) = v / |v|, section 3.2
    L_VQ = |sg[l2(E(x))] - l2(e)|^2 + beta |l2(E(x)) - sg[l2(e)]|^2
    L = L_VQ + w_D softplus(-D(x')) + w_d d(x, x') + sum_i w_i pixel_i(x, x')     section 3.3
    L_D = softplus(-D(x)) + softplus(D(x'))                       both from `start` on

Every term is a mean over its numbers, so the paper's weights, .1, .1, .1 of logit-Laplace and 1 of
the square, hold at any size. E ends in few numbers a code (factorised codes) and the codebook is
searched on the sphere. The decoder's outputs are the logits mu of pixels: x' = unmap(sigmoid(mu)),
and logit-Laplace is of scale 1. `stages.features` gives d.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.autoencoders.shared import codes, quantizers
from gm_jax.autoencoders.shared.discriminators import OWN, Discriminator
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.losses.likelihoods import grey_logit_laplace, logit_laplace, map_pixels
from gm_jax.model import Aux, Field, Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn.layers import uniform
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.nn.vit_autoencoder import ViTDecoder, ViTEncoder, ViTSettings, grid_of
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, arguments, at_least, schema

Weight = Annotated[float, at_least(0.0)]


@schema
class Pixels:
    """Weights of the terms of pixels, each the mean over an image's numbers.

    squared        (x - x')^2, of pixels in [-1, 1]
    absolute       |x - x'|
    logit_laplace  minus the logarithm of a logit-Laplace density of scale 1
    """

    squared: Weight = 1.0
    absolute: Weight = 0.0
    logit_laplace: Weight = 0.1


@schema
class Settings(Recipe):
    """A ViT-VQGAN.

    quantizer      how vectors become codes
    pixels         weights of the terms of pixels
    perceptual     weight of the distance of features; stages.features says whose. 0 for none
    network        encoder and decoder
    discriminator  of patches
    optimizer      of encoder, codes and decoder
    """

    quantizer: quantizers.Settings = quantizers.Settings(
        name="learned", count=8192, width=32, normalised=True
    )
    pixels: Pixels = Pixels()
    perceptual: Weight = 0.0
    network: ViTSettings = ViTSettings()
    discriminator: Discriminator = Discriminator(weight=0.1)
    optimizer: Optimizer = adam(1e-4, b2=0.99)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        yield from games.without_features(self)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Encoder, codes and decoder against a discriminator; configs/vit_vqgan_shapes.py."""
    shape, dtype = field_of(spec, "image").shape, jnp.dtype(settings.dtype)
    own, sizes = settings.discriminator, arguments(settings.network)
    grid = grid_of(shape, settings.network.patch)
    quantizer = quantizers.make(settings.quantizer)
    encoder = Network("encoder", ViTEncoder(quantizer.width, **sizes, dtype=dtype))
    decoder = Network("decoder", ViTDecoder(shape[-1], **sizes, dtype=dtype))
    discriminator = Network("discriminator", PatchGAN(**arguments(own, *OWN), dtype=dtype))
    distances = games.feature_distances(stages) if settings.perceptual else lambda *_: {}
    weights = arguments(settings.pixels)

    def init(key, batch, previous):
        *keys, codebook_key = jax.random.split(key, 4)
        x, z = batch["image"], jnp.zeros((1, *grid, quantizer.width))
        variables = networks.init(keys, (encoder, x), (decoder, z), (discriminator, x))
        learned, carried = quantizer.init(codebook_key)
        params = variables.params | {"codebook": learned}
        return variables._replace(params=params, state=variables.state | {"codebook": carried})

    def codebook(variables):
        return variables.params["codebook"], variables.state["codebook"]

    def quantize(variables, x):
        """E(x) [B, h, w, D], its codes, and L_VQ [B]."""
        z = encoder(variables, x)
        quantized, loss = quantizer.quantize(*codebook(variables), z)
        return z, quantized, loss / z[0].size

    def autoencoder_loss(variables, batch, key, step):
        x = batch["image"]
        z, quantized, code_loss = quantize(variables, x)
        logits = decoder(variables, quantized.code)
        y = image(logits)
        terms = pixel_terms(x, logits)
        far = distances(variables, x, y, key)
        fooled = non_saturating(discriminator.train(variables, y)[0])
        carried, metrics = quantizer.update(variables.state["codebook"], z, quantized.indices, key)
        means = {name: jnp.mean(values) for name, values in (terms | far).items()}
        quantization, adversarial = jnp.mean(code_loss), jnp.mean(fooled)
        metrics |= {"quantization": quantization, "adversarial": adversarial, **means}
        loss = quantization + own.weight * (step >= own.start) * adversarial
        loss += settings.perceptual * sum(means[name] for name in far)
        loss += sum(weight * means[name] for name, weight in weights.items())
        return loss, Aux(metrics, {"codebook": carried})

    def discriminator_loss(variables, batch, key, step):
        x = batch["image"]
        y = image(decoder(variables, quantize(variables, x)[1].code))
        real, state = discriminator.train(variables, x)
        fake, _ = discriminator.train(variables, y)
        metrics = {"real_output": jnp.mean(real), "fake_output": jnp.mean(fake)}
        return jnp.mean(log_loss(real, fake)), Aux(metrics, {"discriminator": state})

    def indices(variables, x):
        """The codes of images, [B, h, w]."""
        return quantize(variables, x)[1].indices

    def output(variables, indices):
        """The logits of pixels that the decoder makes of codes [B, h, w]."""
        return decoder(variables, quantizer.look_up(*codebook(variables), indices))

    def log_prob(variables, x, output, keys):
        """log p(x|z) of 256 grey values, [B], of scale 1: a bound by one draw of noise."""
        return grey_logit_laplace(x, uniform(keys, shape), output, jnp.zeros(()))

    owns = ("encoder", "decoder", "codebook")
    moves = {"autoencoder": autoencoder_loss}
    times = {"discriminator": (discriminator_loss, lambda step: int(step >= own.start))}
    players = (
        games.player("autoencoder", owns, moves, settings, settings.average),
        games.player("discriminator", ("discriminator",), times, own),
    )
    code = Field(grid, quantizer.count)
    functions = codes.functions("image", code, indices, output, image, log_prob)
    encoded = {"image": spec["image"], "code": code}
    return (games.phase(settings, init, players, functions, encoded, stages),)


def image(logits):
    """The median image of logits of mapped pixels; a little beyond [-1, 1] at the ends."""
    return (2.0 * jax.nn.sigmoid(logits) - 1.0) / 0.8


def pixel_terms(x, logits) -> dict[str, jax.Array]:
    """The terms of `Pixels` by name, [B] each, of images in [-1, 1] and logits [B, H, W, C]."""
    error = x - image(logits)
    density = logit_laplace(map_pixels((x + 1.0) / 2.0), logits, jnp.zeros(()))
    return {
        "squared": jnp.mean(error**2, axis=(1, 2, 3)),
        "absolute": jnp.mean(jnp.abs(error), axis=(1, 2, 3)),
        "logit_laplace": -density / x[0].size,
    }
