"""Noise levels in numbers: schedules by their papers' formulas, every spacing, drawn times."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from gm_jax.diffusion.shared import importance, samplers, schedules
from gm_jax.diffusion.shared.grids import SPACINGS
from gm_jax.diffusion.shared.sampling import CHURNED, SAMPLERS, Sampler, grid_of, table_of
from gm_jax.diffusion.shared.schedules import SCHEDULES

LINEAR, EDM = (SCHEDULES[name](1000) for name in ("linear", "edm"))


@pytest.mark.parametrize("name", ["sigmoid", "continuous_sigmoid"])
def test_the_sigmoid_is_the_papers(name):
    """Jabri et al. 2022, algorithm 4, from -3 to 3 at temperature 1."""
    u = np.array([0.001, 0.25, 0.5, 0.9])
    low, high, at_u = (1 / (1 + np.exp(-v)) for v in (-3.0, 3.0, 6.0 * u - 3.0))
    found = SCHEDULES[name](1000).at(1000 * u).alpha ** 2
    np.testing.assert_allclose(found, (high - at_u) / (high - low), rtol=1e-6)


def test_edms_levels_are_quantiles_between_the_ends():
    """ln(sigma) of mean -1.2 and deviation 1.2, within .002 and 80. Karras et al., table 1."""
    score = np.array([-2.0, -1.0, 0.0, 1.5])
    levels = EDM.at(1000 * scipy.special.ndtr(score))
    np.testing.assert_allclose(levels.sigma, np.exp(1.2 * score - 1.2), rtol=1e-6)
    assert np.all(levels.alpha == 1.0)
    np.testing.assert_allclose(EDM.at(np.array([1e-9, 1000.0])).sigma, [0.002, 80.0], rtol=1e-6)


TIMES = {
    "even": [1000, 667, 333, 0],
    "leading": [667, 334, 1, 0],
    "trailing": [1000, 667, 333, 0],
    "linspace": [1000, 500.5, 1, 0],
    "respaced": [1000, 501, 1, 0],
    "quadratic": [1000, 444, 111, 0],
}


@pytest.mark.parametrize("name", TIMES)
def test_spacings_of_times(name):
    np.testing.assert_allclose(SPACINGS[name](LINEAR, 3).points.time, TIMES[name])


@pytest.mark.parametrize("schedule", [LINEAR, EDM], ids=["table", "continuous"])
def test_spacings_of_ratios(schedule):
    """Karras et al. 2022, eq. 5 with rho 7, and equal steps of log-SNR; then 0."""
    last, first = (80.0, 0.002) if schedule is EDM else schedule.ratio[[-1, 1]]
    share = np.arange(4) / 3
    karras = (last ** (1 / 7) + share * (first ** (1 / 7) - last ** (1 / 7))) ** 7
    for name, ratios in (("karras", karras), ("log_snr", last * (first / last) ** share)):
        points = SPACINGS[name](schedule, 4).points
        np.testing.assert_allclose(points.ratio, [*ratios, 0.0], rtol=1e-9, err_msg=name)


NOISY = ("ancestral", "euler_ancestral", "dpmpp_2m_sde", "dpmpp_2s_ancestral")


@pytest.mark.parametrize("name", SAMPLERS)
def test_which_samplers_add_noise_and_how_much(name):
    def noise(**own):
        settings = Sampler(name=name, steps=8, spacing="karras", **own)
        return table_of(grid_of(LINEAR, settings), settings).y.noise

    assert bool(noise()[:-1].any()) == (name in NOISY) and noise()[-1] == 0.0
    if name == "euler_ancestral":  # DDIM with eta 1, whose noise is the small variance's.
        points = SPACINGS["karras"](LINEAR, 8).points
        small = samplers.transition(points.take(slice(-1)), points.take(slice(1, None))).small
        np.testing.assert_allclose(noise(), np.sqrt(small), rtol=1e-9, atol=1e-12)
    if name in CHURNED:
        churned = noise(churn=2.0, churn_range=(0.1, 10.0), churn_noise=1.5)
        own = samplers.Churn(2.0, 0.1, 10.0, 1.5)
        made = getattr(samplers, name)(SPACINGS["karras"](LINEAR, 8), own)
        np.testing.assert_array_equal(churned, made.y.noise)
        assert churned.any() and not np.allclose(churned, noise(churn=2.0))


def test_levels_between_times_and_of_some_times():
    """log(sigma / alpha) is linear between whole times; abar of a part of them are as they were."""
    between = LINEAR.at(np.array([500.25]))
    expected = LINEAR.ratio[500] ** 0.75 * LINEAR.ratio[501] ** 0.25
    np.testing.assert_allclose(between.ratio, expected, rtol=1e-9)
    np.testing.assert_allclose(between.alpha**2 + between.sigma**2, 1.0)
    few = schedules.respaced(LINEAR, np.array([0, 10, 400, 1000]))
    assert few.steps == 3
    q = samplers.transition(few.at(np.array([2])), few.at(np.array([1])))
    beta = 1.0 - LINEAR.alpha[400] ** 2 / LINEAR.alpha[10] ** 2
    np.testing.assert_allclose(q.large, beta, rtol=1e-9)


@pytest.mark.parametrize("name, orders", [("dpmpp_3m", 3), ("dpmpp_2m", 2), ("dpmpp_2m_sde", 2)])
def test_dpm_solvers_order_falls_at_the_end_below_fifteen_steps(name, orders):
    """Lu et al. 2022, appendix: the last steps at lower orders, here before that to sigma 0."""
    for steps in (14, 15):
        settings = Sampler(name=name, steps=steps, spacing="log_snr")
        table = table_of(grid_of(LINEAR, settings), settings)
        used = np.count_nonzero(table.y.memory, axis=1)
        np.testing.assert_array_equal(used[[0, 1, -1]], [1, 2, 1])
        assert used[-3] == orders and used[-2] == (2 if steps == 14 else orders)
        assert bool(table.y.noise[:-1].all()) == name.endswith("sde")


def test_times_are_drawn_by_the_root_of_their_mean_squares():
    """Nichol & Dhariwal 2021, eq. 18, and a thousandth uniformly; uniform until all have ten."""
    terms = np.random.default_rng(0).exponential(size=(4, 10)) * [[1.0], [3.0], [0.2], [0.5]]
    history = importance.History(jnp.float32(terms), jnp.array([10, 12, 10, 99]))
    size = np.sqrt((terms**2).mean(1))
    expected = 0.999 * size / size.sum() + 0.001 / 4
    np.testing.assert_allclose(importance.probabilities(history), expected, rtol=1e-5)
    few = history._replace(counts=jnp.array([10, 12, 9, 99]))
    np.testing.assert_allclose(importance.probabilities(few), 0.25)
