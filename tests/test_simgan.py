"""SimGAN: networks as published, what a logit sees, histories, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import refuses

import gm_jax
from gm_jax import pools
from gm_jax.translation.shared.refiner import Critic, Refiner

KEY = jax.random.key(0)


def parameters(module):
    """How many a module has for the paper's grey eyes."""
    x = jax.ShapeDtypeStruct((1, 35, 55, 1), jnp.float32)
    shapes = jax.eval_shape(module.init, KEY, x)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def test_the_published_networks_have_the_papers_layers():
    """By hand: section 3.1 has the sizes of all convolutions."""
    settings = gm_jax.load_config("configs/simgan_scenes.py:published").to_dict()
    own, other = settings["refiner"], settings["discriminator"]
    for part in (own, other):
        del part["optimizer"], part["times"]
    blocks = 4 * 2 * (9 * 64 * 64 + 64)
    assert parameters(Refiner(1, **own)) == (9 * 64 + 64) + blocks + (64 + 1)
    sizes = ((9, 1, 96), (9, 96, 64), (9, 64, 32), (1, 32, 32), (1, 32, 2))
    assert parameters(Critic(**other)) == sum(k * a * b + b for k, a, b in sizes)


def test_a_logit_sees_exactly_23_pixels():
    """Over many pictures: of a maximum only the largest pixel has a gradient."""
    critic, x = Critic(width=6), jax.random.uniform(KEY, (1, 64, 64, 1))
    variables = critic.init(KEY, x)
    # No unit is silent, and the two outputs differ.
    variables = jax.tree.map(lambda p: jnp.abs(p) + 0.01, variables)
    variables["params"]["Conv_4"]["kernel"] *= jnp.array([0.5, 1.0])

    @jax.jit
    @jax.grad
    def slopes(x):
        return critic.apply(variables, x)[0, 8, 8]

    assert critic.apply(variables, x).shape == (1, 16, 16)
    pictures = [jax.random.uniform(jax.random.key(seed), x.shape) for seed in range(40)]
    rows, columns = np.nonzero(sum(np.abs(slopes(picture))[0, ..., 0] for picture in pictures))
    assert np.ptp(rows) == np.ptp(columns) == 22


def test_a_logit_is_the_difference_of_two_outputs():
    """Of any sign, however negative both outputs are."""
    critic, x = Critic(width=3), jnp.zeros((1, 8, 8, 1))
    variables = critic.init(KEY, x)
    for biases in ((-3.0, -1.0), (-1.0, -3.0), (2.0, 5.0)):
        variables["params"]["Conv_4"]["bias"] = jnp.array(biases)
        np.testing.assert_allclose(critic.apply(variables, x), biases[1] - biases[0])


def test_a_refiner_can_leave_a_picture_as_it_is():
    """All its maps have the picture's size; a block adds to what it is given, and cuts below 0."""
    module, x = Refiner(1, width=2, blocks=2), jax.random.uniform(KEY, (2, 7, 9, 1))
    params = jax.tree.map(jnp.zeros_like, module.init(KEY, x)["params"])
    params["Conv_0"]["kernel"] = params["Conv_0"]["kernel"].at[1, 1, 0, 0].set(1.0)
    params["Conv_5"]["kernel"] = params["Conv_5"]["kernel"].at[0, 0, 0, 0].set(1.0)
    np.testing.assert_allclose(module.apply({"params": params}, x), jnp.tanh(x), atol=1e-6)
    params["Conv_2"]["bias"] = params["Conv_2"]["bias"] - 0.4
    cut = jnp.tanh(jax.nn.relu(x - 0.4))
    np.testing.assert_allclose(module.apply({"params": params}, x), cut, atol=1e-6)


def shown_over(count, size, batch=8):
    """Numbered fakes given to a history, and what it showed of them, [count, batch]."""
    pool, given, shown = pools.empty_pool(size, (1,)), [], []
    step = jax.jit(pools.history)
    for number in range(count):
        fakes = jnp.arange(batch, dtype=jnp.float32)[:, None] + batch * number + 1
        out, pool = step(jax.random.key(number), pool, fakes, {"index": jnp.arange(batch)})
        given.append(np.asarray(fakes[:, 0]))
        shown.append(np.asarray(out[:, 0]))
    return np.stack(given), np.stack(shown), np.asarray(pool["kept"][:, 0])


def test_half_of_what_a_history_shows_is_old_and_half_a_batch_of_it_is_replaced():
    """Of 40 slots 4 are replaced a step: a picture stays 10 steps in the mean."""
    given, shown, kept = shown_over(1000, 40)
    np.testing.assert_array_equal(shown[0], given[0])
    np.testing.assert_array_equal(shown[:, 4:], given[:, 4:])
    assert np.all(shown[1:, :4] < given[1:, :1]) and len(set(kept)) == 40
    assert set(shown[1:, :4].ravel()) <= set(given[:, 4:].ravel())
    age = (given[100:, :1] - shown[100:, :4]) / 8
    assert abs(age.mean() - 10) < 0.7


def test_a_history_is_the_same_on_one_and_eight_devices():
    fakes, index = jnp.arange(16.0).reshape(16, 1) + 1, jnp.arange(16)
    pool = {"kept": -jnp.arange(20.0)[:, None] - 1, "filled": jnp.int32(20)}
    whole, one = pools.history(KEY, pool, fakes, {"index": index})

    def program(fakes, index):
        return pools.history(KEY, pool, fakes, {"index": index})

    parts = (x.reshape(8, 2, *x.shape[1:]) for x in (fakes, index))
    shown, eight = jax.pmap(program, axis_name="data")(*parts)
    np.testing.assert_array_equal(shown.reshape(16, 1), whole)
    for kept in eight["kept"]:
        np.testing.assert_array_equal(kept, one["kept"])


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"batch_size": 5}, "set an even batch_size, and a history of at least as many"),
        ({"history": 2}, "set an even batch_size, and a history of at least as many"),
        ({"data.name": "digits", "data.size": None}, "data.domains is"),
        ({"game_steps": 0}, "game_steps is 0: it must be at least 1"),
    ],
)
def test_what_cannot_be_refined_is_refused(overrides, message):
    refuses("simgan_scenes", overrides, message)
