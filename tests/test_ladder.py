"""The ladder network: its combinator against closed forms, and what its two passes share."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from games import config, refuses

import gm_jax
from gm_jax import data, run
from gm_jax.nn.ladder import LadderDecoder, LadderEncoder, combined, moments_of, normalised

KEY = jax.random.key(0)
DRAWS = np.random.default_rng(0)


def slopes(**values):
    """a of one unit, whose entries are all 0 but for those of a1 = ..., a2 = ...."""
    a = np.zeros((10, 1), np.float32)
    for name, value in values.items():
        a[int(name[1:]) - 1] = value
    return jnp.asarray(a)


def test_the_combinator_by_hand():
    z, u = np.float32(DRAWS.normal(size=(2, 6, 3)))
    a = np.float32(DRAWS.normal(size=(10, 3)))
    mu = a[0] / (1 + np.exp(-(a[1] * u + a[2]))) + a[3] * u + a[4]
    v = a[5] / (1 + np.exp(-(a[6] * u + a[7]))) + a[8] * u + a[9]
    np.testing.assert_allclose(combined(z, u, a), z * v + (1 - v) * mu, rtol=1e-5, atol=1e-5)


def test_v_of_one_keeps_what_is_noisy_and_v_of_zero_what_is_above():
    z, u = np.float32(DRAWS.normal(size=(2, 6, 1)))
    np.testing.assert_allclose(combined(z, u, slopes(a4=3.0, a5=-1.0, a10=1.0)), z, atol=1e-6)
    above = combined(z, u, slopes(a4=3.0, a5=-1.0))
    np.testing.assert_allclose(above, 3.0 * u - 1.0, atol=1e-6)


def test_one_gaussian_unit_learns_the_share_of_its_prior():
    """z ~ N(0, 1), noise .3, nothing to learn from u: v = 1 / (1 + .09), cost .09 / (1 + .09)."""
    z, noise, u = jnp.float32(np.random.default_rng(1).normal(size=(3, 50_000, 1)))
    corrupted, optimizer = z + 0.3 * noise, optax.adam(0.05)

    def cost(a):
        return jnp.mean((combined(corrupted, u, a) - z) ** 2)

    @jax.jit
    def trained(a):
        def step(carry, _):
            a, state = carry
            updates, state = optimizer.update(jax.grad(cost)(a), state)
            return (optax.apply_updates(a, updates), state), None

        return jax.lax.scan(step, (a, optimizer.init(a)), None, 150)[0][0]

    a = trained(slopes(a2=1.0, a7=1.0))
    mean_u = jnp.zeros((1, 1))
    v = combined(jnp.ones((1, 1)), mean_u, a) - combined(jnp.zeros((1, 1)), mean_u, a)
    np.testing.assert_allclose(v, 1 / 1.09, atol=0.01)
    np.testing.assert_allclose(cost(a), 0.09 / 1.09, atol=0.002)


def test_units_are_divided_by_their_deviation():
    """Not by their variance: a port's fault."""
    x = jnp.float32(DRAWS.normal(3.0, 5.0, (400, 2)))
    z = normalised(x, moments_of(x))
    np.testing.assert_allclose(z.mean(0), 0.0, atol=1e-5)
    np.testing.assert_allclose(z.std(0), 1.0, atol=1e-5)


def test_estimates_are_zero_at_the_start():
    z = [jnp.float32(DRAWS.normal(size=(5, n))) for n in (6, 4, 3)]
    top = jax.nn.softmax(z[-1])
    estimates, variables = LadderDecoder().init_with_output(KEY, z, top)
    assert [e.shape for e in estimates] == [(5, 6), (5, 4), (5, 3)]
    assert all(not np.any(e) for e in estimates)
    # The last of them alone has neither weights nor units below.
    (estimate,), alone = LadderDecoder(lowest=2).init_with_output(KEY, z, top)
    assert estimate.shape == (5, 3) and set(alone["params"]) == {"a_2"}
    assert {name.split("_")[0] for name in variables["params"]} == {"a", "Dense"}


def test_slopes_begin_at_one():
    """Of a2 and a7: at slopes of 0 what is above would never be heard."""
    z = [jnp.zeros((2, 3)), jnp.zeros((2, 4))]
    a = LadderDecoder().init(KEY, z, z[-1])["params"]["a_0"]
    np.testing.assert_array_equal(a, np.tile([[0], [1], [0], [0], [0]] * 2, (1, 3)))


