"""Every sampler against the chains of diffusers and k-diffusion, from their configurations."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import golden

import gm_jax
from gm_jax.diffusion.shared import multistep, prediction, published, samplers, tables
from gm_jax.diffusion.shared.grids import Grid, karras
from gm_jax.diffusion.shared.schedules import Points

SHARED = Path(__file__).parent.parent.parent / "shared"
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
            x0 = kind.to_x0(toy(x, at.time - 1.0), x, at.alpha, at.sigma)
            return jnp.clip(x0, -1.0, 1.0) if chain.clip else x0

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
    ):
        with pytest.raises(gm_jax.UserError, match=message):
            published.chain(config, 10)
    with pytest.raises(gm_jax.UserError, match="1000 times"):
        published.chain({"_class_name": "DDIMScheduler"}, 1001)
