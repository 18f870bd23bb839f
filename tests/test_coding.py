"""Sparse codes against scikit-learn's, dictionaries, patches, and encoders that guess codes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from games import config, create, opening, play, refuses
from sklearn.decomposition import sparse_encode
from sklearn.linear_model import Lasso

import gm_jax
from gm_jax import UserError, data, run
from gm_jax.data import patches
from gm_jax.energy.shared import coding, encoders
from gm_jax.energy.shared.coding import Problem
from gm_jax.optimizers import unit_columns

KEY = jax.random.key(0)
PENALTY = 0.3


@pytest.fixture
def exactly():
    with jax.enable_x64(True):
        yield


def problem_of(size=8, atoms=12, count=6, pull=0.0, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    d = rng.normal(size=(size, atoms))
    d = scale * d / np.linalg.norm(d, axis=0)
    guess = rng.normal(size=(count, atoms)) if pull else 0.0
    x = rng.normal(size=(count, size))
    return Problem(jnp.asarray(d), jnp.asarray(x), PENALTY, pull, guess, jnp.float64)


def value(p, z):
    """By hand, in NumPy."""
    squares = ((np.asarray(p.x) - z @ np.asarray(p.d).T) ** 2).sum(1)
    return 0.5 * squares + PENALTY * np.abs(z).sum(1) + p.pull / 2 * ((z - p.guess) ** 2).sum(1)


SOLVED = {"ista": 20_000, "fista": 6000, "coordinates": 2000}


@pytest.mark.parametrize("name", SOLVED)
def test_solvers_agree_with_scikit_learn(name, exactly):
    """The lasso with half the squared error: lambda of one is alpha of the other."""
    p = problem_of()
    z = coding.SOLVERS[name](p, jnp.zeros((6, 12)), SOLVED[name])
    x, d = np.asarray(p.x), np.asarray(p.d)
    lars = sparse_encode(x, d.T, algorithm="lasso_lars", alpha=PENALTY, max_iter=1000)
    np.testing.assert_allclose(z, lars, atol=1e-8)
    lasso = Lasso(alpha=PENALTY / 8, fit_intercept=False, tol=1e-14, max_iter=100_000)
    np.testing.assert_allclose(z, [lasso.fit(d, row).coef_ for row in x], atol=1e-8)
    np.testing.assert_allclose(p.value(z), value(p, np.asarray(z)), rtol=1e-12)
    assert 0.2 < np.mean(np.asarray(z) == 0.0) < 0.9


@pytest.mark.parametrize("name", SOLVED)
@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_solvers_end_where_no_direction_falls(name, scale, exactly):
    """Pulled, and with atoms of any length: the slope of the rest is within the penalty."""
    p = problem_of(pull=0.7, scale=scale)
    z = np.asarray(coding.SOLVERS[name](p, jnp.zeros((6, 12)), 3000))
    slope = (z @ p.d.T - p.x) @ p.d + 0.7 * (z - p.guess)
    np.testing.assert_allclose(slope[z != 0], -PENALTY * np.sign(z[z != 0]), atol=1e-7)
    assert np.all(np.abs(slope[z == 0]) <= PENALTY + 1e-7) and np.any(z == 0)


@pytest.mark.parametrize("name", SOLVED)
def test_codes_of_orthonormal_atoms_have_a_closed_form(name, exactly):
    """z = soft((D'x + alpha f) / (1 + alpha), lambda / (1 + alpha))."""
    rng = np.random.default_rng(0)
    d, pull = np.linalg.qr(rng.normal(size=(8, 8)))[0], 0.6
    x, guess = rng.normal(size=(2, 5, 8))
    p = Problem(jnp.asarray(d), jnp.asarray(x), PENALTY, pull, guess, jnp.float64)
    inner = (x @ d + pull * guess) / (1 + pull)
    expected = np.sign(inner) * np.maximum(np.abs(inner) - PENALTY / (1 + pull), 0)
    z = coding.SOLVERS[name](p, jnp.asarray(guess), 400)
    np.testing.assert_allclose(z, expected, atol=1e-10)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_ista_falls_at_every_step_and_fista_is_faster(scale, exactly):
    """Its step is of the dictionary that it is given: one of longer atoms would diverge."""
    p = problem_of(20, 40, 10, scale=scale)
    zero = jnp.zeros((10, 40))
    step, z = jax.jit(lambda z: coding.ista(p, z, 1)), zero
    values = [float(p.value(z).sum())]
    for _ in range(39):
        z = step(z)
        values.append(float(p.value(z).sum()))
    assert np.all(np.diff(values) < 0)
    least = float(p.value(coding.fista(p, zero, 3000)).sum())
    assert float(p.value(coding.fista(p, zero, 39)).sum()) - least < 0.2 * (values[-1] - least)


def test_the_bound_is_just_above_the_largest_eigenvalue(exactly):
    for seed, (size, atoms) in itertools.product(range(4), [(8, 12), (20, 5)]):
        d = np.asarray(problem_of(size, atoms, seed=seed, scale=2.0).d)
        found, true = float(coding.largest_eigenvalue(d.T @ d)), np.linalg.norm(d, 2) ** 2
        assert (1 - 1e-9) * true <= found < 1.01 * true


def test_fista_takes_the_steps_of_its_paper(exactly):
    p = problem_of(pull=0.5)
    d, x, bound = np.asarray(p.d), np.asarray(p.x), float(p.slope_of()[1])
    z = y = np.zeros((6, 12))
    t = 1.0
    for _ in range(7):
        moved = y - ((y @ d.T - x) @ d + 0.5 * (y - p.guess)) / bound
        new = np.sign(moved) * np.maximum(np.abs(moved) - PENALTY / bound, 0)
        new_t = (1 + np.sqrt(1 + 4 * t**2)) / 2
        z, y, t = new, new + (t - 1) / new_t * (new - z), new_t
    np.testing.assert_allclose(coding.fista(p, jnp.zeros((6, 12)), 7), z, atol=1e-10)


def test_atoms_are_of_length_1_after_each_step():
    link = optax.chain(optax.sgd(0.5), unit_columns())
    d = coding.dictionary(KEY, 6, 4)
    np.testing.assert_allclose(jnp.linalg.norm(d, axis=0), 1.0, rtol=1e-6)
    slope = jax.random.normal(KEY, d.shape)
    updates, _ = link.update(slope, link.init(d), d)
    moved = np.float64(d - 0.5 * slope)
    np.testing.assert_allclose(d + updates, moved / np.linalg.norm(moved, axis=0), atol=1e-6)


@pytest.mark.parametrize("system", ["sparse_coding", "psd"])
def test_training_keeps_the_length_of_atoms_alone(system, digits16):
    variables, _ = play(config(system, digits16), 3, jax.devices()[:1])[-1]
    np.testing.assert_allclose(
        np.linalg.norm(variables.params["dictionary"], axis=0), 1.0, rtol=1e-5
    )
    if system == "psd":
        lengths = np.linalg.norm(variables.params["encoder"]["w"], axis=0)
        assert np.abs(lengths - 1.0).max() > 1e-4


def test_the_slope_of_the_minimum_is_that_at_the_code(exactly):
    """By the envelope theorem; a difference quotient of the minimum itself agrees."""
    p = problem_of()
    settings = coding.Inference(steps=4000)
    zero = jnp.zeros((6, 12))

    @jax.jit
    def least(d):
        own = p._replace(d=d)
        return jnp.sum(own.value(coding.infer(settings, own, zero)))

    along = np.random.default_rng(3).normal(size=p.d.shape)
    found = float(jnp.sum(jax.grad(least)(p.d) * along))
    expected = (float(least(p.d + 1e-5 * along)) - float(least(p.d - 1e-5 * along))) / 2e-5
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_patches_are_windows_of_whitened_photographs():
    source, test = (data.open_source({"name": "patches", "size": 8}, s) for s in ("train", "test"))
    indices = np.arange(300)
    found, others = source.load(indices)["patch"], test.load(indices)["patch"]
    assert found.shape == (300, 8, 8, 1) and found.dtype == np.float32
    np.testing.assert_array_equal(source.load(indices[7:9])["patch"], found[7:9])
    for image in patches.photographs():
        np.testing.assert_allclose((image.mean(), image.std()), (0.0, 1.0), atol=1e-4)
        power = np.abs(np.fft.fft2(image)) ** 2
        rho = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, image.shape), indexing="ij"))
        rings = [power[(rho > r) & (rho < r + 0.02)].mean() for r in (0.05, 0.25)]
        assert abs(np.log(rings[0] / rings[1])) < 2.0  # Of a photograph as it is: 5 to 6.
    # A patch of a split lies on its side of the border.
    images = patches.photographs()
    left, right = images[:, :, : -patches.COLUMNS], images[:, :, -patches.COLUMNS :]
    for patch, side in ((found[0], left), (others[0], right)):
        windows = np.lib.stride_tricks.sliding_window_view(side, (8, 8), (1, 2))
        assert (np.abs(windows - patch[..., 0]).max((-2, -1)) == 0).sum() == 1
    assert data.open_source({"name": "patches"}).load(indices)["patch"].shape == (300, 12, 12, 1)
    with pytest.raises(UserError, match="patches have at most 160 pixels a side"):
        data.open_source({"name": "patches", "size": 161})


