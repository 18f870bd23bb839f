"""Gates, links and heads against NumPy in float64: what causality and sums to one do not show.

And what is as easily lost unseen: the ones beside PixelCNN++'s values, its smallest scale, and what
a GPT's weight decay holds for.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.autoregressive import gpt, latent_prior
from gm_jax.autoregressive.pixelcnnpp import PixelCNNpp
from gm_jax.autoregressive.wavenet import Dilated, GatedLayer
from gm_jax.losses import logistic_mixture
from gm_jax.model import Field, GenerativeModel, Stage
from gm_jax.nn.gated_pixelcnn import GatedPixelCNN
from gm_jax.settings import read

KEY = jax.random.key(0)
LABEL = np.array([0, 2])
IMAGE = np.random.default_rng(1).integers(0, 3, (2, 4, 5, 1))
VALUES = IMAGE - 1.0


def somewhere(net, *inputs):
    """Parameters away from their start, and the network's outputs, in float64."""
    with jax.enable_x64(True):
        shapes = jax.eval_shape(net.init, KEY, *inputs)["params"]
        rng = np.random.default_rng(0)
        params = jax.tree.map(lambda p: rng.normal(0, 0.6, p.shape), shapes)
        return params, jax.device_get(jax.jit(net.apply)({"params": params}, *inputs))


def assert_same(found, expected):
    assert found.dtype == np.float64 and np.std(expected) > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def sigma(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def elu(x):
    return np.where(x > 0, x, np.expm1(x))


def concat_elu(x):
    return np.concatenate([elu(x), elu(-x)], axis=-1)


def gate(x):
    filtered, opened = np.split(x, 2, axis=-1)
    return np.tanh(filtered) * sigma(opened)


def dense(params, x):
    return x @ params["kernel"] + params["bias"]


def conv(params, x, left, hidden=()):
    """Over rows i - up .. i and columns from j - left; `hidden` entries of the kernel are zero."""
    kernel, (_, height, width, _) = params["kernel"].copy(), x.shape
    for entry in hidden:
        kernel[entry] = 0
    rows, columns = kernel.shape[:2]
    x = np.pad(x, ((0, 0), (rows - 1, 0), (left, columns - 1 - left), (0, 0)))
    products = (
        x[:, i : i + height, j : j + width] @ kernel[i, j] for i, j in np.ndindex(rows, columns)
    )
    return sum(products) + params["bias"]


def lowered(x):
    return np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)


def of_label(params):
    return params["embedding"][LABEL][:, None, None]


def wavenet_layer(params, x, dilation):
    """tanh(W_f * x + V_f h) sigma(W_g * x + V_g h); the sum with its 1x1, and the skip's 1x1."""
    past = np.concatenate([np.zeros_like(x[:, :dilation]), x[:, :-dilation]], axis=1)
    both = dense(params["taps"], np.concatenate([past, x], axis=-1))
    z = gate(both + params["condition"]["embedding"][LABEL][:, None])
    return x + dense(params["residual"], z) if "residual" in params else x, dense(params["out"], z)


@pytest.mark.parametrize("last", [False, True])
def test_a_layer_of_wavenet_is_its_equation(last):
    x = np.random.default_rng(2).normal(size=(2, 7, 3))
    layer = GatedLayer(3, 4, dilation=2, classes=3, last=last, dtype=jnp.float64)
    params, found = somewhere(layer, x, LABEL)
    for a, b in zip(found, wavenet_layer(params, x, 2), strict=True):
        assert_same(a, b)
    assert ("residual" in params) is not last


def test_wavenets_head_is_a_relu_before_each_of_two_products():
    x = np.random.default_rng(2).integers(0, 5, (2, 7))
    network = Dilated(5, (1, 2), 3, 4, classes=3, dtype=jnp.float64)
    params, found = somewhere(network, x, LABEL)
    h = params["tokens"]["embedding"][x]
    h = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1)
    h, first = wavenet_layer(params["layers_0"], h, 1)
    _, second = wavenet_layer(params["layers_1"], h, 2)
    hidden = dense(params["hidden"], relu(first + second))
    assert (first + second).min() < 0 and hidden.min() < 0
    assert_same(found, dense(params["logits"], relu(hidden)))


def test_the_two_stacks_of_the_gated_pixelcnn_are_figure_2():
    """Vertical to horizontal one row lower, before its gate; the sum past a layer in one alone."""
    network = GatedPixelCNN(
        3, layers=2, width=2, head=4, first_size=5, classes=3, dtype=jnp.float64
    )
    params, found = somewhere(network, IMAGE, LABEL)
    v, h = params["vertical"], params["horizontal"]

    def row(layer, x, vertical, hidden=()):
        wide = conv(h[f"MaskedConv_{2 * layer}"], x, 1 if layer else 2, hidden)
        wide = wide + dense(h[f"Dense_{layer}"], lowered(vertical))
        y = gate(wide + of_label(h[f"Embed_{layer}"]))
        return conv(h[f"MaskedConv_{2 * layer + 1}"], y, 0)

    above = conv(v["RowConv_0"], VALUES, 2)
    x = row(0, VALUES, above, hidden=[(0, 2)])
    for layer in (1, 2):
        above = gate(above + of_label(v[f"Embed_{layer - 1}"]))
        above = conv(v[f"RowConv_{layer}"], above, 1)
        x = x + row(layer, x, above)
    hidden = conv(h["MaskedConv_6"], relu(x), 0)
    assert x.min() < 0 and hidden.min() < 0
    assert_same(found, conv(h["MaskedConv_7"], relu(hidden), 0)[..., None, :])


