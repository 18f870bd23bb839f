"""The variational autoencoder, and the importance-weighted one.

Kingma & Welling 2014 (arXiv 1312.6114); beta of Higgins et al. 2017; Burda et al. 2016
(arXiv 1509.00519), which is the same model under another bound.

    z = mu(x) + sigma(x) eps                                                   eq. 4
    log p(x) >= E log p(x|z) - KL(q(z|x) || p(z))                              eq. 3
    log p(x) >= E log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)                     Burda et al., eq. 8

q is Gaussian in the papers; `nn/posteriors.py` has a mixture and a categorical one.
"""

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.errors import UserError, choose
from gm_jax.losses.elbo import elbo, importance_weighted
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
from gm_jax.nn import posteriors
from gm_jax.nn.vector import pair
from gm_jax.optimizers import optimizer, warmed_up

MANIFOLD = 20  # pictures along each side of the latent manifold


def of_elbo(reconstruction, kl, log_weights, beta):
    """Eq. 3, the mean of K draws."""
    return jnp.mean(elbo(reconstruction, kl, beta), axis=0)


def of_importance(reconstruction, kl, log_weights, beta):
    """Burda et al., eq. 8; it knows no beta."""
    return of_parts(log_weights)


def of_parts(log_weights):
    """Burda et al., eq. 8, of log-weights [K, S, B] that hold the shares of the parts."""
    return importance_weighted(log_weights.reshape(-1, log_weights.shape[-1]))


# (log p(x|z) [K, B], KL [K, B], log-weights [K, S, B], beta) -> bound [B], of K draws an example.
BOUNDS = {"elbo": of_elbo, "importance": of_importance}


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Encoder and decoder trained on a bound; configs/vae_mnist.py shows the keys."""
    posterior = posteriors.make(config.posterior, config.latents)
    shape = field_of(spec, "image").shape
    encoder, decoder = pair(config.network, posterior.outputs, shape, config.dtype)
    likelihood = choose("likelihood", config.likelihood, LIKELIHOODS)
    average = choose("bound", config.bound, BOUNDS)
    if config.bound == "importance" and not posterior.reparametrised:
        raise UserError(
            f"the importance-weighted bound needs draws of the posterior itself, and training by"
            f" posterior {config.posterior.name} draws relaxed ones: set bound to elbo"
        )
    learned = ("encoder", "decoder", *likelihood.learned)

    def init(key, batch, previous):
        encoder_key, decoder_key = jax.random.split(key)
        params = {
            "encoder": encoder.init(encoder_key, batch["image"])["params"],
            "decoder": decoder.init(decoder_key, jnp.zeros((1, posterior.size)))["params"],
            **{name: jnp.zeros(()) for name in likelihood.learned},
        }
        return Variables(params)

    def encode(variables, x):
        """Parameters of q(z|x), [B, outputs]."""
        return encoder.apply({"params": variables.params["encoder"]}, x)

    def decode(variables, z):
        return decoder.apply({"params": variables.params["decoder"]}, z)

    def log_prob(variables, x, z):
        """log p(x|z), [B]."""
        return likelihood.log_prob(x, decode(variables, z), variables.params)

    def terms(variables, x, outputs, keys, step):
        """Of a draw by keys [B]: E log p(x|z) [B], KL(q || p) [B], log-weights of eq. 8 [S, B]."""
        z = posterior.draw(outputs, keys, step)
        share = posterior.log_share(outputs)

        def log_terms(z):
            ratio = posterior.log_prior(z) - posterior.log_prob(outputs, z)
            return log_prob(variables, x, z), ratio

        reconstruction, ratio = jax.vmap(log_terms)(z)
        mean = jnp.mean(jnp.exp(share) * reconstruction, axis=0)
        return mean, posterior.kl(outputs, z), share + reconstruction + ratio

    def negative_bound(variables, batch, key, step):
        x, keys = batch["image"], example_keys(key, batch)
        outputs = encode(variables, x)

        def again(number):
            fresh = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number)
            return terms(variables, x, outputs, fresh, step)

        reconstruction, kl, log_weights = jax.vmap(again)(jnp.arange(config.samples))
        bound = average(reconstruction, kl, log_weights, config.beta)
        metrics = {"reconstruction": jnp.mean(reconstruction), "kl": jnp.mean(kl)}
        return -jnp.mean(bound), Aux(metrics)

    def sample(variables, batch, key):
        """Means of p(x|z) with z ~ p(z)."""
        z = posterior.draw_prior(example_keys(key, batch))
        return {"image": likelihood.mean(decode(variables, z))}

    def reconstruct(variables, batch, key):
        """The image beside the mean of p(x|z) at the likeliest z, [B, 2, H, W, C]."""
        z = posterior.center(encode(variables, batch["image"]))
        output = likelihood.mean(decode(variables, z))
        return {"image": jnp.stack([batch["image"], output], axis=1)}

    def manifold(variables, batch, key):
        """Means over a square of the first two latents, at equal steps of probability.

        Kingma & Welling 2014, figure 4; further latents are 0. Takes MANIFOLD^2 examples.
        """
        row, column = jnp.divmod(batch["index"] % MANIFOLD**2, MANIFOLD)
        quantiles = (jnp.stack([column, MANIFOLD - 1 - row], axis=-1) + 0.5) / MANIFOLD
        latents = config.latents
        z = jnp.pad(jax.scipy.stats.norm.ppf(quantiles), ((0, 0), (0, max(0, latents - 2))))
        return {"image": likelihood.mean(decode(variables, z[:, :latents]))}

    def bound(variables, batch, key):
        """The bound and the importance-sampled log-likelihood, in nats per example, [B]."""
        x, keys = batch["image"], example_keys(key, batch)
        outputs = encode(variables, x)

        def weigh(number):
            fresh = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number)
            return terms(variables, x, outputs, fresh, None)

        reconstruction, kl, log_weights = lax.map(weigh, jnp.arange(config.importance_samples))
        return {
            "elbo": elbo(reconstruction[0], kl[0]),
            "kl": kl[0],
            f"log_likelihood_{config.importance_samples}": of_parts(log_weights),
        }

    player = Player(
        "vae",
        owns=learned,
        optimizer=optimizer(config.optimizer),
        moves=(Move("negative_bound", negative_bound),),
        average=warmed_up(config.average),
    )
    functions = {"sample": sample, "reconstruct": reconstruct, "bound": bound}
    if posterior.size == config.latents:  # One number a latent: the prior is N(0, I).
        functions["manifold"] = manifold
    model = GenerativeModel(init, (player,), functions)
    return (Phase("train", model, config.data, config.steps),)
