"""Losses against closed forms, enumeration and Monte Carlo."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gm_jax.losses import adversarial, diffusion, likelihoods

KEY = jax.random.key(0)


def test_gaussian_kl_against_monte_carlo():
    mean, log_variance = jnp.array([[0.3, -1.0], [2.0, 0.0]]), jnp.array([[0.5, -1.0], [0.0, 0.4]])
    z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(KEY, (400_000, 2, 2))
    q = stats.norm.logpdf(z, mean, np.exp(0.5 * log_variance)).sum(-1)
    p = stats.norm.logpdf(z).sum(-1)
    error = 5 * (q - p).std(0) / np.sqrt(len(z))
    assert np.all(np.abs(likelihoods.gaussian_kl(mean, log_variance) - (q - p).mean(0)) < error)


def _linear_gaussian(x, posterior_mean, posterior_log_variance, samples=1):
    """z ~ N(0, 1), x = 2 z + N(0, 0.5): bound and log-weights for a Gaussian posterior."""
    noise = jax.random.normal(KEY, (samples, *x.shape))
    z = posterior_mean + jnp.exp(0.5 * posterior_log_variance) * noise
    log_variance = jnp.log(0.5)
    reconstruction = jax.vmap(lambda z: likelihoods.gaussian(x, 2.0 * z, log_variance))(z)
    kl = likelihoods.gaussian_kl(posterior_mean, jnp.broadcast_to(posterior_log_variance, x.shape))
    prior = jax.vmap(lambda z: likelihoods.gaussian(z, 0.0, 0.0))(z)
    posterior = jax.vmap(lambda z: likelihoods.gaussian(z, posterior_mean, posterior_log_variance))(
        z
    )
    return likelihoods.elbo(reconstruction.mean(0), kl), reconstruction + prior - posterior


@pytest.mark.slow
def test_elbo_is_a_bound_on_a_linear_gaussian_model_and_tight_at_the_true_posterior():
    x = jnp.linspace(-3.0, 3.0, 7)[:, None]
    exact = stats.norm.logpdf(x[:, 0], 0.0, np.sqrt(2.0**2 + 0.5))
    precision = 1.0 + 4.0 / 0.5
    best_mean, best_log_variance = (2.0 / 0.5) * x / precision, -jnp.log(precision)
    tight, log_weights = _linear_gaussian(x, best_mean, best_log_variance, 20_000)
    np.testing.assert_allclose(tight, exact, atol=0.03)
    # Every weight is p(x) itself where the proposal is the posterior.
    np.testing.assert_allclose(log_weights, jnp.broadcast_to(exact, log_weights.shape), atol=1e-4)
    loose, log_weights = _linear_gaussian(x, best_mean + 0.3, best_log_variance + 0.5, 20_000)
    assert np.all(loose < exact - 0.05)
    one, many = (likelihoods.importance_weighted(log_weights[:k]) for k in (1, 20_000))
    np.testing.assert_allclose(many, exact, atol=0.03)
    assert many.mean() > one.mean()


@pytest.mark.parametrize("logit", [-1e4, 0.0, 1e4])
def test_bernoulli_is_finite_and_right_at_any_logit(logit):
    x = jnp.array([[0.0], [1.0], [0.25]])
    logits = jnp.full((3, 1), logit)
    value, gradient = jax.value_and_grad(lambda l: likelihoods.bernoulli(x, l).sum())(logits)
    assert np.isfinite(value) and np.all(np.isfinite(gradient))
    logits = jnp.array([[0.3, -2.0], [1.0, 4.0]])
    x = jnp.array([[1.0, 0.0], [0.2, 1.0]])
    p = jax.nn.sigmoid(logits)
    expected = (x * jnp.log(p) + (1 - x) * jnp.log(1 - p)).sum(-1)
    np.testing.assert_allclose(likelihoods.bernoulli(x, logits), expected, rtol=1e-5)


def test_the_optimal_discriminator_is_worth_two_jensen_shannon_minus_log_four():
    """Goodfellow et al. 2014, theorem 1, on two densities over a line."""
    x = np.linspace(-12, 12, 20_001)
    p, g = stats.norm.pdf(x, -1, 1), stats.norm.pdf(x, 1.5, 2)
    logit = jnp.asarray(np.log(p) - np.log(g))
    zeros = jnp.zeros_like(logit)
    on_real = adversarial.log_loss(logit, zeros) - jnp.log(2.0)
    on_fake = adversarial.log_loss(zeros, logit) - jnp.log(2.0)
    value = -np.trapezoid(p * on_real + g * on_fake, x)
    middle = (p + g) / 2
    divergence = np.trapezoid(p * np.log(p / middle) + g * np.log(g / middle), x) / 2
    np.testing.assert_allclose(value, 2 * divergence - np.log(4), atol=1e-5)


def test_slopes_of_the_generator_losses_are_the_papers():
    """Where D is sure (logit -10) the saturating slope vanishes and the other one does not."""
    logits = jnp.array([-10.0, 0.0, 3.0])
    d = jax.nn.sigmoid(logits)
    slope_of = {
        name: jax.vmap(jax.grad(adversarial.VALUE_FUNCTIONS[name].generator, argnums=1))(
            jnp.zeros(3), logits
        )
        for name in ("minimax", "non_saturating")
    }
    saturating, non_saturating = slope_of["minimax"], slope_of["non_saturating"]
    np.testing.assert_allclose(saturating, -d, rtol=1e-5)
    np.testing.assert_allclose(non_saturating, -(1 - d), rtol=1e-5)
    assert abs(saturating[0]) < 1e-4 and abs(non_saturating[0]) > 0.99


def test_soft_labels_soften_the_real_label_alone():
    real, fake = jnp.array([0.7]), jnp.array([-0.2])
    d, g = jax.nn.sigmoid(real), jax.nn.sigmoid(fake)
    expected = -0.9 * jnp.log(d) - 0.1 * jnp.log(1 - d) - jnp.log(1 - g)
    np.testing.assert_allclose(adversarial.log_loss(real, fake, 0.9), expected, rtol=1e-6)
    # With label l the best logit for a real example is logit(l); the fake term does not move.
    best = jax.grad(lambda x: adversarial.log_loss(x, fake[0], 0.9))(jnp.log(9.0))
    np.testing.assert_allclose(best, 0.0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.floats(-1.2, 1.2), st.floats(-9.0, 1.0))
def test_the_decoder_term_is_a_distribution_over_the_256_levels(mean, log_variance):
    """Ho et al. 2020, eq. 13: the masses of all levels sum to one."""
    levels = (jnp.arange(256.0) / 127.5 - 1.0)[:, None]
    nats = diffusion.decoder_term(
        levels, jnp.full((256, 1), mean), jnp.full((256, 1), log_variance)
    )
    assert np.all(np.isfinite(nats))
    np.testing.assert_allclose(jnp.exp(-nats).sum(), 1.0, rtol=2e-4)


def test_the_decoder_term_against_float64_and_far_in_the_tail():
    levels = np.arange(0, 256, 5) / 127.5 - 1
    scale = 0.1
    mean = 0.2
    upper = np.where(levels > 0.999, np.inf, levels + 1 / 255)
    lower = np.where(levels < -0.999, -np.inf, levels - 1 / 255)
    a, b = (lower - mean) / scale, (upper - mean) / scale
    flip = a > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    expected = -(
        stats.norm.logcdf(b) + np.log1p(-np.exp(stats.norm.logcdf(a) - stats.norm.logcdf(b)))
    )
    got = diffusion.decoder_term(
        jnp.asarray(levels[:, None], jnp.float32), jnp.full((len(levels), 1), mean),
        jnp.full((1, 1), 2 * np.log(scale)),
    )  # fmt: skip
    np.testing.assert_allclose(got, expected, rtol=1e-3)


def test_transition_term_is_the_kl_of_gaussians():
    m1, v1, m2, v2 = 0.3, 0.5, -0.4, 0.8
    got = diffusion.transition_term(
        *(jnp.full((1, 1), v) for v in (m1, np.log(v1), m2, np.log(v2)))
    )
    x = np.linspace(-12, 12, 200_001)
    p, q = stats.norm(m1, np.sqrt(v1)), stats.norm(m2, np.sqrt(v2))
    expected = np.trapezoid(p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), x)
    np.testing.assert_allclose(got[0], expected, rtol=1e-5)


def test_l_simple_is_a_mean_over_elements_for_each_example():
    noise = jax.random.normal(KEY, (3, 4, 4, 2))
    np.testing.assert_allclose(diffusion.l_simple(noise, noise + 2.0), jnp.full(3, 4.0), rtol=1e-6)
    assert diffusion.l_simple(noise, noise * 0).shape == (3,)
