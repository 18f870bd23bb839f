"""Value functions, penalties, unrolling and tricks against closed forms and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
from scipy import stats

from gm_jax import pools
from gm_jax.adversarial.shared import latents, tricks
from gm_jax.adversarial.shared.unrolled import unroll
from gm_jax.losses import adversarial, penalties
from gm_jax.optimizers import clip_weights, optimizer

KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 4096)


def test_every_value_function_at_hand_made_outputs():
    real, fake = jnp.array([2.0, -0.5]), jnp.array([0.3, -3.0])
    sigmoid = scipy.special.expit
    log = -np.log(sigmoid(real)) - np.log(1 - sigmoid(fake))
    expected = {
        "minimax": (log, -log),
        "non_saturating": (log, -np.log(sigmoid(fake))),
        # Linear outputs and halves: a sigmoid, or a dropped 1/2, would show.
        "least_squares": ([0.5 + 0.045, 1.125 + 4.5], [0.245, 8.0]),
        "wasserstein": ([-1.7, -2.5], [1.7, 2.5]),
        "hinge": ([0.0 + 1.3, 1.5 + 0.0], [-0.3, 3.0]),
    }
    assert set(expected) == set(adversarial.VALUE_FUNCTIONS)
    for name, value in adversarial.VALUE_FUNCTIONS.items():
        of_discriminator, of_generator = expected[name]
        np.testing.assert_allclose(value.discriminator(real, fake), of_discriminator, rtol=1e-5)
        np.testing.assert_allclose(value.generator(real, fake), of_generator, rtol=1e-5)


def test_labels_soften_what_they_name_and_nothing_else():
    real, fake = jnp.array([0.7]), jnp.array([-0.2])
    for loss in (adversarial.log_loss, adversarial.least_squares):
        slopes = jax.jacobian(loss, argnums=(0, 1))
        slope, plain = slopes(real, fake, 0.8, 0.0), slopes(real, fake)
        assert slope[0] != plain[0] and slope[1] == plain[1]
    # The best logit of a real example with label l is logit(l), not that of a smoothed 2-class l.
    best = jax.grad(lambda r: adversarial.log_loss(r, fake, 0.75)[0])(jnp.log(jnp.array([3.0])))
    np.testing.assert_allclose(best, 0.0, atol=1e-6)


def test_energy_margin_is_a_hinge_an_example_and_reaches_the_generator():
    real, fake = jnp.array([1.0, 2.0]), jnp.array([3.0, 25.0])
    np.testing.assert_allclose(adversarial.energy_margin(real, fake, 20.0), [18.0, 2.0])


def test_pulling_away_is_the_mean_squared_cosine_of_different_codes():
    codes = np.random.default_rng(0).normal(size=(7, 5))
    pairs = [
        (a @ b) ** 2 / (a @ a) / (b @ b)
        for i, a in enumerate(codes)
        for j, b in enumerate(codes)
        if i != j
    ]
    np.testing.assert_allclose(adversarial.pulling_away(jnp.asarray(codes)), np.mean(pairs), 1e-5)
    assert adversarial.pulling_away(jnp.eye(4)) < 1e-6  # Orthogonal codes; the diagonal is out.
    np.testing.assert_allclose(adversarial.pulling_away(-jnp.ones((3, 2))), 1.0, rtol=1e-6)


def test_began_balances_and_keeps_k_in_bounds():
    real, fake, k = jnp.array(0.4), jnp.array(0.1), jnp.array(0.3)
    after, measure = adversarial.balance(real, fake, k, gamma=0.5, rate=0.1)
    np.testing.assert_allclose(after, 0.3 + 0.1 * (0.2 - 0.1), rtol=1e-6)
    np.testing.assert_allclose(measure, 0.4 + 0.1, rtol=1e-6)
    assert adversarial.balance(real, fake, k, 0.5, 100.0)[0] == 1.0
    assert adversarial.balance(fake, real, k, 0.5, 100.0)[0] == 0.0
    loss = adversarial.boundary_equilibrium(real, fake, k)
    np.testing.assert_allclose(loss, 0.4 - 0.03, rtol=1e-6)


def quadratic(x):
    """D(x) = 1/2 sum w x^2 over an example, with slope w x."""
    weights = jnp.arange(1.0, 1.0 + np.prod(x.shape[1:])).reshape(x.shape[1:])
    return 0.5 * jnp.sum(weights * x**2, axis=range(1, x.ndim))


def slope_norms(x):
    weights = np.arange(1.0, 1.0 + np.prod(x.shape[1:]))
    return np.linalg.norm(weights * np.asarray(x).reshape(len(x), -1), axis=1)


def test_gradient_norm_is_each_examples_over_all_its_axes():
    x = jax.random.normal(KEY, (5, 3, 4, 2))
    norms = penalties.per_example_gradient_norm(quadratic, x)
    np.testing.assert_allclose(norms, slope_norms(x), rtol=1e-5)
    flat = jax.grad(lambda x: penalties.per_example_gradient_norm(quadratic, x).sum())(x * 0.0)
    assert np.all(np.isfinite(flat))  # Where the slope is 0 its norm still has a gradient.


def test_wgan_gp_is_two_sided_between_the_pairs_with_one_alpha_an_example():
    real, fake = jax.random.normal(KEY, (2, 6, 4))
    alpha = jnp.linspace(0.0, 1.0, 6)
    x = np.asarray(alpha)[:, None] * real + (1 - np.asarray(alpha))[:, None] * fake
    found = penalties.wgan_gp(quadratic, real, fake, alpha)
    np.testing.assert_allclose(found, (slope_norms(x) - 1) ** 2, rtol=1e-4)
    np.testing.assert_allclose(found[0], (slope_norms(fake[:1])[0] - 1) ** 2, rtol=1e-4)
    gentle = penalties.wgan_gp(lambda x: 0.5 * x[:, 0], real, fake, alpha)
    np.testing.assert_allclose(gentle, 0.25, rtol=1e-4)  # A slope below 1 is punished too.


def test_dragan_looks_around_the_real_examples_by_half_the_batchs_deviation():
    real = jax.random.normal(KEY, (6, 4)) * 3.0 + 1.0
    alpha, noise = jnp.linspace(0.0, 1.0, 6), jax.random.uniform(KEY, (6, 4))
    x = real + alpha[:, None] * 0.5 * np.std(real) * noise
    found = penalties.dragan(quadratic, real, alpha, noise)
    np.testing.assert_allclose(found, (slope_norms(x) - 1) ** 2, rtol=1e-4)


def test_r1_and_r2_are_half_the_squared_slope_at_real_and_at_fake():
    real, fake = jax.random.normal(KEY, (2, 6, 4))
    draws = jnp.zeros(6), jnp.zeros((6, 4))
    for name, x in (("r1", real), ("r2", fake)):
        found = penalties.PENALTIES[name](quadratic, real, fake, *draws)
        np.testing.assert_allclose(found, 0.5 * slope_norms(x) ** 2, rtol=1e-4)


def test_weights_are_clipped_after_the_step_not_before():
    made = optimizer({"name": "sgd", "learning_rate": 1.0, "clip_weights": 0.01})
    params = {"w": jnp.array([0.009, -0.5, 0.0])}
    updates, _ = made.update({"w": jnp.array([-5.0, 0.0, 0.004])}, made.init(params), params)
    after = optax.apply_updates(params, updates)["w"]
    np.testing.assert_allclose(after, [0.01, -0.01, -0.004], rtol=1e-6)
    assert isinstance(clip_weights(0.01).init(params), optax.EmptyState)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_unrolling_differentiates_through_every_step_of_the_optimizer(name):
    """The slope of f after K steps, against finite differences in float64; stopped, it differs."""
    with jax.enable_x64(True):
        made = {"sgd": optax.sgd(0.1, momentum=0.5), "adam": optax.adam(0.1, eps_root=1e-6)}[name]
        params = jnp.array([0.3, -0.8])
        opt = made.update(jnp.array([0.2, 0.1]), made.init(params), params)[1]  # A live state.

        def outcome(g, through, steps=3):
            def loss(d):
                return jnp.sum(jnp.sin(d * g) + d**2)

            after = unroll(loss, made, params, opt, steps, through)
            return jnp.sum(after * g) - loss(after)

        g, h = jnp.array([0.7, 1.9]), 1e-6
        slope = jax.grad(outcome)(g, True)
        steps = np.eye(2) * h
        numeric = [(outcome(g + s, True) - outcome(g - s, True)) / (2 * h) for s in steps]
        np.testing.assert_allclose(slope, numeric, rtol=1e-6)
        assert np.abs(jax.grad(outcome)(g, False) - slope).max() > 1e-3
        np.testing.assert_allclose(outcome(g, False), outcome(g, True))
        assert outcome(g, True, 0) != outcome(g, True, 1)


def test_unrolled_steps_are_the_optimizers_own():
    made, loss = optax.adam(0.1, eps_root=1e-6), lambda d: jnp.sum(jnp.cos(3.0 * d))
    params = by_hand = jnp.array([0.3, -0.8])
    opt = start = made.init(params)
    for _ in range(3):  # With its state carried from step to step.
        updates, opt = made.update(jax.grad(loss)(by_hand), opt, by_hand)
        by_hand = optax.apply_updates(by_hand, updates)
    np.testing.assert_allclose(unroll(loss, made, params, start, 3), by_hand, rtol=1e-6)


def test_one_unrolled_step_of_gradient_descent_in_closed_form():
    """f(g, d) = g d, d' = d - a g: what G sees is g (d - a g), of slope d - 2 a g."""
    g, d, a = 1.5, jnp.array(0.4), 0.1
    made = optax.sgd(a)

    def seen(g):
        return g * unroll(lambda d: g * d, made, d, made.init(d), 1)

    np.testing.assert_allclose(jax.grad(seen)(g), 0.4 - 2 * a * g, rtol=1e-6)


