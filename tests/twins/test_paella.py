"""By hand, in float64: Paella's loss, and what its network is given when it samples."""

import numpy as np
import pytest

from twins.game import also, codes_of, game
from twins.inputs import COUNT
from twins.numbers import agree, log_softmax, pick

RECIPE = "paella_shapes"
# So cold that the likeliest code is drawn.
SAMPLER = {f"sampler.{name}": 1e-6 for name in ("temperature", "last_temperature")}


def flat(of, vectors):
    """The codes nearest to vectors, row by row."""
    return codes_of(of, vectors).reshape(COUNT, -1)


@pytest.mark.parametrize("discount", [0.7, also(0.0)])
def test_the_loss(discount):
    """Each example's weighted mean of the smoothed cross-entropy of all its codes."""
    of = game(RECIPE, condition_dropout=0.5, discount=discount)
    played = of.play()
    (call,), (read,) = played.calls["network"], played.calls["text"]
    z = flat(of, played.outputs("encoder")[0])
    shown, share, context = call.inputs
    draws = [np.asarray(draw) for draw in played.calls["uniform"]]
    np.testing.assert_allclose([u for u in draws if u.ndim == 0], share, rtol=1e-6)
    assert share.std() > 0.2 and share.min() >= 0 and share.max() < 1
    noised = np.stack([u for u in draws if u.shape == z.shape[1:]]) < share[:, None]
    np.testing.assert_array_equal(shown[~noised], z[~noised])
    assert np.mean(shown[noised] == z[noised]) < 0.5 and 0.2 < noised.mean() < 0.8
    # Captions are hidden example by example.
    hidden = (read.inputs[0] == 0).all(1)
    assert 2 < hidden.sum() < COUNT - 2 and call.keys == 1
    caption = np.asarray(of.batch["caption"])
    np.testing.assert_array_equal(read.inputs[0][~hidden], caption[~hidden])
    np.testing.assert_array_equal(context, read.output.tokens)
    log_p = log_softmax(call.output)
    smooth = 0.9 * pick(log_p, z) + 0.1 * log_p.mean(-1)
    weight = 1 - (1 - noised) * (1 - share[:, None]) * discount
    agree(played.value, -np.mean((weight * smooth).sum(1) / weight.sum(1)))
    agree(played.metric("accuracy"), np.mean(log_p.argmax(-1) == z))


def drawn_last(of, calls, guidance):
    """The rounds by hand: what is drawn is shown next, but for codes that show the first noise."""
    steps, calls = of.config.sampler.steps, calls["network"]
    assert len(calls) == (2 if guidance else 1) * steps
    noise, drawn = calls[0].inputs[0], None
    for number, call in enumerate(calls[:steps]):
        shown, share, context = call.inputs
        np.testing.assert_allclose(share, 1 - number / steps, rtol=1e-5)
        assert not call.keys
        if number:
            assert np.all((shown == drawn) | (shown == noise)) and np.any(shown != noise)
        logits = call.output
        if guidance:
            null = calls[number + steps]
            np.testing.assert_array_equal(null.inputs[0], shown)
            np.testing.assert_array_equal(null.inputs[1], share)
            assert np.any(null.inputs[2] != context)
            logits = (1 + guidance) * logits - guidance * null.output
        drawn = logits.argmax(-1)
    return drawn


@pytest.mark.parametrize("guidance", [1.5, also(0.0)])
def test_samples(guidance):
    of = game(RECIPE, **SAMPLER, **{"sampler.guidance": guidance})
    outputs, calls = of.work("sample")
    (decoded,) = calls["decoder"]
    np.testing.assert_array_equal(flat(of, decoded.inputs[0]), drawn_last(of, calls, guidance))
    agree(outputs["image"], decoded.output)  # The mean of a Gaussian.
    steps, read = of.config.sampler.steps, [call.inputs[0] for call in calls["text"]]
    for ids in read[:steps]:
        np.testing.assert_array_equal(ids, np.asarray(of.batch["caption"]))
    assert not np.any(read[steps:])  # What guides away knows no caption.


@pytest.mark.parametrize("share", [0.5, also(0.0)])
def test_variations_begin_at_the_images_codes(share):
    of = game(RECIPE, **SAMPLER, **{"sampler.guidance": 0.0, "sampler.variation": share})
    outputs, calls = of.work("vary")
    z = flat(of, calls["encoder"][0].output)
    first = calls["network"][0].inputs[0]
    kept = np.mean(first == z)
    assert (share / 2 < 1 - kept < 1.5 * share) if share else kept == 1
    whole, other = (flat(of, call.inputs[0]) for call in calls["decoder"])
    np.testing.assert_array_equal(whole, z)
    # Where the first round shows noise, the next shows that noise or what was drawn.
    drawn, second = calls["network"][0].output.argmax(-1), calls["network"][1].inputs[0]
    assert np.all(((second == drawn) | (second == first))[first != z])
    np.testing.assert_array_equal(other, calls["network"][-1].output.argmax(-1))
    told = [call.inputs[1] for call in calls["network"]]
    np.testing.assert_allclose(np.stack(told)[:, 0], share * np.array([1, 2 / 3, 1 / 3]), rtol=1e-5)
    assert outputs["image"].shape[1] == 2
    agree(outputs["image"][:, 1], calls["decoder"][1].output)


def test_the_known_half_stays_when_the_other_is_made_anew():
    of = game(RECIPE, **SAMPLER, **{"sampler.guidance": 0.0})
    outputs, calls = of.work("inpaint")
    z = flat(of, calls["encoder"][0].output)
    half = z.shape[1] // 2
    whole, other = (flat(of, call.inputs[0]) for call in calls["decoder"])
    np.testing.assert_array_equal(whole, z)
    for codes in (other, *(call.inputs[0] for call in calls["network"])):
        np.testing.assert_array_equal(codes[:, :half], z[:, :half])
    assert np.any(other != whole) and outputs["image"].shape[1] == 2
