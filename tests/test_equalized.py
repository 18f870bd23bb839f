"""Equalised layers: Adam's steps, the scale at the start, groups of the minibatch deviation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gm_jax import replicas
from gm_jax.errors import UserError
from gm_jax.nn.equalized import EqualizedConv, EqualizedDense, minibatch_deviation, pixel_norm

KEY = jax.random.key(0)


def layers(**fields):
    """Each kind of layer, an input, and its fan-in."""
    yield EqualizedDense(64, **fields), jax.random.normal(KEY, (256, 48)), 48
    yield EqualizedConv(64, **fields), jax.random.normal(KEY, (8, 16, 16, 12)), 9 * 12


@pytest.mark.parametrize("rate, gain", [(1.0, 1.0), (0.01, 2**0.5)])
def test_the_first_step_of_adam_moves_every_used_weight_by_rate_times_c(rate, gain):
    """lr c m, at run time: scaled at initialisation only, layers would move at their own speed."""
    for layer, x, fan_in in layers(rate=rate, gain=gain):
        variables = layer.init(KEY, x)
        optimizer = optax.adam(1e-3, b1=0.0, b2=0.99, eps=0.0)
        slope = jax.tree.map(jnp.ones_like, variables)
        step, _ = optimizer.update(slope, optimizer.init(variables))
        moved = optax.apply_updates(variables, step)
        before, after = (responses(layer, of, x) for of in (variables, moved))
        change = (after[0] - before[0]) / fan_in
        np.testing.assert_allclose(change, -1e-3 * rate * gain * fan_in**-0.5, rtol=1e-2)
        np.testing.assert_allclose(after[1] - before[1], -1e-3 * rate, rtol=1e-4)


def responses(layer, variables, x):
    """The mean sum of the weights into one output, and the mean bias, as they are used."""
    zero, one = (layer.apply(variables, f(x[:1])) for f in (jnp.zeros_like, jnp.ones_like))
    inside = (0, slice(1, -1), slice(1, -1)) if x.ndim == 4 else 0  # Without the border's zeros.
    return jnp.mean((one - zero)[inside]), jnp.mean(zero)


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_outputs_have_deviation_one_at_the_start(rate):
    for layer, x, _ in layers(rate=rate):
        y = layer.apply(layer.init(KEY, x), x)
        y = y[:, 1:-1, 1:-1] if y.ndim == 4 else y
        np.testing.assert_allclose(jnp.std(y), 1.0, rtol=0.05)


def test_a_kernel_has_deviation_one_over_the_rate():
    for layer, x, _ in layers(rate=0.01):
        kernel = layer.init(KEY, x)["params"]["kernel"]
        np.testing.assert_allclose(jnp.std(kernel), 100.0, rtol=0.05)


def test_pixel_norm_is_over_channels():
    x = jax.random.normal(KEY, (2, 3, 3, 5)) * 7.0
    np.testing.assert_allclose(jnp.mean(pixel_norm(x) ** 2, axis=-1), 1.0, rtol=1e-5)
    vector = jnp.array([[3.0, 4.0]])
    np.testing.assert_allclose(pixel_norm(vector), vector / np.sqrt(12.5), rtol=1e-6)


def deviation_by_hand(x, group, channels=1):
    """One example at a time, in float64."""
    x, count = np.asarray(x, np.float64), len(x)
    groups = count // group
    planes = np.zeros((*x.shape[:3], channels))
    for i in range(count):
        members = [x[i % groups + groups * j] for j in range(group)]
        deviation = np.sqrt(np.var(members, axis=0) + 1e-8)
        for c, features in enumerate(np.split(deviation, channels, axis=-1)):
            planes[i, :, :, c] = features.mean()
    return planes


@pytest.mark.parametrize("group, channels", [(4, 1), (2, 2), (8, 1)])
def test_the_deviation_is_that_of_every_other_example(group, channels):
    x = jax.random.normal(KEY, (8, 3, 3, 4)) * jnp.arange(1.0, 9.0)[:, None, None, None]
    expected = deviation_by_hand(x, group, channels)
    np.testing.assert_allclose(minibatch_deviation(x, group, channels), expected, rtol=1e-5)


def test_a_group_is_the_whole_batch_if_it_is_zero_or_larger():
    x = jax.random.normal(KEY, (6, 2, 2, 3))
    for group in (0, 6, 100):
        np.testing.assert_allclose(minibatch_deviation(x, group), deviation_by_hand(x, 6), 1e-5)


def test_permuting_a_group_changes_nothing():
    x = jax.random.normal(KEY, (8, 3, 3, 4)) * jnp.arange(1.0, 9.0)[:, None, None, None]
    permuted = x[jnp.array([4, 1, 2, 3, 0, 5, 6, 7])]  # 0 and 4 are a group of 2.
    before, after = minibatch_deviation(x, 2), minibatch_deviation(permuted, 2)
    np.testing.assert_allclose(after, before, rtol=1e-5)


@pytest.mark.parametrize("devices", [2, 4])
def test_one_device_and_several_see_one_deviation(devices):
    x = jax.random.normal(KEY, (8, 2, 2, 3)) * jnp.arange(1.0, 9.0)[:, None, None, None]

    def loss(x):
        return jnp.sum(minibatch_deviation(x, 4) * jnp.arange(3.0)[:2, None])

    values, slopes = minibatch_deviation(x, 4), jax.grad(loss)(x)
    shares = x.reshape(devices, -1, *x.shape[1:])
    mapped = functools.partial(jax.pmap, axis_name=replicas.NAME)
    several = mapped(lambda x: minibatch_deviation(x, 4))(shares)
    np.testing.assert_allclose(several.reshape(values.shape), values, rtol=1e-5)
    several = mapped(jax.grad(loss))(shares)
    np.testing.assert_allclose(several.reshape(slopes.shape), slopes, rtol=1e-4, atol=1e-6)


def test_groups_that_do_not_divide_the_batch_are_one_line():
    with pytest.raises(UserError, match="6 does not divide into groups of 4"):
        minibatch_deviation(jnp.zeros((6, 2, 2, 1)), 4)