def test_priors_have_the_distribution_they_are_named_after():
    z = latents.sphere(KEYS, (16,))
    np.testing.assert_allclose(jnp.linalg.norm(z, axis=1), 4.0, rtol=1e-5)
    assert stats.kstest(np.ravel(latents.cube(KEYS, (2,))), "uniform", (-1, 2)).pvalue > 1e-3
    assert stats.kstest(np.ravel(latents.PRIORS["normal"](KEYS, (2,))), "norm").pvalue > 1e-3


def test_slerp_keeps_to_the_sphere_and_ends_where_it_should():
    start, end = latents.sphere(KEYS[:4], (8,)), latents.sphere(KEYS[4:8], (8,))
    path = latents.path(start, end, 5)
    np.testing.assert_allclose(path[:, 0], start, atol=1e-5)
    np.testing.assert_allclose(path[:, -1], end, atol=1e-5)
    np.testing.assert_allclose(jnp.linalg.norm(path, axis=-1), np.sqrt(8.0), rtol=1e-4)
    angles = np.arccos(np.sum(path[:, 1:] * path[:, :-1], -1) / 8.0)
    np.testing.assert_allclose(angles, np.broadcast_to(angles[:, :1], angles.shape), rtol=1e-2)
    np.testing.assert_allclose(latents.slerp(start, start, 0.3), start, rtol=1e-5)