def test_no_gradient_stops(digits16):
    """The clean pass learns, too. Without noise, the estimate of the second layer as it is (v = 1)
    and that of the first what is above (v = 0, mu = u), the cost of the first is by hand."""
    noise = {"noise.input": 0.0, "noise.inner": 0.0}
    settings = config("ladder", digits16, average=0.0, weights=(0.0, 1.0, 0.0, 0.0), **noise)
    (phase,) = gm_jax.build(settings)
    loss, batch = phase.model.players[0].moves[0].objective, prepared(phase, settings)
    variables = jax.jit(phase.model.init)(KEY, batch, None)
    encoder, decoder = variables.params["encoder"], variables.params["decoder"]
    decoder |= {"a_2": slopes(a10=1.0) + 0.0 * decoder["a_2"]}
    decoder |= {"a_1": slopes(a4=1.0) + 0.0 * decoder["a_1"]}
    x = batch["image"].reshape(16, -1) / 2.0 + 0.5

    def cost(w):
        params = {"encoder": encoder | {"Dense_0": {"kernel": w}}, "decoder": decoder}
        _, aux = loss(variables._replace(params=params), batch, KEY, 0)
        return aux.metrics["layer_1"]

    def by_hand(w):
        def standard(x):
            return (x - x.mean(0)) / jnp.sqrt(x.var(0) + 1e-10)

        before = x @ w
        z = standard(before)
        second = standard(nn.relu(z) @ encoder["Dense_1"]["kernel"])
        estimate = standard(second @ decoder["Dense_1"]["kernel"])
        mean, deviation = before.mean(0), jnp.sqrt(before.var(0) + 1e-10)
        return jnp.mean(((estimate - mean) / deviation - z) ** 2)

    w = encoder["Dense_0"]["kernel"]
    np.testing.assert_allclose(jax.jit(cost)(w), by_hand(w), rtol=1e-3)
    found, expected = jax.jit(jax.grad(cost))(w), jax.jit(jax.grad(by_hand))(w)
    np.testing.assert_allclose(found, expected, atol=5e-3 * np.abs(expected).max())


def test_weights_begin_with_the_variance_of_one_over_fan_in():
    """And are as they are used: a scaled tensor would scale Adam's steps, too."""
    x = jnp.zeros((3, 400))
    params = LadderEncoder((300,), 10).init(KEY, x)["params"]
    assert set(params) == {"Dense_0", "Dense_1", "shift_1", "shift_2", "scale"}
    np.testing.assert_allclose(params["Dense_0"]["kernel"].std() * np.sqrt(400), 1.0, atol=0.02)
    np.testing.assert_allclose(params["Dense_1"]["kernel"].std() * np.sqrt(300), 1.0, atol=0.05)


def test_the_published_networks_by_hand():
    images = jax.eval_shape(lambda: jnp.zeros((100, 784)))
    encoder = LadderEncoder((1000, 500, 250, 250, 250), 10)
    rungs, variables = jax.eval_shape(encoder.init_with_output, KEY, images)
    weights = 784_000 + 500_000 + 125_000 + 2 * 62_500 + 2500
    assert count(variables) == weights + 2260 + 10
    decoder = jax.eval_shape(LadderDecoder().init, KEY, rungs.z, rungs.top)
    assert count(decoder) == weights + 10 * (784 + 2260)


def count(variables) -> int:
    return sum(x.size for x in jax.tree.leaves(variables))


