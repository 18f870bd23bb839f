"""Style transfer: what conditional and adaptive norms must do, and whether a style is told."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, opening, refuses
from ml_collections import ConfigDict
from picture_files import write
from PIL import Image

import gm_jax
from gm_jax import data
from gm_jax.data import scenes
from gm_jax.data.styled import styles_of
from gm_jax.judging import styles
from gm_jax.losses.style import gram, moment_error, moments
from gm_jax.nn.layers import instance_norm
from gm_jax.settings import Data
from gm_jax.translation.shared.style import Decoder, StyleNet, StyleNorm, adain

KEY = jax.random.key(0)
WORLD = {"name": "styled", "base": "scenes", "size": 16, "styles": "patterns"}


def parameters(module, *inputs):
    """How many a module has."""
    shapes = jax.eval_shape(lambda *x: module.init(KEY, *x), *inputs)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def published(system):
    return gm_jax.load_config(f"configs/style_{system}.py:published").to_dict()


def test_the_published_networks_have_as_many_parameters_as_their_papers_tables():
    """By hand; a style more is 3,206 numbers, the 0.2 % of the paper.

    The decoder mirrors VGG19 to relu4_1, which has 3,505,728 parameters: the same kernels but for
    biases of other layers.
    """
    x = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)

    def of(count):
        module = StyleNet(3, count, **published("cin")["network"])
        return parameters(module, x, jax.ShapeDtypeStruct((1, count), jnp.float32))

    ends = 2 * (81 * 3 * 32 + 9 * 32 * 64 + 9 * 64 * 128)
    kernels, row = ends + 10 * 9 * 128 * 128, 2 * (32 + 64 + 11 * 128 + 64 + 32 + 3)
    assert (of(1), of(32) - of(31)) == (kernels + row, row)
    assert row == 3206 and round(100 * row / kernels, 1) == 0.2
    code = jax.ShapeDtypeStruct((1, 8, 8, 512), jnp.float32)
    pairs = ((512, 256), *[(256, 256)] * 3, (256, 128), (128, 128), (128, 64), (64, 64), (64, 3))
    expected = sum(9 * a * b + b for a, b in pairs)
    found = parameters(Decoder(3, **published("adain")["decoder"]), code)
    assert found == expected == 3_505_219


def normed(styles, x, weights):
    """A StyleNorm's output by rows of gamma and beta that differ, and those."""
    module, keys = StyleNorm(styles), jax.random.split(KEY)
    shape = styles, x.shape[-1]
    params = {n: jax.random.normal(k, shape) for n, k in zip(("gamma", "beta"), keys, strict=True)}
    return module.apply({"params": params}, x, weights), params


