"""Optimizers as recipes name them."""

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from gm_jax import UserError
from gm_jax.optimizers import optimizer, warmed_up


def steps(config, gradient=1.0, count=10):
    """The moves of one weight under a constant gradient."""
    chosen = optimizer(ConfigDict(config))
    w = jnp.zeros(())
    state, moves = chosen.init(w), []
    for _ in range(count):
        update, state = chosen.update(jnp.asarray(gradient), state, w)
        moves.append(-float(update))
    return np.array(moves)


def test_warmup_rises_to_the_rate_and_decay_falls_to_zero():
    moves = steps({"name": "sgd", "learning_rate": 1.0, "warmup_steps": 4})
    np.testing.assert_allclose(moves[:5], [0.25, 0.5, 0.75, 1.0, 1.0])
    moves = steps({"name": "sgd", "learning_rate": 1.0, "decay_steps": 4, "schedule": "linear"})
    np.testing.assert_allclose(moves[:6], [1.0, 0.75, 0.5, 0.25, 0.0, 0.0])
    moves = steps({"name": "sgd", "learning_rate": 1.0, "decay_steps": 4})
    np.testing.assert_allclose(moves[2:5], [0.5, 0.5 - 0.5**1.5, 0.0], atol=1e-6)


def test_a_held_rate_falls_from_the_end_of_the_hold_on():
    """CycleGAN's: constant for the first half, then linearly to 0."""
    settings = {"name": "sgd", "learning_rate": 1.0, "hold_steps": 2, "decay_steps": 4}
    np.testing.assert_allclose(
        steps({**settings, "schedule": "linear"}, count=6), [1, 1, 1, 0.5, 0, 0]
    )
    for wrong, message in (
        ({"decay_steps": 2}, "must be above hold_steps"),
        ({"decay_steps": 0}, "hold_steps needs"),
    ):
        with pytest.raises(UserError, match=message):
            optimizer({**settings, **wrong})


def test_decay_begins_where_the_warmup_ends_and_stops_at_the_final_rate():
    settings = {"name": "sgd", "learning_rate": 1.0, "warmup_steps": 2, "final_rate": 0.2}
    moves = steps({**settings, "decay_steps": 6, "schedule": "linear"})
    np.testing.assert_allclose(moves[:8], [0.5, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2], rtol=1e-6)
    moves = steps({**settings, "decay_steps": 6})
    np.testing.assert_allclose(moves[[1, 2, 4, 6, 9]], [1.0, 1.0, 0.6, 0.2, 0.2], rtol=1e-6)


def test_clipping_bounds_the_gradient_and_arguments_reach_optax():
    assert steps({"name": "sgd", "learning_rate": 1.0, "clip_norm": 0.5}, 3.0)[0] == 0.5
    slow = steps({"name": "sgd", "learning_rate": 1.0, "momentum": 0.5})
    np.testing.assert_allclose(slow[:3], [1.0, 1.5, 1.75])


def test_what_optax_does_not_have_is_refused():
    with pytest.raises(UserError, match="no optimizer named 'adma'"):
        optimizer(ConfigDict({"name": "adma", "learning_rate": 1.0}))
    with pytest.raises(UserError, match=r"optax.adam takes no argument beta1"):
        optimizer(ConfigDict({"name": "adam", "learning_rate": 1.0, "beta1": 0.5}))


def test_the_moving_average_forgets_its_beginning_then_holds_its_decay():
    decay = warmed_up(0.99)
    np.testing.assert_allclose([decay(0), decay(10), decay(10_000)], [0.1, 0.55, 0.99], rtol=1e-6)
    assert warmed_up(0.0) is None
