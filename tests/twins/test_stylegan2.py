"""By hand, in float64: StyleGAN2's moves, and what a trained generator does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from twins.game import game, image_of
from twins.numbers import agree, softplus

RECIPE = "stylegan2_fashion"
LABELS = {"conditional": True}
OURS = {"data.pad": False}
AVERAGE = jnp.float32([0.4, -0.3, 0.2, 0.1, -0.5])


def opened(recipe=RECIPE, **overrides):
    """A small game, whose kernels have deviation 1, or 100 in the mapping: c is part of a layer."""
    of = game(recipe, **OURS, **overrides)
    params = {
        name: jax.tree.map(lambda x: x * np.sqrt(np.prod(x.shape[:-1])) if x.ndim > 1 else x, tree)
        for name, tree in of.variables.params.items()
    }
    params["mapping"] = jax.tree.map(lambda x: 100.0 * x, params["mapping"])
    state = {**of.variables.state, "w_average": AVERAGE}
    return of._replace(variables=of.variables._replace(params=params, state=state))


def check_styles(played, count=16):
    """What the synthesis is given: w in the layers before each cut, another from there on."""
    w, other = played.outputs("mapping")
    (styles,) = played.seen("synthesis")
    assert styles.shape == (count, 4, 5)
    cuts = [
        next((i for i in range(4) if not np.allclose(row[i], own)), 4)
        for row, own in zip(styles, w, strict=True)
    ]
    for row, own, second, cut in zip(styles, w, other, cuts, strict=True):
        agree(row[:cut], np.tile(own, (cut, 1)))
        agree(row[cut:], np.tile(second, (4 - cut, 1)))
    assert min(cuts) >= 1 and len(set(cuts)) > 1  # An example's own cut, after the first layer.
    agree(played.state["w_average"], 0.995 * AVERAGE + 0.005 * w.mean(0))
    return w


def check_noise_layers(of, coarse):
    """Four images of one style: with all maps, none, all but the first `coarse`, and those."""
    outputs, calls = of.work("noise_layers")
    (call,) = calls["synthesis"]
    styles, *maps = call.inputs
    styles = styles.reshape(16, 4, 4, 5)
    agree(styles, np.repeat(styles[:, :1], 4, axis=1))
    for number, x in enumerate(maps[: len(of.variables.state["noise"])]):
        rows = x.reshape(16, 4, *x.shape[1:])
        assert np.abs(rows[:, 0]).min() > 0
        for row, kept in enumerate((True, False, number >= coarse, number < coarse)):
            agree(rows[:, row], rows[:, 0] * kept)
    agree(outputs["image"], call.output.reshape(outputs["image"].shape))


@pytest.mark.parametrize("overrides", [{}, LABELS])
def test_the_generator(overrides):
    """E softplus(-D(G)); noise of its own for every layer and example."""
    of = opened(**overrides)
    played = of.play("generator/value")
    check_styles(played)
    (call,), (logits,) = played.calls["synthesis"], played.outputs("discriminator")
    agree(played.seen("discriminator")[0], call.output)
    agree(played.value, softplus(-logits).mean())
    noise = [x.reshape(16, -1)[:, :16] for x in call.inputs[1:]]
    assert [x.shape[1] for x in call.inputs[1:]] == [4, 8, 8]
    rows = np.concatenate(noise)
    assert np.abs(np.corrcoef(rows) - np.eye(len(rows))).max() < 0.95
    z = played.seen("mapping")[0]
    assert z.shape == (16, 6) and abs(z.std() - 1) < 0.3 and len(np.unique(z)) == z.size
    if overrides:
        for call in (*played.calls["mapping"], *played.calls["discriminator"]):
            np.testing.assert_array_equal(call.inputs[1], of.batch["label"])


def test_the_discriminator():
    """E softplus(D(G)) + E softplus(-D(x)), and the signs of D(x)."""
    of = opened()
    played = of.play("discriminator/value", step=1)
    fake, real = played.outputs("discriminator")
    agree(played.seen("discriminator")[0], played.outputs("synthesis")[0])
    agree(played.seen("discriminator")[1], image_of(of))
    agree(played.value, softplus(fake).mean() + softplus(-real).mean())
    agree(played.state["augmentation"]["signs"], np.sign(real).mean())
    check_styles(played)


@pytest.mark.slow
def test_r1():
    """gamma / 2 |grad D(x)|^2, times 16; a gradient of the sum, as examples share a deviation."""
    of = opened(**{"discriminator.r1.gamma": 3.0})
    played = of.play("discriminator/r1")
    (call,) = played.calls["discriminator"]
    params = {"params": of.variables.params["discriminator"]}

    def total(x):
        return jnp.sum(call.module.apply(params, x))

    slope = np.asarray(jax.grad(total)(of.batch["image"]), np.float64)
    expected = 1.5 * np.sum(slope**2, axis=(1, 2, 3)).mean()
    agree(played.value, 16 * expected, rtol=1e-4)
    agree(3.0 * played.metric("penalty"), expected, rtol=1e-4)


@pytest.mark.slow
def test_all_that_d_sees_is_augmented():
    """Reals, fakes and the reals of R1, by the p of the state."""
    of = opened(**{"augmentation.name": "color", "augmentation.p": 1.0})
    x = image_of(of)
    played = of.play("discriminator/value")
    fake, real = played.seen("discriminator")
    assert np.abs(fake - played.outputs("synthesis")[0]).mean() > 0.05
    assert np.abs(real - x).mean() > 0.05
    played = of.play("generator/value")
    (fake,) = played.seen("discriminator")
    assert np.abs(fake - played.outputs("synthesis")[0]).mean() > 0.05
    (seen,) = of.play("discriminator/r1").seen("discriminator")
    assert np.abs(seen - x).mean() > 0.05
    # Grey images are scaled and shifted: fakes by other numbers than the reals beside them.
    played = of.play("discriminator/value")
    pairs = zip((played.outputs("synthesis")[0], x), played.seen("discriminator"), strict=True)
    fakes, reals = (
        [np.polyfit(a.ravel(), b.ravel(), 1) for a, b in zip(*pair, strict=True)] for pair in pairs
    )
    assert np.abs(np.subtract(fakes, reals)).min() > 1e-5


@pytest.mark.slow
def test_the_path_length():
    """Of every other example: weight 2, times 4, about a mean that moves first."""
    of = opened()
    played = of.play("generator/path")
    (call,) = played.calls["synthesis"]
    assert len(call.inputs[0]) == 8
    agree(played.value, 8 * played.metric("penalty"))
    agree(played.state["path_mean"], 0.01 * played.metric("length"))
    assert played.metric("penalty") > 0.9 * (0.99 * played.metric("length")) ** 2
    check_styles(played, 8)


def test_each_player_moves_once_and_its_regulariser_now_and_then():
    of = opened()
    generator, discriminator = of.model.players
    times = [[m.times(step) for step in range(17)] for m in generator.moves]
    assert times == [[1] * 17, [1, 0, 0, 0] * 4 + [1]]
    times = [[m.times(step) for step in range(17)] for m in discriminator.moves]
    assert times == [[1] * 17, [1] + [0] * 15 + [1]]
    for player, share in ((generator, 0.8), (discriminator, 16 / 17)):
        weights = jnp.zeros(3)
        step, _ = player.optimizer.update(jnp.ones(3), player.optimizer.init(weights), weights)
        agree(step, -2e-3 * share)
    assert discriminator.average is None
    agree(generator.average(5), 0.5 ** (16 / 10_000))


@pytest.mark.parametrize("psi, cutoff", [(0.7, None), (0.5, 2)])
def test_samples_are_truncated(psi, cutoff):
    of = opened(**LABELS, **{"sampler.psi": psi, "sampler.cutoff": cutoff})
    outputs, calls = of.work("sample")
    (w,), (call,) = (c.output for c in calls["mapping"]), calls["synthesis"]
    near = AVERAGE + psi * (w - AVERAGE)
    layers = [near if cutoff is None or i < cutoff else w for i in range(4)]
    agree(call.inputs[0], np.stack(layers, axis=1))
    agree(outputs["image"], call.output)
    np.testing.assert_array_equal(outputs["label"], of.batch["label"])


def test_noise_of_samples():
    of = opened(**{"sampler.noise": "none"})
    _, calls = of.work("sample")
    assert len(calls["synthesis"][0].inputs) == 1
    of = opened(**{"sampler.noise": "const"})
    _, calls = of.work("sample")
    for given, kept in zip(calls["synthesis"][0].inputs[1:], of.variables.state["noise"],
                           strict=True):  # fmt: skip
        agree(given, kept)


def test_mixing_takes_a_third_of_the_layers_from_another():
    of = opened(**{"sampler.noise": "none"})
    outputs, calls = of.work("mixing")
    first, second = (call.output for call in calls["mapping"])
    (call,) = calls["synthesis"]
    styles = call.inputs[0].reshape(16, 5, 4, 5)
    for column, thirds in enumerate([(0, 0, 0), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)]):
        for layer, part in enumerate([0, 0, 1, 2]):
            agree(styles[:, column, layer], second if thirds[part] else first)
    agree(outputs["image"], call.output.reshape(outputs["image"].shape))


@pytest.mark.slow
def test_all_images_of_a_row_have_its_noise_and_films_follow_the_great_circle():
    """Of examples and layers the maps differ, but of variations, which are of noise alone."""
    of = opened()
    for name, count in (("mixing", 5), ("interpolation", 12)):
        _, calls = of.work(name)
        for x in calls["synthesis"][0].inputs[1:]:
            rows = x.reshape(16, count, -1)
            np.testing.assert_array_equal(rows, np.repeat(rows[:, :1], count, axis=1))
            assert np.abs(np.corrcoef(rows[:, 0]) - np.eye(16)).max() < 0.95
    z = np.stack([call.inputs[0] for call in calls["mapping"]], axis=1)
    a, b, t = z[:, 0], z[:, -1], np.linspace(0, 1, 12)[None, :, None]
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    angle = np.arccos(cosine)[:, None, None]
    arc = np.sin((1 - t) * angle) * a[:, None] + np.sin(t * angle) * b[:, None]
    agree(z, arc / np.sin(angle), 1e-3)
    _, calls = of.work("noise_variation")
    _, *noisy = calls["synthesis"]
    rows = np.stack([call.inputs[-1].reshape(16, -1) for call in noisy])
    assert len(rows) == 3 and np.abs(np.corrcoef(rows.reshape(48, -1)) - np.eye(48)).max() < 0.95


@pytest.mark.slow
def test_truncation_noise_and_classes_are_rows_of_one_latent():
    of = opened(**LABELS, **{"sampler.noise": "const"})
    outputs, calls = of.work("truncation")
    assert outputs["image"].shape == (16, 5, 8, 8, 1)
    styles = calls["synthesis"][0].inputs[0].reshape(16, 5, 4, 5)
    agree(styles[:, 0], np.broadcast_to(AVERAGE, styles[:, 0].shape))
    agree(styles[:, 2], 0.5 * (styles[:, 0] + styles[:, 4]))
    check_noise_layers(of, coarse=1)
    outputs, calls = of.work("noise_variation")
    same = [call.inputs[0] for call in calls["synthesis"]]
    agree(same[1], same[0])
    assert len(calls["synthesis"][0].inputs) == 1 and len(calls["synthesis"][2].inputs) == 4
    outputs, calls = of.work("classes")
    assert outputs["image"].shape == (16, 10, 8, 8, 1)
    labels = [call.inputs[1] for call in calls["mapping"]]
    np.testing.assert_array_equal(np.ravel(labels), np.repeat(np.arange(10), 16))
    outputs, calls = of.work("interpolation")
    assert outputs["video"].shape == (16, 12, 8, 8, 1)
