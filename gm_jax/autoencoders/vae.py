"""The variational autoencoder, and the importance-weighted one.

Kingma & Welling 2014 (arXiv 1312.6114); beta of Higgins et al. 2017; Burda et al. 2016
(arXiv 1509.00519), which is the same model under another bound.

    z = mu(x) + sigma(x) eps                                                   eq. 4
    log p(x) >= E log p(x|z) - KL(q(z|x) || p(z))                              eq. 3
    log p(x) >= E log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)                     Burda et al., eq. 8

q is Gaussian in the papers; shared/posteriors.py also has a mixture and a categorical one.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games, networks
from gm_jax.autoencoders.shared import posteriors
from gm_jax.losses.likelihoods import LIKELIHOODS, elbo, importance_weighted
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.encoders import Pair, pair
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, at_least, one_of, schema

MANIFOLD = 20  # pictures along each side of the latent manifold


def of_elbo(reconstruction, kl, log_weights, beta):
    """Eq. 3, the mean of K draws."""
    return jnp.mean(elbo(reconstruction, kl, beta), axis=0)


def of_importance(reconstruction, kl, log_weights, beta):
    """Burda et al., eq. 8; log-weights [K, S, B] hold the shares of a posterior's parts."""
    return importance_weighted(log_weights.reshape(-1, log_weights.shape[-1]))


# (log p(x|z) [K, B], KL [K, B], log-weights [K, S, B], beta) -> bound [B], of K draws an example.
BOUNDS = {"elbo": of_elbo, "importance": of_importance}


@schema
class Settings(Recipe):
    """A VAE.

    latents             dimensions of z, or categorical variables
    posterior           q(z|x) and its prior
    bound               what is maximised: eq. 3 (elbo) or Burda et al.'s eq. 8 (importance, IWAE)
    samples             draws of z for each example, in training
    beta                weight of the KL in training (beta-VAE)
    likelihood          p(x|z)
    network             encoder and decoder
    optimizer           one of optax's
    importance_samples  draws of z by which evaluation estimates log p(x)
    """

    latents: Annotated[int, at_least(1)] = 20
    posterior: posteriors.Settings = posteriors.Settings()
    bound: Annotated[str, one_of(BOUNDS)] = "elbo"
    samples: Annotated[int, at_least(1)] = 1
    beta: Annotated[float, at_least(0.0)] = 1.0
    likelihood: Annotated[str, one_of(LIKELIHOODS)] = "bernoulli"
    network: Pair = Pair()
    optimizer: Optimizer = adam(1e-3)
    importance_samples: Annotated[int, at_least(1), Restartable()] = 500

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        name, latents = self.posterior.name, self.latents
        if self.bound == "importance":
            if not posteriors.make(self.posterior, latents).reparametrised:
                yield (
                    "the importance-weighted bound needs draws of the posterior itself, and"
                    f" training by posterior {name} draws relaxed ones: set bound to elbo"
                )
            if self.beta != 1.0:
                yield (
                    f"beta {self.beta} weights the KL, which the importance-weighted bound does not"
                    " have: set beta to 1 or bound to elbo"
                )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Encoder and decoder trained on a bound; configs/vae_mnist.py."""
    image, latents = field_of(spec, "image"), settings.latents
    posterior = posteriors.make(settings.posterior, latents)
    modules = pair(settings.network, posterior.outputs, image.shape, settings.dtype)
    encoder, decoder = Network("encoder", modules[0]), Network("decoder", modules[1])
    likelihood = LIKELIHOODS[settings.likelihood]

    def init(key, batch, previous):
        calls = (encoder, batch["image"]), (decoder, jnp.zeros((1, posterior.size)))
        variables = networks.split_init(key, *calls)
        own = {name: jnp.zeros(()) for name in likelihood.learned}
        return variables._replace(params=variables.params | own)

    def log_prob(variables, x, z):
        """log p(x|z), [B]."""
        return likelihood.log_prob(x, decoder(variables, z), variables.params)

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

    def draw(variables, batch, key, step):
        """k -> the terms of draw k of each example."""
        x, keys = batch["image"], example_keys(key, batch)
        outputs = encoder(variables, x)

        def terms_of(k):
            fresh = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, k)
            return terms(variables, x, outputs, fresh, step)

        return terms_of

    def negative_bound(variables, batch, key, step):
        draws = jnp.arange(settings.samples)
        reconstruction, kl, log_weights = jax.vmap(draw(variables, batch, key, step))(draws)
        value = BOUNDS[settings.bound](reconstruction, kl, log_weights, settings.beta)
        metrics = {"reconstruction": jnp.mean(reconstruction), "kl": jnp.mean(kl)}
        return -jnp.mean(value), Aux(metrics)

    def sample(variables, batch, key):
        """Means of p(x|z) with z ~ p(z)."""
        z = posterior.draw_prior(example_keys(key, batch))
        return {"image": likelihood.mean(decoder(variables, z))}

    def encode(variables, batch, key):
        """The posterior's most likely z, [B, D]."""
        return {"latent": posterior.center(encoder(variables, batch["image"]))}

    def reconstruct(variables, batch, key):
        """The image beside the mean of p(x|z) at the posterior's centre, [B, 2, H, W, C]."""
        z = posterior.center(encoder(variables, batch["image"]))
        output = likelihood.mean(decoder(variables, z))
        return {"image": jnp.stack([batch["image"], output], axis=1)}

    def manifold(variables, batch, key):
        """Means over a square of the first two latents, at equal steps of probability.

        Kingma & Welling 2014, figure 4; further latents are 0. Takes MANIFOLD^2 examples.
        """
        row, column = jnp.divmod(batch["index"] % MANIFOLD**2, MANIFOLD)
        quantiles = (jnp.stack([column, MANIFOLD - 1 - row], axis=-1) + 0.5) / MANIFOLD
        z = jnp.pad(jax.scipy.stats.norm.ppf(quantiles), ((0, 0), (0, max(0, latents - 2))))
        return {"image": likelihood.mean(decoder(variables, z[:, :latents]))}

    # Eq. 8 converges to log p(x). Grey values have no Bernoulli probability: what stands for
    # log p(x|z) is its mean over their black-and-white draws, and eq. 3 and 8 are bounds on the
    # mean log-likelihood of those draws, whatever K.
    grey = settings.likelihood == "bernoulli" and image.cardinality != 2
    tightest = f"{'importance_bound' if grey else 'log_likelihood'}_{settings.importance_samples}"

    def bound(variables, batch, key):
        """Eq. 3 with one draw, its KL, and eq. 8 with `importance_samples`, in nats, [B] each."""
        draws = jnp.arange(settings.importance_samples)
        reconstruction, kl, log_weights = lax.map(draw(variables, batch, key, None), draws)
        return {
            "elbo": elbo(reconstruction[0], kl[0]),
            "kl": kl[0],
            tightest: of_importance(reconstruction, kl, log_weights, 1.0),
        }

    owns = ("encoder", "decoder", *likelihood.learned)
    moves, average = {"negative_bound": negative_bound}, settings.average
    players = (games.player("vae", owns, moves, settings, average),)
    functions = {f.__name__: f for f in (sample, encode, reconstruct, bound)}
    if posterior.size == latents:  # One number a latent: the prior is N(0, I).
        functions["manifold"] = manifold
    return (games.phase(settings, init, players, functions),)
