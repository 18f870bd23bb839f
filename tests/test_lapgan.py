"""LAPGAN: the pyramid sums back, its networks by hand, and what is refused."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, opening, refuses

import gm_jax
from gm_jax.adversarial import lapgan
from gm_jax.adversarial.shared.pyramid import CoarseCritic, CoarseGenerator, Critic, Residual
from gm_jax.nn.layers import Dropout, halved

KEY = jax.random.key(0)


def count(module, *inputs):
    shapes = jax.eval_shape(functools.partial(module.init, KEY), *inputs)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def zeros(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def test_the_pyramid_sums_back_to_the_image_exactly(digits16):
    """Generators that return the true h_k make the chain of samples the image itself."""
    settings = config("lapgan", digits16, **{"levels": 2})
    phase, _, variables = opening(settings, jax.devices()[:1])
    x = jax.random.uniform(KEY, (16, 16, 16, 1), minval=-1.0)
    batch = {"image": x, "label": jnp.arange(16) % 10, "index": jnp.arange(16)}
    coarse = halved(x / 0.5)
    truth = {Residual: x / 0.5 - lapgan.enlarged(coarse), CoarseGenerator: coarse}

    def true(called, inputs, options, context):
        return truth.get(type(context.module))

    with nn.intercept_methods(true):
        found = phase.model.functions["sample"](variables, batch, KEY)["image"]
    np.testing.assert_allclose(found, x, atol=1e-6)


def test_enlarging_keeps_flat_images_and_halving_undoes_nothing_but_detail():
    flat = jnp.full((1, 4, 4, 2), 0.3)
    np.testing.assert_allclose(lapgan.enlarged(flat), 0.3, rtol=1e-6)
    ramp = jnp.arange(8.0)[None, :, None, None] * jnp.ones((1, 8, 8, 1))
    np.testing.assert_allclose(lapgan.enlarged(halved(ramp))[:, 1:-1], ramp[:, 1:-1], atol=1e-6)


def test_the_published_networks_by_hand():
    """7x7 64, 7x7 64, 5x5 3 of five planes; 5x5 64, 5x5/2 64 without a border, 12x12x64 to 1."""
    settings = gm_jax.load_config("configs/lapgan_cifar.py:published")
    own, other = settings.generator, settings.discriminator
    plane, image, label = zeros(8, 32, 32, 1), zeros(8, 32, 32, 3), zeros(8, 10)
    keys = jax.eval_shape(functools.partial(jax.random.split, num=8), KEY)
    convolutions = 49 * 5 * 64 + 64 + 49 * 64 * 64 + 64 + 25 * 64 * 3 + 3
    of_label = 10 * 1024 + 1024
    assert count(Residual(own.width), plane, image, label) == convolutions + of_label
    assert count(Residual(own.width), plane, image, None) == convolutions - 49 * 64
    convolutions = 25 * 4 * 64 + 64 + 25 * 64 * 64 + 64 + 12 * 12 * 64 + 1
    assert count(Critic(other.width), image, label, keys) == convolutions + of_label
    small, dense = zeros(8, 8, 8, 3), 110 * 1200 + 1200 * 1200 + 1200 * 192 + 2 * 1200 + 192
    assert count(CoarseGenerator((8, 8, 3), own.hidden), zeros(8, 100), label) == dense
    dense = 202 * 600 + 600 * 600 + 600 + 2 * 600 + 1
    assert count(CoarseCritic(other.hidden), small, label, keys) == dense


def test_a_residual_is_linear_in_its_last_layer():
    """No tanh: of two images within [-1, 1] the difference is within [-2, 2]."""
    module, low = Residual(4), jax.random.uniform(KEY, (2, 8, 8, 1))
    inputs = low, low, jax.nn.one_hot(jnp.arange(2), 3)
    params = module.init(KEY, *inputs)["params"]
    last = jax.tree.map(lambda p: 50.0 * p, params["Conv_2"])
    h, larger = (module.apply({"params": p}, *inputs) for p in (params, params | {"Conv_2": last}))
    np.testing.assert_allclose(larger, 50.0 * h, rtol=1e-4, atol=1e-5)
    assert np.abs(larger).max() > 1.5


def test_half_of_the_hidden_units_are_dropped_for_each_example_by_itself():
    module, x = Critic(4, dtype=jnp.float32), jax.random.uniform(KEY, (2, 16, 16, 1))
    keys = jax.random.split(KEY, 2)
    params = module.init(KEY, x, None, keys)
    same = jnp.repeat(x[:1], 2, axis=0)
    logits = module.apply(params, same, None, keys)
    assert logits.shape == (2,) and logits[0] != logits[1]
    one = module.apply(params, same[:1], None, keys[:1])
    np.testing.assert_allclose(one, logits[:1], rtol=1e-5)


def test_real_and_generated_images_drop_units_by_keys_of_their_own(digits16):
    """Those of noise are others still; each example has its own."""
    phase, batches, variables = opening(config("lapgan", digits16), jax.devices()[:1])
    player = next(p for p in phase.model.players if p.name == "discriminator_16")

    def keys_of(batch):
        seen = []

        def note(called, inputs, options, context):
            if isinstance(context.module, Dropout):
                seen.append(jax.random.key_data(inputs[1]))
            return called(*inputs, **options)

        with nn.intercept_methods(note):
            player.moves[0].objective(variables, batches.prepare(batch, KEY), KEY, 0)
        return jnp.stack(seen)

    keys = np.asarray(jax.jit(keys_of)(batches.first)).reshape(-1, 2)
    assert len(keys) == len(np.unique(keys, axis=0)) == 2 * 16


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"levels": 1}, "levels is 1: it must be at least 2"),
        ({"levels": 3}, r"16x16 cannot be halved 2 times \(levels=3\)"),
        ({"data.size": 15}, "15x15 cannot be halved"),
        ({"unrefined": 2}, "unrefined 2 must be below levels 2"),
        ({"deviation": (1.0, 1.0, 1.0)}, "deviation must be one value, or 1 for"),
    ],
)
def test_what_cannot_be_a_pyramid_is_refused(overrides, message):
    refuses("lapgan_cifar", overrides, message)
