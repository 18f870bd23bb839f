"""Models of pixels on spaces so small that every probability and every dependence can be seen."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import perturb

from gm_jax import UserError, zoo
from gm_jax.autoregressive import fvbn, nade
from gm_jax.autoregressive.pixelcnn import PixelCNN
from gm_jax.autoregressive.pixelcnnpp import PixelCNNpp
from gm_jax.autoregressive.pixelrnn import PixelRNN
from gm_jax.autoregressive.shared import lstm, pixels
from gm_jax.causal import log_prob, sample, sample_naive
from gm_jax.losses import logistic_mixture
from gm_jax.model import Field
from gm_jax.nn.gated_pixelcnn import GatedPixelCNN
from gm_jax.nn.masked import scaled
from gm_jax.settings import read

KEY = jax.random.key(0)
SMALL = dict(layers=2, width=6, head=12, first_size=3)
COMPONENTS = 2
# Each: (levels, colors) -> network of pixels.
NETWORKS = {
    "pixelcnn": functools.partial(PixelCNN, **SMALL),
    "gated_pixelcnn": functools.partial(GatedPixelCNN, **SMALL),
    "gated_of_a_class": functools.partial(GatedPixelCNN, **SMALL, classes=3),
    "gated_of_codes": functools.partial(GatedPixelCNN, **SMALL, embedding=4),
    "row": functools.partial(PixelRNN, lstm="row", **SMALL),
    "diagonal": functools.partial(PixelRNN, lstm="diagonal", **SMALL),
    "pixelcnnpp": lambda levels, colors: PixelCNNpp(
        levels, logistic_mixture.parameters(COMPONENTS, colors), blocks=1, width=4, classes=3
    ),
}
MODELS = [*NETWORKS, "nade", "fvbn"]
IN_COLOR = [name for name in NETWORKS if name != "gated_of_codes"]


def model(name, shape, levels=2, count=3, seed=0):
    """A model anywhere but at its beginning: causal, params, labels [count], nats(x, label)."""
    if name == "nade":
        causal, label = nade.causal(), None
        params = jax.eval_shape(lambda: nade.parameters(KEY, math.prod(shape), 6))
    elif name == "fvbn":
        causal, label = fvbn.causal(), None
        params = jax.eval_shape(lambda: fvbn.parameters(math.prod(shape)))
    else:
        net = NETWORKS[name](levels, shape[-1])
        finish = None
        if name == "pixelcnnpp":
            finish = functools.partial(_logits, levels=levels)
        causal = pixels.causal(net, shape, finish, margin=name == "diagonal")
        label = jnp.arange(count) % 3 if getattr(net, "classes", 0) else None
        params = jax.eval_shape(net.init, KEY, jnp.zeros((count, *shape), int), label)["params"]
    rng = np.random.default_rng(seed)
    params = jax.tree.map(lambda p: jnp.float32(rng.normal(0, 0.4, p.shape)), params)

    def nats(x, label):
        if name != "pixelcnnpp":
            return log_prob(causal, params, x, label)
        raw = net.apply({"params": params}, x.reshape(-1, *shape), label)
        values = scaled(x.reshape(-1, *shape), levels)
        return logistic_mixture.log_prob(values, raw, COMPONENTS, levels)

    return causal, params, label, jax.jit(nats)


def _logits(x, raw, levels):
    return logistic_mixture.level_logits(scaled(x, levels), raw, COMPONENTS, levels)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name,shape",
    [(name, (2, 3, 1)) for name in MODELS] + [(name, (1, 2, 3)) for name in IN_COLOR],
)
def test_probabilities_of_all_images_add_up_to_one(name, shape):
    every = jnp.array(list(itertools.product(range(2), repeat=6)))
    _, _, label, nats = model(name, shape, count=64)
    same = None if label is None else jnp.full(64, 2)
    values = np.exp(nats(every, same))
    np.testing.assert_allclose(values.sum(), 1.0, rtol=1e-4)
    assert values.std() > 1e-4


def sight(name, shape):
    """[s, t]: whether outputs of position t change with the symbol at s, for some parameters."""
    length = math.prod(shape)
    apply = jax.jit(model(name, shape)[0].apply)
    x = jax.random.randint(KEY, (length,), 0, 2)
    # Each beside itself in the same row of a batch: another row may be rounded in another way.
    pairs = jnp.tile(x, (length, 1)), jnp.where(jnp.eye(length, dtype=bool), 1 - x, x)
    seen = np.zeros((length, length), bool)
    for seed in range(8):  # One network alone may be blind where its ReLUs are silent.
        _, params, label, _ = model(name, shape, seed=seed)
        label = None if label is None else jnp.zeros(length, int)
        before, after = (np.asarray(apply(params, x, label)) for x in pairs)
        seen |= (before != after).reshape(length, length, -1).any(-1)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("pixelcnn", "row")])
def test_a_position_sees_all_positions_before_it_and_none_after(name):
    """No blind spot: two stacks, two directions, or one hidden layer of all."""
    np.testing.assert_array_equal(sight(name, (3, 4, 1)), ~np.tri(12, dtype=bool))


@pytest.mark.parametrize("name", ["pixelcnn", "row"])
def test_the_blind_spot_of_one_stack_and_the_triangle_of_row_lstms_are_as_known(name):
    """Up and to the right at most one column a row; everything else before the pixel is seen."""
    row, column = np.divmod(np.arange(12), 4)
    right, down = column[:, None] - column, row - row[:, None]
    before, seen = ~np.tri(12, dtype=bool), sight(name, (3, 4, 1))
    np.testing.assert_array_equal(seen, before & (right <= down))


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_COLOR)
def test_colors_follow_one_another_within_a_pixel(name):
    """Green sees red, blue sees both, and none sees itself."""
    np.testing.assert_array_equal(sight(name, (2, 2, 3)), ~np.tri(12, dtype=bool))


@pytest.mark.parametrize(
    "name,shape",
    [(name, (3, 4, 1)) for name in MODELS]
    + [pytest.param(name, (2, 2, 3), marks=pytest.mark.slow) for name in IN_COLOR],
)
def test_cached_is_uncached_and_so_are_the_samples(name, shape):
    levels, length = 2 if name in ("nade", "fvbn") else 3, 12
    causal, params, label, _ = model(name, shape, levels)
    x = jax.random.randint(KEY, (3, length), 0, levels)

    keys = jax.random.split(KEY, 3)

    @jax.jit
    def every_way(x):
        def body(cache, position):
            return causal.step(params, cache, x[:, position - 1], position)

        _, outputs = jax.lax.scan(body, causal.begin(params, 3, label), jnp.arange(length))
        whole = causal.apply(params, x, label)
        drawn = (s(causal, params, keys, length, label, x[:, :4]) for s in (sample, sample_naive))
        return outputs.swapaxes(0, 1), whole, *drawn

    steps, whole, cached, naive = every_way(x)
    np.testing.assert_allclose(steps, whole, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(cached, naive)
    np.testing.assert_array_equal(cached[:, :4], x[:, :4])
    assert len(np.unique(cached[:, 4:])) > 1


def test_a_class_changes_the_probabilities():
    nats = model("gated_of_a_class", (2, 3, 1))[-1]
    assert len(np.unique(nats(jnp.ones((3, 6), int), jnp.arange(3)))) == 3


def test_nade_is_its_equations():
    """h_t = sigma(c + W_<t x_<t) and p = sigma(b_t + V_t h_t), each position from the beginning."""
    params = jax.tree.map(np.asarray, model("nade", (2, 3, 1))[1])
    x = np.random.default_rng(0).integers(0, 2, (5, 6))
    outputs = nade.causal().apply(params, jnp.asarray(x), None)
    for t in range(6):
        h = 1 / (1 + np.exp(-(params["c"] + x[:, :t] @ params["w"][:t])))
        white = params["b"][t] + h @ params["v"][t]
        np.testing.assert_allclose(outputs[:, t, 1] - outputs[:, t, 0], white, atol=1e-5)


def test_fvbn_is_a_logistic_regression_of_each_pixel_on_those_before_it():
    params = jax.tree.map(np.asarray, model("fvbn", (2, 3, 1))[1])
    x = np.random.default_rng(0).integers(0, 2, (5, 6))
    outputs = fvbn.causal().apply(params, jnp.asarray(x), None)
    for t in range(6):
        white = params["b"][t] + x[:, :t] @ params["w"][t, :t]
        np.testing.assert_allclose(outputs[:, t, 1] - outputs[:, t, 0], white, atol=1e-5)


def built(name, spec, **settings):
    """The phases of a system in its default settings."""
    system = zoo.SYSTEMS[name]
    stated = {"system": name, "steps": 1, "batch_size": 2, **settings}
    return system.build(read(system.Settings, stated), spec, {})


def test_nade_keeps_one_order_and_completes_what_comes_later_in_it():
    spec = {"image": Field((2, 3, 1), 2)}
    (phase,) = built("nade", spec, units=8)
    every = jnp.array(list(itertools.product([-1.0, 1.0], repeat=6))).reshape(64, 2, 3, 1)
    batch = {"image": every, "index": jnp.arange(64)}
    variables = phase.model.init(KEY, batch, None)
    order = np.asarray(variables.state["order"])
    assert sorted(order) == list(range(6)) and list(order) != list(range(6))
    variables = variables._replace(params=perturb(variables.params, 1.0))
    functions = phase.model.functions
    values = jax.jit(functions["log_prob"])(variables, batch, KEY)
    np.testing.assert_allclose(np.exp(values["log_likelihood"]).sum(), 1.0, rtol=1e-5)
    bits = -values["log_likelihood"] / (6 * math.log(2))
    np.testing.assert_allclose(values["bits_per_dimension"], bits, rtol=1e-5)
    # A pixel's distribution moves with those before it in the order, not with those after it.
    flat = np.asarray(jax.jit(functions["complete"])(variables, batch, KEY)["image"])
    original, visible, completed = flat.reshape(64, 3, 6).swapaxes(0, 1)
    np.testing.assert_array_equal(completed[:, order[:3]], original[:, order[:3]])
    np.testing.assert_array_equal(visible[:, order[3:]], 0)
    assert (completed[:, order[3:]] != original[:, order[3:]]).any()
    assert set(np.unique(completed)) == {-1.0, 1.0}


def _lstm(cls, x):
    layer = cls(width=3)
    rng, params = np.random.default_rng(0), jax.eval_shape(layer.init, KEY, x)["params"]
    params = jax.tree.map(lambda p: rng.normal(0, 0.5, p.shape), params)
    return params, np.asarray(jax.jit(layer.apply)({"params": params}, x))


def _cell(gates, c):
    def sigma(x):
        return 1 / (1 + np.exp(-x))

    o, f, i, g = np.split(gates, 4, axis=-1)
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    return sigma(o) * np.tanh(c), c


def test_the_row_lstm_against_a_walk_over_its_pixels():
    """Section 3.1: gates from the row so far, states of the three pixels above."""
    x = np.random.default_rng(1).normal(size=(2, 4, 5, 2))
    params, found = _lstm(lstm.RowLSTM, x)
    kernel, bias = params["MaskedConv_0"]["kernel"], params["MaskedConv_0"]["bias"]
    hs, cs = np.zeros((2, 2, 5, 7, 3))  # A row above and a column on either side.
    for i, j in itertools.product(range(4), range(5)):
        beside = x[:, i, j - 1] if j else np.zeros((2, 2))
        gates = beside @ kernel[0, 0] + x[:, i, j] @ kernel[0, 1] + bias
        gates = gates + hs[:, i, j : j + 3].reshape(2, -1) @ params["state"]
        hs[:, i + 1, j + 1], cs[:, i + 1, j + 1] = _cell(gates, cs[:, i, j + 1])
    np.testing.assert_allclose(found, hs[:, 1:, 1:-1], atol=1e-5)


def test_the_diagonal_lstm_against_a_walk_over_its_pixels():
    """Section 3.2: states of the neighbours beside and above; from the right, one row lower."""
    x = np.random.default_rng(1).normal(size=(2, 4, 5, 2))
    params, found = _lstm(lstm.DiagonalBiLSTM, x)

    def walk(x, side):
        kernel, bias = params[f"{side}_inputs"]["kernel"][0, 0], params[f"{side}_inputs"]["bias"]
        hs, cs = np.zeros((2, 2, 5, 6, 3))  # A row above and a column to the left.
        for i, j in itertools.product(range(4), range(5)):
            near = np.concatenate([hs[:, i + 1, j], hs[:, i, j + 1]], axis=-1)
            gates = x[:, i, j] @ kernel + bias + near @ params[f"{side}_state"]
            hs[:, i + 1, j + 1], cs[:, i + 1, j + 1] = _cell(gates, cs[:, i + 1, j])
        return hs[:, 1:, 1:]

    expected = walk(x, "left")
    expected[:, 1:] += walk(x[:, :, ::-1], "right")[:, :-1, ::-1]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_skewing_turns_diagonals_into_columns_and_back():
    x = jnp.arange(24.0).reshape(1, 3, 4, 2)
    skewed = lstm.skew(x)
    assert skewed.shape == (1, 3, 6, 2)
    for i, j in itertools.product(range(3), range(4)):
        np.testing.assert_array_equal(skewed[:, i, i + j], x[:, i, j])
    np.testing.assert_array_equal(lstm.unskew(skewed), x)


def test_what_a_model_of_pixels_cannot_do_is_said_in_a_line():
    grey, black = {"image": Field((2, 3, 1), 256)}, {"image": Field((2, 3, 1), 2)}
    for name, spec, settings, message in (
        ("nade", grey, {}, 'black and white.*data.binarize="fixed"'),
        ("gated_pixelcnn", black, {"conditional": True}, "no labels: set conditional=False"),
        ("pixelcnnpp", grey, {"conditional": True}, "no labels: set conditional=False"),
        ("pixelcnn", {"text": Field((9,), 4)}, {}, "this system needs `image`"),
        ("pixelrnn", black, {"network": {"lstm": "rows"}}, "must be one of: row, diagonal"),
        ("pixelcnn", black, {"network": {"size": 4}}, "network.size is 4: it must be odd"),
        ("gated_pixelcnn", black, {"network": {"layers": 0}}, "network.layers is 0: .* at least 1"),
        ("pixelcnnpp", grey, {"network": {"dropout": 1.0}}, "dropout is 1.0: it must be below 1"),
        ("pixelcnnpp", grey, {"components": 0}, "components is 0: it must be at least 1"),
        ("nade", black, {"unit": 8}, "unknown setting unit .did you mean units"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            built(name, spec, **settings)
        assert "\n" not in str(caught.value)