def test_the_filter_is_the_one_that_it_says():
    """Of a wave it leaves a wave, and relative to another rho exp(-(rho / .4)^4)."""
    row = np.arange(32)[:, None] * np.ones(32)
    a, b = (np.cos(2 * np.pi * n * row / 32) for n in (4, 12))
    both = patches.whitened(a + b)
    share = [(both * wave).mean() for wave in (a, b)]
    ratio = np.exp([-((n / 32 / 0.4) ** 4) for n in (4, 12)]) * [4, 12]
    np.testing.assert_allclose(share[0] / share[1], ratio[0] / ratio[1], rtol=1e-5)
    np.testing.assert_allclose(both.std(), 1.0, rtol=1e-5)


@pytest.mark.parametrize("layers", [0, 1, 4])
def test_unrolled_encoders_start_as_ista_does(layers, exactly):
    """From 0, by one step more than the layers after the first; shrinkage is the first step."""
    p = problem_of()
    settings = encoders.Settings(name="lista" if layers else "shrinkage", layers=layers or 1)
    encoder = encoders.encoder_of(settings)
    f = encoder.guess(encoder.init(KEY, p.d, PENALTY), p.x, jnp.float64)
    expected = coding.ista(p, jnp.zeros((6, 12)), layers + 1)
    np.testing.assert_allclose(f, expected, atol=1e-10)
    assert np.any(f == 0.0) and np.any(f != 0.0)


