"""Paella: how codes are noised, and how they are found again; its network, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax.errors import UserError
from gm_jax.multimodal.shared import renoised
from gm_jax.nn.code_unet import CodeUNet
from gm_jax.nn.unet import UNet

COUNT, LENGTH, VALUES, FOUND = 400, 9, 5, 5
KEYS = jax.random.split(jax.random.key(3), COUNT)
CODES = jax.random.randint(jax.random.key(4), (COUNT, LENGTH), 0, VALUES)
NOISE = renoised.random_codes(KEYS, LENGTH, VALUES)


def test_random_codes_are_uniform():
    shares = np.bincount(np.asarray(NOISE).ravel(), minlength=VALUES) / NOISE.size
    assert len(shares) == VALUES
    np.testing.assert_allclose(shares, 1 / VALUES, atol=0.03)
    assert len(np.unique(NOISE[:, 0])) == VALUES  # Every example has its own.


def test_of_share_one_nothing_is_left_and_of_share_zero_all():
    for share, left in ((1.0, NOISE), (0.0, CODES)):
        found, chosen = renoised.noised(CODES, NOISE, jnp.full(COUNT, share), KEYS)
        np.testing.assert_array_equal(found, left)
        assert np.all(chosen == share)


def test_each_code_is_noised_with_the_probability_of_its_example():
    share = jnp.where(jnp.arange(COUNT) % 2, 0.2, 0.7)
    found, chosen = map(np.asarray, renoised.noised(CODES, NOISE, share, KEYS))
    np.testing.assert_array_equal(found, np.where(chosen, NOISE, CODES))
    for odd, expected in ((0, 0.7), (1, 0.2)):
        np.testing.assert_allclose(chosen[odd::2].mean(0), expected, atol=0.12)
        assert len(set(chosen[odd::2].sum(1))) > 3  # Not one number of codes for all.


def test_codes_that_are_shown_weigh_less_the_less_is_noised():
    chosen = jnp.array([[True, False], [True, False], [True, False]])
    share = jnp.array([0.0, 0.5, 1.0])
    found = renoised.weights(chosen, share, 0.7)
    np.testing.assert_allclose(found, [[1, 0.3], [1, 0.65], [1, 1]], rtol=1e-6)
    np.testing.assert_array_equal(renoised.weights(chosen, share, 0.0), 1.0)


def seen_by(steps, renoise=None, known=0, start=1.0, temperatures=(1.0, 1.0), logits=None):
    """What the network is shown and told, round by round, and the result.

    Unless other logits are given, all codes are found to be FOUND, which no noise is.
    """
    rounds, told = [], []

    def logits_of(codes, share):
        def note(codes, share):
            rounds.append(np.asarray(codes))
            told.append(np.asarray(share))

        jax.debug.callback(note, codes, share, ordered=True)
        sure = 100.0 * jax.nn.one_hot(jnp.full(codes.shape, FOUND), FOUND + 1)
        return sure if logits is None else jnp.broadcast_to(logits, (*codes.shape, len(logits)))

    keep = jnp.broadcast_to(jnp.arange(LENGTH) < known, CODES.shape)
    renoise = steps - 1 if renoise is None else renoise
    out = renoised.decode(
        logits_of, CODES, NOISE, keep, KEYS, start, steps, renoise, temperatures
    )  # fmt: skip
    jax.effects_barrier()
    return np.stack(rounds), np.stack(told), np.asarray(out)


def test_what_is_noised_again_always_shows_the_first_noise_at_positions_drawn_anew():
    rounds, told, out = seen_by(4)
    noise, shares = np.asarray(NOISE), (1.0, 0.75, 0.5, 0.25)
    np.testing.assert_array_equal(rounds[0], noise)
    for shown, own, share in zip(rounds, told, shares, strict=True):
        again = shown != FOUND
        np.testing.assert_array_equal(shown[again], noise[again])
        np.testing.assert_allclose(again.mean(0), share, atol=0.1)
        np.testing.assert_allclose(own, share, rtol=1e-6)
    # Independent positions: a fourth of a half, not a fourth, is noised in both last rounds.
    both = (rounds[2] != FOUND) & (rounds[3] != FOUND)
    np.testing.assert_allclose(both.mean(), 0.125, atol=0.03)
    assert np.all(out == FOUND)


def test_only_the_first_rounds_are_followed_by_noise():
    rounds, told, out = seen_by(4, renoise=2)
    assert [np.any(shown != FOUND) for shown in rounds] == [True, True, True, False]
    np.testing.assert_allclose(told[:, 0], [1.0, 0.75, 0.5, 0.25], rtol=1e-6)
    assert np.all(out == FOUND)


def test_a_perfect_networks_grid_is_what_is_sampled():
    grid = jax.random.randint(jax.random.key(7), (COUNT, LENGTH), 0, VALUES)
    keep = jnp.zeros(CODES.shape, bool)

    def perfect(codes, share):
        return 100.0 * jax.nn.one_hot(grid, VALUES)

    for steps in (1, 5):
        sampled = (steps, steps - 1, (1.0, 0.5))
        out = renoised.decode(perfect, CODES, NOISE, keep, KEYS, 1.0, *sampled)
        np.testing.assert_array_equal(out, grid)


def test_known_codes_are_shown_in_each_round_and_stay():
    rounds, _, out = seen_by(3, known=4)
    codes = np.asarray(CODES)
    for shown in (*rounds, out):
        np.testing.assert_array_equal(shown[:, :4], codes[:, :4])
    assert np.all(out[:, 4:] == FOUND)
    np.testing.assert_array_equal(rounds[0][:, 4:], NOISE[:, 4:])


def test_a_start_in_between_keeps_a_share_of_the_codes():
    rounds, told, _ = seen_by(2, start=0.6)
    np.testing.assert_allclose(told[:, 0], [0.6, 0.3], rtol=1e-6)
    first, codes, noise = rounds[0], np.asarray(CODES), np.asarray(NOISE)
    assert np.all((first == codes) | (first == noise))
    apart = codes != noise
    np.testing.assert_allclose((first == noise)[apart].mean(), 0.6, atol=0.05)
    np.testing.assert_array_equal(seen_by(2, start=0.0)[0][0], codes)


def test_the_temperature_goes_from_the_first_rounds_to_the_last_ones():
    logits = jnp.array([0.0, 1.0, 2.0])
    rounds, _, out = seen_by(3, 0, temperatures=(50.0, 0.5), logits=logits)
    for found, temperature in ((rounds[1], 50.0), (rounds[2], 25.25), (out, 0.5)):
        shares = np.bincount(found.ravel(), minlength=3) / found.size
        np.testing.assert_allclose(shares, jax.nn.softmax(logits / temperature), atol=0.03)
    assert np.mean(rounds[1] == rounds[2]) < 0.5  # Each round draws anew.


def small_unet(**changes):
    own = dict(width=8, multipliers=(1,), blocks=1, attention=(), groups=4, out_channels=VALUES)
    return CodeUNet((3, 3), UNet(**own, **changes))


def test_the_network_sees_the_grid_and_the_share():
    net, codes, share = small_unet(), CODES[:2], jnp.array([0.2, 0.8])
    shapes, apply = jax.eval_shape(net.init, jax.random.key(0), codes, share), jax.jit(net.apply)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda x: rng.normal(0.0, 0.3, x.shape).astype(x.dtype), shapes)
    outputs = apply(params, codes, share)
    assert outputs.shape == (2, LENGTH, VALUES)

    # Codes are laid out row by row, in and out.
    own, table = params["params"]["unet"], params["params"]["codes"]["embedding"]
    grid = np.stack([table[codes[:, 3 * row : 3 * row + 3]] for row in range(3)], axis=1)
    by_hand = jax.jit(net.unet.apply)({"params": own}, grid, 10_000 * share)
    for row, column in ((0, 1), (1, 0), (2, 2)):
        found = outputs[:, 3 * row + column]
        np.testing.assert_allclose(found, by_hand[:, row, column], rtol=1e-3, atol=1e-3)
    # The share is told as one of 10,000 times.
    near = apply(params, codes, share + 1e-4)
    assert np.abs(near - outputs).max() > 1e-2 * np.abs(outputs).max()


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"sampler.renoise_steps": 3}, "must be below sampler.steps 3"),
        ({"network.transformer_blocks": 0}, "condition.name=caption goes with"),
        ({"condition.name": "label"}, "condition.name=caption goes with"),
        ({"condition_dropout": 0.0, "sampler.guidance": 1.0}, "needs a model trained with"),
        ({"sampler.temperature": 0.0}, "must be above 0.0"),
        ({"sampler.variation": 1.5}, "must be at most 1.0"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(changes, message):
    config = gm_jax.load_config("configs/paella_shapes.py:smoke")
    config.update_from_flattened_dict(changes)
    with pytest.raises(UserError, match=message) as error:
        gm_jax.build(config)
    assert "\n" not in str(error.value)


def test_codes_without_one_grid_are_refused():
    net = CodeUNet((9,), small_unet().unet)
    with pytest.raises(UserError, match="needs one grid"):
        net.init(jax.random.key(0), CODES[:2], jnp.zeros(2))


def test_the_published_variants_size_is_ours():
    """1.05 billion, of our own blocks: the paper's are others."""
    phase = gm_jax.build(gm_jax.load_config("configs/paella_shapes.py:published"))[-1]
    caption = phase.model.spec["caption"].shape
    batch = {"index": jnp.zeros(1, int), "caption": jnp.zeros((1, *caption), int)}
    params = jax.eval_shape(phase.model.init, jax.random.key(0), batch, None).params
    assert params["network"]["codes"]["embedding"].shape == (8192, 640)
    assert sum(leaf.size for leaf in jax.tree.leaves(params["network"])) == 1_051_261_952
