"""The autoencoder, and the denoising one.

Hinton & Salakhutdinov 2006; Vincent et al. 2008 and 2010 (JMLR 11, 3371-3408).

    L = -log p(x | f(x~)),  x~ ~ C(x~ | x)        the code of a corrupted image, judged on the image

Neither has a prior. Samples are decoded from a Gaussian that has moving averages of the codes' mean
and covariance (Ghosh et al. 2020, arXiv 1903.12436, section 4, fit it after training).
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games, networks, replicas
from gm_jax.autoencoders.shared.corruption import CORRUPTIONS, Corruption
from gm_jax.losses.likelihoods import LIKELIHOODS
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.encoders import Pair, pair
from gm_jax.nn.layers import normal
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, at_least, one_of, schema

DECAY = 0.99  # of the codes' moments


@schema
class Settings(Recipe):
    """An autoencoder.

    latents     numbers of a code
    corruption  of the images that are encoded in training (denoising autoencoder)
    likelihood  of the image given its code
    network     encoder and decoder
    optimizer   one of optax's
    """

    latents: Annotated[int, at_least(1)] = 32
    corruption: Corruption = Corruption()
    likelihood: Annotated[str, one_of(LIKELIHOODS)] = "bernoulli"
    network: Pair = Pair()
    optimizer: Optimizer = adam(1e-3)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Encoder and decoder; configs/ae_mnist.py and configs/dae_mnist.py."""
    shape, latents = field_of(spec, "image").shape, settings.latents
    modules = pair(settings.network, latents, shape, settings.dtype)
    encoder, decoder = Network("encoder", modules[0]), Network("decoder", modules[1])
    likelihood = LIKELIHOODS[settings.likelihood]
    corrupted_by = CORRUPTIONS[settings.corruption.name]

    def init(key, batch, previous):
        calls = (encoder, batch["image"]), (decoder, jnp.zeros((1, latents)))
        variables = networks.split_init(key, *calls)
        own = {name: jnp.zeros(()) for name in likelihood.learned}
        moments = {"mean": jnp.zeros(latents), "second": jnp.eye(latents)}
        return variables._replace(params=variables.params | own, state={"codes": moments})

    def corrupt(batch, key):
        return corrupted_by(batch["image"], example_keys(key, batch), settings.corruption.amount)

    def error(variables, batch, key, step):
        z = encoder(variables, corrupt(batch, key))
        output = decoder(variables, z)
        loss = -jnp.mean(likelihood.log_prob(batch["image"], output, variables.params))
        return loss, Aux(state={"codes": updated(variables.state["codes"], z)})

    def sample(variables, batch, key):
        """Means of p(x|z) with z from the Gaussian of the codes."""
        moments = variables.state["codes"]
        noise = normal(example_keys(key, batch), (latents,))
        z = moments["mean"] + noise @ root_of_covariance(moments).T
        return {"image": likelihood.mean(decoder(variables, z))}

    def encode(variables, batch, key):
        """f(x), [B, D]."""
        return {"latent": encoder(variables, batch["image"])}

    def reconstruct(variables, batch, key):
        """The image beside the mean of p(x|f(x)), [B, 2, H, W, C]."""
        output = decoder(variables, encoder(variables, batch["image"]))
        return {"image": jnp.stack([batch["image"], likelihood.mean(output)], axis=1)}

    def denoise(variables, batch, key):
        """The image, the corrupted one, and the mean of p(x|f(x~)), [B, 3, H, W, C]."""
        corrupted = corrupt(batch, key)
        output = decoder(variables, encoder(variables, corrupted))
        return {"image": jnp.stack([batch["image"], corrupted, likelihood.mean(output)], axis=1)}

    def distortion(variables, batch, key):
        """How far the outputs are from the image, [B] each.

        reconstruction   log p(x|f(x)) in nats; of grey values under a Bernoulli likelihood, minus
                         the cross-entropy
        squared_error    mean over the pixels, in [-1, 1], of the mean of p(x|f(x))
        denoising_error  that of the mean of p(x|f(x~))
        corrupted_error  that of the corrupted image x~ itself
        """
        x = batch["image"]
        output = decoder(variables, encoder(variables, x))
        _, corrupted, denoised = denoise(variables, batch, key)["image"].swapaxes(0, 1)

        def squared_error(y):
            return jnp.mean((y - x) ** 2, axis=(1, 2, 3))

        return {
            "reconstruction": likelihood.log_prob(x, output, variables.params),
            "squared_error": squared_error(likelihood.mean(output)),
            "denoising_error": squared_error(denoised),
            "corrupted_error": squared_error(corrupted),
        }

    owns = ("encoder", "decoder", *likelihood.learned)
    moves, average = {"error": error}, settings.average
    players = (games.player("autoencoder", owns, moves, settings, average),)
    functions = {f.__name__: f for f in (sample, encode, reconstruct, denoise, distortion)}
    return (games.phase(settings, init, players, functions),)


def updated(moments, z):
    """The codes' first two moments after a batch z [B, D] of all devices."""
    z = lax.stop_gradient(z)
    now = replicas.mean({"mean": jnp.mean(z, axis=0), "second": z.T @ z / len(z)})
    return jax.tree.map(lambda old, new: DECAY * old + (1.0 - DECAY) * new, moments, now)


def root_of_covariance(moments):
    """A matrix R [D, D] with R R^T the covariance of codes with these moments."""
    mean, second = moments["mean"], moments["second"]
    values, vectors = jnp.linalg.eigh(second - jnp.outer(mean, mean))
    return vectors * jnp.sqrt(jnp.maximum(values, 0.0))