def test_of_one_style_it_is_instance_norm():
    """As it begins, gamma 1 and beta 0; then with one scale and shift for all pictures."""
    x = jax.random.normal(KEY, (3, 5, 6, 4))
    module, weights = StyleNorm(1), jnp.ones((3, 1))
    fresh = module.apply(module.init(KEY, x, weights), x, weights)
    np.testing.assert_allclose(fresh, instance_norm(x), atol=1e-6)
    found, params = normed(1, x, weights)
    expected = params["gamma"][0] * instance_norm(x) + params["beta"][0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_blend_at_a_corner_is_that_style_and_between_them_the_mean():
    x = jnp.broadcast_to(jax.random.normal(KEY, (1, 5, 6, 4)), (3, 5, 6, 4))
    weights = jnp.array([[1.0, 0, 0], [0, 0, 1.0], [0.5, 0, 0.5]])
    found, params = normed(3, x, weights)
    corner = params["gamma"][2] * instance_norm(x[:1]) + params["beta"][2]
    np.testing.assert_allclose(found[1:2], corner, atol=1e-5)
    np.testing.assert_allclose(found[2], (found[0] + found[1]) / 2, atol=1e-5)


def test_each_convolution_has_its_norm_the_last_too_and_only_shown_styles_learn():
    module, x = StyleNet(3, 4, width=4, blocks=1), jax.random.normal(KEY, (2, 16, 16, 3))
    weights = jax.nn.one_hot(jnp.array([2, 0]), 4)
    params = jax.jit(module.init)(KEY, x, weights)["params"]
    names = [[k for k in params if k.startswith(kind)] for kind in ("Conv", "StyleNorm")]
    assert len(names[0]) == len(names[1]) == 6 + 2
    assert params["StyleNorm_7"]["gamma"].shape == (4, 3)

    @jax.jit
    @jax.grad
    def slope(params):
        return jnp.sum(module.apply({"params": params}, x, weights) ** 3)

    for name, rows in slope(params).items():
        for leaf in rows.values() if name.startswith("StyleNorm") else ():
            moved = np.abs(leaf).max(1) > 0
            np.testing.assert_array_equal(moved, [True, False, True, False], err_msg=name)


def test_a_restyled_map_has_the_styles_means_and_deviations():
    """The deviations of the unbiased variance; what the content's were does not matter."""
    keys = jax.random.split(KEY, 2)
    x, y = (jax.random.normal(k, (2, 16, 16, 5)) for k in keys)
    y = 3.0 * y + jnp.arange(5.0)
    made = adain(10.0 * x - 4.0, y)
    mean = np.float64(y).mean((1, 2))
    deviation = np.float64(y).std((1, 2), ddof=1)
    np.testing.assert_allclose(made.mean((1, 2)), mean, atol=1e-4)
    np.testing.assert_allclose(made.std((1, 2)), deviation, rtol=1e-4)
    assert np.abs(deviation / np.float64(y).std((1, 2)) - 1).min() > 1e-3
    np.testing.assert_allclose(moments(y)[1], deviation, rtol=1e-4)
    np.testing.assert_allclose(moment_error(y, y[:, ::-1]), 0.0, atol=1e-8)


def test_a_constant_channel_has_a_finite_slope():
    slope = jax.grad(lambda x: moment_error(x, x + 1.0).sum() + moments(x)[1].sum())
    assert np.isfinite(slope(jnp.zeros((1, 4, 4, 3)))).all()


def test_a_gram_matrix_is_divided_by_positions_and_not_by_channels():
    x = jnp.ones((1, 3, 5, 7))
    np.testing.assert_allclose(gram(x), np.ones((1, 7, 7)), rtol=1e-6)
    twice = jnp.concatenate([x, x], axis=1)
    np.testing.assert_allclose(gram(twice), gram(x), rtol=1e-6)


def test_a_decoder_has_no_bounds_and_reflects_beyond_the_border():
    module, x = Decoder(3, (4,), (2,)), jnp.ones((1, 4, 4, 2))
    y, variables = jax.jit(module.init_with_output)(KEY, x)
    assert y.shape == (1, 8, 8, 3)
    np.testing.assert_allclose(y, jnp.broadcast_to(y[:, :1, :1], y.shape), atol=1e-6)
    np.testing.assert_allclose(jax.jit(module.apply)(variables, 50 * x), 50 * y, rtol=1e-4)
    net = StyleNet(3, 1, width=4, blocks=1)
    flat, one = jnp.full((1, 16, 16, 3), 0.7), jnp.ones((1, 1))
    restyled, _ = jax.jit(net.init_with_output)(KEY, flat, one)
    np.testing.assert_allclose(restyled, restyled[:, :1, :1] + 0 * restyled, atol=1e-6)
    assert np.abs(restyled).max() <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("system", ["cin", "adain"])
def test_the_network_that_tells_styles_is_not_trained(system, digits16):
    """No player owns it; it is read where it is frozen, and gets nothing of a gradient."""
    phase, _, variables = opening(config(system, digits16), jax.devices()[:1])
    assert "features" in variables.frozen
    owned = {name for player in phase.model.players for name in player.owns}
    assert owned == set(variables.params) == {{"cin": "net", "adain": "decoder"}[system]}


STYLE_SOURCES = ["folder", "npz"]


def picture(level):
    return Image.fromarray(np.full((20, 30, 3), level, np.uint8))


@pytest.mark.parametrize("kind", STYLE_SOURCES)
def test_styles_are_pictures_of_a_folder_or_of_an_npz_one_each(root, kind):
    """In the order of their names; contents and styles are drawn by themselves."""
    levels = (10, 90, 170)
    if kind == "folder":
        for name, level in zip("abc", levels, strict=True):
            write(root, f"{name}.png", image=picture(level))
        path = root
    else:
        path = root / "styles.npz"
        images = np.stack([np.asarray(picture(level)) for level in levels])
        np.savez(path, images=images, names=["a", "b", "c"])
    settings = WORLD | {"styles": str(path)}
    found = styles_of(gm_jax.settings.read(Data, settings), (16, 16))
    assert found.names == ("a", "b", "c")
    assert [image.shape for image in found.images] == [(16, 24, 3)] * 3
    source = data.open_source(settings)
    batch = source.load(np.arange(300))
    np.testing.assert_array_equal(batch["image_b"][:, 0, 0, 0], np.array(levels)[batch["label_b"]])
    assert source.spec["label_b"].cardinality == 3 and source.size is None
    assert np.bincount(batch["label_b"], minlength=3).min() > 70
    test = data.open_source(settings, "test").load(np.arange(7))
    np.testing.assert_array_equal(test["label_b"], np.arange(7) % 3)
    contents = data.open_source({"name": "scenes", "size": 16}, "test").load(np.arange(7))
    np.testing.assert_array_equal(test["image"], contents["image"])


def test_contents_may_be_ones_own_pictures_and_grey_ones_become_colour(root):
    for number in range(4):
        write(root, f"train/{number}.png", f"test/{number}.png", image=picture(50 * number))
    own = WORLD | {"base": "folder", "path": str(root), "crop": "random", "size": 16}
    source = data.open_source(own)
    levels = source.load(np.arange(64))["image"][:, 0, 0, 0]
    assert set(levels) == {0, 50, 100, 150}
    assert data.open_source(own, "test").size == 4
    grey = data.open_source(WORLD | {"base": "digits"}).load(np.arange(3))
    assert grey["image"].shape == (3, 16, 16, 3)


def test_a_style_is_seen_elsewhere_at_each_visit_and_at_its_own_size():
    settings = WORLD | {"crop": "random", "resize": 64}
    source = data.open_source(settings)
    batch = source.load(np.arange(200))
    of_one = batch["image_b"][batch["label_b"] == 4]
    assert len(np.unique(of_one, axis=0)) > len(of_one) // 2
    known = styles_of(gm_jax.settings.read(Data, settings), (16, 16))
    assert all(image.shape == (64, 64, 3) for image in known.images)
    centre = data.open_source(settings, "test").load(np.arange(6))["image_b"]
    expected = np.stack([image[24:40, 24:40] for image in known.images])
    np.testing.assert_array_equal(centre, expected)


def test_a_style_says_nothing_about_its_content():
    """The light of a scene, which is drawn by numbers of the same kind, goes with each style."""
    indices = np.arange(600)
    label = data.open_source(WORLD).load(indices)["label_b"]
    drawn = scenes.drawn(indices)
    for values in (drawn.light, drawn.exposure, drawn.horizon, drawn.x[:, 0]):
        assert abs(np.corrcoef(label, values)[0, 1]) < 0.15


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"data.styles": ""}, "styles to learn are not named: give a folder .*data.styles=PATH"),
        ({"data.styles": "/nowhere/at/all"}, "/nowhere/at/all holds no styles, as it does not"),
        ({"stages": {}}, "say which with stages.features, a workdir or a recipe"),
        ({"style_layers": ("relu9_1",)}, "no map relu9_1: it has relu1_1, relu2_1"),
        ({"style_layers": ()}, "must each name a layer or more"),
        ({"data.size": 18, "data.resize": 18}, "18x18 cannot be halved 2 times"),
        ({"data.name": "scenes", "data.styles": "", "data.resize": None}, "needs `label_b`"),
    ],
)
def test_what_has_no_style_is_refused(overrides, message):
    refuses("style_cin", overrides, message)


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"decoder.widths": (4, 4)}, "decoder.convolutions must be of one length"),
        (
            {"decoder.widths": (4, 4), "decoder.convolutions": (2, 2)},
            "relu2_1 of images of 16x16 is 8x8, which 2 doublings",
        ),
        ({"alpha": 1.5}, "alpha is 1.5: it must be at most 1"),
        ({"data.size": 2, "data.resize": 2}, "leave one pixel at layer relu2_1"),
    ],
)
def test_what_adain_cannot_decode_is_refused(overrides, message):
    refuses("style_adain", overrides, message)


