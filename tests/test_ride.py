"""RIDE: its density on grids, its spatial LSTM pixel by pixel, what each pixel sees."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import refuses
from scipy.stats import kstest, norm
from twins.inputs import away_from_start

import gm_jax
from gm_jax import data, zoo
from gm_jax.autoregressive import ride
from gm_jax.autoregressive.shared.spatial_lstm import SpatialLSTM
from gm_jax.model import Field
from gm_jax.nn.gaussian_scales import ScaleMixtures
from gm_jax.settings import read

KEY = jax.random.key(0)
SMALL = {"units": 3, "components": 3, "scales": 2, "features": 4}
MIXTURE = ScaleMixtures(3, 2, 4)


def filled(module, *inputs, seed=0, method=None, deviation=0.7):
    """Parameters of a module anywhere but at their beginning."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda *x: module.init(KEY, *x, method=method), *inputs)["params"]
    return jax.tree.map(lambda p: rng.normal(0, deviation, p.shape), shapes)


def sigma(x):
    return 1 / (1 + np.exp(-x))


def opened(layers=1, side=(5, 7), seed=0):
    """A phase on images of one size, its variables away from their start, and a batch."""
    stated = {"system": "ride", "steps": 1, "batch_size": 2, "network": {**SMALL, "layers": layers}}
    module = zoo.SYSTEMS["ride"]
    (phase,) = module.build(read(module.Settings, stated), {"image": Field((*side, 1), 256)}, {})
    levels = np.random.default_rng(seed).integers(0, 256, (40, *side, 1))
    batch = {"image": jnp.float32(levels / 127.5 - 1), "index": jnp.arange(40)}
    return phase.model, away_from_start(phase.model.init, batch), batch


def test_a_mixture_is_its_equations_and_a_density():
    """One gate over components and scales: it adds up to 1, and so does p over y."""
    x, grid = np.random.default_rng(1).normal(size=(5, 2)), np.linspace(-300.0, 300.0, 60_001)
    with jax.enable_x64(True):
        params = filled(MIXTURE, x, np.zeros(5))
        found = [
            MIXTURE.apply({"params": params}, np.broadcast_to(row, (len(grid), 2)), grid)
            for row in x
        ]
    p = params
    precision = np.exp(p["scale"] + p["precision"][:, None])
    for row, values in zip(x, found, strict=True):
        energy = p["weights"] ** 2 @ (row @ p["features"]) ** 2
        gate = np.exp(p["prior"] - 0.5 * np.exp(p["scale"]) * energy[:, None])
        gate /= gate.sum()
        near = np.arange(30_000 - 5, 30_000 + 5)
        expert = norm.pdf(grid[near, None, None], (row @ p["predictors"])[:, None], precision**-0.5)
        np.testing.assert_allclose(np.exp(values[near]), (gate * expert).sum((1, 2)), rtol=1e-10)
        assert abs(np.trapezoid(np.exp(values), grid) - 1.0) < 1e-6


def test_the_conditional_of_a_gaussian_scale_mixture_is_one():
    """p(x, y) = sum_s pi_s N(0, 1 / e^alpha_s): the scale that fits x, fits y."""
    module, x, y = ScaleMixtures(1, 2, 2), np.array([[0.3, -2.0], [1.0, 0.1]]), np.array([0.5, 2.0])
    scale, share = np.array([[-1.0, 1.5]]), np.array([0.3, 0.7])
    params = {
        "predictors": np.zeros((2, 1)), "features": np.eye(2), "weights": np.ones((1, 2)),
        # e^alpha for the two dimensions of x belongs to the prior.
        "prior": np.log(share) + scale, "scale": scale, "precision": np.zeros(1),
    }  # fmt: skip
    deviation = np.exp(-0.5 * scale[0])

    def density(points):
        each = norm.pdf(points[..., None], scale=deviation).prod(-2)
        return (share * each).sum(-1)

    expected = density(np.c_[x, y]) / density(x)
    found = np.exp(module.apply({"params": params}, x, y))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_draws_follow_the_density():
    x, count = jnp.array([0.7, -0.4]), 4000
    params = filled(MIXTURE, x[None], x[:1])
    keys = jax.random.split(KEY, count)
    drawn = MIXTURE.apply({"params": params}, jnp.tile(x, (count, 1)), keys, method="draw")
    grid = np.linspace(-60, 60, 40_001)
    density = np.exp(MIXTURE.apply({"params": params}, jnp.tile(x, (len(grid), 1)), grid))
    below = np.cumsum(density) * (grid[1] - grid[0])
    assert kstest(np.asarray(drawn), lambda y: np.interp(y, grid, below)).pvalue > 0.01


