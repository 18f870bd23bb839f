"""Mistakes of public adversarial code, each against a computation by hand; recipes' numbers are
those of the papers and of their authors' code.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from games import config, opening
from jax.nn import softplus

import gm_jax
from gm_jax.adversarial.cogan import CoupledDiscriminator
from gm_jax.adversarial.shared.critics import auto_encoder
from gm_jax.adversarial.shared.networks import (
    NETWORKS,
    DCGANDiscriminator,
    DCGANGenerator,
)
from gm_jax.losses.penalties import PENALTIES
from gm_jax.model import Field
from gm_jax.networks import Network
from gm_jax.training import loop
from gm_jax.training.checkpoint import Progress

ONE = jax.devices()[:1]
NORMALISED = DCGANDiscriminator(8, 1)
IMAGES = {"image": Field((8, 8, 1), 256)}
HARD = {"tricks.real_label": (1.0, 1.0)}
PLAIN = DCGANDiscriminator(8, 1, "none")


def smoke(name, **overrides):
    """The smoke variant of a recipe on the digits."""
    settings = gm_jax.load_config(f"configs/{name}_digits.py:smoke")
    with settings.unlocked():
        settings.update_from_flattened_dict(overrides)
    return settings


def opened(settings):
    """{player: its objective as `watched` has it}, variables, a prepared batch."""
    phase, batches, variables = opening(settings, ONE)
    batch = jax.jit(batches.prepare)(batches.first, jax.random.key(0))
    play = {
        player.name: jax.jit(functools.partial(watched, player.moves[0].objective))
        for player in phase.model.players
    }
    return play, variables._replace(opt={}, average={}), batch


def watched(objective, variables, batch, step=0):
    """The objective's value, {network: [(inputs, output), ...]} of its calls, and its metrics."""
    calls, original = {}, Network.train

    def train(called, variables, *inputs):
        output, state = original(called, variables, *inputs)
        calls.setdefault(called.name, []).append((inputs, output))
        return output, state

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "train", train)
        value, aux = objective(variables, batch, jax.random.key(5), step)
    return value, calls, aux.metrics


def made(calls):
    """What the generator made in its one call."""
    ((_, fakes),) = calls["generator"]
    return fakes


def by_hand(module, variables, name, *inputs):
    """What the module makes of its inputs in training with the variables of that name."""
    known = {"params": variables.params[name], **variables.state[name]}
    return module.apply(known, *inputs, train=True, mutable=["batch_stats"])[0]


def judged(module, variables, *examples):
    """The discriminator's logits, [B] for each array of examples."""
    call = jax.jit(lambda x: by_hand(module, variables, "discriminator", x)[:, 0])
    return [call(x) for x in examples]


def log_loss(real, fake):
    return softplus(-real) + softplus(fake)


def players(name):
    """{name: player} of a recipe as it is meant to be trained."""
    (phase,) = gm_jax.build(gm_jax.load_config(f"configs/{name}_digits.py"))
    return {player.name: player for player in phase.model.players}


@pytest.mark.slow
def test_ebgans_generator_feels_the_energys_target_too():
    """Trap: G's target detached."""
    settings = smoke("ebgan", pulling_away=0.0, **{"discriminator.width": 4})
    play, variables, batch = opened(settings)
    (((z,), _),) = play["generator"](variables, batch)[1]["generator"]
    generator = DCGANGenerator((8, 8, 1), 8)
    energies = auto_encoder(IMAGES, settings.discriminator.width, settings.code, "float32")

    def found(seen):
        return play["generator"](seen, batch)[0]

    def expected(seen):
        x = by_hand(generator, seen, "generator", z)
        again, _ = by_hand(energies, seen, "discriminator", x)
        return jnp.mean((again - x) ** 2)

    def slope(energy):
        def of(owned):
            return energy(variables._replace(params={**variables.params, "generator": owned}))

        return jax.tree.leaves(jax.jit(jax.grad(of))(variables.params["generator"]))

    for a, b in zip(slope(found), slope(expected), strict=True):
        assert jnp.abs(b).max() > 0
        np.testing.assert_allclose(a, b, atol=1e-4 * jnp.abs(b).max())


