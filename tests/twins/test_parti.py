"""By hand, in float64: Parti's loss, and what its decoder is given."""

import numpy as np
import pytest

from twins.game import also, codes_of, game
from twins.inputs import COUNT
from twins.numbers import agree, log_softmax, pick

RECIPE = "parti_shapes"
PLAIN = {"sampler.guidance": 0.0}


def of_codes(of, calls):
    return codes_of(of, calls["encoder"][0].output).reshape(COUNT, -1)


@pytest.mark.parametrize(("hidden", "smoothing"), [(0.0, 0.0), also(1.0, 0.0), also(0.0, 0.2)])
def test_the_loss(hidden, smoothing):
    """The mean over codes of -log p; a hidden caption is empty; all are read."""
    of = game(RECIPE, condition_dropout=hidden, smoothing=smoothing, **PLAIN)
    played = of.play()
    (call,), (text,) = played.calls["network"], played.calls["text"]
    z, captions = of_codes(of, played.calls), np.asarray(of.batch["caption"])
    np.testing.assert_array_equal(text.inputs[0], 0 * captions if hidden else captions)
    np.testing.assert_array_equal(call.inputs[0], z)
    np.testing.assert_allclose(call.inputs[-1], text.output.tokens, atol=1e-5)
    log_p = log_softmax(call.output)
    terms = (1 - smoothing) * pick(log_p, z) + smoothing * log_p.mean(-1)
    agree(played.value, -terms.mean())
    assert call.keys == 1


def test_captions_are_hidden_example_by_example():
    of = game(RECIPE, condition_dropout=0.5, **PLAIN)
    (call,) = of.play().calls["text"]
    captions = np.asarray(of.batch["caption"])
    empty = np.all(call.inputs[0] == 0, axis=1)
    assert 0 < empty.sum() < COUNT
    np.testing.assert_array_equal(call.inputs[0][~empty], captions[~empty])


def test_samples_follow_their_captions():
    of = game(RECIPE, **PLAIN)
    one, _ = of.work("sample")
    others, _ = of.work("sample", caption=np.roll(of.batch["caption"], 1, axis=0))
    changed = [not np.allclose(a, b) for a, b in zip(one["image"], others["image"], strict=True)]
    assert np.mean(changed) > 0.2 and one["image"].shape == of.batch["image"].shape
    prompted = game(RECIPE, **PLAIN, **{"sampler.prompt": "a seven"})
    shown, calls = prompted.work("sample", moves=False)
    assert len(np.unique(calls["text"][0].inputs[0], axis=0)) == 1
    others, _ = prompted.work("sample", moves=False, caption=0 * of.batch["caption"])
    np.testing.assert_array_equal(shown["image"], others["image"])


def test_a_prompt_is_of_samples_and_not_of_training():
    of = game(RECIPE, condition_dropout=0.0, **PLAIN, **{"sampler.prompt": "a seven"})
    (text,) = of.play().calls["text"]
    np.testing.assert_array_equal(text.inputs[0], of.batch["caption"])


def test_likelihood():
    of = game(RECIPE, **PLAIN)
    outputs, calls = of.work("likelihood")
    z, (call,) = of_codes(of, calls), calls["network"]
    agree(outputs["nats_per_code"], -pick(log_softmax(call.output), z).mean(1))
