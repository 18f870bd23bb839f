"""Every sampler against the chains of diffusers and k-diffusion, from their configurations."""

import json
import os
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import golden

import gm_jax
from gm_jax.diffusion.shared import (
    bound,
    multistep,
    prediction,
    processes,
    published,
    samplers,
    schedules,
    tables,
)
from gm_jax.diffusion.shared.bound import terms
from gm_jax.diffusion.shared.grids import Grid, karras
from gm_jax.diffusion.shared.schedules import Points

SHARED = Path(os.environ.get("GM_JAX_SHARED", Path(__file__).parent.parent.parent / "shared"))
FILE = SHARED / "data" / "diffusers-golden" / "schedulers.json"
CASES = json.loads(FILE.read_text())["cases"] if FILE.exists() else {}
DIFFUSERS = [name for name, case in CASES.items() if case["torch_class"].startswith("diffusers")]
K_DIFFUSION = [name for name in CASES if name not in DIFFUSERS]
# Those whose chain is of x / alpha there.
BY_RATIO = ("Euler", "Heun", "LMS")


def toy(x, time):
    """The network of ABOUT.md."""
    return 0.7 * x + 0.3 * jnp.tanh(2.0 * x + time / 400.0) - 0.1 * jnp.cos(time / 150.0)


def noises(files, case, table):
    """fresh(number) of a table: its rows with noise take the case's draws in their order."""
    draws = [files.value(name, shape) for name, shape, _ in case["noise"]]
    order = np.cumsum(table.y.noise != 0) - 1
    draws = jnp.asarray(np.array(draws or [np.zeros(case["shape"])], np.float64))
    return lambda number: draws[jnp.minimum(jnp.asarray(order)[number], len(draws) - 1)]


def follow(table, denoise, x, fresh, keep):
    """The states kept, float64."""
    return np.asarray(tables.run(table, denoise, jnp.asarray(x, jnp.float64), fresh, keep)[1])


@pytest.mark.parametrize("name", DIFFUSERS)
def test_chains_of_diffusers(shared, name):
    files = golden(shared, "schedulers")
    case = files.cases[name]
    config = {"_class_name": case["torch_class"].split(".")[-1], **case["config"]}
    first = case["start_index"] or 0
    with jax.enable_x64(True):
        chain = published.chain(
            config, case["steps"], eta=case["step_kwargs"].get("eta", 0.0), first=first
        )
        points, by_ratio = chain.table.points, config["_class_name"].startswith(BY_RATIO)
        kind = prediction.PREDICTIONS[chain.prediction]

        def denoise(x, at):
            return chain.clip(kind.to_x0(toy(x, at.time - 1.0), x, at.alpha, at.sigma), at)

        if case["start_index"] is None:
            x = chain.start * files.value(f"{name}.x", case["shape"]).astype(np.float64)
            scale = chain.start * (np.sqrt(1 + points.ratio[0] ** 2) if by_ratio else 1.0)
            np.testing.assert_allclose(scale, case["init_noise_sigma"], rtol=1e-5)
        else:
            clean, noise = (
                files.value(f"{name}.{part}", case["shape"]).astype(np.float64)
                for part in ("clean", "start_noise")
            )
            x = points.alpha[0] * clean + points.sigma[0] * noise
        times = files.outputs[f"{name}/timesteps"]
        np.testing.assert_allclose(points.time[:-1] - 1, times, rtol=2e-5, atol=1e-5)
        rows = range(chain.table.evaluations + 1)
        found = follow(chain.table, denoise, x, noises(files, case, chain.table), rows)
    if by_ratio:
        found = found / points.alpha[:, None, None]
    expected = files.outputs[f"{name}/chain"]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())


MORE = json.loads((Path(__file__).parent / "fixtures" / "schedulers.json").read_text())["cases"]


@pytest.mark.parametrize("number", range(len(MORE)))
def test_configurations_beyond_stable_diffusions(number):
    """Other spacings, ends, orders, clipping and defaults, as diffusers computes them."""
    case = MORE[number]
    draws = np.round(np.random.default_rng(number).standard_normal((40, 2, 3)), 6)
    with jax.enable_x64(True):
        chain = published.chain(case["config"], case["steps"], case["eta"], case["first"])
        table, points = chain.table, chain.table.points
        kind = prediction.PREDICTIONS[chain.prediction]

        def denoise(x, at):
            return chain.clip(kind.to_x0(toy(x, at.time - 1.0), x, at.alpha, at.sigma), at)

        np.testing.assert_allclose(points.time[:-1] - 1, case["times"], atol=2e-3)
        by_ratio = case["config"]["_class_name"].startswith(BY_RATIO)
        start, end = points.alpha[[0, -1]] if by_ratio else (1.0, 1.0)
        order = jnp.asarray(np.cumsum(table.y.noise != 0))
        x = jnp.asarray(start * case["start"] * draws[0])
        found, _ = tables.run(table, denoise, x, lambda row: jnp.asarray(draws)[order[row]])
    np.testing.assert_allclose(found / end, case["end"], rtol=5e-5, atol=5e-5)


