"""SRGAN: networks as published, the second phase begins where the first ends, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, refuses

import gm_jax
from gm_jax.nn.layers import BatchNorm
from gm_jax.nn.upsampling import luminance_psnr
from gm_jax.translation.shared.srresnet import Critic, SRResNet, pixel_shuffle

KEY = jax.random.key(0)


def parameters(module, *shape):
    """How many a module has for images of this shape."""
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    shapes = jax.eval_shape(lambda x: module.init(KEY, x, train=True), x)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def test_the_published_networks_have_as_many_parameters_as_ported():
    """1,549,462 of SRResNet, as sgrvinod's port has; but for biases before batch norms.

    D by hand: convolutions, norms, and a dense layer of 6 x 6 x 512 inputs.
    """
    settings = gm_jax.load_config("configs/srgan_scenes.py:published").to_dict()
    own, other = settings["network"], settings["game"]["discriminator"]
    del other["optimizer"]
    module = SRResNet(3, settings["factor"], **own)
    assert parameters(module, 1, 24, 24, 3) == 1_549_462 - 33 * 64
    pairs = ((64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512))
    convolutions = 9 * 3 * 64 + 64 + sum(9 * a * b + 2 * b for a, b in pairs)
    dense = 6 * 6 * 512 * 1024 + 1024 + 1024 + 1
    assert parameters(Critic(**other), 1, 96, 96, 3) == convolutions + dense


def test_a_pixel_shuffle_has_the_authors_order_of_channels():
    """Channel 4c + 2i + j goes to row 2h + i, column 2w + j; not depth_to_space's order."""
    x = np.arange(2 * 2 * 3 * 8).reshape(2, 2, 3, 8)
    y = np.zeros((2, 4, 6, 2))
    for b, h, w, c, i, j in np.ndindex(2, 2, 3, 2, 2, 2):
        y[b, 2 * h + i, 2 * w + j, c] = x[b, h, w, 4 * c + 2 * i + j]
    np.testing.assert_array_equal(pixel_shuffle(jnp.asarray(x)), y)


def test_srresnet_begins_with_slopes_of_a_quarter_and_ends_linearly():
    """No tanh, against which [0, 1] or normalised pictures would be trained; 4 times the sides."""
    module, x = SRResNet(3, 4, width=4, blocks=1), jax.random.uniform(KEY, (2, 4, 5, 3))
    variables = jax.jit(lambda x: module.init(KEY, x, train=True))(x)
    slopes = [v["negative_slope"] for k, v in variables["params"].items() if "PReLU" in k]
    assert len(slopes) == 4 and all(slope == 0.25 for slope in slopes)
    apply = jax.jit(lambda variables: module.apply(variables, x, train=False))
    y = apply(variables)
    assert y.shape == (2, 16, 20, 3)
    last = jax.tree.map(lambda p: 50.0 * p, variables["params"]["Conv_6"])
    larger = apply({**variables, "params": {**variables["params"], "Conv_6": last}})
    np.testing.assert_allclose(larger, 50.0 * y, rtol=1e-4, atol=1e-4)
    assert np.abs(larger).max() > 1.5


def test_a_batch_norm_keeps_small_variances():
    """Of 1e-3 it makes 1: an epsilon of 0.8 would leave the map all but flat."""
    x = 0.03 * jax.random.normal(KEY, (8, 6, 6, 2))
    module = BatchNorm(True)
    variables = module.init(KEY, x)
    y, _ = module.apply(variables, x, mutable=["batch_stats"])
    scale = variables["params"]["BatchNorm_0"]["scale"]
    np.testing.assert_allclose(y.std((0, 1, 2)), np.abs(scale), rtol=0.02)


@pytest.mark.slow
def test_the_generator_goes_on_where_srresnet_ended():
    """Its weights and its statistics; D begins anew."""
    settings = config("srgan", "")
    *_, first, second = gm_jax.build(settings)
    assert (first.name, second.name) == ("srresnet", "srgan")
    assert [p.name for p in first.model.players] == ["generator"]
    batch = {"image": jax.random.uniform(KEY, (4, 16, 16, 3), minval=-1)}

    @jax.jit
    def begun(batch):
        before = first.model.init(jax.random.key(1), batch, None)
        before = jax.tree.map(lambda x: x + 1.0, before)
        return before, second.model.init(jax.random.key(2), batch, before)

    before, after = begun(batch)
    for part in ("params", "state"):
        old, new = (getattr(v, part)["generator"] for v in (before, after))
        jax.tree.map(np.testing.assert_array_equal, old, new)
        assert set(getattr(after, part)) == {"generator", "discriminator"}


def test_luminance_is_of_levels_inside_the_border():
    """One grey level apart is 10 log10(255^2 / (219/255)^2); what is at the border does not count,
    nor what rounding to 8 bits and clipping removes."""
    x = np.zeros((1, 12, 12, 3), np.float32) + 1 / 255
    y = x + 2 / 255
    y[:, :4], x[:, :, -4:] = 1.0, -1.0
    expected = 10 * np.log10(255**2 / (219 / 255) ** 2)
    np.testing.assert_allclose(luminance_psnr(x, y, 4), expected, rtol=1e-4)
    near = luminance_psnr(x, x + 0.3 / 255, 4)
    assert near[0] > 100 and luminance_psnr(1.0 + 0 * x, 1.5 + 0 * x, 4)[0] > 100


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"stages": {}}, "say which with stages.features, a workdir or a recipe"),
        ({"factor": 3}, "factor is 3: it must be 2, 4 or 8"),
        ({"data.size": 18}, "factor 4 does not divide the sides of 18x18"),
        ({"game.discriminator.levels": 5}, "16x16 cannot be halved 5 times"),
    ],
)
def test_what_cannot_be_enlarged_is_refused(overrides, message):
    refuses("srgan_scenes", overrides, message)


def test_srresnet_alone_is_one_phase():
    settings = gm_jax.load_config("configs/srgan_scenes.py:srresnet")
    assert [phase.name for phase in gm_jax.build(settings)][1:] == ["srresnet"]
