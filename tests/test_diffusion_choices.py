"""Schedules, predictions, weightings and preconditioning, each apart and together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config

import gm_jax
from gm_jax.diffusion.shared import processes, sampling, schedules, tables
from gm_jax.diffusion.shared.grids import SPACINGS
from gm_jax.diffusion.shared.prediction import PREDICTIONS, edm
from gm_jax.diffusion.shared.schedules import SCHEDULES, Continuous, Schedule
from gm_jax.diffusion.shared.weighting import WEIGHTINGS, Weighting

MADE = {name: make(1000) for name, make in SCHEDULES.items()}


@pytest.mark.parametrize("name", SCHEDULES)
def test_training_and_sampling_see_the_same_levels(name):
    """What `draw` gives is what `at` says of its times, and of their ratio."""
    schedule = MADE[name]
    with jax.enable_x64(True):
        level = schedule.draw(jax.random.split(jax.random.key(0), 500))
        for points in (
            schedule.at(np.asarray(level.time)),
            schedule.of_ratio(np.asarray(level.sigma / level.alpha)),
        ):
            np.testing.assert_allclose(points.alpha, level.alpha, rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(points.sigma, level.sigma, rtol=1e-6)
            if name != "edm":  # Its quantiles are steep at the ends of the table of times.
                np.testing.assert_allclose(points.time, level.time, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(level.log_snr, 2 * np.log(level.alpha / level.sigma), atol=1e-4)
    order = np.argsort(level.time)
    assert np.all(np.diff(np.asarray(level.log_snr)[order]) <= 0)
    clean = schedule.at(np.zeros(1))
    assert clean.sigma == 0 and clean.alpha == 1


@pytest.mark.parametrize("name", [n for n, s in MADE.items() if isinstance(s, Continuous)])
def test_the_slope_is_that_of_the_log_snr(name):
    schedule = MADE[name]
    with jax.enable_x64(True):
        level = schedule.draw(jax.random.split(jax.random.key(0), 100))
        u, h = np.asarray(level.time) / 1000, 1e-6
        slope = (schedule.log_snr(u - h, np) - schedule.log_snr(u + h, np)) / (2 * h)
        inside = np.abs(level.log_snr - schedule.log_snr(u, np)) < 1e-9
        assert inside.mean() > 0.9
        np.testing.assert_allclose(level.slope[inside], slope[inside], rtol=1e-3)


def test_continuous_schedules_are_the_limits_of_the_tables():
    for table, continuous in (
        ("linear", "continuous_linear"),
        ("scaled_linear", "continuous_scaled_linear"),
        ("cosine", "continuous_cosine"),
        ("sigmoid", "continuous_sigmoid"),
    ):
        times = np.linspace(100, 900, 9)
        a, b = MADE[table].at(times), MADE[continuous].at(times)
        np.testing.assert_allclose(a.alpha, b.alpha, atol=5e-3, err_msg=table)
    flow = MADE["flow"].at(np.linspace(100, 900, 9))
    np.testing.assert_allclose(flow.alpha, 1 - np.linspace(0.1, 0.9, 9), rtol=1e-9)
    np.testing.assert_allclose(flow.sigma, np.linspace(0.1, 0.9, 9), rtol=1e-9)
    # Stable Diffusion's: sigma from 14.6146 down to .02917, and alpha_T = .0683.
    scaled = MADE["scaled_linear"]
    np.testing.assert_allclose(scaled.ratio[[-1, 1]], [14.6146, 0.02917], rtol=1e-4)
    np.testing.assert_allclose(scaled.alpha[-1], 0.0683, rtol=1e-3)


@pytest.mark.slow
def test_edms_noise_is_log_normal():
    level = MADE["edm"].draw(jax.random.split(jax.random.key(0), 20_000))
    log_sigma = np.log(level.sigma)
    assert abs(log_sigma.mean() + 1.2) < 0.04 and abs(log_sigma.std() - 1.2) < 0.03
    assert np.all(level.alpha == 1)


def test_a_zero_terminal_snr_keeps_the_first_level_and_the_shape():
    old = MADE["scaled_linear"]
    new = schedules.zero_terminal_snr(old)
    assert new.alpha[-1] == 0 and new.sigma[-1] == 1 and new.log_snr[-1] == -np.inf
    np.testing.assert_allclose(new.alpha[1], old.alpha[1], rtol=1e-12)
    np.testing.assert_allclose(
        np.diff(new.alpha[1:]) / np.diff(old.alpha[1:]),
        new.alpha[1] / (old.alpha[1] - old.alpha[-1]),
    )
    for name in ("ddim", "dpmpp_2m", "heun"):  # Predicting v, they all leave pure noise.
        settings = sampling.Sampler(name=name, steps=20)
        table = sampling.table_of(SPACINGS["trailing"](new, 20), settings)
        x = jnp.array([[2.0], [-1.0]])
        end, _ = tables.run(table, lambda x, at: 0.3 * jnp.ones_like(x), x, None)
        np.testing.assert_allclose(end, 0.3, rtol=1e-5)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", ["cosine", "flow"])
def test_spacings_go_from_noise_to_data(spacing, name):
    schedule = MADE[name]
    for steps in (2, 7, 50):
        points = SPACINGS[spacing](schedule, steps).points
        assert len(points.time) == steps + 1
        assert points.sigma[-1] == 0 and points.time[-1] == 0
        assert np.all(np.diff(points.ratio) < 0) and np.all(np.diff(points.time) < 0)
        if spacing not in ("leading",):
            np.testing.assert_allclose(points.time[0], 1000, rtol=1e-3)
        whole = spacing in ("even", "leading", "trailing", "quadratic")
        if whole and isinstance(schedule, Schedule):
            np.testing.assert_array_equal(points.time, np.round(points.time))


def test_the_quadratic_spacing_is_dense_near_the_data_and_takes_any_number_of_steps():
    times = SPACINGS["quadratic"](MADE["linear"], 1000).points.time
    np.testing.assert_array_equal(times, np.arange(1000, -1, -1))
    times = SPACINGS["quadratic"](MADE["linear"], 10).points.time
    np.testing.assert_array_equal(times, [1000, 810, 640, 490, 360, 250, 160, 90, 40, 10, 0])


LEVELS = {
    "linear": ("noise", "x0", "v", "score", "velocity"),
    "continuous_cosine": ("noise", "x0", "v", "score", "velocity"),
    "flow": ("noise", "x0", "score", "velocity"),
    "edm": ("noise", "x0", "score", "velocity"),
}


def at(schedule, seed=0):
    """A batch of eight at levels that are neither all noise nor all data."""
    keys = jax.random.split(jax.random.key(seed), 8)
    level = schedule.draw(keys)
    x0, noise = (jax.random.normal(jax.random.key(k), (8, 3, 3, 1), jnp.float64) for k in (5, 6))
    return processes.noised(x0, noise, level)


def output_of(process, batch, x0_hat):
    """What the network would return for an x0_hat: to_x0 is affine."""
    alpha, sigma = (v.reshape(-1, 1, 1, 1) for v in (batch.level.alpha, batch.level.sigma))
    to_x0 = process.prediction.to_x0
    zero = to_x0(0.0 * x0_hat, batch.x_t, alpha, sigma)
    return (x0_hat - zero) / (to_x0(jnp.ones_like(x0_hat), batch.x_t, alpha, sigma) - zero)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if n in ("continuous_cosine", "edm") else ())
        for n in LEVELS
    ],
)
def test_all_predictions_and_the_preconditioning_have_the_same_loss_and_gradient(name):
    """Every weighting but "simple", whatever is predicted, is w |x_0 - x0_hat|^2: in value, and in
    its gradient with respect to x0_hat."""
    with jax.enable_x64(True):
        schedule = SCHEDULES[name](1000)
        batch = at(schedule)
        x0_hat = 0.7 * batch.x0 + 0.1
        kinds = [(kind, "none") for kind in LEVELS[name]] + [("x0", "edm")]
        weightings = [name for name in WEIGHTINGS if name != "simple"]

        @jax.jit
        def all_of_them(x0_hat):
            return [
                [jax.value_and_grad(loss_of(*kind, name))(x0_hat) for kind in kinds]
                for name in weightings
            ]

        def loss_of(kind, preconditioning, weighting):
            process = processes.process(schedule, kind, Weighting(name=weighting), preconditioning)

            def loss(x0_hat):
                output = output_of(process, batch, x0_hat)
                return processes.loss(process, lambda x, level: output, batch).sum()

            return loss

        for first, *others in all_of_them(x0_hat):
            for value, gradient in others:
                np.testing.assert_allclose(value, first[0], rtol=1e-6)
                np.testing.assert_allclose(gradient, first[1], rtol=1e-6)


def test_weights_are_the_papers():
    """By the factor of the noise's, v's and x_0's own losses. Choi et al., eq. 8; Hang et al."""
    with jax.enable_x64(True):
        level = MADE["cosine"].level(jnp.array([1, 10, 300, 700, 990]))
        snr = np.exp(level.log_snr)

        def factor(kind, **settings):
            process = processes.process(MADE["cosine"], kind, Weighting(**settings))
            return processes.factor(process.weighting, process.prediction, level)

        for kind, own in (("noise", snr), ("v", snr + 1), ("x0", 1.0)):
            for settings, wanted in (
                ({"name": "min_snr"}, np.minimum(snr, 5)),
                ({"name": "min_snr", "most": 3.0}, np.minimum(snr, 3)),
                ({"name": "p2", "k": 2.0, "power": 0.5}, snr / np.sqrt(2 + snr)),
                ({"name": "truncated_snr"}, np.maximum(snr, 1)),
                ({"name": "noise"}, snr),
                ({"name": "flow"}, (1 + np.sqrt(snr)) ** 2),
                ({"name": "edm"}, (1 / snr + 0.25) / (0.25 / snr)),
            ):
                np.testing.assert_allclose(factor(kind, **settings), wanted / own, rtol=1e-6)
            assert factor(kind, name="simple") == 1.0
        # At an SNR of 0 the noise's ratio is 1.
        ended = (
            MADE["cosine"]
            .level(jnp.array([1000]))
            ._replace(alpha=jnp.zeros(1), sigma=jnp.ones(1), log_snr=jnp.full(1, -jnp.inf))
        )
        noise, v = PREDICTIONS["noise"], PREDICTIONS["v"]
        assert processes.factor(Weighting(name="min_snr"), noise, ended) == 1.0
        assert processes.factor(Weighting(name="min_snr"), v, ended) == 0.0


