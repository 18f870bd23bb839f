"""Where Boltzmann machines start: their first biases, and annealing from any units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_energy import KEY, params_of

from gm_jax import zoo
from gm_jax.energy.shared import annealing, machine
from gm_jax.energy.shared.machine import Machine
from gm_jax.judging import partition
from gm_jax.model import Field
from gm_jax.settings import read


@pytest.mark.parametrize("kind", ["binary", "gaussian"])
def test_annealing_draws_whatever_the_machines_own_chains_do(kind):
    """A run starts from any independent units; a machine may be trained by chains of means."""
    p, rbm = params_of(), Machine(machine.VISIBLE[kind](0.7), drawn=False)
    keys, b = jax.random.split(KEY, 4000), jnp.array([0.3, -0.2, 0.5, 0.0])
    found = jax.jit(lambda keys: annealing.of_machine(rbm, p, b, keys, (20, 20, 20)))(keys)
    low, high = partition.estimate(np.asarray(found))["interval"]
    assert low < rbm.log_z(p) < high and high - low < 0.4


@pytest.mark.parametrize("system", ["rbm", "deep_boltzmann", "gaussian"])
def test_visible_units_begin_with_the_means_of_the_first_batch(system):
    """Without weights a machine would draw like it; hidden biases begin at 0, weights small."""
    name = "rbm" if system == "gaussian" else system
    stated = {"system": name, "steps": 1, "batch_size": 40}
    stated |= {"visible": {"name": system}} if system == "gaussian" else {}
    settings = read(zoo.SYSTEMS[name].Settings, stated)
    phase = zoo.SYSTEMS[name].build(settings, {"image": Field((2, 3, 1), 2)}, {})[0]
    images = np.random.default_rng(0).uniform(size=(40, 2, 3, 1)) < 0.3
    images[:, 0, 0] = False  # A pixel that is never white is taken to be so in one of 1000.
    batch = {"image": jnp.float32(2 * images - 1), "index": jnp.arange(40)}
    variables = phase.model.init(KEY, batch, None)
    p, mean = variables.params["machine"], images.reshape(40, 6).mean(0)
    np.testing.assert_allclose(variables.state["mean"], mean, atol=1e-6)
    if system != "gaussian":
        mean = np.log(mean.clip(1e-3) / (1 - mean.clip(1e-3)))
    np.testing.assert_allclose(p["b"], mean, atol=1e-4)
    np.testing.assert_array_equal(p["c"], 0.0)
    np.testing.assert_allclose(p["w"].std(), 0.01, rtol=0.1)
