"""By hand, in float64: DALL-E's loss, and what its transformer is given."""

import numpy as np
import pytest

from twins.game import also, codes_of, game
from twins.inputs import COUNT
from twins.numbers import agree, log_softmax, pick

RECIPE = "dalle_shapes"


def given(of, call):
    """The text and the symbols of codes that the transformer was given."""
    length = of.batch["caption"].shape[1]
    (x,) = (v for v in call.inputs if v.ndim == 2)
    return x[:, :length], x[:, length:]


def z_count(of):
    return of.config.stages.codes.quantizer.count


@pytest.mark.parametrize("hidden", [0.0, also(1.0)])
def test_the_loss(hidden):
    """(the text's mean + 7 times the codes' mean) / 8; each padding is its position's symbol."""
    of = game(RECIPE, **{"condition_dropout": hidden, "sampler.guidance": 0.0})
    played = of.play()
    (call,) = played.calls["transformer"]
    z = codes_of(of, played.outputs("encoder")[0]).reshape(COUNT, -1)
    text, codes = given(of, call)
    first = call.output.shape[-1] - z_count(of)
    np.testing.assert_array_equal(codes, first + z)
    captions = np.array(of.batch["caption"])
    np.testing.assert_array_equal(text, 0 * captions if hidden else captions)
    length = text.shape[1]
    words = first - length
    own = np.where(text == 0, words + np.arange(length), text)
    log_p = log_softmax(call.output)
    of_text, of_codes = -pick(log_p[:, :length], own), -pick(log_p[:, length:], first + z)
    agree(played.metric("nats_per_symbol"), of_text.mean())
    agree(played.metric("nats_per_code"), of_codes.mean())
    agree(played.value, (of_text.mean() + 7 * of_codes.mean()) / 8)
    assert call.keys == 1


def test_captions_are_hidden_example_by_example():
    of = game(RECIPE, condition_dropout=0.5)
    (call,) = of.play().calls["transformer"]
    (text, _), captions = given(of, call), np.asarray(of.batch["caption"])
    empty = np.all(text == 0, axis=1)
    assert 0 < empty.sum() < COUNT
    np.testing.assert_array_equal(text[~empty], captions[~empty])


def test_samples_follow_their_captions():
    of = game(RECIPE, **{"sampler.guidance": 0.0})
    one, _ = of.work("sample")
    others, _ = of.work("sample", caption=np.roll(of.batch["caption"], 1, axis=0))
    changed = [not np.allclose(a, b) for a, b in zip(one["image"], others["image"], strict=True)]
    assert np.mean(changed) > 0.2 and one["image"].shape == of.batch["image"].shape
    cold = {"sampler.guidance": 0.0, "sampler.prompt": "a seven", "sampler.temperature": 0.0}
    prompted = game(RECIPE, **cold)
    shown, _ = prompted.work("sample", moves=False)
    assert len(np.unique(shown["image"], axis=0)) == 1 < len(np.unique(one["image"], axis=0))
    others, _ = prompted.work("sample", moves=False, caption=0 * of.batch["caption"])
    np.testing.assert_array_equal(shown["image"], others["image"])


def test_likelihood():
    of = game(RECIPE)
    outputs, calls = of.work("likelihood")
    (call,) = calls["transformer"]
    length, z = of.batch["caption"].shape[1], codes_of(of, calls["encoder"][0].output)
    log_p, first = log_softmax(call.output), call.inputs[0][:, length:] - z.reshape(COUNT, -1)
    assert len(np.unique(first)) == 1
    expected = -pick(log_p[:, length:], call.inputs[0][:, length:]).mean(1)
    agree(outputs["nats_per_code"], expected)
    text, words = call.inputs[0][:, :length], first.ravel()[0] - length
    own = np.where(text == 0, words + np.arange(length), text)
    agree(outputs["nats_per_symbol"], -pick(log_p[:, :length], own).mean(1))
