"""Posteriors q(z|x) with their priors: how a VAE draws z, and what the draw costs.

An encoder's outputs [B, outputs] are the parameters of q. A posterior may have several parts (the
components of a mixture): one z is drawn from each, so that gradients reach the parts' shares too,
and averages over parts are weighted by exp(log_share), whose mean over the parts is 1.
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from gm_jax.losses import likelihoods
from gm_jax.losses.likelihoods import gaussian_kl
from gm_jax.losses.quantization import kl_to_uniform
from gm_jax.model import Array
from gm_jax.nn.layers import normal
from gm_jax.settings import above, arguments, at_least, one_of, part_of, schema


class Posterior(NamedTuple):
    """q(z|x) and p(z) over z [B, size]; S parts.

    outputs     numbers that the encoder returns for each example
    draw        (outputs, keys [B], step) -> z [S, B, size], differentiable; with step None z is
                drawn from q itself even if training draws from a relaxation of it
    log_share   outputs -> log of S times the share of each part [S, B]
    kl          (outputs, z [S, B, size]) -> KL(q || p) in nats [B], or its estimate at z
    log_prob    (outputs, z [B, size]) -> log q(z|x) [B]
    log_prior   z [B, size] -> log p(z) [B]
    draw_prior  keys [B] -> z [B, size]
    center      outputs -> z [B, size], the most likely (of a mixture: its likeliest part's mean)
    reparametrised  whether training draws z from q itself, not from a relaxation
    """

    size: int
    outputs: int
    draw: Callable
    log_share: Callable
    kl: Callable
    log_prob: Callable
    log_prior: Callable
    draw_prior: Callable
    center: Callable
    reparametrised: bool = True


def gaussian(latents: int) -> Posterior:
    """N(mu, sigma^2) over N(0, I). Kingma & Welling 2014, eq. 9 and 10."""

    def split(outputs):
        return jnp.split(outputs, 2, axis=-1)

    def draw(outputs, keys, step):
        mean, log_variance = split(outputs)
        return (mean + jnp.exp(0.5 * log_variance) * normal(keys, (latents,)))[None]

    return Posterior(
        latents,
        2 * latents,
        draw,
        log_share=lambda outputs: jnp.zeros((1, len(outputs))),
        kl=lambda outputs, z: gaussian_kl(*split(outputs)),
        log_prob=lambda outputs, z: likelihoods.gaussian(z, *split(outputs)),
        log_prior=_log_normal,
        draw_prior=lambda keys: normal(keys, (latents,)),
        center=lambda outputs: split(outputs)[0],
    )


def mixture(latents: int, components: Annotated[int, at_least(1)] = 5) -> Posterior:
    """A mixture of Gaussians over N(0, I), a draw from each at once.

    Stratified, so the gradient of the shares needs no relaxation: Morningstar et al. 2021
    (arXiv 2003.01687), section 3. The KL is estimated at the draws.

    components  of the mixture
    """

    def split(outputs):
        """log pi [S, B], mu and log sigma^2 [S, B, D]."""
        logits, rest = jnp.split(outputs, [components], axis=-1)
        mean, log_variance = rest.reshape(-1, 2, components, latents).transpose(1, 2, 0, 3)
        return jax.nn.log_softmax(logits).T, mean, log_variance

    def draw(outputs, keys, step):
        _, mean, log_variance = split(outputs)
        noise = normal(keys, (components, latents)).transpose(1, 0, 2)
        return mean + jnp.exp(0.5 * log_variance) * noise

    def log_prob(outputs, z):
        log_pi, mean, log_variance = split(outputs)
        each = jax.vmap(likelihoods.gaussian, in_axes=(None, 0, 0))(z, mean, log_variance)
        return logsumexp(log_pi + each, axis=0)

    def kl(outputs, z):
        log_ratio = jax.vmap(lambda z: log_prob(outputs, z) - _log_normal(z))(z)
        return jnp.sum(jnp.exp(split(outputs)[0]) * log_ratio, axis=0)

    def center(outputs):
        log_pi, mean, _ = split(outputs)
        return jnp.take_along_axis(mean, jnp.argmax(log_pi, axis=0)[None, :, None], axis=0)[0]

    return Posterior(
        latents,
        components * (1 + 2 * latents),
        draw,
        log_share=lambda outputs: split(outputs)[0] + jnp.log(components),
        kl=kl,
        log_prob=log_prob,
        log_prior=_log_normal,
        draw_prior=lambda keys: normal(keys, (latents,)),
        center=center,
    )


def categorical(
    latents: int,
    categories: Annotated[int, at_least(2)] = 10,
    temperature: Annotated[float, above(0.0)] = 0.5,
    anneal: Annotated[float, at_least(0.0)] = 3e-5,
) -> Posterior:
    """Independent variables of several values each, one-hot, over a uniform prior.

    Trained through the Gumbel-softmax at temperature max(`temperature`, exp(-anneal step)), so the
    training objective is a relaxation of the bound: Jang et al. 2017 (arXiv 1611.01144), eq. 2.

    categories   values of each variable
    temperature  lowest temperature of the Gumbel-softmax
    anneal       rate at which its temperature falls from 1, in exp(-anneal step)
    """

    def split(outputs):
        return jax.nn.log_softmax(outputs.reshape(-1, latents, categories))

    def flat(z):
        return z.reshape(-1, latents * categories)

    def draw(outputs, keys, step):
        log_q = split(outputs)
        shape = log_q.shape[1:]
        noisy = log_q + jax.vmap(lambda key: jax.random.gumbel(key, shape, log_q.dtype))(keys)
        if step is None:
            z = jax.nn.one_hot(jnp.argmax(noisy, axis=-1), categories)
        else:
            z = jax.nn.softmax(noisy / jnp.maximum(temperature, jnp.exp(-anneal * step)))
        return flat(z)[None]

    def draw_prior(keys):
        draws = jax.vmap(lambda key: jax.random.randint(key, (latents,), 0, categories))(keys)
        return flat(jax.nn.one_hot(draws, categories))

    return Posterior(
        latents * categories,
        latents * categories,
        draw,
        log_share=lambda outputs: jnp.zeros((1, len(outputs))),
        kl=lambda outputs, z: kl_to_uniform(split(outputs)),
        log_prob=lambda outputs, z: jnp.sum(z * flat(split(outputs)), axis=-1),
        log_prior=lambda z: jnp.full(len(z), -latents * jnp.log(categories)),
        draw_prior=draw_prior,
        center=lambda outputs: flat(
            jax.nn.one_hot(jnp.argmax(split(outputs), axis=-1), categories)
        ),
        reparametrised=False,
    )


POSTERIORS = {"gaussian": gaussian, "mixture": mixture, "categorical": categorical}


MixtureSettings, CategoricalSettings = part_of(mixture), part_of(categorical)


@schema
class Settings:
    """q(z|x) and its prior.

    name         the kind of q
    mixture      of Gaussians
    categorical  one-hot latents
    """

    name: Annotated[str, one_of(POSTERIORS)] = "gaussian"
    mixture: MixtureSettings = MixtureSettings()
    categorical: CategoricalSettings = CategoricalSettings()


def make(settings: Settings, latents: int) -> Posterior:
    """The posterior that a recipe names, with that one's own settings."""
    own = getattr(settings, settings.name, None)
    return POSTERIORS[settings.name](latents, **(arguments(own) if own else {}))


def _log_normal(z: Array) -> Array:
    return likelihoods.gaussian(z, 0.0, 0.0)
