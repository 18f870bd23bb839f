"""By hand, in float64: MaskGIT's loss, and what its network is given when it samples."""

import numpy as np
import pytest

from twins.game import also, codes_of, game
from twins.inputs import COUNT
from twins.numbers import agree, log_softmax, pick, sigmoid

RECIPE = "maskgit_mnist"


@pytest.mark.parametrize("hidden", [0.0, also(1.0)])
def test_the_loss(hidden):
    """The smoothed cross-entropy at masked codes alone; a label, or that of none, stands before."""
    of = game(RECIPE, condition_dropout=hidden)
    played = of.play()
    (call,) = played.calls["network"]
    z = codes_of(of, played.outputs("encoder")[0]).reshape(COUNT, -1)
    (given, label), values = call.inputs[:2], call.output.shape[-1]
    chosen = given == values
    np.testing.assert_array_equal(given[~chosen], z[~chosen])
    assert call.keys == 1 and np.all(chosen.mean(1) >= 0.5) and not np.all(chosen)
    np.testing.assert_array_equal(label, 10 if hidden else np.asarray(of.batch["label"]))
    log_p = log_softmax(call.output)
    smooth = 0.9 * pick(log_p, z) + 0.1 * log_p.mean(-1)
    agree(played.value, -smooth[chosen].sum() / chosen.sum())
    agree(played.metric("accuracy"), (log_p.argmax(-1) == z)[chosen].sum() / chosen.sum())


@pytest.mark.parametrize("weight", [0.0, also(1.5)])
def test_samples(weight):
    """Twelve passes at most, twice as many if guided; the first sees masks alone."""
    of = game(RECIPE, **{"sampler.guidance": weight, "sampler.steps": 1})
    outputs, calls = of.work("sample")
    given = calls["network"]
    labels = [np.asarray(call.inputs[1]) for call in given]
    assert len(given) == (2 if weight else 1)
    for call in given:
        assert np.all(call.inputs[0] == call.output.shape[-1]) and not call.keys
    np.testing.assert_array_equal(labels[0], np.asarray(of.batch["label"]))
    assert not weight or np.all(labels[1] == 10)
    np.testing.assert_array_equal(outputs["label"], labels[0])
    agree(outputs["image"], 2 * sigmoid(calls["decoder"][0].output) - 1)


def test_the_known_half_stays_when_the_other_is_made_anew():
    of = game(RECIPE)
    outputs, calls = of.work("inpaint")
    z = codes_of(of, calls["encoder"][0].output)
    whole, half = (codes_of(of, call.inputs[0]).reshape(COUNT, -1) for call in calls["decoder"])
    np.testing.assert_array_equal(whole, z.reshape(COUNT, -1))
    np.testing.assert_array_equal(half[:, : whole.shape[1] // 2], whole[:, : whole.shape[1] // 2])
    assert np.any(half != whole) and outputs["image"].shape[1] == 2