def test_the_spatial_lstm_against_a_walk_over_its_pixels():
    """h = tanh(c o), c of the left and the upper neighbour; taller and wider images."""
    for shape in ((2, 4, 3, 2), (2, 2, 5, 2)):
        x, layer = np.random.default_rng(1).normal(size=shape), SpatialLSTM(3)
        params = filled(layer, x)
        h, c = np.zeros((2, shape[0], shape[1] + 1, shape[2] + 1, 3))
        for i, j in itertools.product(*map(range, shape[1:3])):
            left, above = (slice(None), i + 1, j), (slice(None), i, j + 1)
            gates = x[:, i, j] @ params["inputs"]["kernel"] + params["inputs"]["bias"]
            gates = gates + np.concatenate([h[left], h[above]], -1) @ params["states"]
            g, o, inner, row, column = np.split(gates, 5, -1)
            new = c[left] * sigma(column) + c[above] * sigma(row) + np.tanh(g) * sigma(inner)
            c[:, i + 1, j + 1], h[:, i + 1, j + 1] = new, np.tanh(new * sigma(o))
        found = jax.jit(layer.apply)({"params": params}, x)
        np.testing.assert_allclose(found, h[:, 1:, 1:], atol=1e-5)


def test_it_begins_with_the_papers_weights():
    params = SpatialLSTM(64).init(KEY, jnp.zeros((1, 1, 1, 12)))["params"]
    for weights in (params["inputs"]["kernel"], params["states"]):
        assert 0.079 < np.abs(weights).max() <= 0.08 and abs(weights.mean()) < 0.001
    np.testing.assert_array_equal(params["inputs"]["bias"], 0)


def test_the_vectors_are_a_pixel_and_the_twelve_before_it():
    image = np.arange(5 * 7).reshape(1, 5, 7)
    found = np.asarray(ride.vectors(image))
    assert found.shape == (1, 3, 3, 13)
    corner = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14, 15, 16]
    np.testing.assert_array_equal(found[0, 0, 0], corner)
    np.testing.assert_array_equal(found[0, 2, 1], np.array(corner) + 2 * 7 + 1)


def test_whitened_pixels_have_covariance_one_with_their_noise():
    rng = np.random.default_rng(0)
    levels = np.cumsum(rng.integers(-9, 10, (50, 12, 12)), axis=2) + 128
    found = ride.whitening(jnp.float32(levels))
    values = (levels + rng.uniform(size=levels.shape)) / 256
    z = (np.asarray(ride.vectors(values)).reshape(-1, 13) - found["mean"]) @ found["t"].T
    np.testing.assert_allclose(np.cov(z.T, bias=True), np.eye(13), atol=0.03)
    assert np.all(np.triu(found["t"], 1) == 0)


@pytest.mark.parametrize("layers", [0, 1])
def test_the_density_of_an_interior_pixel_adds_up_to_one(layers):
    """Of pixels from 0 to 1, over all real numbers: with log |det| of the whitening."""
    _, variables, _ = opened(layers, side=(3, 5))
    grid = np.linspace(-40.0, 40.0, 80_001)
    values = jnp.tile(jnp.float32([[0.2, 0.5, 0.4, 0.1, 0.9]] * 3), (len(grid), 1, 1))
    mean, t = variables.state["whitening"]["mean"], variables.state["whitening"]["t"]
    z = (ride.vectors(values.at[:, 2, 2].set(grid)) - mean) @ t.T
    settings = ride.Ride(layers=layers, **SMALL)
    log_p = settings.apply({"params": variables.params["net"]}, z)[:, 0, 0] + jnp.log(t[12, 12])
    assert abs(np.trapezoid(np.exp(np.float64(log_p)), grid) - 1.0) < 1e-3