def pixelcnnpp_block(params, name, number, x, link=None, extra=None):
    """x + a sigma(b): two convolutions of concat_elu, and 1x1 of the extra inputs."""
    y = conv(params[f"{name}_{2 * number + 1}"], concat_elu(x), 1)
    if link is not None:
        y = y + dense(params[f"Dense_{link}"], concat_elu(extra))
    y = conv(params[f"{name}_{2 * number + 2}"], concat_elu(y), 1)
    a, b = np.split(y + of_label(params[f"Embed_{number}"]), 2, axis=-1)
    return x + a * sigma(b)


def test_the_blocks_of_pixelcnnpp_are_gated_residuals_joined_by_short_cuts():
    network = PixelCNNpp(3, outputs=5, blocks=2, width=2, classes=3, dtype=jnp.float64)
    params, found = somewhere(network, IMAGE, LABEL)
    v, h = params["vertical"], params["horizontal"]
    image = np.concatenate([VALUES, np.ones_like(VALUES)], axis=-1)

    first = conv(v["RowConv_0"], image, 1)
    second = pixelcnnpp_block(v, "RowConv", 0, first)
    third = pixelcnnpp_block(v, "RowConv", 1, second)
    fourth = pixelcnnpp_block(v, "RowConv", 2, third, 0, second)
    fifth = pixelcnnpp_block(v, "RowConv", 3, fourth, 1, first)
    above = [lowered(x) for x in (first, second, third, fourth, fifth)]

    def block(number, x, *skipped):
        extra = np.concatenate([above[number + 1], *skipped], axis=-1)
        return pixelcnnpp_block(h, "MaskedConv", number, x, number + 1, extra)

    first = conv(h["MaskedConv_0"], image, 1, hidden=[(1, 1), (1, 2)])
    first = first + dense(h["Dense_0"], concat_elu(above[0]))
    second = block(0, first)
    fourth = block(2, block(1, second), second)
    fifth = block(3, fourth, first)
    assert_same(found, dense(h["Dense_5"], elu(fifth)))


def test_pixelcnnpp_gives_every_value_a_one():
    x = np.array([[0, 1, 2], [2, 2, 1]])
    embedded = PixelCNNpp(3, 1).apply({}, x, method="embed")
    np.testing.assert_array_equal(embedded, [[-1, 1, 0, 1, 1, 1], [1, 1, 1, 1, 0, 1]])


def test_pixelcnnpp_tells_grey_from_the_padding_around_it():
    """All inputs are zero, and all biases at first: only the ones show where the borders are."""
    net, grey = PixelCNNpp(3, 4, blocks=1, width=4), jnp.ones((1, 14, 18, 1), int)
    outputs, _ = jax.jit(net.init_with_output)(KEY, grey)
    (outputs,) = np.asarray(outputs)
    inside = outputs[-1, 11]
    np.testing.assert_allclose(outputs[12:, 10:13], np.broadcast_to(inside, (2, 3, 4)), atol=1e-5)
    for border in (outputs[0], outputs[:, 0], outputs[:, -1]):
        assert np.all(np.abs(border - inside).max(-1) > 1e-3)


def test_the_smallest_log_scale_of_a_logistic_is_minus_seven():
    raw = jnp.array([[0.0, 0.0, raw_scale] for raw_scale in (-50.0, -7.1, -6.9, 2.0)])
    log_scales = logistic_mixture.split(raw, components=1, colors=1)[2]
    np.testing.assert_allclose(np.ravel(log_scales), [-7.0, -7.0, -6.9, 2.0], rtol=1e-6)


TRANSFORMER = {"width": 8, "heads": 2, "layers": 1}


def small(system, **settings):
    optimizer = {"name": "adamw", "learning_rate": 0.5, "weight_decay": 0.2}
    stated = {"system": "", "steps": 1, "batch_size": 2, "optimizer": optimizer, **settings}
    return read(system.Settings, stated)


def gpt_of_text():
    """Over windows of nine characters."""
    spec, batch = {"text": Field((9,), 4, "\nabc")}, {"text": np.zeros((2, 9), int)}
    return *gpt.build(small(gpt, network=TRANSFORMER), spec, {}), batch


def gpt_of_codes():
    """Over the codes of a first stage, given the class."""
    spec = {"image": Field((8, 8, 1), 2), "label": Field((), 3)}
    codes = Stage(GenerativeModel(None, (), {}, {**spec, "code": Field((2, 3), 4)}), None)
    network = {"name": "gpt", "gpt": TRANSFORMER}
    settings = small(latent_prior, network=network, conditional=True)
    batch = {"index": np.arange(2), "label": LABEL}
    return *latent_prior.build(settings, spec, {"codes": codes}), batch


@pytest.mark.parametrize("build", [gpt_of_text, gpt_of_codes])
def test_adamw_decays_the_matrices_of_a_gpt_and_no_bias_or_scale(build):
    """Without a gradient a step is -rate * decay * parameter, here -0.5 * 0.2 * 3."""
    phase, batch = build()
    (player,) = phase.model.players
    params = jax.eval_shape(lambda: phase.model.init(KEY, batch, None).params)
    params = jax.tree.map(lambda p: np.full(p.shape, 3.0, np.float32), params)
    still = jax.tree.map(np.zeros_like, params)
    steps, _ = jax.jit(player.optimizer.update)(still, player.optimizer.init(params), params)
    expected = dict(kernel=-0.3, embedding=-0.3, positions=-0.3, bias=0.0, scale=0.0)
    leaves = {jax.tree_util.keystr(k): v for k, v in jax.tree_util.tree_leaves_with_path(steps)}
    kinds = {name: name.split("'")[-2] for name in leaves}
    assert set(kinds.values()) == set(expected)
    for name, step in leaves.items():
        np.testing.assert_allclose(step, expected[kinds[name]], rtol=1e-5, err_msg=name)