def test_statistics_for_use_are_those_of_kept_images_layer_by_layer(digits16):
    """By them, the kept images as one batch come out as they do by their own."""
    (phase,) = gm_jax.build(config("ladder", digits16, average=0.0))
    batch = prepared(phase, config("ladder", digits16))
    variables = jax.jit(phase.model.init)(KEY, batch, None)
    seen = variables.state["seen"]
    assert seen.shape == (64, 16, 16, 1) and seen.dtype == np.uint8
    moved = variables._replace(params=jax.tree.map(lambda x: 1.5 * x + 0.1, variables.params))
    moments = jax.jit(phase.model.calibrate)(moved)["moments"]
    encoder = LadderEncoder((8, 7), 10)
    x = np.float32(seen.reshape(64, -1)) / 255.0
    own = encoder.apply({"params": moved.params["encoder"]}, x)
    for found, expected in zip(moments, own.moments, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    used = moved._replace(state={"seen": seen, "moments": moments})
    whole = {"image": np.float32(seen) / 127.5 - 1.0, "label": jnp.zeros(64, int)}
    found = phase.model.functions["classify"](used, whole, KEY)["label"]
    np.testing.assert_array_equal(found, own.logits.argmax(-1))
    # Nor does an image depend on those beside it.
    few = {name: x[:3] for name, x in whole.items()}
    one = phase.model.functions["error"](used, few, KEY)["log_likelihood"]
    np.testing.assert_allclose(
        one, phase.model.functions["error"](used, whole, KEY)["log_likelihood"][:3], atol=1e-4
    )


def prepared(phase, settings):
    batches = run.batches_of(phase, settings, slice(0, settings.batch_size))
    return jax.jit(batches.prepare)(batches.first, KEY)


def test_the_latest_images_are_kept_each_once(digits16):
    settings = config("ladder", digits16, calibration=40, average=0.0, weights=(0.0,) * 4)
    (phase,) = gm_jax.build(settings)
    loss, batch = phase.model.players[0].moves[0].objective, prepared(phase, settings)
    variables, marks = jax.jit(phase.model.init)(KEY, batch, None), [10, 20, 30, 40]
    for step, mark in enumerate(marks):
        own = {**batch, "image": jnp.full((16, 16, 16, 1), mark / 127.5 - 1.0)}
        _, aux = jax.jit(loss)(variables, own, KEY, step)
        variables = variables._replace(state={**variables.state, **aux.state})
    seen = np.asarray(variables.state["seen"])[:, 0, 0, 0]
    assert sorted(set(seen)) == [20, 30, 40]  # Of 40: 16, 16 and the 8 before.
    assert [int(np.sum(seen == mark)) for mark in (20, 30, 40)] == [8, 16, 16]


def test_few_labels_are_balanced_and_all_in_every_batch(digits16):
    """A batch of as many holds each once, whatever their order, beside images of an epoch."""
    part = {"name": "half_labelled", "base": "npz", "path": str(digits16), "labelled": 20}
    source, base = data.open_source(part), data.open_source({"name": "npz", "path": str(digits16)})
    assert source.size is None and source.spec["image_labelled"].domain == "labelled"
    first, later = source.load(np.arange(20)), source.load(np.arange(40, 60))
    np.testing.assert_array_equal(np.bincount(first["label_labelled"]), [2] * 10)
    few = sorted(image.tobytes() for image in first["image_labelled"])
    assert len(set(few)) == 20
    assert few == sorted(image.tobytes() for image in later["image_labelled"])
    assert np.any(first["image_labelled"] != later["image_labelled"])
    labels = {
        x.tobytes(): n for x, n in zip(*base.load(np.arange(base.size)).values(), strict=True)
    }
    for suffix in ("", "_labelled"):
        known = [labels[x.tobytes()] for x in first[f"image{suffix}"]]
        np.testing.assert_array_equal(known, first[f"label{suffix}"])
    epoch = source.load(np.arange(base.size))["image"]
    assert len({x.tobytes() for x in epoch}) == len(labels)
    np.testing.assert_array_equal(source.load(np.array([45]))["image"][0], later["image"][5])
    other = data.open_source({**part, "draw": 1}).load(np.arange(20))["image_labelled"]
    assert few != sorted(image.tobytes() for image in other)
    assert data.open_source(part, "test").size == data.open_source(
        {"name": "npz", "path": str(digits16)}, "test"
    ).size  # fmt: skip
    everything = data.open_source({**part, "labelled": 0}).load(np.arange(base.size))
    assert len({x.tobytes() for x in everything["image_labelled"]}) == len(labels)


@pytest.mark.parametrize(
    ("labelled", "message"),
    [(15, "take a multiple of the 10 classes"), (100_000, "class 0 has .* take fewer")],
)
def test_labels_that_cannot_be_balanced_are_refused(labelled, message, digits16):
    part = {"name": "half_labelled", "base": "npz", "path": str(digits16), "labelled": labelled}
    with pytest.raises(gm_jax.UserError, match=message):
        data.open_source(part)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"weights": (1.0, 1.0)}, "weights are 2, and widths make 4 layers"),
        ({"calibration": 8}, "calibration 8 must be at least batch_size 16"),
        (
            {"data.name": "digits", "data.base": "mnist", "data.labelled": 0},
            "needs `image_labelled`",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(overrides, message):
    refuses("ladder_mnist", overrides, message)
