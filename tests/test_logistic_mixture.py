"""The discretised mixture of logistics: a distribution over levels, and what float32 does to it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from gm_jax.losses import logistic_mixture as mixture

KEY = jax.random.key(0)
MASS = jax.jit(mixture.log_mass, static_argnums=3)


@settings(max_examples=25, deadline=None)
@given(st.floats(-1.3, 1.3), st.floats(-7.0, 1.0), st.sampled_from([2, 5, 256]))
def test_the_masses_of_all_levels_sum_to_one(mean, log_scale, levels):
    """The end levels take the tails, at any scale that is allowed."""
    x = 2.0 * jnp.arange(levels) / (levels - 1) - 1.0
    masses = jnp.exp(MASS(x, mean, log_scale, levels))
    np.testing.assert_allclose(masses.sum(), 1.0, rtol=2e-3)


def test_the_mass_against_float64_where_it_can_be_taken():
    x = np.linspace(-1, 1, 256)
    mean, scale = 0.2, 0.1
    upper, lower = (expit((x - mean + sign / 255) / scale) for sign in (1, -1))
    upper[-1], lower[0] = 1.0, 0.0
    found = mixture.log_mass(jnp.asarray(x, jnp.float32), mean, np.log(scale))
    np.testing.assert_allclose(found, np.log(upper - lower), atol=2e-2)
    exact = (upper - lower) > 1e-3
    np.testing.assert_allclose(found[exact], np.log(upper - lower)[exact], atol=1e-3)


def test_value_and_slope_are_finite_however_far_the_mean_and_small_the_scale():
    """Where a difference of the distribution function is 0, no NaN comes from its logarithm."""
    x = jnp.array([-1.0, -0.5, 0.0, 1.0]).reshape(1, 2, 2, 1)
    nats = jax.jit(jax.value_and_grad(lambda raw: mixture.log_prob(x, raw, 3).sum()))
    for raw in (0.0, 30.0, -30.0, 1e4):
        output = jnp.full((1, 2, 2, mixture.parameters(3, 1)), raw)
        for values in (output, output.at[..., -3:].set(-100.0)):
            value, slope = nats(values)
            assert np.isfinite(value) and np.all(np.isfinite(slope))


def test_scales_are_bounded_below_and_coefficients_by_tanh():
    raw = jnp.full((1, mixture.parameters(2, 3)), -50.0)
    _, _, log_scales, coefficients = mixture.split(raw, 2, 3)
    assert np.all(log_scales == mixture.MIN_LOG_SCALE)
    np.testing.assert_allclose(coefficients[0, :, :, 0], -np.tri(3, k=-1), atol=1e-6)


def _small(colors, levels=3, components=2):
    raw = jax.random.normal(KEY, (1, 1, 1, mixture.parameters(components, colors)))
    every = jnp.array(list(itertools.product(range(levels), repeat=colors)))
    x = (2.0 * every / (levels - 1) - 1.0).reshape(-1, 1, 1, colors)
    return x, jnp.broadcast_to(raw, (len(x), *raw.shape[1:]))


@pytest.mark.slow
@pytest.mark.parametrize("colors", [1, 3])
def test_the_joint_is_a_distribution_and_the_product_of_its_conditionals(colors):
    """Red, then green given red, then blue: components shared, means moved by what came before."""
    x, raw = _small(colors)
    joint = mixture.log_prob(x, raw, 2, 3)
    np.testing.assert_allclose(jnp.exp(joint).sum(), 1.0, rtol=1e-5)
    logits, means, log_scales = jnp.moveaxis(mixture.conditionals(x, raw, 2, 3), -2, 0)
    masses = mixture.log_mass(x[..., None], means, log_scales, 3)
    chain = jax.nn.logsumexp(logits + masses, axis=-1).sum((1, 2, 3))
    np.testing.assert_allclose(chain, joint, atol=1e-5)
    levels = jnp.round(x + 1.0).astype(int)[..., None]
    of_levels = jnp.take_along_axis(mixture.level_logits(x, raw, 2, 3), levels, axis=-1)
    np.testing.assert_allclose(of_levels.sum((1, 2, 3, 4)), joint, atol=1e-5)


def test_green_moves_with_red_by_its_coefficient():
    """mu_G + alpha x_R, and mu_B + beta x_R + gamma x_G: Salimans et al. 2017, eq. 3."""
    raw = jnp.zeros((1, mixture.parameters(1, 3))).at[0, -3:].set(jnp.array([0.3, 0.5, -0.7]))
    x = jnp.array([[0.4, -0.6, 0.9]])
    means = mixture.conditionals(x, raw, 1)[0, :, 1, 0]
    a, b, c = np.tanh([0.3, 0.5, -0.7])
    np.testing.assert_allclose(means, [0.0, a * 0.4, b * 0.4 - c * 0.6], atol=1e-6)
