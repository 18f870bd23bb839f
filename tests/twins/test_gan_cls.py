"""By hand, in float64: GAN-INT-CLS's losses, and the texts, pictures and latents they are of."""

import numpy as np
import pytest

from twins.game import game, image_of
from twins.inputs import COUNT
from twins.numbers import agree, log_loss, softplus

RECIPE = "gan_cls_shapes"


def embeddings(played):
    """What the texts of the batch become: of unit length by CLIP, here of variance 1."""
    (pooled,) = (call.output.pooled for call in played.calls["text"])
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True) * np.sqrt(pooled.shape[1])


def wrong_of(x, caption):
    """The next picture of the batch that has another caption."""
    rows = []
    for i in range(COUNT):
        around = [(i + step) % COUNT for step in range(1, COUNT)]
        rows.append(next(j for j in around if np.any(caption[j] != caption[i])))
    assert any(row != (i + 1) % COUNT for i, row in enumerate(rows))  # Two neighbours are equal.
    return x[rows]


@pytest.mark.parametrize("mismatch", [0.5, 0.0])
def test_the_discriminators_loss(mismatch):
    """-log D(x, t) - m log(1 - D(x', t)) - (1 - m) log(1 - D(G(z, t), t)); three batches, apart."""
    of = game(RECIPE, mismatch=mismatch)
    caption = np.array(of.batch["caption"])
    caption[4] = caption[3]
    played = of.play("discriminator", caption=caption)
    x, t, (fake,) = image_of(of), embeddings(played), played.outputs("generator")
    np.testing.assert_allclose(played.calls["generator"][0].inputs[1], t, atol=1e-4)
    real, wrong, of_fake = played.calls["discriminator"]
    for call, image in ((real, x), (wrong, wrong_of(x, caption)), (of_fake, fake)):
        np.testing.assert_allclose(call.inputs[0], image, atol=1e-5)
        np.testing.assert_allclose(call.inputs[1], t, atol=1e-4)
        assert call.options["train"] and len(call.output) == COUNT
    true = log_loss(real.output, of_fake.output), log_loss(real.output, wrong.output)
    agree(played.value, ((1 - mismatch) * true[0] + mismatch * true[1]).mean())


def test_the_generators_loss():
    """The mean of -log D over B texts and B / 2 means of text i and text i + B / 2; one batch."""
    of = game(RECIPE)
    played = of.play("generator")
    t = embeddings(played)
    (drawn,), (judged,) = played.calls["generator"], played.calls["discriminator"]
    expected = np.concatenate([t, 0.5 * (t[: COUNT // 2] + t[COUNT // 2 :])])
    np.testing.assert_allclose(drawn.inputs[1], expected, atol=1e-4)
    np.testing.assert_allclose(judged.inputs[1], expected, atol=1e-4)
    np.testing.assert_allclose(judged.inputs[0], drawn.output, atol=1e-5)
    assert len(np.unique(drawn.inputs[0][:, 0])) == COUNT + COUNT // 2  # Each has its own z.
    agree(played.value, softplus(-judged.output).mean())


def test_without_interpolation_texts_alone():
    of = game(RECIPE, interpolation=False)
    played = of.play("generator")
    ((_, t),) = (call.inputs for call in played.calls["generator"])
    np.testing.assert_allclose(t, embeddings(played), atol=1e-4)


def test_samples_of_captions_and_of_a_prompt():
    of = game(RECIPE)
    outputs, calls = of.work("sample")
    (drawn,) = calls["generator"]
    assert drawn.options == {"train": False}
    np.testing.assert_allclose(outputs["image"], drawn.output, atol=1e-6)
    captions = np.asarray(of.batch["caption"])
    np.testing.assert_array_equal(calls["text"][0].inputs[0][:, : captions.shape[1]], captions)
    of = game(RECIPE, **{"sampler.prompt": "a seven"})
    _, calls = of.work("sample")
    assert len(np.unique(calls["text"][0].inputs[0], axis=0)) == 1
    assert len(np.unique(calls["generator"][0].inputs[1].round(4), axis=0)) == 1
