"""Masked codes: how many are masked, and how they are found again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from twins.game import game

import gm_jax
from gm_jax.multimodal.shared import masked

KEYS = jax.random.split(jax.random.key(3), 4000)
MASK, LENGTH = 5, 9


def test_as_many_are_masked_as_the_cosine_says_and_at_least_half():
    chosen = np.asarray(masked.masks(KEYS, LENGTH, 0.0))
    counts = np.bincount(chosen.sum(1), minlength=LENGTH + 1) / len(KEYS)
    # ceil(9 cos(pi r / 2)) is k if r lies between the two angles.
    edges = np.arccos(np.arange(LENGTH + 1) / LENGTH) * 2 / np.pi
    np.testing.assert_allclose(counts[1:], edges[:-1] - edges[1:], atol=0.03)
    assert counts[0] == 0
    np.testing.assert_allclose(chosen.mean(0), chosen.mean(), atol=0.03)  # Every position alike.
    assert np.asarray(masked.masks(KEYS, LENGTH, 0.5)).sum(1).min() == 5


def seen_by(steps, known=0, temperature=0.0, logits=None, count=40):
    """Each round's masked codes, and the result."""
    rounds = []

    def logits_of(codes):
        jax.debug.callback(lambda c: rounds.append(np.asarray(c)), codes, ordered=True)
        return jnp.zeros((*codes.shape, MASK)) if logits is None else logits(codes)

    codes = jnp.broadcast_to(jnp.arange(LENGTH) % MASK, (count, LENGTH))
    keep = jnp.broadcast_to(jnp.arange(LENGTH) < known, codes.shape)
    out = masked.decode(logits_of, codes, keep, KEYS[:count], steps, MASK, temperature)
    jax.effects_barrier()
    return np.stack(rounds), np.asarray(out), np.asarray(codes)


@pytest.mark.parametrize("known,steps", [(0, 1), (0, 4), (3, 4), (9, 2)])
def test_masks_fall_as_the_cosine_says_and_none_is_left(known, steps):
    rounds, out, codes = seen_by(steps, known)
    unknown = LENGTH - known
    left = [np.floor(np.cos(np.pi / 2 * r / steps) * unknown) for r in range(1, steps)]
    wanted = [unknown, *np.clip(left, 1, max(unknown - 1, 0))]
    for codes_then, count in zip(rounds, wanted, strict=True):
        np.testing.assert_array_equal((codes_then == MASK).sum(1), min(count, unknown))
    assert out.min() >= 0 and out.max() < MASK  # What the last round drew, not what it masked.
    np.testing.assert_array_equal(out[:, :known], codes[:, :known])
    for before, after in zip(rounds, [*rounds[1:], out], strict=True):
        kept = before != MASK
        np.testing.assert_array_equal(after[kept], before[kept])


@pytest.mark.parametrize("temperature", [0.0, 100.0])
def test_the_surest_codes_are_kept_first_unless_noise_is_large(temperature):
    """Position p draws its likeliest value with a probability that falls from .997 to .36."""
    logits = 0.8 * jnp.arange(LENGTH, 0, -1.0)[:, None] * jnp.eye(MASK)[1]
    rounds, _, _ = seen_by(
        5, 0, temperature, lambda codes: jnp.broadcast_to(logits, (*codes.shape, MASK)), 400
    )
    kept = (rounds[3] != MASK).mean(0)  # Four of nine.
    if temperature:
        np.testing.assert_allclose(kept, 4 / 9, atol=0.12)
    else:
        assert kept[:3].min() > 0.9 and kept[-3:].max() < 0.1


@pytest.mark.parametrize("steps", [2, 3])
def test_the_noise_on_the_confidence_falls_as_rounds_pass(steps):
    """Of a certain code and one of five values the second is masked again by a Gumbel's race:
    with probability sigmoid(log 5 / c), c the temperature times 1 - 1 / steps."""
    sure = 50.0 * jnp.eye(MASK)[1] * (jnp.arange(LENGTH) == 7)[:, None]
    rounds, *_ = seen_by(
        steps, 7, 2.0, lambda codes: jnp.broadcast_to(sure, (*codes.shape, MASK)), len(KEYS)
    )
    again = (rounds[1] == MASK).mean(0)
    expected = 1.0 / (1.0 + MASK ** (-1.0 / (2.0 * (1.0 - 1.0 / steps))))
    np.testing.assert_allclose(again[7:], [1.0 - expected, expected], atol=0.025)
    assert not np.any(again[:7])


def test_codes_that_depend_on_one_another_come_out_as_drawn_one_by_one():
    """All codes equal: with as many rounds as codes every sample is of one value."""

    def logits(codes):
        counts = jax.nn.one_hot(codes, MASK).sum(1)
        return jnp.broadcast_to(50.0 * jnp.minimum(counts, 1.0)[:, None], (40, LENGTH, MASK))

    many, one = (seen_by(steps, logits=logits)[1] for steps in (20, 1))
    alike = (many == many[:, :1]).mean(1)
    assert (one == one[:, :1]).mean() < 0.5 and alike.mean() > 0.8


def test_each_round_draws_anew():
    many, one = (seen_by(steps)[1] for steps in (6, 1))
    assert (many == one).mean() < 0.5


def test_guidance_of_weight_zero_is_the_conditional_model():
    given, null = (jax.random.normal(k, (2, 3, 4)) for k in KEYS[:2])
    np.testing.assert_array_equal(masked.guided(given, null, 0.0), given)
    np.testing.assert_allclose(masked.guided(given, null, 2.0), 3 * given - 2 * null, rtol=1e-5)


def test_guidance_prefers_nothing_that_is_not_plausible():
    """The third is the least likely of all, and 50 times less so without the condition."""
    given = jnp.log(jnp.array([[0.6, 0.3, 0.01, 0.09]]))
    null = jnp.log(jnp.array([[0.6, 0.3, 0.0002, 0.0998]]))
    assert masked.guided(given, null, 4.0).argmax() == 2
    moved = 5 * given - 4 * null
    for plausible, left in ((0.1, [0, 1, 3]), (0.3, [0, 1]), (1.0, [0]), (0.01, [0, 1, 2, 3])):
        found = masked.guided(given, null, 4.0, plausible)[0]
        np.testing.assert_array_equal(np.flatnonzero(np.isfinite(found)), left)
        np.testing.assert_allclose(found[jnp.array(left)], moved[0, jnp.array(left)], rtol=1e-5)


COLD = {"sampler.temperature": 1e-6}


@pytest.mark.parametrize(
    "recipe, cold",
    [
        ("parti_shapes", COLD),
        ("dalle_shapes", COLD),
        ("paella_shapes", COLD | {"sampler.last_temperature": 1e-6}),
    ],
)
def test_if_the_likeliest_alone_is_plausible_guidance_changes_nothing(recipe, cold):
    limited = {"sampler.guidance": 3.0, "sampler.plausible": 1.0}
    changes = ({"sampler.guidance": 0.0} | cold, limited, limited | {"sampler.plausible": 0.0})
    drawn = []
    for change in changes:
        of = game(recipe, **change)
        drawn.append(
            next(iter(of.functions["sample"](of.variables, of.batch, KEYS[0])[0].values()))
        )
    assert np.isfinite(drawn[0]).all()
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.mean(drawn[0] != drawn[2]) > 0.01
    with pytest.raises(gm_jax.UserError, match="sampler.plausible limits what guidance prefers"):
        game(recipe, **{"sampler.guidance": 0.0, "sampler.plausible": 0.1})