def test_the_dictionary_is_handed_on_to_the_encoders_phase(digits16):
    """With the encoder, whose own phase leaves it as it is."""
    settings = config("psd", digits16, **{"refinement.steps": 2})
    ((recipe, (first, last)),) = run.plan(settings)
    assert (last.name, last.steps) == ("encoder", 2)
    batches = run.batches_of(first, recipe, slice(0, 16))
    before = create(first.model, batches.prepare, batches.first, KEY)
    before = before._replace(params=jax.tree.map(lambda x: x + 0.5, before.params))
    begun = last.model.init(jax.random.key(1), batches.first, before)
    jax.tree.map(np.testing.assert_array_equal, begun.params["encoder"], before.params["encoder"])
    np.testing.assert_array_equal(begun.state["dictionary"], before.params["dictionary"])
    assert set(begun.params) == {"encoder"}


@pytest.mark.parametrize("name", ["psd", "sparse_coding"])
def test_atoms_of_an_average_are_brought_to_length_1(name, digits16):
    """An average over rounds has shorter atoms; what is evaluated does not depend on that."""
    phase, batches, variables = opening(config(name, digits16), jax.devices()[:1])
    batch = jax.jit(batches.prepare)(batches.first, KEY)
    function = phase.model.functions["cost" if name == "sparse_coding" else "quality"]
    shorter = {**variables.params, "dictionary": 0.5 * variables.params["dictionary"]}
    a, b = (
        jax.jit(function)(variables._replace(params=p), batch, KEY)["objective"]
        for p in (variables.params, shorter)
    )
    np.testing.assert_allclose(a, b, rtol=1e-4)


@pytest.mark.parametrize(
    ("recipe", "overrides", "message"),
    [
        ("sparse_coding_patches", {"data.name": "ring", "data.size": None}, "needs patches or"),
        ("sparse_coding_patches", {"penalty": 0.0}, "penalty is 0.0: it must be above 0"),
        ("psd_patches", {"inference.name": "lars"}, "must be one of: ista, fista, coordinates"),
        ("psd_patches", {"encoder.name": "relu"}, "must be one of: tanh, shrinkage, lista"),
        (
            "psd_two_layers_patches",
            {"pooling.side": 3},
            "sees 4x4 pixels, of which a patch of 10x10 has 4x4 positions at stride 2: choose",
        ),
        ("psd_two_layers_patches", {"data.size": 3}, "has 0x0 positions at stride 2: choose"),
        (
            "psd_two_layers_patches",
            {"stages": {"below": gm_jax.load_config("configs/sparse_coding_patches.py:smoke")}},
            "stages.below must code a patch and decode it: take a recipe of psd",
        ),
    ],
)
def test_what_does_not_go_is_said_in_a_line(recipe, overrides, message):
    refuses(recipe, overrides, message)