def test_the_bounds_weight_adds_up_to_the_bound():
    """T times the mean over t of half (SNR_{t-1} - SNR_t) |x_0 - x0_hat|^2. Kingma et al., eq. 13;
    for a function of u its integral."""
    with jax.enable_x64(True):
        schedule = MADE["linear"]
        t = jnp.arange(2, 1001)
        level = schedule.level(t)
        weights = np.asarray(WEIGHTINGS["bound"](level, None))
        snr = np.exp(schedule.log_snr)
        np.testing.assert_allclose(weights, 500 * (snr[1:-1] - snr[2:]), rtol=1e-6)
        # At t = 1 that of a decoder of variance beta~_2.
        beta = 1 - schedule.alpha[2] ** 2 / schedule.alpha[1] ** 2
        second = beta * schedule.sigma[1] ** 2 / schedule.sigma[2] ** 2
        first = WEIGHTINGS["bound"](schedule.level(jnp.array([1])), None)
        np.testing.assert_allclose(first, 1000 / (2 * second), rtol=1e-6)
        u = (np.arange(100_000) + 0.5) / 100_000
        continuous = MADE["continuous_cosine"]
        slope = jax.vmap(jax.grad(lambda u: continuous.log_snr(u, jnp)))(jnp.asarray(u[1000:-1000]))
        log_snr = continuous.log_snr(u[1000:-1000], np)
        total = np.mean(0.5 * -slope * np.exp(log_snr)) * 0.98
        ends = np.exp(continuous.log_snr(np.array([0.01, 0.99]), np))
        np.testing.assert_allclose(total, 0.5 * (ends[0] - ends[1]), rtol=1e-3)