K_SAMPLERS = {
    "sample_euler": samplers.euler,
    "sample_euler_ancestral": lambda grid: samplers.ddim(grid, 1.0),
    "sample_heun": samplers.heun,
    "sample_dpm_2": samplers.dpm_2,
    "sample_lms": multistep.lms,
    "sample_dpmpp_2m": multistep.dpmpp,
    "sample_dpmpp_2s_ancestral": samplers.dpmpp_2s_ancestral,
}


@pytest.mark.parametrize("exploding", [True, False], ids=["exploding", "preserving"])
@pytest.mark.parametrize("name", K_DIFFUSION)
def test_chains_of_k_diffusion(shared, name, exploding):
    """In their own coordinates (alpha 1), and in those of alpha^2 + sigma^2 = 1: the same chain."""
    files = golden(shared, "schedulers")
    case = files.cases[name]
    told = case["config"]

    def of_ratio(ratio):
        ratio = np.asarray(ratio, np.float64)
        alpha = np.ones_like(ratio) if exploding else 1.0 / np.sqrt(1.0 + ratio**2)
        return Points(ratio, alpha, ratio * alpha)

    with jax.enable_x64(True):
        ratios = karras(told["sigma_max"], told["sigma_min"], told["steps"], told["rho"])
        grid = Grid(of_ratio(np.append(ratios, 0.0)), of_ratio)
        np.testing.assert_allclose(grid.points.ratio, files.outputs[f"{name}/sigmas"], rtol=1e-4)
        table = K_SAMPLERS[case["torch_class"].split()[-1]](grid)

        def denoise(x, at):
            s = at.sigma / at.alpha
            x = x / at.alpha
            return x - s * toy(x / jnp.sqrt(1.0 + s**2), 100.0 * jnp.log(s) + 400.0)

        start = grid.points.sigma[0]
        x = start * files.value(f"{name}.x", case["shape"]).astype(np.float64)
        # The states at the grid's points: what a sampler visits between them is not in the file.
        whole = [np.array_equal(a, b) for a, b in zip(table.x.memory, table.y.memory, strict=True)]
        ends = [0, *(1 + np.flatnonzero(whole))]
        found = follow(table, denoise, x, noises(files, case, table), ends)
        found = found / table.points.alpha[ends][:, None, None]
    expected = files.outputs[f"{name}/chain"]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())


def test_a_configuration_that_asks_for_more_than_we_compute_is_refused():
    for config, message in (
        ({"_class_name": "DDIMScheduler", "thresholding": True}, "thresholding"),
        ({"_class_name": "DDIMScheduler", "prediction_type": "flow"}, "prediction_type"),
        ({"_class_name": "FlashScheduler"}, "FlashScheduler"),
        ({"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": True}, "v_prediction"),
        ({"_class_name": "EulerDiscreteScheduler", "sigma_max": 10.0}, "sigma_max"),
        ({"_class_name": "UniPCMultistepScheduler", "solver_type": "bh3"}, "bh3"),
        (
            {"_class_name": "DPMSolverMultistepScheduler", "variance_type": "learned_range"},
            "learned",
        ),
    ):
        with pytest.raises(gm_jax.UserError, match=message):
            published.chain(config, 10)
    with pytest.raises(gm_jax.UserError, match="1000 times"):
        published.chain({"_class_name": "DDIMScheduler"}, 1001)


def small(x0):
    """Channels last, float64."""
    return jnp.asarray(np.moveaxis(np.asarray(x0, np.float64), 1, -1))


def approximate_decoder(x0, mean, log_variance):
    """-log of a Gaussian's mass in a level, by the cubic tanh that guided-diffusion takes."""

    def cdf(v):
        return 0.5 * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (v + 0.044715 * v**3)))

    scale = np.exp(-0.5 * log_variance)
    upper, lower = (cdf(scale * (x0 - mean + side / 255.0)) for side in (1, -1))
    mass = np.where(x0 < -0.999, upper, np.where(x0 > 0.999, 1.0 - lower, upper - lower))
    return -np.log(np.maximum(mass, 1e-12)).mean(axis=(1, 2, 3)) / np.log(2.0)


