"""What a diffusion model is used for, as a whole: which half, how many steps, which noise and bits.

The network is zero. With EDM's preconditioning x0_hat is then c_skip x, the exact denoiser of
N(0, sigma_data^2) on any schedule: samples, inversions and likelihoods are known.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax.diffusion.ddpm import Settings
from gm_jax.diffusion.shared import core, uses
from gm_jax.diffusion.shared.sampling import Sampler
from gm_jax.diffusion.shared.schedules import linear
from gm_jax.settings import read

KEY, COUNT, SHAPE, SPREAD = jax.random.key(0), 200, (4, 3, 1), 0.5
X = SPREAD * jax.random.normal(jax.random.key(1), (COUNT, *SHAPE))
BATCH = {"index": jnp.arange(COUNT), "label": jnp.zeros(COUNT, int)}


def use(function, schedule="linear", x=X, guide=None, **sampler):
    """The outputs of a function, and (ratio, x_t) that its network saw, evaluation by evaluation.

    guide  of classifier guidance, see `Core`
    """
    config = gm_jax.load_config("configs/ddpm_digits.py")
    with config.unlocked():
        config.stages = {"classifier": "exact"}
        config.update(schedule=schedule, prediction="x0", preconditioning="edm", strength=0.3)
        config.inpainting.update(jump=2, resample=3)
        config.sampler.update({"name": "ddim", "steps": 10, "clip": False, **sampler})
    settings, seen = read(Settings, config), []

    def predict(variables, batch, drop, keys):
        def network(x, level):
            jax.debug.callback(lambda *row: seen.append(row), level[0], x, ordered=True)
            return jnp.zeros_like(x)

        return network

    process = settings.process()
    data, batch = lambda variables, batch, key: batch["image"], {**BATCH, "image": x}
    model = core.Core(settings, process, SHAPE, data, predict, guide=guide)
    found = jax.jit(core.functions(model)[function])(None, batch, KEY)
    jax.block_until_ready(found)
    jax.effects_barrier()
    return found, [(np.exp(4 * t), np.asarray(x)) for t, x in seen]  # c_noise = ln(ratio) / 4.


def correlation(a, b):
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]


@pytest.mark.parametrize("schedule", ["linear", "edm"])
def test_samples_have_the_datas_deviation(schedule):
    """From noise as large as the schedule's."""
    found, _ = use("sample", schedule, name="heun", steps=40, spacing="karras")
    assert abs(found["image"].std() / SPREAD - 1) < 0.05


def test_a_classifier_turns_the_model_into_its_posterior():
    """log p(y | x_0) = x_0 at scale 2: p(x_0 | y) is N(2 sigma_data^2, sigma_data^2).

    log p(y | x_t) is then x0_hat and a constant.
    """

    def guide(variables, batch):
        def log_prob(x, at):
            share = at.alpha * SPREAD**2 / (at.alpha**2 * SPREAD**2 + at.sigma**2)
            return jnp.sum(share * x, axis=(1, 2, 3))

        return log_prob

    sampler = dict(name="heun", steps=40, spacing="karras", classifier=2.0)
    image = use("sample", guide=guide, **sampler)[0]["image"]
    assert abs(image.mean() - 2 * SPREAD**2) < 0.04 and abs(image.std() / SPREAD - 1) < 0.05


def test_x0_is_thresholded_or_clipped_as_the_sampler_says():
    x = jnp.array([[0.2, -1.0, 3.0, 0.5]])

    def found(**settings):
        return Sampler(**settings).threshold_of(lambda x, at: 2.0 * x)(x, None)

    np.testing.assert_allclose(found(clip=False), 2.0 * x)
    np.testing.assert_allclose(found(clip=True), [[0.4, -1.0, 1.0, 1.0]])
    # Half of |x0_hat| is below 1.5, the median.
    np.testing.assert_allclose(found(threshold=0.5), np.clip(2.0 * x, -1.5, 1.5) / 1.5, rtol=1e-6)


def test_the_lower_half_is_made_anew_and_the_upper_half_kept():
    """RePaint's returns by 2 steps, each stretch taken three times."""
    found, seen = use("inpaint")
    whole, half, made = np.moveaxis(found["image"], 1, 0)
    np.testing.assert_array_equal(whole, X)
    np.testing.assert_array_equal(half, np.where(np.arange(4)[:, None, None] < 2, X, 0.0))
    np.testing.assert_array_equal(made[:, :2], X[:, :2])
    assert abs(correlation(made[:, 2:], X[:, 2:])) < 0.1
    assert len(seen) == len(uses._walk(10, 2, 3)[0]) != len(uses._walk(10, 3, 2)[0])


def test_an_edit_begins_at_its_share_of_the_steps():
    found, seen = use("edit")
    x, edited = np.moveaxis(found["image"], 1, 0)
    np.testing.assert_array_equal(x, X)
    schedule = linear(1000)
    np.testing.assert_allclose(
        [ratio for ratio, _ in seen], schedule.ratio[[300, 200, 100]], rtol=1e-4
    )
    alpha, sigma = schedule.alpha[300], schedule.sigma[300]
    x_t = seen[0][1] * np.sqrt(sigma**2 + (SPREAD * alpha) ** 2)  # c_in x_t is what is seen.
    noise = (x_t - alpha * np.asarray(X)) / sigma
    assert abs(noise.std() - 1) < 0.05 and abs(correlation(noise, X)) < 0.1
    assert correlation(edited, x_t) > 0.9999  # This denoiser's flow is linear.


def test_inversion_and_sampling_return_the_image():
    found, _ = use("reconstruct", steps=100, spacing="log_snr")
    x, rebuilt = np.moveaxis(found["image"], 1, 0)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_allclose(rebuilt, X, rtol=0.06)  # It shrinks a little, step by step.


def test_the_way_from_one_noise_to_another_is_a_great_circle():
    """The flow of this denoiser is linear: images are in proportion to their noises."""
    found, _ = use("interpolation", steps=40, spacing="log_snr")
    ends = found["image"][:, 0], found["image"][:, -1]
    assert found["image"].shape == (COUNT, core.FRAMES, *SHAPE)
    assert abs(correlation(*ends)) < 0.1
    np.testing.assert_allclose(found["image"], uses.great_circle(*ends, core.FRAMES), atol=1e-3)


@pytest.mark.parametrize("schedule", ["linear", "edm"])
def test_bits_of_the_ode_are_those_of_the_datas_density(schedule):
    """log2(127.5) for 256 levels in [-1, 1]; one probe is exact where the Jacobian is diagonal."""
    levels = jnp.round((X + 1.0) * 127.5) / 127.5 - 1.0
    found, _ = use("ode_bits", schedule, levels, steps=20)
    density = 0.5 * np.log2(2 * np.pi * SPREAD**2) + levels**2 / (2 * SPREAD**2 * np.log(2))
    bits = density.mean((1, 2, 3)) + np.log2(127.5)
    np.testing.assert_allclose(found["bits_per_dimension_ode"], bits, atol=0.03)


def test_what_a_chain_shows_goes_from_noise_to_the_sample():
    found, _ = use("trajectory")
    assert abs(found["image"][:, 0].std() - 1) < 0.05
    np.testing.assert_allclose(found["image"][:, -1], use("sample")[0]["image"], atol=1e-6)
