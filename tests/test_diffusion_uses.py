"""Likelihood, guidance, inpainting, editing and inversion against exact denoisers."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact_denoisers import (
    FLOW,
    LINEAR,
    MEANS,
    SPREAD,
    WEIGHTS,
    draw,
    fresh,
    gaussian,
    log_joint,
    mixture,
)

from gm_jax.diffusion.shared import guidance, likelihood, samplers, schedules, uses
from gm_jax.diffusion.shared.grids import SPACINGS


def test_ode_likelihood_of_a_mixture_and_of_correlated_data_is_exact():
    """Within 1 %; in one dimension, and with a diagonal Jacobian, one probe is exact."""
    with jax.enable_x64(True):
        grid = SPACINGS["log_snr"](LINEAR, 60)
        x = jnp.linspace(-1.2, 1.0, 23)[:, None]
        probe = jax.random.rademacher(jax.random.key(0), x.shape, jnp.float64)
        found = likelihood.log_prob(grid, mixture, x, probe, 1.0)
        clean = schedules.Points(0, 1.0, 1e-9)
        truth = jax.scipy.special.logsumexp(log_joint(x, clean), axis=-1)
        np.testing.assert_allclose(found, truth, atol=0.01 * np.abs(truth).max())

        covariance = jnp.array([[0.3, 0.2], [0.2, 0.25]])
        x = jnp.array([[0.3, -0.2], [1.0, 0.5]]).repeat(400, axis=0)
        probe = jax.random.rademacher(jax.random.key(1), x.shape, jnp.float64)
        found = likelihood.log_prob(grid, gaussian(covariance), x, probe, 1.0).reshape(2, 400)
        truth = jax.scipy.stats.multivariate_normal.logpdf(x[::400], jnp.zeros(2), covariance)
        error = found.std(axis=1) / 20
        assert np.all(error > 0) and np.all(np.abs(found.mean(1) - truth) < 4 * error + 0.01)
        # One probe for the whole trajectory: its estimate is the integral of e^T J e, whose matrix
        # is half of log(covariance + r^2) between the ends.
        values, vectors = np.linalg.eigh(covariance)
        ends = np.log(values[:, None] + grid.points.ratio[[0, -2]] ** 2)
        matrix = vectors * (0.5 * (ends[:, 0] - ends[:, 1])) @ vectors.T
        away = 2.0 * matrix[0, 1] * probe[:, 0] * probe[:, 1]
        np.testing.assert_allclose(found, truth[:, None] + away.reshape(2, 400), atol=0.02)


def test_bits_by_the_ode_are_those_of_the_density():
    """N(0, 0.2^2) at 256 levels: its entropy, and 7 bits (log2 of 255 / 2) for the scale."""
    count = 2000
    x = 0.2 * jax.random.normal(jax.random.key(0), (count, 1, 1, 1))
    x = jnp.round((x + 1) * 127.5) / 127.5 - 1

    def denoise(x, at):
        return at.alpha * 0.04 / (at.alpha**2 * 0.04 + at.sigma**2) * x

    keys = jax.random.split(jax.random.key(1), count)
    grid = SPACINGS["log_snr"](LINEAR, 40)
    bits = jax.jit(lambda x, k: likelihood.bits_per_dimension(grid, denoise, x, k, 1.0))(x, keys)
    entropy = 0.5 * np.log2(2 * np.pi * np.e * 0.04) + np.log2(127.5)
    assert abs(bits.mean() - entropy) < 4 * float(bits.std()) / np.sqrt(count) + 0.01


def test_images_are_dequantised_within_their_level():
    """What the ODE sees is spread evenly over each level, from midpoint to midpoint."""
    seen = []

    def record(grid, denoise, x, probe, deviation):
        seen.append((np.asarray(x), np.asarray(probe)))
        return jnp.zeros(x.shape[0])

    image = jnp.zeros((64, 8, 8, 1)) + 1 / 255
    with mock.patch.object(likelihood, "log_prob", record):
        keys = jax.random.split(jax.random.key(0), 64)
        likelihood.bits_per_dimension(None, None, image, keys, 1.0)
    ((x, probe),) = seen
    spread = (x - 1 / 255) * 127.5
    assert np.abs(spread).max() <= 0.5 and abs(spread.std() - 12**-0.5) < 0.01
    assert set(np.unique(probe)) == {-1.0, 1.0}


@pytest.mark.slow
def test_inpainting_nears_the_conditional_as_resampling_grows_and_keeps_what_is_known():
    """Two values of correlation .9: the second given the first is known in closed form."""
    covariance = 0.25 * np.array([[1.0, 0.9], [0.9, 1.0]])
    image = jnp.tile(jnp.array([[0.6, 7.0]]), (4000, 1))
    known, errors = jnp.array([1.0, 0.0]), []
    grid = SPACINGS["even"](LINEAR, 100)
    x = jax.random.normal(jax.random.key(0), image.shape)
    for resample in (1, 3, 10):
        inpaint = jax.jit(
            lambda x, r=resample: uses.inpaint(
                grid, gaussian(covariance), image, known, x, fresh(3, x.shape), 5, r
            )
        )
        made = np.asarray(inpaint(x))
        np.testing.assert_array_equal(made[:, 0], image[:, 0])
        errors.append(abs(made[:, 1].mean() - 0.9 * 0.6))
    assert errors[0] > 2 * errors[1] > 3 * errors[2] and errors[2] < 0.05, errors
    assert abs(made[:, 1].std() - np.sqrt(0.25 * (1 - 0.9**2))) < 0.02


def test_the_walk_of_inpainting_is_that_of_the_paper():
    starts, returns = uses._walk(8, 3, 2)
    # 8 levels of noise: returns from 3 and 0 above the data, by 3, once each; not from 6.
    np.testing.assert_array_equal(starts, [0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7, 5, 6, 7])
    np.testing.assert_array_equal(returns, [1, 2, 3, 4, 2, 3, 4, 5, 6, 7, 5, 6, 7, 8])


def test_classifier_guidance_by_the_exact_posterior_draws_the_class():
    """At scale 1, p(x | y): the first component alone. At scale 0, the mixture."""
    x = jax.random.normal(jax.random.key(0), (6000, 1))
    table = samplers.ddim(SPACINGS["log_snr"](LINEAR, 150))

    def log_posterior(x, at):
        return jax.nn.log_softmax(log_joint(x, at), axis=-1)[:, 0]

    for make in (table, samplers.ancestral(SPACINGS["even"](LINEAR, 500), "small")):
        guided = draw(make, guidance.classifier(mixture, log_posterior, 1.0), x)
        assert abs(guided.mean() - MEANS[0]) < 0.02 and abs(guided.std() - SPREAD) < 0.02
    assert guidance.classifier(mixture, log_posterior, 0.0) is mixture


def test_guidance_of_weight_0_is_the_conditional_model_itself():
    def conditional(x, level):
        return jnp.sin(x)

    assert guidance.classifier_free(conditional, None, 0.0) is conditional
    guided = guidance.classifier_free(conditional, lambda x, level: x, 1.5)
    np.testing.assert_allclose(guided(2.0, 0), 2.5 * np.sin(2.0) - 1.5 * 2.0, rtol=1e-6)
    halves = guidance.classifier_free(
        lambda x, level: jnp.array([[2.0, 3.0]]),
        lambda x, level: jnp.array([[1.0, 9.0]]),
        1.0,
        True,
    )
    np.testing.assert_array_equal(halves(None, 0), [[3.0, 3.0]])


def test_dynamic_thresholding_keeps_a_share_of_each_example():
    x0 = jnp.array([[0.5, -0.2, 0.1, 0.9, 0.3], [2.0, -4.0, 1.0, 0.5, 0.0]])
    found = guidance.dynamically(0.75)(x0)
    np.testing.assert_array_equal(found[0], x0[0])
    np.testing.assert_allclose(found[1], np.clip(x0[1], -2, 2) / 2)
    both = guidance.thresholded(lambda x, at: (3 * x, x), guidance.clipped)(jnp.array([0.5]), None)
    np.testing.assert_array_equal(both, [[1.0], [0.5]])


@pytest.mark.parametrize("schedule", [LINEAR, FLOW], ids=["preserving", "straight"])
def test_inversion_then_sampling_returns_the_image(schedule):
    x = jnp.array([-1.1, -0.9, -0.8, -0.7, -0.6, 0.3, 0.5, 0.6, 0.7, 0.9])[:, None]
    with jax.enable_x64(True):
        errors = []
        for steps in (100, 400):
            grid = SPACINGS["log_snr"](schedule, steps)
            back = jax.jit(lambda x, grid=grid: uses.reconstruct(grid, mixture, x))(x)
            errors.append(float(jnp.abs(back - x).max()))
        assert errors[1] < 0.4 * errors[0] and errors[1] < 0.03, errors
        noise = uses.invert(SPACINGS["log_snr"](schedule, 400), mixture, x)
        # The flow keeps the quantiles of the mixture.
        truth = jax.scipy.stats.norm.ppf(
            (WEIGHTS * jax.scipy.stats.norm.cdf((x - MEANS) / SPREAD)).sum(-1, keepdims=True)
        )
        np.testing.assert_allclose(noise, truth, atol=0.05)


def test_editing_begins_at_the_share_of_steps_that_is_asked_for():
    grid = SPACINGS["even"](LINEAR, 10)
    assert [uses.rest_of(grid, s).steps for s in (1.0, 0.75, 0.7, 0.3, 0.01)] == [10, 7, 7, 3, 1]
    image, noise = jnp.full((1, 1), 0.5), jnp.full((1, 1), 2.0)
    seen = []

    def denoise(x, at):
        jax.debug.callback(lambda x, t: seen.append((float(x[0, 0]), int(t))), x, at.time)
        return 0.5 * jnp.ones_like(x)

    table = samplers.ddim(uses.rest_of(grid, 0.3))
    edited = uses.edit(table, denoise, image, noise, fresh(0, image.shape))
    jax.effects_barrier()
    np.testing.assert_allclose(
        seen[0], (LINEAR.alpha[300] * 0.5 + LINEAR.sigma[300] * 2.0, 300), rtol=1e-5
    )
    np.testing.assert_allclose(edited, image, rtol=1e-5)


def test_the_path_between_two_images_ends_at_them():
    x = jnp.array([[-0.9], [0.7], [0.2]])
    with jax.enable_x64(True):
        grid = SPACINGS["log_snr"](LINEAR, 300)
        a, b = x.astype(jnp.float64), x[::-1].astype(jnp.float64)
        path = uses.interpolate(grid, lambda x, at: mixture(x, at), a, b, 5)
        assert path.shape == (3, 5, 1)
        np.testing.assert_allclose(path[:, 0], a, atol=0.02)
        np.testing.assert_allclose(path[:, -1], b, atol=0.02)
    noises = [jax.random.normal(jax.random.key(k), (4, 8, 8, 3)) for k in range(2)]
    middle = uses.great_circle(*noises, 3)[:, 1]
    assert np.all(np.abs(middle.std(axis=(1, 2, 3)) - 1.0) < 0.2)
