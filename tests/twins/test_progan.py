"""By hand, in float64: ProGAN's losses, what fades, and samples."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax import zoo
from gm_jax.adversarial import progan
from twins.game import game, image_of
from twins.numbers import agree

RECIPE = "progan_fashion"


def halved(x):
    """The mean of each four pixels."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def doubled(x):
    return np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)


@pytest.fixture
def fading(monkeypatch):
    """A game that ends in the phase in which the layers of 8 x 8 pixels fade in, in four rounds."""

    def build(*arguments):
        return progan.build(*arguments)[:-1]

    system = types.SimpleNamespace(Settings=progan.Settings, build=build)
    monkeypatch.setitem(zoo.SYSTEMS, "progan", system)
    return lively(game(RECIPE, fade=4))


def lively(of):
    """The game with D's weights as equalised layers begin: outputs that differ by example."""
    leaves, tree = jax.tree.flatten(of.variables.params["discriminator"])
    keys = jax.random.split(jax.random.key(7), len(leaves))
    drawn = [jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)]
    params = of.variables.params | {"discriminator": jax.tree.unflatten(tree, drawn)}
    return of._replace(variables=of.variables._replace(params=params))


def check(of, x, share, step=0):
    """D(G(z)) - D(x) + 10 (|grad D(x^)| - 1)^2 + epsilon D(x)^2, and -D(G(z))."""
    played = of.play("discriminator", step)
    (g,), calls = played.calls["generator"], played.calls["discriminator"]
    (true,) = [call for call in calls if np.allclose(call.inputs[0], x, atol=1e-6)]
    (fake,) = [call for call in calls if np.allclose(call.inputs[0], g.output)]
    (mixed,) = [call for call in calls if call is not true and call is not fake]
    z, *given = g.inputs
    assert z.shape == (16, of.config.latents) and abs(z.var() - 1) < 0.4
    for call in calls:
        np.testing.assert_array_equal(call.inputs[1:], given)
    np.testing.assert_allclose(given, share)
    u = ((mixed.inputs[0] - g.output) / (x - g.output)).reshape(16, -1)
    agree(u, np.broadcast_to(np.median(u, 1, keepdims=True), u.shape), 1e-2)
    assert u.min() > -1e-3 and u.max() < 1 + 1e-3 and np.median(u, 1).std() > 0.15

    def output(variables, x):
        return mixed.again(variables, x, *(jnp.float32(given) if given else (1.0,)))[0]

    total = jax.grad(lambda x: output(of.variables, x).sum())(jnp.float32(mixed.inputs[0]))
    norm = np.sqrt((np.float64(total) ** 2).sum((1, 2, 3)))
    loss = fake.output - true.output + 10 * (norm - 1) ** 2 + of.config.drift * true.output**2
    agree(played.value, loss.mean(), 1e-4)
    agree(played.metric("penalty"), ((norm - 1) ** 2).mean(), 1e-4)
    agree(played.metric("real_output"), true.output.mean(), 1e-4)
    agree(played.metric("fake_output"), fake.output.mean(), 1e-4)

    played = of.play("generator", step)
    (judged,) = played.calls["discriminator"]
    np.testing.assert_allclose(judged.inputs[0], played.calls["generator"][0].output)
    agree(played.value, -judged.output.mean())


@pytest.mark.slow
def test_a_stable_phase():
    """With a drift of a size that is seen beside the other terms."""
    of = lively(game(RECIPE, drift=2.0))
    check(of, image_of(of), [])
    outputs, calls = of.work("sample")
    np.testing.assert_allclose(outputs["image"], calls["generator"][0].output, atol=1e-6)


def test_a_fading_phase(fading):
    """Real images are mixed with themselves at half the side, by the same share as the layers."""
    x = image_of(fading)
    small = doubled(halved(x))
    for step in (0, 1, 3):
        share = step / 4
        check(fading, (1 - share) * small + share * x, [share], step)
        assert fading.play("generator", step).state["share"] == share
    state = fading.variables.state | {"share": jnp.float32(0.75)}
    of = fading._replace(variables=fading.variables._replace(state=state))
    _, calls = of.work("sample")
    assert calls["generator"][0].inputs[1] == 0.75


def test_a_smaller_side_sees_halved_images_and_shows_its_own_enlarged(monkeypatch):
    """4 x 4 of 8 x 8; samples and interpolations have the size of the data."""
    first = types.SimpleNamespace(
        Settings=progan.Settings, build=lambda *arguments: progan.build(*arguments)[:1]
    )
    monkeypatch.setitem(zoo.SYSTEMS, "progan", first)
    of = lively(game(RECIPE, stable=3))
    check(of, halved(image_of(of)), [])
    outputs, calls = of.work("sample")
    np.testing.assert_allclose(outputs["image"], doubled(calls["generator"][0].output), atol=1e-6)
    outputs, calls = of.work("interpolation")
    z = calls["generator"][0].inputs[0].reshape(16, -1, of.config.latents)
    a, b, t = z[:, 0], z[:, -1], np.linspace(0, 1, z.shape[1])[None, :, None]
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    angle = np.arccos(cosine)[:, None, None]
    expected = np.sin((1 - t) * angle) * a[:, None] + np.sin(t * angle) * b[:, None]
    agree(z, expected / np.sin(angle), 1e-3)
    made = doubled(calls["generator"][0].output).reshape(outputs["image"].shape)
    np.testing.assert_allclose(outputs["image"], made, atol=1e-6)
