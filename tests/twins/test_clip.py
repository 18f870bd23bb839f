"""By hand, in float64: CLIP's loss, and what it is used for."""

import numpy as np
import pytest

from twins.game import game
from twins.numbers import agree, log_softmax

RECIPE = "clip_shapes"
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def embedded(of, calls, name):
    """The embeddings of a tower, which was given the batch as its paper says."""
    (call,) = calls[name]
    if name == "image":
        grey = np.repeat(np.asarray(of.batch["image"], np.float64), 3, axis=-1)
        np.testing.assert_allclose(
            call.inputs[0], ((grey + 1) / 2 - MEAN) / DEVIATION, rtol=1e-5, atol=1e-6
        )
    else:
        ids = np.asarray(of.batch["caption"])
        np.testing.assert_array_equal(call.inputs[0], np.pad(ids, ((0, 0), (0, 1))))
    return unit(call.output[1])


def test_the_loss():
    """The mean of both cross-entropies, with the texts that are equal to the pair's left out."""
    of = game(RECIPE)
    played = of.play()
    images, texts = (embedded(of, played.calls, name) for name in ("image", "text"))
    scale = np.exp(np.float64(of.variables.params["scale"]["log"]))
    ids = np.asarray(of.batch["caption"])
    equal = (ids[:, None] == ids).all(-1) & ~np.eye(len(ids), dtype=bool)
    assert equal.any()
    logits = scale * images @ texts.T
    losses = [-np.diag(log_softmax(np.where(equal, -1e9, x))) for x in (logits, logits.T)]
    agree(played.value, np.mean(losses))
    agree(played.metric("scale"), scale)
    agree(played.metric("accuracy"), np.mean(logits.argmax(1) == np.arange(len(ids))))


@pytest.mark.parametrize("name", ["encode_image", "encode_text", "similarity"])
def test_what_it_is_used_for(name):
    of = game(RECIPE)
    outputs, calls = of.work(name)
    towers = {"encode_image": ["image"], "encode_text": ["text"], "similarity": ["image", "text"]}
    assert set(calls) - {"uniform"} == set(towers[name])
    found = [embedded(of, calls, tower) for tower in towers[name]]
    if name != "similarity":
        agree(outputs["embedding"], found[0])
    else:
        cosine = np.sum(found[0] * found[1], axis=-1)
        agree(outputs["cosine"], cosine)
        agree(outputs["clip_score"], 2.5 * np.maximum(cosine, 0))