def test_without_styles_the_recipes_say_what_to_give():
    for system in ("cin", "adain"):
        for variant in ("", ":published"):
            settings = gm_jax.load_config(f"configs/style_{system}.py{variant}")
            settings.data.base = "scenes"
            with pytest.raises(gm_jax.UserError, match="give a folder of pictures, or an npz"):
                gm_jax.build(settings)


def told(made, monkeypatch, count=60):
    """What `styles.recognised` says of pictures that a model made of the test split."""
    settings = WORLD | {"size": 32}
    outputs = {"translate": {"image": made}, "blend": {"image": np.stack([made] * 2, axis=1)}}
    monkeypatch.setattr(styles, "sample", lambda trained, count, name, _: outputs[name])
    trained = SimpleNamespace(
        phase=SimpleNamespace(data=ConfigDict(settings)),
        config=ConfigDict({"evaluate": {"split": "test", "weights": ""}}),
    )
    return styles.recognised(trained, count)


@pytest.mark.slow
def test_a_paintings_own_mirror_is_told_and_another_paintings_is_not(monkeypatch):
    """Where things are does not matter; the content, copied, stands beside."""
    truth = data.open_source(WORLD | {"size": 32}, "test").load(np.arange(60))
    rows = told(np.roll(truth["image_b"], 5, axis=1)[:, :, ::-1], monkeypatch)
    row = rows["recognised_random_squeezenet"]
    assert row["value"] > 0.9 and row["chance"] == 1 / 6 and row["copied"] < 0.4
    assert rows["recognised_random_squeezenet_blend_1"]["value"] == row["value"]
    rows = told(np.roll(truth["image_b"], 1, axis=0), monkeypatch)
    assert rows["recognised_random_squeezenet"]["value"] == 0
    assert "chance 0.1667" in gm_jax.report(rows)


def test_a_picture_without_styles_cannot_be_judged():
    trained = SimpleNamespace(
        phase=SimpleNamespace(data=ConfigDict({"name": "scenes"})),
        config=ConfigDict({"evaluate": {"split": "test", "weights": ""}}),
    )
    with pytest.raises(gm_jax.UserError, match="which scenes does not have: choose data.name=styl"):
        styles.recognised(trained, 4)