def test_what_each_pixel_sees():
    """With an LSTM all pixels above and to the left and their neighbours; without, the twelve."""
    shape = (5, 8)
    for layers in (0, 1):
        net, image = ride.Ride(layers=layers, **SMALL), np.random.default_rng(3).normal(size=shape)
        params = filled(net, jnp.zeros((1, 1, 1, 13)))

        def logits(x, net=net, params=params):
            return net.apply({"params": params}, ride.vectors(x[None]))[0]

        slopes = jax.jit(jax.jacobian(logits))(jnp.float32(image))
        for i, j in np.ndindex(slopes.shape[:2]):
            expected = np.zeros(shape, bool)
            for a, b in itertools.product(range(i + 1), range(j + 1)):
                if layers or (a, b) == (i, j):
                    expected[a : a + 2, b : b + 5] = expected[a + 2, b : b + 2] = True
            expected[i + 2, j + 2] = True
            np.testing.assert_array_equal(slopes[i, j] != 0, expected)


@pytest.mark.slow
def test_samples_are_those_of_a_walk_that_applies_the_network_to_all_of_it_each_time():
    """Completed images keep what is given, and their pixels follow one by one."""
    model, variables, batch = opened(2, side=(5, 7))
    batch = {name: x[:4] for name, x in batch.items()}
    made = jax.jit(model.functions["complete"])(variables, batch, KEY)["image"]
    whole, given, made = np.asarray(made).swapaxes(0, 1)
    np.testing.assert_allclose(whole, batch["image"], atol=1e-6)
    np.testing.assert_array_equal(made[:, :2], whole[:, :2])
    np.testing.assert_array_equal(made[:, :, [0, 1, 5, 6]], whole[:, :, [0, 1, 5, 6]])
    np.testing.assert_array_equal(given[:, 2:, 2:5], -1)

    net, drawing = ride.Ride(layers=2, **SMALL), jax.random.split(KEY)
    mean, t = variables.state["whitening"]["mean"], variables.state["whitening"]["t"]
    keys, noise = (jax.vmap(jax.random.fold_in, (None, 0))(k, batch["index"]) for k in drawing)
    levels = np.round((batch["image"][..., 0] + 1) * 127.5)
    values = (levels + jax.vmap(lambda k: jax.random.uniform(k, (5, 7)))(noise)) / 256

    def hidden(module, z):
        for lstm in module.lstms:
            z = lstm(z)
        return z

    for position, (i, j) in enumerate(itertools.product(range(3), range(3))):
        z = (ride.vectors(values) - mean) @ t.T
        own = {"params": variables.params["net"]}
        h = net.apply(own, z[..., :12], method=hidden)[:, i, j]
        here = jax.vmap(jax.random.fold_in, (0, None))(keys, position)
        y = net.apply(own, h, here, method=lambda module, h, keys: module.mixture.draw(h, keys))
        x = ride.vectors(values)[:, i, j, :12] - mean[:12]
        value = jnp.clip(mean[12] + (y - x @ t[12, :12]) / t[12, 12], 0, 1)
        values = values.at[:, i + 2, j + 2].set(value)
    np.testing.assert_allclose(np.minimum(np.floor(256 * values), 255) / 127.5 - 1, made[..., 0],
                               atol=0.009)  # fmt: skip
    assert len(np.unique(made[:, 2:, 2:5])) > 5


def test_photographs_are_crops_with_a_split_by_columns():
    train, test = (
        data.open_source({"name": "photographs", "size": 40}, s) for s in ("train", "test")
    )
    assert train.size == 2 * (427 - 39) * (480 - 39) and test.size == 2 * 10 * 4
    image = train.load(np.array([0, 1, 441, train.size - 1]))["image"]
    assert image.shape == (4, 40, 40, 1) and image.dtype == np.uint8
    np.testing.assert_array_equal(image[0, :, 1:], image[1, :, :-1])
    np.testing.assert_array_equal(image[0, 1:], image[2, :-1])
    tiles = test.load(np.arange(80))["image"].reshape(2, 10, 4, 40, 40)
    from sklearn.datasets import load_sample_images

    grey = np.stack(load_sample_images().images) @ [0.299, 0.587, 0.114]
    strip = tiles.swapaxes(2, 3).reshape(2, 400, 160)
    np.testing.assert_allclose(strip, grey[:, :400, 480:], atol=1)
    np.testing.assert_allclose(image[3, ..., 0], grey[1, -40:, 440:480], atol=1)
    with pytest.raises(gm_jax.UserError, match="at most 160"):
        data.open_source({"name": "photographs", "size": 161})


def test_what_it_is_not_a_model_of_is_refused():
    refuses("ride_photographs", {"data.size": 4}, "more than 2 x 4")
    refuses("ride_photographs", {"data.name": "shapes"}, "grey images")
    refuses("ride_photographs", {"data.binarize": "fixed"}, "density of grey")
