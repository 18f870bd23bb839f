"""By hand, in float64: SimGAN's losses in all three phases, and its history."""

import numpy as np
from ml_collections import FrozenConfigDict

import gm_jax
from twins.game import KEY, game, on
from twins.inputs import away_from_start, batch_of, small
from twins.numbers import agree, log_loss, softplus
from twins.test_srgan import DEVIATION, MEAN
from twins.watch import watch

RECIPE = "simgan_scenes"


def images_of(of):
    return (np.asarray(of.batch[name], np.float64) for name in ("image", "image_b"))


def test_the_refiners_loss():
    """The sum over patches of -log D(R(x)), and lambda times the sum of |R(x) - x|."""
    of = game(RECIPE, regularization=0.3)
    (x, _), played = images_of(of), of.play("refiner")
    ((seen,), (refined,)) = played.seen("refiner"), played.outputs("refiner")
    np.testing.assert_allclose(seen, x, atol=1e-6)
    judged = on(played.calls["discriminator"], refined).output
    assert judged.shape == (len(x), 4, 4)
    realism, change = (
        softplus(-judged).sum((1, 2)).mean(),
        np.abs(refined - x).sum((1, 2, 3)).mean(),
    )
    agree(played.metric("realism"), realism)
    agree(played.metric("change"), change)
    agree(played.value, realism + 0.3 * change)


def test_the_refiners_loss_of_features():
    """lambda times the mean of |psi(R(x)) - psi(x)|, and no distance of pixels."""
    features = gm_jax.load_config(f"configs/{RECIPE}.py:features").stages.features
    of = game(RECIPE, regularization=30.0, **{"stages.features": FrozenConfigDict(features)})
    (x, _), played = images_of(of), of.play("refiner")
    (refined,) = played.outputs("refiner")
    realism = softplus(-on(played.calls["discriminator"], refined).output).sum((1, 2)).mean()
    calls = played.calls["backbone"]
    for call, image in zip(calls, (refined, x), strict=True):
        np.testing.assert_allclose(call.inputs[0], (image - MEAN) / DEVIATION, atol=1e-4)
    change = np.abs(np.subtract(*(call.output["relu2_1"] for call in calls))).mean()
    agree(played.metric("change"), change)
    agree(played.value, realism + 30.0 * change)


def test_the_discriminators_loss_and_the_history():
    """-log D(y) - log(1 - D(R(x))), summed over patches; the newer half is kept.

    While nothing is kept all that D sees is new; then the first half is old.
    """
    of = game(RECIPE, history=20)
    (x, y), played = images_of(of), of.play("discriminator")
    (refined,) = played.outputs("refiner")
    calls = played.calls["discriminator"]
    real, fake = on(calls, y).output, on(calls, refined).output
    agree(played.value, log_loss(real, fake).sum((1, 2)).mean())
    kept, half = played.state["history"], len(x) // 2
    assert int(kept["filled"]) == half
    np.testing.assert_allclose(kept["kept"][:half], refined[half:], atol=1e-5)
    state = of.variables.state | {"history": kept}
    again = of._replace(variables=of.variables._replace(state=state)).play("discriminator")
    shown = again.seen("discriminator")
    (seen,) = (s for s in shown if not np.allclose(s, y))
    np.testing.assert_allclose(seen[half:], refined[half:], atol=1e-5)
    old = np.asarray(kept["kept"][:half])
    assert all(any(np.allclose(one, o, atol=1e-5) for o in old) for one in seen[:half])
    assert int(again.state["history"]["filled"]) == 2 * half


def test_the_functions():
    of = game(RECIPE)
    x, y = images_of(of)
    outputs, calls = of.work("translate")
    np.testing.assert_allclose(calls["refiner"][0].inputs[0], x, atol=1e-6)
    refined = calls["refiner"][0].output
    np.testing.assert_allclose(outputs["image_b"], refined, atol=1e-6)
    outputs, _ = of.work("compare")
    np.testing.assert_allclose(outputs["image"], np.stack([x, refined, y], 1), atol=1e-5)


def test_each_player_first_learns_alone():
    """R by lambda's term without D, then D with R as it is; each goes on where it ended."""
    config = small(RECIPE)
    first, second, third = gm_jax.build(config)
    assert [phase.name for phase in (first, second, third)] == ["refiner", "discriminator", "game"]
    assert [phase.steps for phase in (first, second, third)] == [2, 2, 4]
    moves = [{p.name: len(p.moves) for p in phase.model.players} for phase in (first, second)]
    assert moves == [{"refiner": 1, "discriminator": 0}, {"refiner": 0, "discriminator": 1}]
    times = {p.name: p.moves[0].times(0) for p in third.model.players}
    assert times == {"refiner": 2, "discriminator": 1}
    batch = batch_of(config)
    variables = away_from_start(first.model.init, batch)
    (value, aux), calls = watch(first.model.players[0].moves[0].objective)(variables, batch, KEY, 0)
    x = np.asarray(batch["image"], np.float64)
    agree(value, 0.1 * np.abs(calls["refiner"][0].output - x).sum((1, 2, 3)).mean())
    assert "discriminator" not in calls and not aux.state
    before = variables._replace(state={"history": {**variables.state["history"], "filled": 3}})
    after = third.model.init(KEY, batch, before)
    assert after.params.keys() == before.params.keys() and after.state == before.state
    for name, old in before.params.items():
        assert after.params[name] is old
