"""Samplers, guidance, likelihood and uses against data whose denoiser is known exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact_denoisers import FLOW, LINEAR, MEANS, SPREAD, WEIGHTS, draw, fresh, gaussian, mixture

from gm_jax.diffusion.shared import (
    samplers,
    sampling,
    schedules,
    tables,
)
from gm_jax.diffusion.shared.grids import SPACINGS, Grid, grid_of_ratios, karras
from gm_jax.diffusion.shared.sampling import SAMPLERS, Sampler

# Of the global error; Adams-Bashforth's of LMS is of order 4: it starts where slopes are flat.
ORDERS = {
    "ddim": 1, "euler": 1, "heun": 2, "dpm_2": 2, "dpmpp_2m": 2, "dpmpp_3m": 2, "unipc": 2,
    "lms": 4, "plms": 2, "pndm": 2,
}  # fmt: skip


@pytest.mark.parametrize("schedule", [LINEAR, FLOW], ids=["preserving", "straight"])
@pytest.mark.parametrize("name", ORDERS)
def test_the_order_of_each_deterministic_sampler_is_the_theorys(name, schedule):
    """Data N(0, 1/4): x / alpha is in proportion to sqrt(1/4 + r^2) along the flow. 3M begins and
    UniPC ends with steps of lower order, so they are of order 2 over all."""
    denoise, x = gaussian(0.25 * np.eye(1)), jnp.linspace(-2.0, 2.0, 9)[:, None]
    errors = []
    with jax.enable_x64(True):
        for steps in (64, 128):
            ratios = karras(20.0, 0.1, steps + 1)
            grid = Grid(schedule.of_ratio(ratios), schedule.of_ratio)
            end = draw(SAMPLERS[name](grid, Sampler(name=name, steps=steps)), denoise, x)
            points, (first, last) = grid.points, ratios[[0, -1]]
            growth = np.sqrt((0.25 + last**2) / (0.25 + first**2))
            truth = x * growth * points.alpha[-1] / points.alpha[0]
            errors.append(float(jnp.abs(end - truth).max()))
    order = np.log2(errors[0] / errors[1])
    assert abs(order - ORDERS[name]) < 0.3, errors


def test_dpmpp_2m_in_20_evaluations_is_nearer_than_ddim_in_50():
    x = jnp.linspace(-2.0, 2.0, 41)[:, None]
    with jax.enable_x64(True):
        for spacing in ("log_snr", "quadratic"):
            truth = draw(samplers.heun(SPACINGS["log_snr"](LINEAR, 900)), mixture, x)
            fast = sampling.table_of(
                SPACINGS[spacing](LINEAR, 20), Sampler(name="dpmpp_2m", steps=20)
            )
            slow = samplers.ddim(SPACINGS[spacing](LINEAR, 50))
            assert fast.evaluations == 20 and slow.evaluations == 50
            errors = [float(jnp.abs(draw(t, mixture, x) - truth).mean()) for t in (fast, slow)]
            assert errors[0] < errors[1], (spacing, errors)


NOISY = ("ancestral", "euler", "heun", "dpm_2", "dpmpp_2m_sde", "dpmpp_2s_ancestral")


@pytest.mark.parametrize("name", NOISY)
def test_samplers_with_noise_draw_the_mixture(name):
    """Deterministic ones follow the exact flow, as their orders show; here with churn."""
    count, churn = 8000, 20.0 if name in sampling.CHURNED else 0.0
    steps = 400 if name in ("ancestral", "euler") else 60  # Order 1.
    for schedule in (LINEAR, schedules.SCHEDULES["edm"](1000)):
        settings = Sampler(
            name=name, steps=steps, spacing="karras", churn=churn, churn_range=(0.0, 5.0)
        )
        table = sampling.table_of(sampling.grid_of(schedule, settings), settings)
        start = sampling.start_deviation(schedule, table)
        x = start * jax.random.normal(jax.random.key(1), (count, 1))
        samples = np.asarray(draw(table, mixture, x, seed=2))
        mean = WEIGHTS @ MEANS
        variance = WEIGHTS @ (MEANS**2 + SPREAD**2) - mean**2
        assert abs(samples.mean() - mean) < 5 * np.sqrt(variance / count)
        assert abs(samples.var() - variance) < 0.05 * variance
        assert abs((samples < -0.1).mean() - WEIGHTS[0]) < 0.025


@pytest.mark.slow
def test_the_same_samples_in_all_coordinates():
    """The flow of x / alpha knows only sigma / alpha."""
    x, ratios = jnp.linspace(-2.0, 2.0, 9)[:, None], karras(50.0, 0.05, 20)
    with jax.enable_x64(True):
        for name in ORDERS:
            ends = []
            for schedule in (LINEAR, schedules.SCHEDULES["edm"](1000), FLOW):
                grid = grid_of_ratios(schedule, ratios)
                table = SAMPLERS[name](grid, Sampler(name=name, steps=20))
                ends.append(draw(table, mixture, grid.points.alpha[0] * 50.0 * x))
            np.testing.assert_allclose(ends[1], ends[0], atol=1e-9)
            np.testing.assert_allclose(ends[2], ends[0], atol=1e-9)


def test_memory_does_not_grow_with_the_steps_unless_states_are_kept():
    x = jnp.zeros((4, 64, 64, 3))

    def size(steps, keep=()):
        grid = SPACINGS["even"](LINEAR, steps)
        table = samplers.ancestral(grid)
        program = jax.jit(
            lambda x: tables.run(table, lambda x, at: 0.5 * x, x, fresh(0, x.shape), keep)
        )
        memory = program.lower(x).compile().memory_analysis()
        return memory.temp_size_in_bytes + memory.output_size_in_bytes

    assert size(500) < size(10) + x.nbytes
    assert size(10, range(11)) > size(10) + 9 * x.nbytes
    assert size(500, (3,)) < size(500) + 4 * x.nbytes  # The state, and a slot for all others.


def test_the_states_kept_are_those_asked_for_in_any_order():
    table = samplers.ddim(SPACINGS["even"](LINEAR, 4))
    x = jnp.ones((2, 1))
    end, kept = tables.run(table, mixture, x, fresh(0, x.shape), (4, 0, 0, 2))
    np.testing.assert_array_equal(kept[0], end)
    np.testing.assert_array_equal(kept[1], x)
    np.testing.assert_array_equal(kept[1], kept[2])
    half, _ = tables.run(table, mixture, x, fresh(0, x.shape), (2,))
    np.testing.assert_array_equal(half, end)


def test_churn_is_added_only_within_its_range():
    """Karras et al. 2022, algorithm 2: gamma is min(S_churn / N, sqrt(2) - 1)."""
    grid = SPACINGS["karras"](schedules.SCHEDULES["edm"](1000), 20)
    ratios, inside = grid.points.ratio[1:-1], lambda r: (r >= 0.1) & (r <= 10.0)
    for amount in (2.0, 100.0):
        table = samplers.euler(grid, samplers.Churn(amount, 0.1, 10.0, 1.5))
        gamma = min(amount / 20, np.sqrt(2) - 1)
        wanted = np.where(inside(ratios), 1.5 * ratios * np.sqrt((1 + gamma) ** 2 - 1), 0.0)
        np.testing.assert_allclose(table.y.noise, np.append(wanted, 0.0), rtol=1e-6)
        seen = np.where(inside(ratios), (1 + gamma) * ratios, ratios)
        np.testing.assert_allclose(table.points.sigma[1:-1], seen, rtol=1e-6)
