"""Sweeps over samplers and guidance: evaluations are counted, and a row has one noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax.diffusion.ddpm import Settings
from gm_jax.diffusion.shared import core
from gm_jax.diffusion.shared.sampling import SAMPLERS
from gm_jax.settings import read

SHAPE, BATCH = (2, 2, 1), {"index": jnp.arange(3), "label": jnp.array([0, 1, 1])}


def functions(**sampler):
    """Those of a model of two classes: its network scales x_t and notes each call."""
    config = gm_jax.load_config("configs/guided_ddpm_digits.py")
    with config.unlocked():
        config.prediction = "x0"
        config.sampler.update({"guidance": 0.0, "clip": False, **sampler})
    settings, calls = read(Settings, config), []

    def predict(variables, batch, drop, keys):
        label = jnp.where(drop, 2, batch["label"])

        def network(x, level):
            jax.debug.callback(lambda: calls.append(1))
            return 0.1 * (1 + label[:, None, None, None]) * x

        return network

    model = core.Core(settings, settings.process(), SHAPE, lambda *args: None, predict, True)
    return core.functions(model), calls


def draw(found, name):
    """The outputs of a function for three examples."""
    outputs = jax.jit(found[name])(None, BATCH, jax.random.key(0))
    jax.block_until_ready(outputs)
    jax.effects_barrier()
    return outputs


@pytest.mark.parametrize(
    "name,weight", [*((name, 0.0) for name in SAMPLERS), ("heun", 1.5), ("ancestral", -0.5)]
)
def test_the_evaluations_reported_are_the_calls_of_the_network(name, weight):
    found, calls = functions(name=name, steps=7, guidance=weight)
    draw(found, "sample")
    reported = draw(found, "evaluations")["evaluations"]
    assert reported.shape == (3,) and np.all(reported == len(calls)) and len(calls) >= 7


def test_a_sweep_of_guidance_is_one_noise_under_each_weight():
    found, _ = functions(steps=5, guidance=3.0)
    images = draw(found, "guidance")["image"]
    assert images.shape == (3, len(core.WEIGHTS), *SHAPE)
    for k in (0, 2, 5):
        alone, _ = functions(steps=5, guidance=core.WEIGHTS[k])
        np.testing.assert_allclose(images[:, k], draw(alone, "sample")["image"], rtol=1e-5)
    assert len(np.unique(np.round(images[0, :, 0, 0, 0], 4))) > 3


def test_only_a_model_that_also_learned_without_its_condition_has_a_sweep():
    for changes in ({"conditional": False}, {"label_dropout": 0.0}):
        config = gm_jax.load_config("configs/guided_ddpm_digits.py:smoke")
        config.sampler.guidance = 0.0
        with config.unlocked():
            config.update(changes)
            config.show.counts.guidance = 0
        (phase,) = gm_jax.build(config)
        assert "guidance" not in phase.model.functions and "sample" in phase.model.functions
