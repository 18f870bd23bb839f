"""Posteriors of the VAE: their draws, densities and divergences agree with one another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_vae import BATCH, model

from gm_jax.autoencoders import vae
from gm_jax.autoencoders.shared import posteriors
from gm_jax.losses.likelihoods import importance_weighted
from gm_jax.settings import read

KINDS = {
    "gaussian": {"name": "gaussian"},
    "mixture": {"name": "mixture", "mixture": {"components": 3}},
    "categorical": {"name": "categorical", "categorical": {"categories": 3, "anneal": 1e-3}},
}
MANY = 20_000
KEY = jax.random.key(0)


def posterior_of(kind):
    return posteriors.make(read(posteriors.Settings, KINDS[kind]), 2)


def drawn(kind):
    """A posterior, its parameters for one example, MANY draws z [S, MANY, D] and their shares."""
    posterior = posterior_of(kind)
    outputs = 0.7 * jax.random.normal(jax.random.key(3), (1, posterior.outputs))
    outputs = jnp.broadcast_to(outputs, (MANY, posterior.outputs))
    z = posterior.draw(outputs, jax.random.split(jax.random.key(4), MANY), None)
    return posterior, outputs, z, jnp.exp(posterior.log_share(outputs))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_prior_over_the_posterior_averages_to_one_and_its_log_to_minus_the_kl(kind):
    """Only if z is drawn from the very density that divides, and parts have their shares."""
    posterior, outputs, z, share = drawn(kind)
    log_ratio = jax.vmap(
        lambda z: posterior.log_prior(z) - posterior.log_prob(outputs, z)
    )(z)  # fmt: skip
    weights = np.mean(share * np.exp(log_ratio), axis=0)
    error = 5 * weights.std() / np.sqrt(MANY)
    assert abs(weights.mean() - 1.0) < error
    minus_log = np.mean(share * -log_ratio, axis=0)
    kl = posterior.kl(outputs, z)
    error = 5 * minus_log.std() / np.sqrt(MANY) + 1e-5
    assert abs(minus_log.mean() - np.mean(kl)) < error and np.mean(kl) > 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_the_prior_is_drawn_as_its_density_says(kind):
    posterior, _, _, _ = drawn(kind)
    z = posterior.draw_prior(jax.random.split(jax.random.key(5), 4000))
    entropy = -posterior.log_prior(z)
    expected = 2 * np.log(3) if kind == "categorical" else 1.0 + np.log(2 * np.pi)
    np.testing.assert_allclose(entropy.mean(), expected, atol=0.1)


def test_shares_of_a_mixture_learn_by_exact_gradients():
    posterior, outputs, z, _ = drawn("mixture")

    def average(outputs):
        return jnp.mean(jnp.exp(posterior.log_share(outputs)) * jnp.sin(z[..., 0]))

    gradient = jax.grad(average)(outputs).sum(0)[:3]
    f = np.sin(z[..., 0]).mean(1)
    pi = np.asarray(jax.nn.softmax(outputs[0, :3]))
    np.testing.assert_allclose(gradient, pi * (f - np.sum(pi * f)), rtol=1e-3)


def test_the_relaxation_of_a_categorical_cools_with_the_step_alone():
    """Jang et al. 2017: a function of the step, where `temp *= exp(-r step)` would compound."""
    posterior = posterior_of("categorical")
    outputs, keys = jnp.zeros((500, 6)), jax.random.split(jax.random.key(6), 500)
    draws = [posterior.draw(outputs, keys, step) for step in (0, 300, 5000, 9000, None)]
    first, middle, last, later, hard = (np.max(z, axis=-1).mean() for z in draws)
    assert first < middle < last == later < hard == 1.0
    noisy = jax.vmap(lambda k: jax.random.gumbel(k, (2, 3)))(keys)
    soft = jax.nn.softmax((noisy - np.log(3)) / np.exp(-0.3)).reshape(1, 500, 6)
    np.testing.assert_allclose(draws[1], soft, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mixture", "categorical"])
def test_probabilities_of_all_images_add_up_to_one_under_any_posterior(kind):
    game, variables = model(posterior=KINDS[kind])
    values = jax.jit(game.functions["bound"])(variables, BATCH, jax.random.key(1))
    np.testing.assert_allclose(np.exp(values["log_likelihood_4000"]).sum(), 1.0, atol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gaussian", "mixture"])
def test_the_importance_weighted_bound_is_unbiased_before_its_logarithm(kind):
    """E exp(bound) = p(x) with weights of each sample; with the analytic KL it is not."""
    one = {name: x[5:6] for name, x in BATCH.items()}
    game, variables = model(bound="importance", samples=3, posterior=KINDS[kind])
    objective = game.players[0].moves[0].objective
    keys = jax.random.split(jax.random.key(2), 20_000)
    losses = jax.jit(jax.vmap(lambda key: objective(variables, one, key, 0)[0]))(keys)
    # p(x) by quadrature over the prior, which knows of no posterior.
    grid = {"index": jnp.arange(vae.MANIFOLD**2)}
    p = (game.functions["manifold"](variables, grid, KEY)["image"] + 1.0) / 2.0
    exact = jnp.mean(jnp.prod(jnp.where(one["image"] > 0, p, 1.0 - p), axis=(1, 2, 3)))
    estimates = np.exp(-losses)
    error = 5 * estimates.std() / np.sqrt(len(estimates)) + 0.003 * exact
    assert abs(estimates.mean() - exact) < error
    looser = model(bound="elbo", samples=3, posterior=KINDS[kind])[0]
    elbo = jax.jit(
        jax.vmap(lambda key: looser.players[0].moves[0].objective(variables, one, key, 0)[0])
    )(keys)
    assert losses.mean() < elbo.mean() - 0.003  # A tighter bound, at the same draws.


def test_the_best_sample_gets_the_most_of_the_gradient():
    """Trap: a softmax of the positive loss, with which the worst sample wins."""
    log_weights = jnp.array([[-3.0], [-1.0], [-2.0]])
    gradient = jax.grad(lambda w: importance_weighted(w).sum())(log_weights)
    np.testing.assert_allclose(gradient, jax.nn.softmax(log_weights, axis=0), rtol=1e-6)