BOUNDS = {"linear": schedules.linear, "cosine": schedules.cosine}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "cosine", "linear_respaced"])
def test_learned_variances_of_guided_diffusion(shared, name):
    """L_hybrid's two terms, the model's mean and variance, clipped, and the whole bound."""
    files = golden(shared, "bounds")
    case, shape = files.cases[name], files.cases[name]["shape"]
    outputs = {
        key.split("/")[1]: value
        for key, value in files.outputs.items()
        if key.split("/")[0] == name
    }
    x0 = small(np.floor(256 * files.unit(f"{name}.x0", shape)) / 127.5 - 1)
    noise = small(files.value(f"{name}.noise", shape))
    with jax.enable_x64(True):
        x0, noise = jnp.asarray(x0, jnp.float64), jnp.asarray(noise, jnp.float64)
        schedule = BOUNDS[name.split("_")[0]](1000)
        seen = np.arange(1000)
        if case["original_steps"]:
            seen = np.array(case["original_steps"])
            schedule = schedules.respaced(schedule, np.append(0, seen + 1))
        np.testing.assert_allclose(schedule.alpha[1:] ** 2, outputs["alphas_cumprod"], rtol=1e-9)

        def predict(x, level):
            t = jnp.asarray(seen)[level.astype(int) - 1].reshape(-1, 1, 1, 1).astype(float)
            return jnp.concatenate([toy(x, t), jnp.tanh(x - 0.3)], axis=-1)

        process = processes.process(schedule, "noise", learned=True)
        t = jnp.asarray(case["t"]) + 1
        batch = processes.noised(x0, noise, schedule.level(t))
        total, mse, bits = processes.hybrid_loss(process, predict, batch, 0.001)
        np.testing.assert_allclose(mse, outputs["mse"], rtol=2e-5)
        vb = 0.001 * schedule.steps * np.asarray(bits)
        later = np.asarray(t) > 1
        np.testing.assert_allclose(vb[later], outputs["vb"][later], rtol=2e-5)
        np.testing.assert_allclose(total, mse + vb, rtol=1e-9)

        # p(x_{t-1} | x_t), x0_hat clipped.
        output, v = processes.evaluate(process, predict, batch.x_t, batch.level)
        alpha, sigma = (c.reshape(-1, 1, 1, 1) for c in (batch.level.alpha, batch.level.sigma))
        x0_hat = process.prediction.to_x0(output, batch.x_t, alpha, sigma)
        q = jax.tree.map(lambda c: jnp.asarray(c)[t - 1].reshape(-1, 1, 1, 1), terms(schedule))
        log_variance = q.model_variance("small", v)
        mean = q.x0 * jnp.clip(x0_hat, -1, 1) + q.x_t * batch.x_t
        for key, value in (
            ("p_pred_xstart", jnp.clip(x0_hat, -1, 1)),
            ("p_mean", mean),
            ("p_log_variance", log_variance),
            ("p_variance", jnp.exp(log_variance)),
        ):
            np.testing.assert_allclose(value, small(outputs[key]), rtol=2e-5, atol=1e-9)
        free = q.x0 * x0_hat + q.x_t * batch.x_t
        first = approximate_decoder(*(np.asarray(a) for a in (x0, free, log_variance)))[~later]
        np.testing.assert_allclose(
            0.001 * schedule.steps * first, outputs["vb"][~later], rtol=2e-5, err_msg="decoder"
        )
        # Ours is the exact integral, not the cubic tanh: the same but for its error.
        np.testing.assert_allclose(vb[~later], outputs["vb"][~later], rtol=0.02)
        if "bpd_vb" in outputs:
            draws = jnp.asarray(
                [small(files.value(f"{name}.bpd_noise.{k}", shape)) for k in range(schedule.steps)]
            )
            denoise = processes.denoiser(process, predict, clip=True)
            with mock.patch.object(bound, "normal", lambda keys, shape: draws[keys[0]]):
                keys = jnp.zeros(1, int)
                with mock.patch.object(jax.random, "fold_in", lambda _, t: schedule.steps - t):
                    nats = bound.variational_bound(schedule, denoise, x0, keys)
            total = np.asarray(nats) / (np.log(2.0) * x0[0].size)
            np.testing.assert_allclose(total, outputs["bpd_total_bpd"], rtol=1e-3)
