"""Schedules, conversions and samplers against float64 and exact denoisers of mixtures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, perturb
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import gm_jax
from gm_jax.diffusion.shared import prediction, samplers, schedules, tables
from gm_jax.diffusion.shared.bound import variational_bound
from gm_jax.diffusion.shared.grids import SPACINGS, spaced_times
from gm_jax.model import Variables
from gm_jax.nn.layers import normal

LINEAR = schedules.linear(1000)
COSINE = schedules.cosine(1000)


@pytest.mark.parametrize(
    "schedule,betas",
    [
        (LINEAR, np.linspace(1e-4, 0.02, 1000)),
        (
            COSINE,
            np.minimum(
                1
                - np.cos((np.arange(1, 1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
                / np.cos((np.arange(1000) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2,
                0.999,
            ),
        ),
    ],
)
def test_coefficients_are_the_papers(schedule, betas):
    """Ho et al. 2020, eq. 4, 6 and 7, multiplied out one step at a time."""
    alpha_bar = np.cumprod(1 - betas)
    np.testing.assert_allclose(schedule.alpha[1:] ** 2, alpha_bar, rtol=1e-12)
    np.testing.assert_allclose(schedule.sigma[1:] ** 2, 1 - alpha_bar, rtol=1e-9)
    np.testing.assert_allclose(
        schedule.log_snr[1:], np.log(alpha_bar) - np.log1p(-alpha_bar), rtol=1e-9
    )
    before = np.concatenate([[1.0], alpha_bar[:-1]])
    t = np.arange(1, 1001)
    q = samplers.transition(schedule.at(t), schedule.at(t - 1))
    np.testing.assert_allclose(q.large, betas, rtol=1e-9)
    np.testing.assert_allclose(q.small, (1 - before) / (1 - alpha_bar) * betas, rtol=1e-9)
    np.testing.assert_allclose(q.x0_weight, np.sqrt(before) * betas / (1 - alpha_bar), rtol=1e-9)
    np.testing.assert_allclose(
        q.x_weight, np.sqrt(1 - betas) * (1 - before) / (1 - alpha_bar), rtol=1e-9, atol=1e-15
    )


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 1000), st.floats(-1, 1), st.floats(-3, 3), st.sampled_from(["linear", "cosine"])
)
def test_predictions_convert_to_x0_and_noise_exactly(t, x0, noise, name):
    with jax.enable_x64(True):
        schedule = {"linear": LINEAR, "cosine": COSINE}[name]
        alpha, sigma = schedule.alpha[t], schedule.sigma[t]
        x_t = alpha * x0 + sigma * noise
        for kind in prediction.PREDICTIONS.values():
            target = kind.target(x0, noise, alpha, sigma)
            found = kind.to_x0(target, x_t, alpha, sigma)
            # Rounding of x_t is divided by alpha, which at T is tiny.
            np.testing.assert_allclose(found, x0, atol=1e-14 / alpha)
            np.testing.assert_allclose(
                prediction.noise_of(found, x_t, alpha, sigma), noise, atol=1e-13 / sigma
            )


MEANS, WEIGHTS, SPREAD = np.array([-0.8, 0.6]), np.array([0.3, 0.7]), 0.15


def exact_denoiser(x, at):
    """E[x_0 | x_t] for a mixture of two Gaussians, x [B, 1]."""
    alpha, sigma = at.alpha, at.sigma
    variance = alpha**2 * SPREAD**2 + sigma**2
    log_p = jnp.log(WEIGHTS) - 0.5 * (x - alpha * MEANS) ** 2 / variance
    mean = MEANS + alpha * SPREAD**2 / variance * (x - alpha * MEANS)
    return (jax.nn.softmax(log_p, axis=-1) * mean).sum(-1, keepdims=True)


def drawn(keys):
    """fresh(number) of a table, [B, 1], by one key per example."""
    return lambda number: normal(jax.vmap(jax.random.fold_in, (0, None))(keys, number), (1,))


@pytest.mark.parametrize(
    "make,steps",
    [
        (lambda grid: samplers.ancestral(grid, "small"), 250),
        (lambda grid: samplers.ancestral(grid, "large"), 500),
        (lambda grid: samplers.ddim(grid, 0.0), 100),
        (lambda grid: samplers.ddim(grid, 0.5), 200),
    ],
    ids=["ancestral-small", "ancestral-large", "ddim", "ddim-half"],
)
def test_samples_with_the_exact_denoiser_have_the_mixtures_moments(make, steps):
    table = make(SPACINGS["even"](COSINE, steps))
    count = 10_000
    x = jax.random.normal(jax.random.key(1), (count, 1))
    keys = jax.random.split(jax.random.key(2), count)
    samples = np.asarray(
        jax.jit(lambda x, k: tables.run(table, exact_denoiser, x, drawn(k))[0])(x, keys)
    )
    mean = WEIGHTS @ MEANS
    variance = WEIGHTS @ (MEANS**2 + SPREAD**2) - mean**2
    third = WEIGHTS @ ((MEANS - mean) ** 3 + 3 * (MEANS - mean) * SPREAD**2)
    error = 5 * np.sqrt(variance / count)
    assert abs(samples.mean() - mean) < error
    assert abs(samples.var() - variance) < 0.05 * variance
    assert abs(((samples - mean) ** 3).mean() - third) < 0.02
    assert abs((samples < -0.1).mean() - WEIGHTS[0]) < 0.023


def test_ddim_with_eta_one_is_ddpm_with_the_small_variance():
    for schedule in (LINEAR, COSINE):
        for steps in (1000, 50, 7):
            grid = SPACINGS["even"](schedule, steps)
            a, b = samplers.ddim(grid, 1.0), samplers.ancestral(grid, "small")
            for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-9)


def test_the_last_step_adds_no_noise_and_the_steps_are_counted():
    grid = SPACINGS["even"](COSINE, 10)
    assert grid.steps == 10 and grid.points.time[0] == 1000 and grid.points.time[-1] == 0
    for variance in ("small", "large"):
        weights = samplers.ancestral(grid, variance).y
        assert weights.noise[-1] == 0 and weights.x[-1] == 0 and np.isclose(weights.memory[-1], 1)
        assert np.all(weights.noise[:-1] > 0)
    with pytest.raises(ValueError, match="1 to 1000 steps"):
        spaced_times(COSINE, 1001)


@pytest.mark.slow
@pytest.mark.parametrize("variance", ["small", "large"])
def test_the_bound_exceeds_the_entropy_by_what_the_variances_miss(variance):
    """Gaussian data at 256 levels, exact denoiser. The true p(x_{t-1} | x_t) is a Gaussian whose
    variance is known; the model's differs, which costs (r - 1 - log r) / 2 with r their ratio."""
    spread, count = 0.15, 4000
    x0 = spread * jax.random.normal(jax.random.key(0), (count, 1))
    x0 = jnp.round((x0 + 1) * 127.5) / 127.5 - 1

    def denoise(x, at):
        alpha, sigma = at.alpha, at.sigma
        return alpha * spread**2 / (alpha**2 * spread**2 + sigma**2) * x

    keys = jax.random.split(jax.random.key(1), count)
    nats = jax.jit(lambda x, k: variational_bound(LINEAR, denoise, x, k, variance))(x0, keys)

    t = np.arange(1, 1001)
    q = samplers.transition(LINEAR.at(t), LINEAR.at(t - 1))
    of_x0 = (
        spread**2 * LINEAR.sigma[t] ** 2 / (LINEAR.alpha[t] ** 2 * spread**2 + LINEAR.sigma[t] ** 2)
    )
    true = q.small + q.x0_weight**2 * of_x0
    model = {"large": q.large, "small": np.concatenate([q.small[1:2], q.small[1:]])}[variance]
    missed = 0.5 * np.sum(true / model - 1 - np.log(true / model))
    entropy = 0.5 * np.log(2 * np.pi * np.e * spread**2) - np.log(2 / 255)
    error = 4 * float(nats.std()) / np.sqrt(count) + 0.02  # 0.02: levels are not a continuum.
    np.testing.assert_allclose(nats.mean(), entropy + missed, rtol=0, atol=error)
    # A worse denoiser has a looser bound.
    worse = jax.jit(lambda x, k: variational_bound(LINEAR, lambda x, t: 0 * x, x, k, variance))
    assert worse(x0, keys).mean() > nats.mean() + 1


@pytest.mark.slow
def test_guidance_moves_away_from_the_unconditional_prediction_and_needs_one():
    off = config("ddpm", None)
    (phase,) = gm_jax.build(off)
    batch = {"image": jnp.zeros((2, 8, 8, 1)), "label": jnp.array([1, 2]), "index": jnp.arange(2)}
    variables = phase.model.init(jax.random.key(0), batch, None)
    variables = Variables(perturb(variables.params, 0.1))
    samples = {}
    for guidance in (0.0, 2.0):
        settings = config("ddpm", None, **{"sampler.guidance": guidance})
        (phase,) = gm_jax.build(settings)
        samples[guidance] = phase.model.functions["sample"](variables, batch, jax.random.key(1))[
            "image"
        ]
    assert np.abs(samples[0.0] - samples[2.0]).max() > 1e-3
    for change in ({"label_dropout": 0.0}, {"conditional": False}):
        with pytest.raises(gm_jax.UserError, match="guidance needs"):
            gm_jax.build(config("ddpm", None, **{"sampler.guidance": 1.0, **change}))
