"""Latents from texts, images and masks, by three networks and a table: pure functions of noise.

Rombach et al. 2022 (arXiv 2112.10752). Latents z = scale (mean + deviation n) of the autoencoder.

    text to image   z from noise
    image to image  z of an image, noised to the level that the rest of the table starts at
    inpainting      with 4 channels, after each step the known part is replaced by the image's
                    latents, noised to the next level by the first noise; with 9 channels the
                    network sees mask and latents of the masked image

A mask is 1 where the image is made anew.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from gm_jax.diffusion.shared.prediction import PREDICTIONS
from gm_jax.diffusion.shared.published import Chain
from gm_jax.diffusion.shared.tables import run
from gm_jax.diffusion.stable_diffusion.networks import Component
from gm_jax.model import Array, Variables


class Networks(NamedTuple):
    """The three networks; `factor` is the side of a latent's pixel in the image's pixels."""

    text_encoder: Component
    unet: Component
    vae: Component

    @property
    def factor(self) -> int:
        return 2 ** (len(self.vae.config["block_out_channels"]) - 1)

    @property
    def latents(self) -> int:
        """Channels of a latent."""
        return self.vae.config["latent_channels"]


class Prompt(NamedTuple):
    """What the U-Net reads, [B, T, D] each: of the prompt, and of the negative one."""

    context: Array
    negative: Array


class Noise(NamedTuple):
    """Standard normal noise [B, h, w, latents] each; what a task does not need may be None.

    start   that sampling starts from
    image   of the image's latents
    masked  of the masked image's latents
    fresh   number of a row -> its noise
    """

    start: Array
    image: Array | None
    masked: Array | None
    fresh: Callable[[Array], Array]


def encode_text(nets: Networks, variables: Variables, ids: Array, skip: int = 0) -> Array:
    """The context of texts [B, T]; `skip` leaves out that many of the last blocks."""
    return nets.text_encoder.network(variables, ids, skip=skip).tokens


def encode_image(nets: Networks, variables: Variables, image: Array, noise: Array) -> Array:
    """The scaled latents of images [B, H, W, C] in [-1, 1], [B, h, w, latents]."""
    mean, deviation = nets.vae.network(variables, image, method="encode")
    return nets.vae.config["scaling_factor"] * (mean + deviation * noise)


def decode(nets: Networks, variables: Variables, latents: Array) -> Array:
    """Images in [-1, 1], not clipped, of scaled latents."""
    z = latents / nets.vae.config["scaling_factor"]
    return nets.vae.network(variables, z, method="decode")


def generate(
    nets: Networks,
    variables: Variables,
    chain: Chain,
    prompt: Prompt,
    noise: Noise,
    guidance: float,
    image: Array | None = None,
    mask: Array | None = None,
    whole: bool = True,
) -> Array:
    """Latents [B, h, w, latents].

    guidance  w of (1 + w) conditional - w negative; elsewhere the scale is 1 + w
    image     [B, H, W, C] in [-1, 1] to start from, or to fill the mask in
    mask      [B, H, W, 1], 1 where it is made anew
    whole     whether the table starts at the first of its times, from noise alone
    """
    first = chain.table.points.take(0)
    known, extra, after = None, (), None
    masking = nets.unet.config["in_channels"] > nets.latents
    if image is not None and (not whole or not masking):
        known = encode_image(nets, variables, image, noise.image)
    start = chain.start * noise.start
    if not whole:
        start = first.alpha * known + first.sigma * noise.start
    if mask is not None:
        small = (mask[:, :: nets.factor, :: nets.factor] >= 0.5).astype(noise.start.dtype)
        if masking:
            hidden = image * (mask < 0.5)
            extra = (small, encode_image(nets, variables, hidden, noise.masked))
        else:
            after = _paste(chain, small, known, noise.start)
    denoise = denoiser(nets, variables, chain, prompt, guidance, extra)
    start = start.astype(noise.start.dtype)
    return run(chain.table, denoise, start, noise.fresh, after=after)[0]


def _paste(chain: Chain, mask: Array, known: Array, noise: Array) -> Callable:
    """Replaces what is known by itself, noised to the next level; by itself after the last row."""
    last = chain.table.evaluations - 1

    def paste(x, at, number):
        noised = jnp.where(number == last, known, at.alpha * known + at.sigma * noise)
        return ((1.0 - mask) * noised + mask * x).astype(x.dtype)

    return paste


def denoiser(
    nets: Networks,
    variables: Variables,
    chain: Chain,
    prompt: Prompt,
    guidance: float,
    extra: tuple[Array, ...] = (),
) -> Callable:
    """(x, its level) -> x0_hat, guided away from the negative prompt.

    extra  channels that the network sees beside x
    """
    kind = PREDICTIONS[chain.prediction]

    def predict(x, at, context):
        copies = len(context) // len(x)
        inputs = jnp.concatenate([jnp.concatenate([x, *extra], axis=-1)] * copies)
        # Their times count from 0, the least noise; ours from 1.
        level = jnp.broadcast_to(at.time - 1.0, len(inputs))
        return nets.unet.network(variables, inputs, level, context=context)

    def denoise(x, at):
        if guidance:
            both = jnp.concatenate([prompt.negative, prompt.context])
            negative, output = jnp.split(predict(x, at, both), 2)
            output = negative + (1.0 + guidance) * (output - negative)
        else:
            output = predict(x, at, prompt.context)
        return chain.clip(kind.to_x0(output, x, at.alpha, at.sigma), at)

    return denoise
