"""The first stage of latent diffusion: an autoencoder whose latents are small and look like noise.

Rombach et al. 2022 (arXiv 2112.10752), section 3.1 and appendix G; Esser et al. 2021, VQGAN
(arXiv 2012.09841), section 3.1.

    L_rec = sum_pixels (|x - x'| + w d(x, x'))          d: a distance of features, LPIPS or others
    L_AE  = L_rec - lambda D(x') + w_reg L_reg          L_reg: KL to N(0, I), or a codebook's loss
    lambda = w_D |grad L_rec| / (|grad D(x')| + 1e-4)   of the decoder's last kernel; VQGAN, eq. 7
    L_D   = 1/2 (max(0, 1 - D(x)) + max(0, 1 + D(x')))  D judges patches, both from `start` on

A `features` stage gives the maps that d compares: any model with a function `features`.
"""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games, networks, replicas
from gm_jax.autoencoders.shared import bottlenecks
from gm_jax.autoencoders.shared.bottlenecks import BOTTLENECKS
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import hinge
from gm_jax.losses.likelihoods import sum_over_example
from gm_jax.losses.perceptual import feature_distance
from gm_jax.model import Array, Aux, Field, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.latent_autoencoder import AutoencoderSettings
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, arguments, at_least, part_of, schema

MOST = 1e4  # that lambda may be


@schema
class Discriminator(part_of(PatchGAN, "dtype")):
    """The player that tells reconstructions from images.

    start      round from which it plays, and its judgement counts
    weight     of its judgement in the autoencoder's loss, beside the adaptive one
    optimizer  one of optax's
    """

    start: Annotated[int, at_least(0)] = 0
    weight: Annotated[float, at_least(0.0)] = 0.5
    optimizer: Optimizer = adam(1e-4, b1=0.5, b2=0.9)


