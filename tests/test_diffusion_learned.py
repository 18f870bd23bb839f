"""Learned variances, and times drawn by their terms of the bound."""

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.diffusion.shared import importance, processes, sampling, schedules, tables
from gm_jax.diffusion.shared.grids import SPACINGS


def test_a_learned_variance_is_what_the_sampler_draws_by():
    """f = 0 is beta~_t, f = 1 is beta_t, and between them the logs are mixed."""
    schedule, x = schedules.linear(1000), jnp.zeros((1, 1))
    grid = SPACINGS["even"](schedule, 50)
    small, large = (samplers_of(grid, v).y.noise for v in ("small", "large"))
    learned = samplers_of(grid, "learned")
    for f, wanted in ((0.0, small), (1.0, large), (0.3, small**0.7 * large**0.3)):
        states = tables.run(
            learned, lambda x, at, f=f: (0.0 * x, jnp.full_like(x, f)), x,
            lambda number: jnp.ones((1, 1)), range(51),
        )[1][:, 0, 0]  # fmt: skip
        drawn = states[1:] - learned.y.x * states[:-1]
        np.testing.assert_allclose(drawn, wanted, rtol=1e-4, atol=1e-5)


def samplers_of(grid, variance):
    """The ancestral table of a variance."""
    return sampling.table_of(grid, sampling.Sampler(variance=variance))


def test_the_hybrid_loss_teaches_the_variance_and_not_the_mean_by_the_bound():
    with jax.enable_x64(True):
        process = processes.process(schedules.cosine(1000), "noise", learned=True)
        batch = processes.noised(
            jax.random.uniform(jax.random.key(0), (4, 2, 2, 3), minval=-1.0),
            jax.random.normal(jax.random.key(1), (4, 2, 2, 3)),
            schedules.cosine(1000).level(jnp.array([1, 5, 500, 900])),
        )

        def values(weights):
            def predict(x, level):
                return jnp.concatenate([weights[0] * x, jnp.tanh(weights[1] * x)], axis=-1)

            return jnp.stack(processes.hybrid_loss(process, predict, batch, 0.001)).sum(axis=1)

        total, simple, bits = jax.jit(jax.jacobian(values))(jnp.array([0.3, 0.2]))
        assert bits[0] == 0 and bits[1] != 0 and simple[0] != 0 and simple[1] == 0
        np.testing.assert_allclose(total, simple + 0.001 * 1000 * bits, rtol=1e-6)


def test_importance_sampling_keeps_the_mean_and_lowers_its_variance():
    """Terms that fall with t as the bound's: their weighted mean is that of uniform times."""
    times, terms = 20, jnp.exp(-0.4 * jnp.arange(1, 21))
    history = importance.empty(times)
    np.testing.assert_allclose(importance.probabilities(history), 1 / times)
    t, factor = importance.draw(history, jax.random.split(jax.random.key(0), 64))
    assert np.all(factor == 1) and t.min() >= 1 and t.max() <= times
    for number in range(10):
        t = jnp.arange(1, times + 1)
        history = importance.remember(history, t, terms * (1 if number else 7))
    assert np.all(history.counts == 10)
    for _ in range(3):  # The oldest are forgotten.
        history = importance.remember(history, t, terms)
    p = importance.probabilities(history)
    np.testing.assert_allclose(p, 0.999 * terms / terms.sum() + 0.001 / times, rtol=1e-5)
    t, factor = importance.draw(history, jax.random.split(jax.random.key(1), 4000))
    weighted = factor * terms[t - 1]
    np.testing.assert_allclose(weighted.mean(), terms.mean(), rtol=0.01)
    assert weighted.std() < 0.1 * terms.std()
