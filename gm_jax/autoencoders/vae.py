"""The variational autoencoder.

Kingma & Welling 2014 (arXiv 1312.6114); beta of Higgins et al. 2017; the importance-sampled
log-likelihood of Burda et al. 2016 (arXiv 1509.00519).

    z = mu(x) + sigma(x) eps                                                   eq. 4
    log p(x) >= log p(x|z) - KL(N(mu, sigma^2) || N(0, I))                     eq. 3, 10
    log p(x) ~= log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)                       Burda et al., eq. 8
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.losses import likelihoods
from gm_jax.losses.elbo import elbo, gaussian_kl, importance_weighted
from gm_jax.model import Aux, GenerativeModel, Move, Phase, Player, Variables, example_keys
from gm_jax.nn.common import normal
from gm_jax.nn.convolutional import ConvDecoder, ConvEncoder
from gm_jax.nn.mlp import MLP, ImageMLP
from gm_jax.optimizers import optimizer, warmed_up

MANIFOLD = 20  # pictures along each side of the latent manifold


class Likelihood(NamedTuple):
    """log_prob(image [-1, 1], decoder output, log_variance scalar) -> [B], and the mean image."""

    log_prob: Callable
    mean: Callable
    has_variance: bool


LIKELIHOODS = {
    # Of black and white pixels, or of grey values read as probabilities.
    "bernoulli": Likelihood(
        lambda x, logits, _: likelihoods.bernoulli((x + 1.0) / 2.0, logits),
        lambda logits: 2.0 * jax.nn.sigmoid(logits) - 1.0,
        has_variance=False,
    ),
    # A density, with one learned variance for all pixels.
    "gaussian": Likelihood(likelihoods.gaussian, lambda mean: mean, has_variance=True),
}
NETWORKS = {"mlp": (MLP, ImageMLP), "conv": (ConvEncoder, ConvDecoder)}


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Encoder and decoder trained on the bound; configs/vae_mnist.py shows the keys."""
    latents, dtype = config.latents, jnp.dtype(config.dtype)
    encoder_class, decoder_class = NETWORKS[config.network.name]
    encoder = encoder_class(2 * latents, config.network.widths, dtype=dtype)
    decoder = decoder_class(spec["image"].shape, config.network.widths, dtype=dtype)
    likelihood = LIKELIHOODS[config.likelihood]
    learned = ("encoder", "decoder", "log_variance")[: 3 if likelihood.has_variance else 2]

    def init(key, batch, previous):
        encoder_key, decoder_key = jax.random.split(key)
        params = {
            "encoder": encoder.init(encoder_key, batch["image"])["params"],
            "decoder": decoder.init(decoder_key, jnp.zeros((1, latents)))["params"],
            "log_variance": jnp.zeros(()),
        }
        return Variables({name: params[name] for name in learned})

    def encode(variables, x):
        """Mean and log-variance of q(z|x), [B, D] each."""
        return jnp.split(encoder.apply({"params": variables.params["encoder"]}, x), 2, axis=-1)

    def draw(mean, log_variance, keys):
        """z ~ q(z|x) as a function of its parameters, [B, D]. Eq. 4."""
        return mean + jnp.exp(0.5 * log_variance) * normal(keys, (latents,))

    def decode(variables, z):
        return decoder.apply({"params": variables.params["decoder"]}, z)

    def log_prob(variables, x, z):
        """log p(x|z), [B]."""
        log_variance = variables.params.get("log_variance")
        return likelihood.log_prob(x, decode(variables, z), log_variance)

    def negative_elbo(variables, batch, key, step):
        x = batch["image"]
        mean, log_variance = encode(variables, x)
        z = draw(mean, log_variance, example_keys(key, batch))
        reconstruction, kl = log_prob(variables, x, z), gaussian_kl(mean, log_variance)
        loss = -jnp.mean(elbo(reconstruction, kl, config.beta))
        return loss, Aux({"reconstruction": jnp.mean(reconstruction), "kl": jnp.mean(kl)})

    def sample(variables, batch, key):
        """Means of p(x|z) with z ~ N(0, I)."""
        z = normal(example_keys(key, batch), (latents,))
        return {"image": likelihood.mean(decode(variables, z))}

    def reconstruct(variables, batch, key):
        """The image beside the mean of p(x|z) at z = mu(x), [B, 2, H, W, C]."""
        mean, _ = encode(variables, batch["image"])
        output = likelihood.mean(decode(variables, mean))
        return {"image": jnp.stack([batch["image"], output], axis=1)}

    def manifold(variables, batch, key):
        """Means over a square of the first two latents, at equal steps of probability.

        Kingma & Welling 2014, figure 4; further latents are 0. Takes MANIFOLD^2 examples.
        """
        row, column = jnp.divmod(batch["index"] % MANIFOLD**2, MANIFOLD)
        quantiles = (jnp.stack([column, MANIFOLD - 1 - row], axis=-1) + 0.5) / MANIFOLD
        z = jnp.pad(jax.scipy.stats.norm.ppf(quantiles), ((0, 0), (0, max(0, latents - 2))))
        return {"image": likelihood.mean(decode(variables, z[:, :latents]))}

    def bound(variables, batch, key):
        """The bound and the importance-sampled log-likelihood, in nats per example, [B]."""
        x = batch["image"]
        mean, log_variance = encode(variables, x)
        keys = example_keys(key, batch)

        def weigh(number):
            again = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number)
            z = draw(mean, log_variance, again)
            reconstruction = log_prob(variables, x, z)
            prior = likelihoods.gaussian(z, 0.0, 0.0)
            posterior = likelihoods.gaussian(z, mean, log_variance)
            return reconstruction, reconstruction + prior - posterior

        reconstruction, log_weights = lax.map(weigh, jnp.arange(config.importance_samples))
        kl = gaussian_kl(mean, log_variance)
        return {
            "elbo": elbo(reconstruction[0], kl),
            "kl": kl,
            f"log_likelihood_{config.importance_samples}": importance_weighted(log_weights),
        }

    player = Player(
        "vae",
        owns=learned,
        optimizer=optimizer(config.optimizer),
        moves=(Move("negative_elbo", negative_elbo),),
        average=warmed_up(config.average),
    )
    functions = {
        "sample": sample,
        "reconstruct": reconstruct,
        "manifold": manifold,
        "bound": bound,
    }
    model = GenerativeModel(init, (player,), functions)
    return (Phase("train", model, config.data, config.steps),)
