"""SPADE: networks as published, and what norms, label maps and critics must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import refuses

import gm_jax
from gm_jax.nn.layers import instance_norm
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.translation.shared import multiscale, spade

KEY = jax.random.key(0)


def parameters(module, *inputs):
    """How many a module has."""
    shapes = jax.eval_shape(lambda *x: module.init(KEY, *x, train=True), *inputs)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


@pytest.mark.parametrize("classes, millions", [(36, 93.0), (184, 97.5), (151, 96.5)])
def test_the_published_generator_has_as_many_parameters_as_the_authors(classes, millions):
    """93.0 million for Cityscapes, 97.5 for COCO, 96.5 for ADE20K, as their code prints; with
    the biases that norms undo, which ours does not have."""
    settings = gm_jax.load_config("configs/spade_scenes.py:published").to_dict()["generator"]
    del settings["optimizer"]
    m = jax.ShapeDtypeStruct((1, 256, 256, classes), jnp.float32)
    undone = 1024 + 2 * (3 * 1024 + 512 + 256 + 128) + 64
    found = parameters(spade.Generator(3, **settings), m, None) + undone
    assert round(found / 1e6, 1) == millions


def test_the_published_critics_have_two_scales_of_four_layers():
    """By hand: 4x4 convolutions, no bias beneath instance norms."""
    settings = gm_jax.load_config("configs/spade_scenes.py:published").to_dict()["discriminator"]
    del settings["optimizer"]
    x = jax.ShapeDtypeStruct((1, 256, 256, 39), jnp.float32)
    inner = 16 * (64 * 128 + 128 * 256 + 256 * 512)
    one = 16 * 39 * 64 + 64 + inner + 16 * 512 + 1
    assert (
        parameters(multiscale.MultiScale(**settings, normalization="spectral_instance"), x)
        == 2 * one
    )


def test_a_critic_pads_by_two_and_sees_70_pixels():
    """11x11 logits at 64 pixels, and 7x7 at the next scale; maps before them, in order."""
    module = multiscale.MultiScale(width=2)
    x = jax.random.normal(KEY, (1, 64, 64, 1))
    scales = jax.eval_shape(lambda x: module.init_with_output(KEY, x, train=True)[0], x)
    assert [logits.shape[1:] for logits, _ in scales] == [(11, 11), (7, 7)]
    assert [values.shape[1:] for values in scales[0][1]] == [
        (33, 33, 2), (17, 17, 4), (9, 9, 8), (10, 10, 16),
    ]  # fmt: skip
    critic, x = PatchGAN(2, 3, "none", padding=2), jax.random.normal(KEY, (1, 128, 128, 1))
    variables = jax.jit(lambda x: critic.init(KEY, x, train=True))(x)
    slope = jax.jit(jax.grad(lambda x: critic.apply(variables, x, train=True)[0, 9, 9]))(x)
    assert np.ptp(np.flatnonzero(np.abs(slope[0, ..., 0]).max(0))) + 1 == 70


@pytest.mark.slow
def test_a_critics_inner_layers_have_both_norms_and_the_others_none():
    critic = PatchGAN(4, 2, "spectral_instance")
    x = 10.0 * jax.random.normal(KEY, (2, 16, 16, 3))
    variables = critic.init(KEY, x, train=True)
    norms = {path[0] for path in _paths(variables["batch_stats"])}
    assert norms == {"SpectralNorm_0", "SpectralNorm_1"}
    (_, maps), _ = critic.apply(variables, x, train=True, maps=True, mutable=["batch_stats"])
    before = jnp.where(maps[2] < 0, maps[2] / 0.2, maps[2])
    np.testing.assert_allclose(before.mean((1, 2)), 0.0, atol=1e-4)
    assert np.abs(maps[0].mean((1, 2))).max() > 1e-2


def _paths(tree, path=()):
    if not isinstance(tree, dict):
        return [path]
    return [found for key, value in tree.items() for found in _paths(value, (*path, key))]


def modulated(m, x, normalization="instance"):
    """A SPADE, and its output with its weights in place of their start, which is all but 0."""
    module = spade.SPADE(4, normalization, jnp.float32)
    variables = module.init(KEY, x, m, train=True)
    params = jax.tree.map(lambda p: 100.0 * p, variables["params"])
    return params, module.apply({**variables, "params": params}, x, m, train=False)


@pytest.mark.slow
def test_spade_keeps_what_a_norm_of_a_uniform_label_map_loses():
    """Convolution and instance norm make the same of each label alone; figure 3 of the paper."""
    x = jax.random.normal(KEY, (3, 8, 8, 6))
    x = jnp.broadcast_to(x[:1], x.shape)
    m = jnp.broadcast_to(jnp.eye(3)[:, None, None], (3, 8, 8, 3))
    kernel = jax.random.normal(KEY, (1, 1, 3, 6))
    washed = instance_norm(jax.lax.conv_general_dilated(
        m, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    ))  # fmt: skip
    np.testing.assert_allclose(washed, 0.0, atol=2e-3)
    _, y = modulated(m, x)
    assert min(np.abs(y[0] - y[1]).max(), np.abs(y[1] - y[2]).max()) > 0.01


@pytest.mark.parametrize("normalization", spade.NORMS)
def test_spade_scales_by_one_and_what_is_learned(normalization):
    """(1 + gamma) x + beta: without weights x itself is left, normalised; by hand with them."""
    x, m = jax.random.normal(KEY, (2, 4, 4, 3)), jnp.ones((2, 8, 8, 2))
    module = spade.SPADE(4, normalization, jnp.float32)
    variables = module.init(KEY, x, m, train=True)
    none = jax.tree.map(jnp.zeros_like, variables["params"])

    def applied(params):
        out, _ = module.apply(
            {**variables, "params": params}, x, m, train=True, mutable=["batch_stats"]
        )
        return out

    axes = (0, 1, 2) if normalization == "batch" else (1, 2)
    expected = (x - x.mean(axes, keepdims=True)) / jnp.sqrt(x.var(axes, keepdims=True) + 1e-5)
    np.testing.assert_allclose(applied(none), expected, atol=1e-4)
    names = {"gamma": "Conv_1", "beta": "Conv_2"}
    shifted = {n: none[n] | {"bias": none[n]["bias"] + 0.5} for n in names.values()}
    scaled = applied(none | {"Conv_1": shifted["Conv_1"]})
    np.testing.assert_allclose(scaled, 1.5 * expected, atol=1e-4)
    moved = applied(none | {"Conv_2": shifted["Conv_2"]})
    np.testing.assert_allclose(moved, expected + 0.5, atol=1e-4)


def test_label_maps_are_resized_by_their_nearest_label():
    """floor(2 i): no mixtures, and not the odd ones that jax.image takes."""
    m = jnp.arange(8.0).reshape(1, 8, 1, 1) * jnp.ones((1, 8, 8, 1))
    np.testing.assert_array_equal(spade.nearest(m, 4)[0, :, 0, 0], [0, 2, 4, 6])
    _, coarse = modulated(jax.nn.one_hot(m[..., 0] % 2, 2), jax.random.normal(KEY, (1, 4, 4, 3)))
    even = jnp.zeros((1, 8, 8), int)
    _, same = modulated(jax.nn.one_hot(even, 2), jax.random.normal(KEY, (1, 4, 4, 3)))
    np.testing.assert_allclose(coarse, same, atol=1e-6)


def test_halving_does_not_count_what_is_beyond_the_border():
    x = jax.random.normal(KEY, (1, 6, 6, 1))
    found = multiscale.halved(x)[0, ..., 0]
    assert found.shape == (3, 3)
    np.testing.assert_allclose(found[0, 0], x[0, :2, :2].mean(), rtol=1e-5)
    np.testing.assert_allclose(found[1, 1], x[0, 1:4, 1:4].mean(), rtol=1e-5)


def test_the_first_map_of_a_published_generator_is_a_32nd():
    """And spectral norm is on all convolutions of the blocks, the shortcut's, too."""
    module = spade.Generator(3, width=2, hidden=2)
    m = jnp.ones((1, 64, 64, 4))
    y, variables = jax.eval_shape(lambda m: module.init_with_output(KEY, m, None, train=True), m)
    assert y.shape == (1, 64, 64, 3)
    assert variables["params"]["Conv_0"]["kernel"].shape == (3, 3, 4, 32)
    blocks = {k: v for k, v in variables["batch_stats"].items() if k.startswith("Block")}
    counts = [sum(name.startswith("Spectral") for name in blocks[k]) for k in sorted(blocks)]
    assert counts == [2, 2, 2, 3, 3, 3, 3]


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"stages": {}}, "say which with stages.features, a workdir or a recipe"),
        ({"generator.levels": 5}, "16x16 cannot be halved 5 times"),
        ({"encoder.levels": 4}, "16x16 cannot be halved 5 times"),
        ({"data.name": "digits", "data.domains": ()}, "this system needs `segmentation`"),
    ],
)
def test_what_cannot_be_translated_is_refused(overrides, message):
    refuses("spade_scenes", overrides, message)


def test_edges_need_objects():
    settings = gm_jax.load_config("configs/spade_scenes.py:smoke")
    schema = gm_jax.recipes.schema_of(settings)
    spec = gm_jax.data.open_source(settings.data).spec
    spec = {name: field for name, field in spec.items() if name != "segmentation_instance"}
    with pytest.raises(gm_jax.UserError, match="edges=True needs segmentation_instance"):
        gm_jax.zoo.SYSTEMS["spade"].build(gm_jax.settings.read(schema, settings), spec, {})
