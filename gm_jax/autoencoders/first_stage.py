"""The first stage of latent diffusion: an autoencoder whose latents are small and look like noise.

Rombach et al. 2022 (arXiv 2112.10752), section 3.1 and appendix G; Esser et al. 2021, VQGAN
(arXiv 2012.09841), section 3.1.

    L_rec = sum_pixels (|x - x'| + w d(x, x'))          d: a distance of features, LPIPS or others
    L_AE  = L_rec - lambda D(x') + w_reg L_reg          L_reg: KL to N(0, I), or a codebook's loss
    lambda = w_D |grad L_rec| / (|grad D(x')| + 1e-4)   of the decoder's last kernel; VQGAN, eq. 7
    L_D   = 1/2 (max(0, 1 - D(x)) + max(0, 1 + D(x')))  D judges patches, both from `start` on

`stages.features` gives d: a model with a function `distance`, such as a backbone (LPIPS) or a
classifier. Its name goes with every number.
"""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games, networks, replicas
from gm_jax.autoencoders.shared import bottlenecks
from gm_jax.autoencoders.shared.bottlenecks import BOTTLENECKS
from gm_jax.autoencoders.shared.discriminators import OWN, Discriminator
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import hinge
from gm_jax.losses.likelihoods import sum_over_example
from gm_jax.model import Array, Aux, Field, Phase, Variables, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.latent_autoencoder import AutoencoderSettings
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, arguments, at_least, schema
from gm_jax.weights.first_stages import open_vae

MOST = 1e4  # that lambda may be


@schema
class Settings(Recipe):
    """An autoencoder against a discriminator of patches.

    steps          rounds to play; 0 to use published weights as they are
    weights        Stable Diffusion's autoencoder to begin with: a folder in diffusers' layout, or a
                   file; "" for none
    bottleneck     what the latents are held to
    perceptual     weight of the distance of features, against the mean absolute error;
                   stages.features says whose. 0 for none
    network        encoder and decoder
    discriminator  of patches; its weight is beside the adaptive one
    optimizer      of the autoencoder
    """

    steps: Annotated[int, at_least(0), Restartable(trains=True)]
    weights: Annotated[str, Restartable(trains=True)] = ""
    bottleneck: bottlenecks.Settings = bottlenecks.Settings()
    perceptual: Annotated[float, at_least(0.0)] = 0.0
    network: AutoencoderSettings = AutoencoderSettings()
    discriminator: Discriminator = Discriminator()
    optimizer: Optimizer = adam(1e-4, b1=0.5, b2=0.9)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if not (self.steps or self.weights):
            yield "steps is 0, and there are no weights to use: set weights=PATH, or steps"
        if self.weights and self.bottleneck.name != "kl":
            yield "weights are of a KL autoencoder: set bottleneck.name=kl"
        if self.perceptual and "features" not in self.stages:
            yield (
                "perceptual compares the features of a network: say which with stages.features, a"
                " workdir or a recipe (system backbone or classifier), or set perceptual=0"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Autoencoder and discriminator in one phase; configs/first_stage_emoji.py."""
    shape, dtype = field_of(spec, "image").shape, jnp.dtype(settings.dtype)
    held, own = settings.bottleneck, settings.discriminator
    sizes = arguments(settings.network) | dict(channels=shape[-1], dtype=dtype)
    autoencoder, latent, expand = BOTTLENECKS[held.name](held, **sizes)
    patches = arguments(own, *OWN)
    discriminator = Network("discriminator", PatchGAN(**patches, dtype=dtype))
    distances = games.feature_distances(stages) if settings.perceptual else lambda *_: {}
    latent_field = Field(latent_shape(settings, shape))

    def init(key, batch, previous):
        x = batch["image"]
        if not settings.steps:
            return previous or networks.init(key[None], (autoencoder, x))
        variables = networks.split_init(key, (autoencoder, x), (discriminator, x))
        read = {} if previous is None else previous.params
        return variables._replace(params={**variables.params, **read})

    def reconstruction_loss(variables, x, y, key):
        """L_rec and the distance in it, [B]."""
        far = distances(variables, x, y, key)
        perceptual = settings.perceptual * x[0].size * sum(far.values())
        return sum_over_example(jnp.abs(x - y)) + perceptual, far

    def realism(variables, y):
        """D(x'), the mean over patches, [B]."""
        return jnp.mean(discriminator.train(variables, y)[0], axis=(1, 2))

    def autoencoder_loss(variables, batch, key, step):
        x = batch["image"]
        z, latent_loss = latent(variables, x, example_keys(key, batch))
        seen, code_loss, metrics = expand(variables, z)

        def terms(kernel):
            y = decoded(with_last_kernel(variables, kernel), seen)
            loss, far = reconstruction_loss(variables, x, y, key)
            far = {name: jnp.mean(values) for name, values in far.items()}
            return jnp.mean(loss), -jnp.mean(realism(variables, y)), far

        kernel = last_kernel(variables)
        reconstruction, judgement, far = terms(kernel)
        weight = own.weight * adaptive_weight(terms, kernel) * (step >= own.start)
        regularization = jnp.mean(latent_loss + code_loss)
        metrics |= {
            "reconstruction": reconstruction, "regularization": regularization,
            "judgement": judgement, "weight": weight, **far,
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
        far = distances(variables, x, y, key)
        return {"squared_error": error, "psnr": 10.0 * jnp.log10(4.0 / error), **far}

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
    players = players if settings.steps else (games.untrained("autoencoder"),)
    functions = {f.__name__: f for f in (reconstruct, encode, decode, distortion)}
    encoded = {"image": spec["image"], "latent": latent_field}
    phase = games.phase(settings, init, players, functions, encoded, stages)
    return (phase._replace(start=start_of(settings, autoencoder, shape)),)


def start_of(settings: Settings, autoencoder: Network, shape) -> Callable | None:
    """What reads `settings.weights`, which are checked now; None if there are none."""
    if not settings.weights:
        return None
    init, example = autoencoder.module.init, jnp.zeros((1, *shape))
    shapes = jax.eval_shape(init, jax.random.key(0), example)["params"]
    read = open_vae(settings.weights, shapes)
    return lambda stages: Variables({"autoencoder": read()})


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


def adaptive_weight(terms: Callable[[Array], tuple], kernel: Array) -> Array:
    """|grad L_rec| / (|grad D(x')| + 1e-4) of the whole batch, at most 1e4. VQGAN, eq. 7."""
    gradients = replicas.mean([jax.grad(lambda k, i=i: terms(k)[i])(kernel) for i in range(2)])
    reconstruction, judgement = map(jnp.linalg.norm, gradients)
    weight = jnp.minimum(reconstruction / (judgement + 1e-4), MOST)
    return lax.stop_gradient(weight)
