"""The autoencoder, and the denoising one.

Hinton & Salakhutdinov 2006; Vincent et al. 2008 and 2010 (JMLR 11, 3371-3408).

    L = -log p(x | f(x~)),  x~ ~ C(x~|x)            the code of a spoiled image, judged on the image

Neither has a prior. To draw pictures, a Gaussian is fitted to the codes as they pass by, with a
mean and covariance that forget (Ghosh et al. 2020, arXiv 1903.12436, section 4).
"""

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import axis
from gm_jax.errors import choose
from gm_jax.losses.likelihoods import LIKELIHOODS
from gm_jax.model import (
    Aux,
    GenerativeModel,
    Move,
    Phase,
    Player,
    Variables,
    example_keys,
    field_of,
)
from gm_jax.nn.common import normal
from gm_jax.nn.corruption import CORRUPTIONS
from gm_jax.nn.vector import pair
from gm_jax.optimizers import optimizer, warmed_up

DECAY = 0.99  # of the codes' moments


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Encoder and decoder; configs/ae_mnist.py and configs/dae_mnist.py show the keys."""
    latents = config.latents
    corruption = choose("corruption", config.corruption.name, CORRUPTIONS)
    encoder, decoder = pair(config.network, latents, field_of(spec, "image").shape, config.dtype)
    likelihood = choose("likelihood", config.likelihood, LIKELIHOODS)

    def init(key, batch, previous):
        encoder_key, decoder_key = jax.random.split(key)
        params = {
            "encoder": encoder.init(encoder_key, batch["image"])["params"],
            "decoder": decoder.init(decoder_key, jnp.zeros((1, latents)))["params"],
            **{name: jnp.zeros(()) for name in likelihood.learned},
        }
        moments = {"mean": jnp.zeros(latents), "second": jnp.eye(latents)}
        return Variables(params, {"codes": moments})

    def encode(variables, x):
        """The code f(x), [B, D]."""
        return encoder.apply({"params": variables.params["encoder"]}, x)

    def decode(variables, z):
        return decoder.apply({"params": variables.params["decoder"]}, z)

    def log_prob(variables, x, output):
        return likelihood.log_prob(x, output, variables.params)

    def spoil(batch, key):
        return corruption(batch["image"], example_keys(key, batch), config.corruption.amount)

    def error(variables, batch, key, step):
        z = encode(variables, spoil(batch, key))
        loss = -jnp.mean(log_prob(variables, batch["image"], decode(variables, z)))
        return loss, Aux(state={"codes": follow(variables.state["codes"], z)})

    def sample(variables, batch, key):
        """Means of p(x|z) with z from the Gaussian of the codes."""
        moments = variables.state["codes"]
        noise = normal(example_keys(key, batch), (latents,))
        z = moments["mean"] + noise @ root_of_covariance(moments).T
        return {"image": likelihood.mean(decode(variables, z))}

    def reconstruct(variables, batch, key):
        """The image beside the mean of p(x|f(x)), [B, 2, H, W, C]."""
        output = likelihood.mean(decode(variables, encode(variables, batch["image"])))
        return {"image": jnp.stack([batch["image"], output], axis=1)}

    def denoise(variables, batch, key):
        """The image, the spoiled one, and the mean of p(x|f(x~)), [B, 3, H, W, C]."""
        spoiled = spoil(batch, key)
        output = likelihood.mean(decode(variables, encode(variables, spoiled)))
        return {"image": jnp.stack([batch["image"], spoiled, output], axis=1)}

    def distortion(variables, batch, key):
        """log p(x|f(x)) in nats, and mean squared errors of pixels in [-1, 1], [B] each.

        `denoising_error` is that of the output for the spoiled image, `spoiled_error` its own.
        """
        x = batch["image"]
        output = decode(variables, encode(variables, x))
        _, spoiled, denoised = denoise(variables, batch, key)["image"].swapaxes(0, 1)

        def squared_error(y):
            return jnp.mean((y - x) ** 2, axis=(1, 2, 3))

        return {
            "reconstruction": log_prob(variables, x, output),
            "squared_error": squared_error(likelihood.mean(output)),
            "denoising_error": squared_error(denoised),
            "spoiled_error": squared_error(spoiled),
        }

    player = Player(
        "autoencoder",
        owns=("encoder", "decoder", *likelihood.learned),
        optimizer=optimizer(config.optimizer),
        moves=(Move("error", error),),
        average=warmed_up(config.average),
    )
    functions = {
        "sample": sample,
        "reconstruct": reconstruct,
        "denoise": denoise,
        "distortion": distortion,
    }
    model = GenerativeModel(init, (player,), functions)
    return (Phase("train", model, config.data, config.steps),)


def follow(moments, z):
    """The codes' first two moments after a batch z [B, D] of all devices."""
    z = lax.stop_gradient(z)
    now = axis.mean({"mean": jnp.mean(z, axis=0), "second": z.T @ z / len(z)})
    return jax.tree.map(lambda old, new: DECAY * old + (1.0 - DECAY) * new, moments, now)


def root_of_covariance(moments):
    """A matrix R [D, D] with R R^T the covariance of codes with these moments."""
    mean, second = moments["mean"], moments["second"]
    values, vectors = jnp.linalg.eigh(second - jnp.outer(mean, mean))
    return vectors * jnp.sqrt(jnp.maximum(values, 0.0))