def test_flips_exchange_a_share_of_pairs_and_labels_stay_in_their_range():
    real, fake = jnp.ones(4096), jnp.zeros(4096)
    a, b = tricks.flip(KEYS, 0.2, real, fake)
    np.testing.assert_allclose(a + b, 1.0)
    assert abs(float(b.mean()) - 0.2) < 0.03
    labels = tricks.noisy_labels(KEYS, 0.7, 1.2)
    assert stats.kstest(np.asarray(labels), "uniform", (0.7, 0.5)).pvalue > 1e-3
    assert np.all(tricks.noisy_labels(KEYS, 0.9, 0.9) == np.float32(0.9))


def test_instance_noise_fades_to_nothing():
    x = jnp.zeros((4096, 2))
    stds = [
        float(tricks.instance_noise(KEYS, x, jnp.array(step), 0.4, 100).std())
        for step in (0, 50, 100, 500)
    ]
    np.testing.assert_allclose(stds, [0.4, 0.2, 0.0, 0.0], rtol=0.05)


def test_packing_puts_neighbours_side_by_side_as_channels():
    x = jnp.arange(4 * 2 * 2 * 3).reshape(4, 2, 2, 3)
    packed = tricks.pack(x, 2)
    assert packed.shape == (2, 2, 2, 6)
    np.testing.assert_array_equal(packed[1], jnp.concatenate([x[2], x[3]], axis=-1))
    np.testing.assert_array_equal(tricks.pack(jnp.arange(8).reshape(4, 2), 4), [range(8)])


@pytest.mark.slow
def test_replay_shows_old_fakes_at_the_share_asked_for_and_keeps_new_ones():
    batch = {"index": jnp.arange(64)}
    pool = pools.empty_pool(128, (1,))
    shown, ages = [], []
    for number in range(1, 60):
        fakes = jnp.full((64, 1), float(number))
        out, pool = pools.replay(jax.random.key(number), pool, fakes, batch, 0.25)
        shown.append(float((out != number).mean()))
        ages.append(number - float(pool["kept"].mean()))
        assert np.all((out >= 1) & (out <= number))  # Never an empty place of the pool.
    assert shown[0] == 0.0  # Nothing is old at first.
    assert abs(np.mean(shown[4:]) - 0.25) < 0.03
    # A place is renewed with probability 1/2 a batch: fakes stay about two batches, by chance more.
    assert 0.5 < np.mean(ages[10:]) < 1.5
    with pytest.raises(ValueError, match="replay pool of 32"):
        pools.replay(KEY, pools.empty_pool(32, (1,)), jnp.zeros((64, 1)), batch, 0.5)
