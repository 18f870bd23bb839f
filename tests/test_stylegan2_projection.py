"""Images found again: the authors' numbers, and a generator's own sample."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from stylegan2_golden import description, golden, needs_golden
from test_stylegan2 import generator
from test_stylegan2_published import opened

import gm_jax
from gm_jax.adversarial.shared import path_length
from gm_jax.adversarial.shared.styles import repeated
from gm_jax.adversarial.stylegan2 import projection
from gm_jax.adversarial.stylegan2.published import open_published
from gm_jax.errors import UserError
from gm_jax.model import Variables
from gm_jax.nn.layers import normal
from gm_jax.recipes import schema_of
from gm_jax.settings import read


@needs_golden
def test_the_deviation_of_w_and_the_penalty_of_noise():
    with jax.enable_x64(True):
        mapping, _, noise, _ = generator("g_skip")
        _, sigma = projection.spread(mapping(golden("in/z_many")))
        np.testing.assert_allclose(sigma, description()["w_std_of_64"], rtol=1e-10)
        penalty = projection.noise_penalty([jnp.asarray(x) for x in noise])
        np.testing.assert_allclose(penalty, description()["noise_penalty"], rtol=1e-10)


def test_the_rate_rises_and_falls():
    rates = [float(projection.rate(t)) for t in (0.0, 0.025, 0.05, 0.75, 0.875, 1.0)]
    np.testing.assert_allclose(rates, [0.0, 0.05, 0.1, 0.1, 0.05, 0.0], atol=1e-6)


@pytest.mark.parametrize("share", [0.15, 0.3, 0.75, 0.9])
def test_w_is_shaken_by_less_and_less(share):
    """A step says where the slope was taken, if an image is w itself: at w + e."""
    nets = types.SimpleNamespace(layers=4, images=lambda variables, styles, noise: styles[:, 0])
    sigma, (x, w) = 3.0, (jax.random.normal(jax.random.key(n), (2, 4000)) for n in range(2))
    tool, found = optax.sgd(1.0), (w, [])
    (after, _), _, _ = projection._step(
        nets, tool, lambda x, y: jnp.sum((x - y) ** 2, axis=-1), 1e5, None, x, found,
        tool.init(found), sigma, share, jax.random.key(3),
    )  # fmt: skip
    shaken = (w - after) / (2.0 * projection.rate(share)) + x - w
    expected = 0.05 * sigma * max(0.0, 1.0 - share / 0.75) ** 2
    np.testing.assert_allclose(shaken.std(), expected, rtol=0.05, atol=1e-5)
    correlation = np.corrcoef(shaken)[0, 1] if expected else 0.0
    assert abs(correlation) < 0.06  # Each image by numbers of its own.


@pytest.mark.slow
@needs_golden
def test_its_own_sample_comes_back(tmp_path, monkeypatch):
    """By pixels alone, of a generator of 8 x 8 pixels: at 25 dB and more."""
    monkeypatch.setattr(projection, "DRAWS", 200)
    trained = gm_jax.load(tmp_path, opened())
    settings = read(schema_of(trained.config), trained.config)
    nets, variables = open_published(settings).nets, trained.variables
    label = jnp.array([0, 2])
    w = nets.mapping(variables, jax.random.normal(jax.random.key(3), (2, 8)), label)
    target = nets.synthesis(variables, repeated(nets, w), variables.state["noise"])
    found = projection.project(trained, target, steps=200, weight=1.0, label=label)
    assert found.images.shape == target.shape and found.errors[-1] < 0.1 * found.errors[0]
    for x, y in zip(target, found.images, strict=True):
        span = jnp.max(x) - jnp.min(x)
        assert -10 * jnp.log10(jnp.mean((x - y) ** 2) / span**2) > 25
    for x in found.noise:
        np.testing.assert_allclose(jnp.mean(x, axis=(1, 2)), 0.0, atol=1e-5)
        np.testing.assert_allclose(jnp.mean(x**2, axis=(1, 2)), 1.0, rtol=1e-4)
    with pytest.raises(UserError, match="the generator makes images of"):
        projection.project(trained, target[:, :4], 1)


def linear(a):
    """Networks whose images are A w, of w = z."""
    return types.SimpleNamespace(
        latents=a.shape[1], layers=4, classes=0, maps=lambda keys: [],
        mapping=lambda variables, z, label: z,
        images=lambda variables, styles, noise: styles[:, 0] @ a.T,
    )  # fmt: skip


@pytest.mark.parametrize("space", path_length.SPACES)
def test_the_path_length_of_a_linear_generator_is_the_slope_of_the_path(space):
    with jax.enable_x64(True):
        a, batch = jax.random.normal(jax.random.key(0), (5, 3)), {"index": jnp.arange(6)}

        def squares(x, y):
            return jnp.sum((x - y) ** 2, axis=-1)

        seen = []

        def spied(x, y):
            seen.append((x, y))
            return squares(x, y)

        inputs = linear(a), spied, space, 1e-5, None, batch, jax.random.key(1)
        values = path_length._values(*inputs)
        ((x, y),) = seen
        slope = (y - x) / 1e-5
        np.testing.assert_allclose(values, jnp.sum(slope**2, axis=-1), rtol=1e-8)
        if space == "w":  # The slope is A (w2 - w1), wherever on the path.
            other = path_length._values(*inputs[:3], 1e-2, *inputs[4:])
            np.testing.assert_allclose(values, other, rtol=1e-6)


def test_both_images_of_a_step_have_one_noise_and_steps_begin_anywhere_on_the_path():
    """Between w of 0 and of 1, which are told apart by their order."""
    ends = iter((0.0, 1.0))
    nets = types.SimpleNamespace(
        latents=3, layers=2, classes=0, maps=lambda keys: [normal(keys, (3,))],
        mapping=lambda variables, z, label: jnp.full_like(z, next(ends)),
        images=lambda variables, styles, noise: (styles[:, 0], noise[0]),
    )  # fmt: skip
    batch, seen = {"index": jnp.arange(400)}, []

    def spied(x, y):
        seen.append((x, y))
        return jnp.zeros(400)

    path_length._values(nets, spied, "w", 1e-2, None, batch, jax.random.key(0))
    (((w, noise), (w_after, noise_after)),) = seen
    np.testing.assert_array_equal(noise, noise_after)
    assert len(np.unique(noise)) == noise.size
    np.testing.assert_allclose(w_after - w, 1e-2, atol=1e-6)
    t = np.sort(np.asarray(w[:, 0]))
    np.testing.assert_allclose(t, (np.arange(400) + 0.5) / 400, atol=0.08)


@pytest.mark.parametrize("label, expected", [(None, 1.0), (2, 2.0)])
def test_path_lengths_are_of_all_classes_in_turn_or_of_one(label, expected):
    nets = types.SimpleNamespace(
        latents=3, layers=2, classes=3, maps=lambda keys: [],
        mapping=lambda variables, z, label: jnp.broadcast_to(label[:, None], z.shape),
        images=lambda variables, styles, noise: styles[:, 0],
    )  # fmt: skip
    found = path_length.path_length(
        nets, Variables({}, {}), lambda x, y: x[:, 0], 6, epsilon=1.0, batch_size=4, label=label
    )
    assert found == expected


def test_paths_in_z_keep_their_length():
    start, end = (jax.random.normal(jax.random.key(i), (4, 16)) for i in (0, 1))
    start, end = (x / jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (start, end))
    t = jnp.array([0.0, 0.3, 0.7, 1.0])
    points = path_length.along(start, end, t, "z")
    np.testing.assert_allclose(jnp.linalg.norm(points, axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(points[0], start[0], atol=1e-5)
    np.testing.assert_allclose(points[3], end[3], atol=1e-5)
    straight = path_length.along(start, end, t, "w")
    np.testing.assert_allclose(straight[1], 0.7 * start[1] + 0.3 * end[1], rtol=1e-4)


def test_the_lowest_and_highest_hundredth_are_left_out():
    values = np.arange(1000.0)
    values[0], values[-1] = -1e9, 1e9
    np.testing.assert_allclose(path_length.trimmed_mean(values), 499.5, rtol=0.01)
