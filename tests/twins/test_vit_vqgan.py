"""By hand, in float64: both moves of ViT-VQGAN, and what it is used for."""

import jax
import numpy as np
import pytest

from twins.game import game, image_of, on
from twins.inputs import COUNT
from twins.numbers import agree, sigmoid, softplus
from twins.test_codes import grey_laplace

RECIPE = "vit_vqgan_shapes"
PIXELS = {"pixels.squared": 0.7, "pixels.absolute": 0.3, "pixels.logit_laplace": 0.2}
WEIGHT = {"discriminator.weight": 0.1}


def unit(x):
    return np.float64(x) / np.linalg.norm(np.float64(x), axis=-1, keepdims=True)


def book_of(of):
    """The codes, of length 1."""
    side = of.variables.params if of.config.quantizer.name == "learned" else of.variables.state
    return unit(side["codebook"]["vectors"])


def looked_up(of, z):
    """The code of the largest cosine, and the distances of the unit vectors from it."""
    book = book_of(of)
    chosen = (unit(z) @ book.T).argmax(-1)
    return chosen, book[chosen], (unit(z) - book[chosen]) ** 2


def picture(logits):
    """[0.1, 0.9] back to [-1, 1]."""
    return 2.0 * (sigmoid(logits) - 0.1) / 0.8 - 1.0


def logit_laplace(x, logits):
    mapped = 0.8 * (x + 1.0) / 2.0 + 0.1
    logit = np.log(mapped / (1.0 - mapped))
    return -(-abs(logit - logits) - np.log(2.0 * mapped * (1.0 - mapped)))


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("name", ["averaged", "learned"])
def test_the_autoencoders_loss(name, step):
    """L_VQ + w_D softplus(-D(x')) + the terms of pixels, each a mean; D's from round 2 on."""
    of = game(RECIPE, **PIXELS, **WEIGHT, **{"quantizer.name": name})
    played, x = of.play("autoencoder", step=step), image_of(of)
    ((z,), (made,)) = played.outputs("encoder"), played.calls["decoder"]
    chosen, codes, far = looked_up(of, z)
    assert len(np.unique(chosen)) > 1
    agree(made.inputs[0], codes)
    quantization = (1.25 if name == "learned" else 0.25) * far.mean()
    y = picture(made.output)
    (judged,) = played.calls["discriminator"]
    agree(judged.inputs[0], y)
    adversarial = softplus(-judged.output).mean()
    squared, absolute = ((x - y) ** 2).mean(), abs(x - y).mean()
    density = logit_laplace(x, made.output).mean()
    agree(played.metric("quantization"), quantization)
    agree(played.metric("adversarial"), adversarial)
    agree(played.metric("squared"), squared)
    agree(played.metric("absolute"), absolute)
    agree(played.metric("logit_laplace"), density)
    expected = quantization + 0.7 * squared + 0.3 * absolute + 0.2 * density
    agree(played.value, expected + 0.1 * (step >= 2) * adversarial)


def test_the_discriminators_loss():
    """softplus(-D(x)) + softplus(D(x')), the mean over patches and examples."""
    of = game(RECIPE)
    played, x = of.play("discriminator"), image_of(of)
    real = on(played.calls["discriminator"], np.float32(x))
    (fake,) = (c for c in played.calls["discriminator"] if c is not real)
    agree(fake.inputs[0], picture(played.outputs("decoder")[0]))
    agree(played.value, (softplus(-real.output) + softplus(fake.output)).mean())
    (player,) = (p for p in of.model.players if p.name == "discriminator")
    assert [player.moves[0].times(step) for step in (0, 1, 2, 3)] == [0, 0, 1, 1]


def test_averaged_codes_follow_vectors_of_length_one():
    of = game(RECIPE, **{"quantizer.averaged.revive_below": 0.0})
    played = of.play("autoencoder")
    (z,) = played.outputs("encoder")
    chosen = looked_up(of, z)[0]
    before, after = of.variables.state["codebook"], played.state["codebook"]
    counts = np.bincount(chosen.ravel(), minlength=8)
    sums = 0.99 * np.float64(before["sums"])
    np.add.at(sums, chosen, 0.01 * unit(z))
    agree(after["counts"], 0.99 * before["counts"] + 0.01 * counts)
    agree(after["sums"], sums)


def test_learned_codes_are_pulled_along_the_sphere():
    """The slope of |sg[l2(z)] - l2(e)|^2: 2 (I - u u') (u - l2(z)) / |e|, u = l2(e); no beta."""
    of = game(RECIPE, **{"quantizer.name": "learned"})
    played = of.play("autoencoder")
    (z,) = played.outputs("encoder")
    chosen, codes, _ = looked_up(of, z)
    (move,) = (p for p in of.model.players if p.name == "autoencoder")
    slope = jax.jit(jax.grad(move.moves[0].objective, has_aux=True))
    found = slope(of.variables, of.batch, jax.random.key(0), 0)[0].params["codebook"]["vectors"]
    book = np.float64(of.variables.params["codebook"]["vectors"])
    lengths = np.linalg.norm(book, axis=-1)[chosen][..., None]
    pull = 2.0 * (codes - unit(z)) / (COUNT * z[0].size)
    along = pull - (pull * codes).sum(-1, keepdims=True) * codes
    expected = np.zeros_like(book)
    np.add.at(expected, chosen, along / lengths)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * abs(expected).max())


def test_codes_and_what_is_made_of_them():
    of, x = game(RECIPE), image_of(game(RECIPE))
    encoded, calls = of.work("encode")
    chosen, codes, _ = looked_up(of, calls["encoder"][0].output)
    np.testing.assert_array_equal(encoded["code"], chosen)
    decoded, calls = of.work("decode", code=np.int32(chosen))
    agree(calls["decoder"][0].inputs[0], codes)
    agree(decoded["image"], picture(calls["decoder"][0].output))
    both, _ = of.work("reconstruct")
    np.testing.assert_allclose(both["image"], np.stack([x, decoded["image"]], 1), atol=1e-5)
    measured, calls = of.work("distortion")
    logits = calls["decoder"][0].output
    outputs = np.concatenate([logits, 0.0 * logits], axis=-1)  # Of scale 1.
    agree(measured["reconstruction"], grey_laplace(x, np.stack(calls["uniform"]), outputs))
    agree(measured["squared_error"], ((decoded["image"] - x) ** 2).mean((1, 2, 3)))