def test_began_judges_by_absolute_error():
    """Trap: a squared error."""
    settings = smoke("began")
    play, variables, batch = opened(settings)
    variables = variables._replace(state={**variables.state, "k": jnp.array(0.4)})
    module = auto_encoder(IMAGES, settings.discriminator.width, settings.code, "float32")

    def error(x):
        again, _ = by_hand(module, variables, "discriminator", x)
        return np.abs(np.asarray(again) - x).mean()

    value, calls, _ = play["discriminator"](variables, batch)
    np.testing.assert_allclose(value, error(batch["image"]) - 0.4 * error(made(calls)), rtol=1e-4)
    value, calls, _ = play["generator"](variables, batch)
    np.testing.assert_allclose(value, error(made(calls)), rtol=1e-4)


# Of D's outputs, and of G's with another latent, where every penalty is 0.7.
LOSSES = {
    "lsgan": lambda real, fake, later: (((real - 1) ** 2 + fake**2) / 2, (later - 1) ** 2 / 2),
    "wgan": lambda real, fake, later: (fake - real, real - later),
    "wgan_gp": lambda real, fake, later: (fake - real + 10 * 0.7, real - later),
    "dragan": lambda real, fake, later: (log_loss(real, fake) + 10 * 0.7, softplus(-later)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_linear_outputs_enter_each_recipes_own_value_function(name, monkeypatch):
    """Traps: LSGAN with sigmoid outputs or without its halves; DRAGAN with the Wasserstein loss.

    And lambda .25; a penalty beside batch norm in D.
    """
    monkeypatch.setitem(PENALTIES, name, lambda critic, real, *_: jnp.full(len(real), 0.7))
    play, variables, batch = opened(smoke(name))
    params = variables.params["discriminator"]
    params = {**params, "Dense_0": jax.tree.map(lambda w: 1000.0 * w, params["Dense_0"])}
    far = variables._replace(params={**variables.params, "discriminator": params})
    near = play["discriminator"](variables, batch)[2]["real_output"]
    value, calls, metrics = play["discriminator"](far, batch)
    assert abs(metrics["real_output"]) > 0.5
    np.testing.assert_allclose(metrics["real_output"], 1000.0 * near, rtol=1e-4)
    of_generator, later_calls, _ = play["generator"](far, batch)
    outputs = judged(PLAIN, far, batch["image"], made(calls), made(later_calls))
    expected = [np.mean(loss) for loss in LOSSES[name](*outputs)]
    np.testing.assert_allclose([value, of_generator], expected, rtol=1e-4)


def test_each_example_has_an_alpha_of_its_own_and_dragans_shift_another(monkeypatch):
    """Trap: one alpha a batch, or one that the noise beside it repeats."""
    drawn = []

    def penalty(critic, real, fake, *draws):
        jax.debug.callback(lambda *draws: drawn.append(tuple(map(np.asarray, draws))), *draws)
        return jnp.zeros(len(real))

    monkeypatch.setitem(PENALTIES, "wgan_gp", penalty)
    play, variables, batch = opened(smoke("wgan_gp"))
    jax.block_until_ready(play["discriminator"](variables, batch))
    jax.effects_barrier()
    ((alpha, shift),) = drawn
    assert not np.isclose(shift.reshape(16, -1), alpha[:, None], atol=1e-6).all(0).any()
    assert alpha.shape == (16,) and len(np.unique(alpha)) == 16
    assert alpha.min() >= 0.0 and alpha.max() < 1.0 and alpha.std() > 0.15


@pytest.mark.parametrize(
    "name, rate, b1, b2, times",
    [("wgan_gp", 1e-4, 0.0, 0.9, 5), ("dragan", 1e-4, 0.5, 0.9, 1), ("sngan", 2e-4, 0.0, 0.9, 5)],
)
def test_recipes_with_adam_have_their_papers_betas_and_moves(name, rate, b1, b2, times):
    """Traps: n_critic 1; betas (.5, .999)."""
    found = players(name)
    assert {found["discriminator"].moves[0].times(s) for s in (0, 1, 24, 500)} == {times}
    for player in found.values():
        state, m, v = player.optimizer.init(jnp.zeros(3)), 0.0, 0.0
        for step, slope in enumerate(np.random.default_rng(0).normal(size=(4, 3)), 1):
            m, v = b1 * m + (1 - b1) * slope, b2 * v + (1 - b2) * slope**2
            expected = -rate * m / (1 - b1**step) / (np.sqrt(v / (1 - b2**step)) + 1e-8)
            update, state = player.optimizer.update(jnp.asarray(slope), state, jnp.zeros(3))
            np.testing.assert_allclose(update, expected, rtol=1e-4)


def test_wgan_steps_by_rmsprop_without_momentum_and_clips_its_critic_alone():
    """Traps: Adam(.5) kept; a critic's rate of 5 times instead of 5 steps."""
    found, params = players("wgan"), jnp.array([0.0, 0.5, -0.5])
    times = found["discriminator"].moves[0].times
    assert [times(s) for s in (0, 24, 25, 499, 500, 501)] == [100, 100, 5, 5, 100, 5]
    for name, bound in (("discriminator", 0.01), ("generator", np.inf)):
        step = jax.jit(functools.partial(found[name].optimizer.update, params=params))
        state = found[name].optimizer.init(params)
        for _ in range(1000):  # Of one slope: its size no longer matters.
            updates, state = step(jnp.full(3, 3.0), state)
        expected = np.clip(np.asarray(params) - 5e-5, -bound, bound)
        np.testing.assert_allclose(optax.apply_updates(params, updates), expected, atol=1e-6)
        assert step(jnp.zeros(3), state)[0][0] == 0.0


def test_wgan_remembers_squares_for_as_long_as_its_recipe_says():
    """Trap: RMSProp's decay taken for that of the learning rate; optax's .9 in its place."""
    for player in players("wgan").values():
        weights = jnp.zeros(3)
        state = player.optimizer.init(weights)
        updates, _ = player.optimizer.update(jnp.ones(3), state, weights)
        np.testing.assert_allclose(updates, -5e-5 / np.sqrt(1.0 - 0.99), rtol=1e-4)


@pytest.mark.slow
def test_sngan_keeps_its_power_iteration_from_move_to_move():
    """Trap: the vector begun anew. A round has five moves of D; its weights stand still."""
    settings = smoke("sngan", **{"discriminator.optimizer.learning_rate": 0.0})
    phase, batches, before = opening(settings, ONE)
    alone = phase.model._replace(players=phase.model.players[:1])
    before = jax.device_get(before._replace(frozen=()))
    _, _, after, _ = next(loop.rounds(alone, before, batches, jax.random.key(0), Progress(), ONE))
    norms = before.state["discriminator"]["batch_stats"]
    assert len(norms) == 2
    for wrapped, own in norms.items():
        (name,) = (key.split("/")[0] for key in own if key.endswith("/u"))
        kernel = before.params["discriminator"][name]["kernel"].astype(np.float64)
        kernel, u = kernel.reshape(-1, kernel.shape[-1]), own[f"{name}/kernel/u"]
        for _ in range(5):
            v = u @ kernel.T / np.linalg.norm(u @ kernel.T)
            u = v @ kernel / np.linalg.norm(v @ kernel)
        found = after.state["discriminator"]["batch_stats"][wrapped][f"{name}/kernel/u"]
        np.testing.assert_allclose(found, u, atol=1e-4)


def test_vaegans_discriminator_is_shown_samples_of_the_prior():
    """Trap: reconstructions as the only fakes."""
    play, variables, batch = opened(smoke("vaegan"))
    value, calls, _ = play["discriminator"](variables, batch)
    _, others, _ = play["discriminator"](variables, {**batch, "image": -batch["image"]})
    pairs = zip(calls["generator"], others["generator"], strict=True)
    assert sorted(np.array_equal(a, b) for ((a,), _), ((b,), _) in pairs) == [False, True]
    images = [fakes for _, fakes in calls["generator"]]
    real, *fakes = judged(NORMALISED, variables, batch["image"], *images)
    np.testing.assert_allclose(value, np.mean(softplus(-real) + sum(map(softplus, fakes))), 1e-5)


@pytest.mark.slow
def test_flips_of_every_pair_exchange_the_targets_of_real_and_fake():
    for share, sign in ((0.0, 1.0), (1.0, -1.0)):
        play, variables, batch = opened(smoke("gan", **HARD, **{"tricks.flips": share}))
        value, calls, _ = play["discriminator"](variables, batch)
        real, fake = judged(NORMALISED, variables, batch["image"], made(calls))
        np.testing.assert_allclose(value, np.mean(log_loss(sign * real, sign * fake)), rtol=1e-5)


@pytest.mark.slow
def test_instance_noise_is_on_all_that_the_discriminator_sees_and_fades():
    for deviation in (0.0, 0.3):
        noise = {"tricks.noise": {"deviation": deviation, "steps": 10}}
        play, variables, batch = opened(smoke("gan", **HARD, **noise))
        for step, expected in ((0, deviation), (5, deviation / 2), (10, 0.0)):
            value, calls, _ = play["discriminator"](variables, batch, step)
            real, fake = seen = [x for (x,), _ in calls["discriminator"]]
            noises = [np.ravel(real - batch["image"]), np.ravel(fake - made(calls))]
            np.testing.assert_allclose(np.std(noises, axis=1), expected, rtol=0.1)
            assert not expected or abs(np.corrcoef(noises)[0, 1]) < 0.15
            real, fake = judged(NORMALISED, variables, *seen)
            np.testing.assert_allclose(value, np.mean(log_loss(real, fake)), rtol=1e-5)
            _, calls, _ = play["generator"](variables, batch, step)
            _, ((fake,), _) = calls["discriminator"]
            np.testing.assert_allclose(np.std(fake - made(calls)), expected, rtol=0.1)


@pytest.mark.slow
def test_joint_batches_share_their_statistics_and_separate_ones_do_not(digits16):
    """Trap: real and fake in one batch of a normalised D, unless asked for."""
    values = []
    for joint in (False, True):
        chosen = {**HARD, "tricks.joint_batches": joint}
        play, variables, batch = opened(config("gan", digits16, **chosen))
        value, calls, _ = play["discriminator"](variables, batch)
        seen = batch["image"], made(calls)
        together = np.split(judged(NORMALISED, variables, jnp.concatenate(seen))[0], 2)
        real, fake = together if joint else judged(NORMALISED, variables, *seen)
        values.append(value)
        np.testing.assert_allclose(value, np.mean(log_loss(real, fake)), rtol=1e-5)
    assert abs(values[0] - values[1]) > 1e-3


@pytest.mark.slow
def test_cogan_averages_the_losses_of_its_two_domains(digits16):
    """Trap: their sum, or one domain alone."""
    play, variables, batch = opened(config("cogan", digits16))
    module = CoupledDiscriminator(NETWORKS["dense_dcgan"].discriminator, 8, "batch")
    pair = batch["image"], batch["image_b"]
    value, calls, _ = play["discriminator"](variables, batch)
    halves = jnp.split(made(calls), 2, axis=-1)
    real, fake = (by_hand(module, variables, "discriminator", *two) for two in (pair, halves))
    a, b = (np.mean(log_loss(r, f)) for r, f in zip(real, fake, strict=True))
    assert abs(a - b) > 1e-4
    np.testing.assert_allclose(value, (a + b) / 2, rtol=1e-5)
    value, calls, _ = play["generator"](variables, batch)
    halves = jnp.split(made(calls), 2, axis=-1)
    fake = by_hand(module, variables, "discriminator", *halves)
    np.testing.assert_allclose(value, np.mean([softplus(-f).mean() for f in fake]), rtol=1e-5)
