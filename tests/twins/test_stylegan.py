"""By hand, in float64: StyleGAN's losses, styles and noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from twins.game import also, image_of
from twins.numbers import agree, softplus
from twins.test_stylegan2 import check_noise_layers, check_styles, opened

RECIPE = "stylegan_fashion"
OBJECTIVES = ("r1", "wgan_gp")


def small(objective):
    return opened(RECIPE, objective=objective, penalty=3.0, drift=2.0)


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_discriminator(objective):
    """R1 of real images, or the penalty between them and generated ones, and the drift."""
    of = small(objective)
    played, x = of.play("discriminator", step=1), image_of(of)
    check_styles(played)
    (images,) = played.outputs("synthesis")
    true, fake, last = played.calls["discriminator"]
    agree(true.inputs[0], x)
    agree(fake.inputs[0], images)

    def total(x):
        return last.again(of.variables, x, 1.0)[0].sum()

    slope = np.float64(jax.grad(total)(jnp.float32(last.inputs[0])))
    square = (slope**2).sum((1, 2, 3))
    if objective == "r1":
        agree(last.inputs[0], x)
        loss = softplus(fake.output) + softplus(-true.output) + 1.5 * square
        agree(played.metric("penalty"), (square / 2).mean(), 1e-4)
    else:
        u = ((last.inputs[0] - images) / (x - images)).reshape(16, -1)
        agree(u, np.broadcast_to(np.median(u, 1, keepdims=True), u.shape), 1e-2)
        assert u.min() > -1e-3 and u.max() < 1 + 1e-3 and np.median(u, 1).std() > 0.15
        penalty = (np.sqrt(square) - 1) ** 2
        loss = fake.output - true.output + 3 * penalty + 2 * true.output**2
    agree(played.value, loss.mean(), 1e-4)


@pytest.mark.parametrize("objective", ["r1", also("wgan_gp")])
def test_the_generator(objective):
    """Noise of its own for every layer and example; two layers at the first side, too."""
    of = small(objective)
    played = of.play("generator")
    check_styles(played)
    (call,), (judged,) = played.calls["synthesis"], played.calls["discriminator"]
    agree(judged.inputs[0], call.output)
    loss = softplus(-judged.output) if objective == "r1" else -judged.output
    agree(played.value, loss.mean())
    maps = call.inputs[1:]
    assert [x.shape[1:] for x in maps] == [(n, n, 1) for n in (4, 4, 8, 8)]
    rows = np.concatenate([x.reshape(16, -1)[:, :16] for x in maps])
    assert np.abs(np.corrcoef(rows) - np.eye(len(rows))).max() < 0.95


def test_noise_in_some_layers():
    """Figure 5: the coarse half are the sides up to 4 of 8."""
    of = small("r1")
    check_noise_layers(of, coarse=2)


def test_d_moves_first_and_the_average_is_by_images():
    of = small("r1")
    judge, maker = of.model.players
    assert [p.name for p in (judge, maker)] == ["discriminator", "generator"]
    assert maker.owns == ("mapping", "synthesis") and judge.average is None
    agree(maker.average(5), 0.5 ** (16 / 10_000))
    weights = jnp.zeros(3)
    step, _ = maker.optimizer.update(jnp.ones(3), maker.optimizer.init(weights), weights)
    agree(step, -1e-3)
