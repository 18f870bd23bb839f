"""What the parts of U-Nets and DiTs promise, by closed forms."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import perturb

from gm_jax.errors import UserError
from gm_jax.nn.attention import Attention
from gm_jax.nn.dit import DiT, DiTSettings, image_of, patches_of, positions
from gm_jax.nn.time_features import features_of
from gm_jax.nn.unet import ResidualBlock, UNet, UNetSettings, doubled, heads_of
from gm_jax.settings import read

KEY = jax.random.key(0)
CONTEXT = jax.random.normal(KEY, (2, 3, 5))
NETWORKS = {
    "AdaGN": UNet(
        width=8, multipliers=(1, 2), blocks=1, classes=3, adaptive_norm=True, symmetric=True,
        residual_resampling=True, head_width=4, time_features="fourier",
    ),
    "transformers": UNet(
        width=8, multipliers=(1, 2), blocks=1, classes=3, transformer_blocks=1, groups=4,
        attention_levels=(1,), heads=(2,), symmetric=True,
    ),
    "DiT": DiT(patch=3, width=16, layers=2, classes=3),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_denoiser_begins_as_zero_reads_all_its_inputs_and_runs_in_bfloat16(name):
    module, x = NETWORKS[name], jax.random.normal(KEY, (2, 9, 15, 2))  # Sides do not halve evenly.
    level, label, context = jnp.array([3.0, 900.0]), jnp.array([0, 3]), CONTEXT
    if name == "AdaGN":
        context = None
    start, variables = jax.jit(module.init_with_output)(KEY, x, level, label, None, context)
    assert start.shape == x.shape and start.dtype == jnp.float32 and np.all(start == 0)

    leaves, tree = jax.tree.flatten(variables)
    random = np.random.default_rng(0)
    leaves = [p + np.float32(0.1) * random.normal(size=p.shape).astype("f") for p in leaves]
    variables = jax.tree.unflatten(tree, leaves)
    call = jax.jit(module.apply)
    found = call(variables, x, level, label, None, context)
    for changed in ((x + 0.1, level, label), (x, level - 1, label), (x, level, label[::-1])):
        other = call(variables, *changed, None, context)
        assert np.all(np.abs(other - found).max((1, 2, 3)) > 1e-4)
    if context is None:
        return
    other = call(variables, x, level, label, None, context[::-1])
    assert np.all(np.abs(other - found).max((1, 2, 3)) > 1e-5)
    rough = jax.jit(module.clone(dtype=jnp.bfloat16).apply)(
        variables, x, level, label, None, context
    )
    assert rough.dtype == jnp.float32
    assert 0 < np.abs(rough - found).max() < 0.1 * np.abs(found).max()


@pytest.mark.slow
def test_each_block_of_a_dit_begins_as_the_identity():
    module, x = NETWORKS["DiT"], jax.random.normal(KEY, (2, 6, 9, 2))
    label = jnp.zeros(2, int)

    @jax.jit
    def call():
        variables = module.init(KEY, x, jnp.ones(2), label, None, CONTEXT)
        inputs = x, jnp.ones(2), label, None, CONTEXT
        return module.apply(variables, *inputs, capture_intermediates=True)

    found = call()[1]["intermediates"]
    tokens = found["patches"]["__call__"][0] + positions((2, 3), 16)
    for number in range(module.layers):
        np.testing.assert_allclose(found[f"block_{number}"]["__call__"][0], tokens, atol=1e-6)


def test_an_adaptive_block_begins_as_the_identity_and_scales_before_it_shifts():
    x, embedding = jax.random.normal(KEY, (2, 4, 4, 8)), jax.random.normal(KEY, (2, 6))
    block = ResidualBlock(8, 0.0, jnp.float32, adaptive=True)
    variables = block.init(KEY, x, embedding, None)
    np.testing.assert_array_equal(block.apply(variables, x, embedding, None), x)
    params = variables["params"]
    # The embedding's layer gives 1 + s = 3 and b = 5, and the last convolution is the identity.
    bias = jnp.repeat(jnp.array([2.0, 5.0]), 8)
    params["Dense_0"] = {"kernel": 0.0 * params["Dense_0"]["kernel"], "bias": bias}
    middle = jnp.zeros((3, 3, 8, 8)).at[1, 1].set(jnp.eye(8))
    params["Conv_1"] = params["Conv_1"] | {"kernel": middle}
    found, state = block.apply(variables, x, embedding, None, capture_intermediates=True)
    normed = state["intermediates"]["Norm_1"]["__call__"][0]
    np.testing.assert_allclose(found, x + jax.nn.swish(3.0 * normed + 5.0), atol=1e-5)
    np.testing.assert_allclose(normed.reshape(2, -1, 2, 4).mean((1, 3)), 0.0, atol=1e-5)


@pytest.mark.slow
def test_attention_to_one_key_is_linear_and_ignores_the_query():
    x, context = jax.random.normal(KEY, (2, 7, 8)), CONTEXT[:, :1]
    attention = Attention(2, jnp.float32)
    variables = attention.init(KEY, x, context)
    params = variables["params"]
    found = attention.apply(variables, x, context)
    expected = context @ params["v"]["kernel"] @ params["out"]["kernel"] + params["out"]["bias"]
    np.testing.assert_allclose(found, jnp.broadcast_to(expected, x.shape), atol=1e-5)
    whole = attention.apply(variables, x, CONTEXT)
    assert np.abs(whole[:, 0] - whole[:, 1]).max() > 1e-3
    padded = jnp.concatenate([CONTEXT, jnp.zeros((2, 1, 5))], axis=1)  # No mask hides a zero.
    assert np.abs(attention.apply(variables, x, padded) - whole).max() > 1e-3


@pytest.mark.parametrize("order", ["sines_first", "cosines_first"])
@pytest.mark.parametrize("shift", [0, 1])
def test_sinusoids_of_every_convention(order, shift):
    t = np.array([0.0, 1.0, 999.5])
    angles = t[:, None] * 10_000.0 ** (-np.arange(4) / (4 - shift))
    waves = [np.sin(angles), np.cos(angles)]
    expected = np.concatenate(waves[:: 1 if order == "sines_first" else -1], axis=1)
    with jax.enable_x64(True):
        found = features_of(jnp.asarray(t), 8, order, shift, jnp.float64)
        assert features_of(jnp.arange(3), 8, order, shift, jnp.float64).dtype == jnp.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_fourier_features_are_fixed_and_none_of_the_parameters():
    found = features_of(jnp.array([0.25]), 4, "fourier")
    # The first two normal numbers of RandomState(0), times 16: they never change.
    angles = 2 * np.pi * 0.25 * 16 * np.array([1.764052345967664, 0.4001572083672233])
    np.testing.assert_allclose(found[0], [*np.sin(angles), *np.cos(angles)], atol=1e-4)
    x = jnp.zeros((1, 8, 8, 1))
    fourier, sines = (
        jax.eval_shape(UNet(width=8, time_features=name).init, KEY, x, jnp.zeros(1))
        for name in ("fourier", "sines_first")
    )
    assert jax.tree.structure(fourier) == jax.tree.structure(sines)
    assert list(fourier) == ["params"]


def test_heads_are_counted_or_have_a_width():
    assert [heads_of(c, d, (8,), 0) for d, c in enumerate((320, 640))] == [8, 8]
    assert [heads_of(c, d, (5, 10), 0) for d, c in enumerate((320, 640))] == [5, 10]
    assert [heads_of(c, d, (8,), 64) for d, c in enumerate((320, 640))] == [5, 10]


def test_odd_sides_grow_as_in_pytorch():
    """Position i of n takes the value at floor(i m / n) of m."""
    x = jnp.arange(7 * 4.0).reshape(1, 7, 4, 1)
    rows, columns = np.arange(13) * 7 // 13, np.arange(8) * 4 // 8
    found = doubled(x, (13, 8), symmetric=True)
    np.testing.assert_array_equal(found, x[:, rows][:, :, columns])
    assert doubled(x, (13, 7), symmetric=False).shape == (1, 13, 7, 1)


def test_patches_and_positions_of_a_dit():
    x = jnp.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)
    patches = patches_of(x, 2)
    np.testing.assert_array_equal(patches[1, 4].reshape(2, 2, 3), x[1, 2:, 2:4])
    np.testing.assert_array_equal(image_of(patches, (2, 3), 2), x)
    found = positions((2, 3), 8).reshape(2, 3, 8)
    angles = lambda i: i * np.array([1.0, 0.01])  # noqa: E731
    expected = [*np.sin(angles(2)), *np.cos(angles(2)), *np.sin(angles(1)), *np.cos(angles(1))]
    np.testing.assert_allclose(found[1, 2], expected, atol=1e-12)


@pytest.mark.parametrize(
    "schema, settings, message",
    [
        (UNetSettings, dict(heads=(2, 4)), "heads .* one for each of 3 levels"),
        (UNetSettings, dict(attention_levels=(3,)), "attention_levels has 3: the levels are 0"),
        (UNetSettings, dict(width=40, groups=32), "groups 32 does not divide the 40 channels"),
        (UNetSettings, dict(width=40, heads=(3,)), "heads 3 does not divide the 40 channels"),
        (UNetSettings, dict(width=40, head_width=64), "head_width 64 does not divide the 40"),
        (UNetSettings, dict(time_features="cosine"), "must be one of: sines_first"),
        (DiTSettings, dict(heads=3), "width 128 does not divide into heads 3"),
        (DiTSettings, dict(width=6, heads=1), "width 6 must be a multiple of 4"),
    ],
)  # fmt: skip
def test_choices_that_do_not_go_together_are_refused(schema, settings, message):
    with pytest.raises(UserError, match=message):
        read(schema, settings, "network.")


def test_what_a_network_cannot_take_is_refused():
    x, t = jnp.zeros((1, 8, 9, 1)), jnp.zeros(1)
    with pytest.raises(UserError, match="patch 2 does not divide the sides of 8x9 images"):
        jax.eval_shape(DiT().init, KEY, x, t)
    with pytest.raises(UserError, match="transformer_blocks needs a context"):
        jax.eval_shape(UNet(width=8, transformer_blocks=1).init, KEY, x, t)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unet", "dit"])
def test_each_of_several_levels_is_told(name):
    """And one of them alone [B, 1] is what a network of one level [B] is told."""
    small = UNet(width=4, multipliers=(1,), blocks=1, attention=())
    module = {"unet": small, "dit": DiT(width=8, layers=1, heads=1)}[name]
    x, levels = jnp.ones((1, 4, 4, 1)), jnp.array([[3.0, 500.0]])
    params = perturb(module.init(KEY, x, levels))

    def output(*levels):
        return module.apply(params, x, jnp.array([levels]))

    outputs = [output(3.0, 500.0), output(4.0, 500.0), output(3.0, 400.0), output(500.0, 3.0)]
    for a, b in itertools.combinations(outputs, 2):
        assert not np.allclose(a, b, atol=1e-5)
    one = perturb(module.init(KEY, x, levels[:, 0]))
    np.testing.assert_array_equal(
        module.apply(one, x, levels[:, :1]), module.apply(one, x, levels[:, 0])
    )
    assert set(one["params"]) < set(params["params"])