def test_edms_identities():
    """Karras et al. 2022, table 1: lambda c_out^2 = 1; c_skip to 1 and c_out to 0 without noise;
    what goes into and comes out of F has variance 1."""
    with jax.enable_x64(True):
        sigma = jnp.array([1e-6, 0.01, 0.5, 3.0, 80.0])
        alpha = jnp.ones(5)
        kind, given = edm(0.5), processes.edm_input(0.5)
        skip = kind.to_x0(0.0, 1.0, alpha, sigma)
        out = kind.to_x0(1.0, 0.0, alpha, sigma)
        level = schedules.Level(None, alpha, sigma, -2 * jnp.log(sigma), None)
        np.testing.assert_allclose(WEIGHTINGS["edm"](level, Weighting()) * out**2, 1, rtol=1e-9)
        np.testing.assert_allclose(kind.weight(alpha, sigma) * out**2, 1, rtol=1e-9)
        assert abs(skip[0] - 1) < 1e-9 and out[0] < 2e-6
        np.testing.assert_allclose(given.scale(alpha, sigma) ** 2 * (sigma**2 + 0.25), 1)
        np.testing.assert_allclose(given.level(None, alpha, sigma), np.log(sigma) / 4)
        # Variance of the target for data of variance 1/4, at any scale alpha.
        x0, noise = (jax.random.normal(jax.random.key(k), (200_000, 1)) for k in (0, 1))
        target = kind.target(0.5 * x0, noise, 2.0 * alpha, 2.0 * sigma)
        np.testing.assert_allclose(target.std(axis=0), 1, rtol=0.01)
        np.testing.assert_allclose(given.scale(2.0, 2.0 * sigma), given.scale(1.0, sigma) / 2)


REFUSED = [
    ({"times": 10, "sampler.steps": 11}, "sampler.steps 11 must be in 1 .. 10"),
    ({"sampler.variance": "learned"}, "has not learned a variance"),
    ({"sampler.guidance": 1.0, "label_dropout": 0.0}, "guidance needs"),
    ({"objective": "hybrid", "schedule": "flow"}, "needs a schedule of T steps"),
    ({"objective": "vlb", "preconditioning": "edm"}, "needs preconditioning none"),
    ({"preconditioning": "edm"}, "preconditioning edm needs prediction x0"),
    ({"prediction": "v", "schedule": "flow"}, "prediction v needs"),
    ({"schedule": "edm"}, "schedule edm needs preconditioning edm"),
    ({"sampler.name": "pndm", "sampler.steps": 3}, "pndm takes at least 4 steps"),
    ({"sampler.churn": 1.0}, "churn is for euler, heun, dpm_2"),
]


@pytest.mark.parametrize("changes,message", REFUSED, ids=[m for _, m in REFUSED])
def test_choices_that_do_not_go_together_are_refused_in_one_line(changes, message):
    with pytest.raises(gm_jax.UserError, match=message) as error:
        gm_jax.build(config("ddpm", None, **changes))
    assert "\n" not in str(error.value)