@schema
class Settings(Recipe):
    """An autoencoder against a discriminator of patches.

    bottleneck     what the latents are held to
    perceptual     weight of the distance of features; stages.features says whose. 0 for none
    network        encoder and decoder
    discriminator  of patches
    optimizer      of the autoencoder
    """

    bottleneck: bottlenecks.Settings = bottlenecks.Settings()
    perceptual: Annotated[float, at_least(0.0)] = 0.0
    network: AutoencoderSettings = AutoencoderSettings()
    discriminator: Discriminator = Discriminator()
    optimizer: Optimizer = adam(1e-4, b1=0.5, b2=0.9)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.perceptual and "features" not in self.stages:
            yield (
                "perceptual compares the features of a network: say which with stages.features, a"
                " workdir or a recipe (system classifier, say), or set perceptual=0"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Autoencoder and discriminator in one phase; configs/first_stage_emoji.py."""
    shape, dtype = field_of(spec, "image").shape, jnp.dtype(settings.dtype)
    held, own = settings.bottleneck, settings.discriminator
    sizes = arguments(settings.network) | dict(channels=shape[-1], dtype=dtype)
    autoencoder, latent, expand = BOTTLENECKS[held.name](held, **sizes)
    patches = arguments(own, "start", "weight", "optimizer")
    discriminator = Network("discriminator", PatchGAN(**patches, dtype=dtype))
    features = stages["features"].model.functions["features"] if settings.perceptual else None
    latent_field = Field(latent_shape(settings, shape))

    def init(key, batch, previous):
        x = batch["image"]
        return networks.split_init(key, (autoencoder, x), (discriminator, x))

    def distance(variables, x, y, key):
        """d(x, x'), [B]."""

        def maps(image):
            found = features(variables.frozen["features"], {"image": image}, key)
            return [found[name] for name in sorted(found)]

        return feature_distance(maps(x), maps(y))

    def reconstruction_loss(variables, x, y, key):
        """L_rec, [B]."""
        loss = sum_over_example(jnp.abs(x - y))
        if features:
            loss += settings.perceptual * x[0].size * distance(variables, x, y, key)
        return loss

    def realism(variables, y):
        """D(x'), the mean over patches, [B]."""
        return jnp.mean(discriminator.train(variables, y)[0], axis=(1, 2))

    def autoencoder_loss(variables, batch, key, step):
        x = batch["image"]
        z, latent_loss = latent(variables, x, example_keys(key, batch))
        seen, code_loss, metrics = expand(variables, z)

        def terms(kernel):
            y = decoded(with_last_kernel(variables, kernel), seen)
            reconstruction = reconstruction_loss(variables, x, y, key)
            return jnp.mean(reconstruction), -jnp.mean(realism(variables, y))

        kernel = last_kernel(variables)
        reconstruction, judgement = terms(kernel)
        weight = own.weight * adaptive_weight(terms, kernel) * (step >= own.start)
        regularization = jnp.mean(latent_loss + code_loss)
        metrics |= {
            "reconstruction": reconstruction, "regularization": regularization,
            "judgement": judgement, "weight": weight,
        }  # fmt: skip
        loss = reconstruction + weight * judgement + held.weight * regularization
        return loss, Aux(metrics)

    def discriminator_loss(variables, batch, key, step):
        x = batch["image"]
        z, _ = latent(variables, x, example_keys(key, batch))
        y = decoded(variables, expand(variables, z)[0])
        real, state = discriminator.train(variables, x)
        fake, _ = discriminator.train(variables, y)
        metrics = {"real_output": jnp.mean(real), "fake_output": jnp.mean(fake)}
        return 0.5 * jnp.mean(hinge(real, fake)), Aux(metrics, {"discriminator": state})

    def decoded(variables, seen):
        return autoencoder(variables, seen, method="decode")

    def encode(variables, batch, key):
        """A latent of each image, drawn if the bottleneck has a distribution."""
        return {"latent": latent(variables, batch["image"], example_keys(key, batch))[0]}

    def decode(variables, batch, key):
        """The images of batch["latent"]."""
        return {"image": decoded(variables, expand(variables, batch["latent"])[0])}

    def reconstruct(variables, batch, key):
        """The image beside its reconstruction, [B, 2, H, W, C]."""
        x = batch["image"]
        y = decode(variables, {"latent": latent(variables, x)[0]}, key)["image"]
        return {"image": jnp.stack([x, y], axis=1)}

    def distortion(variables, batch, key):
        """Of reconstructions, [B]: the mean squared error of values in [-1, 1], the peak
        signal-to-noise ratio in decibels, and d(x, x') if there are features."""
        pairs = reconstruct(variables, batch, key)["image"]
        x, y = pairs[:, 0], jnp.clip(pairs[:, 1], -1.0, 1.0)
        error = jnp.mean((x - y) ** 2, axis=(1, 2, 3))
        distances = {"feature_distance": distance(variables, x, y, key)} if features else {}
        return {"squared_error": error, "psnr": 10.0 * jnp.log10(4.0 / error), **distances}

    players = (
        games.player(
            "autoencoder", ("autoencoder",), {"autoencoder": autoencoder_loss}, settings,
            settings.average,
        ),
        games.player(
            "discriminator", ("discriminator",),
            {"discriminator": (discriminator_loss, lambda step: int(step >= own.start))}, own,
        ),
    )  # fmt: skip
    functions = {f.__name__: f for f in (reconstruct, encode, decode, distortion)}
    encoded = {"image": spec["image"], "latent": latent_field}
    return (games.phase(settings, init, players, functions, encoded, stages),)


def latent_shape(settings: Settings, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """[h, w, C] of an image's latent. Raises UserError if the image does not halve so often."""
    *sides, _ = shape
    factor = 2 ** (len(settings.network.widths) - 1)
    if any(side % factor for side in sides):
        raise UserError(
            f"images of {sides[0]}x{sides[1]} do not divide by {factor}, the factor of"
            " network.widths: set data.size to a multiple of it"
        )
    return (*(side // factor for side in sides), settings.bottleneck.channels)


def last_kernel(variables) -> Array:
    """The kernel of the decoder's last convolution."""
    return variables.params["autoencoder"]["decoder"]["conv_out"]["kernel"]


def with_last_kernel(variables, kernel: Array):
    """The variables with another one."""
    parts = variables.params["autoencoder"]
    decoder = parts["decoder"]
    decoder = decoder | {"conv_out": decoder["conv_out"] | {"kernel": kernel}}
    own = {"autoencoder": parts | {"decoder": decoder}}
    return variables._replace(params=variables.params | own)


def adaptive_weight(terms: Callable[[Array], tuple[Array, Array]], kernel: Array) -> Array:
    """|grad L_rec| / (|grad D(x')| + 1e-4) of the whole batch, at most 1e4. VQGAN, eq. 7."""
    gradients = replicas.mean([jax.grad(lambda k, i=i: terms(k)[i])(kernel) for i in range(2)])
    reconstruction, judgement = map(jnp.linalg.norm, gradients)
    weight = jnp.minimum(reconstruction / (judgement + 1e-4), MOST)
    return lax.stop_gradient(weight)
