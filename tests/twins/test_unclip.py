"""By hand, in float64: unCLIP's prior and decoder, and what each is told."""

import itertools

import numpy as np
import pytest

from twins.game import also, game, image_of
from twins.inputs import COUNT
from twins.numbers import agree, bicubic

PRIOR, DECODER = "unclip_prior_shapes", "unclip_shapes"
PLAIN = {"sampler.guidance": 0.0}
TEXT = {**PLAIN, "sampler.embedding": "text", "sampler.target": "a seven"}


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def scaled(call):
    """An embedding of CLIP's, with numbers of variance 1."""
    return unit(call.output.pooled) * np.sqrt(call.output.pooled.shape[1])


def of_clip(calls):
    """Those calls of a text tower that are CLIP's: a projection follows."""
    return [c for c in calls.get("text", []) if c.module.projection]


def of_words(calls):
    """Those of the tower that is trained along with the prior."""
    return [c for c in calls["text"] if not c.module.projection]


def cosine_schedule(times=1000):
    f = np.cos((np.arange(times + 1) / times + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.concatenate([[1.0], np.cumprod(1 - np.minimum(1 - f[1:] / f[:-1], 0.999))])


def test_the_priors_loss():
    """|f(z_t, t, y) - z_i|^2, z_i of variance 1; hidden are the words and z_t alone."""
    of = game(PRIOR, label_dropout=0.5)
    played, mirrored = of.play(), of.play(image=-of.batch["image"])
    (call,), (other,) = played.calls["network"], mirrored.calls["network"]
    z, z_other = (scaled(p.calls["image"][0]) for p in (played, mirrored))
    x, t, text, context = call.inputs
    abar = cosine_schedule()[t.astype(int)][:, None]
    np.testing.assert_allclose(x - other.inputs[0], np.sqrt(abar) * (z - z_other), atol=1e-4)
    noise = (x - np.sqrt(abar) * z) / np.sqrt(1 - abar)
    assert abs(noise.std() - 1) < 0.2 and abs(noise.mean()) < 0.3
    agree(played.value, ((call.output - z) ** 2).mean())
    (of_text,), (words,) = of_clip(played.calls), of_words(played.calls)
    hidden = np.all(words.inputs[0] == 0, axis=1)
    assert 2 < hidden.sum() < COUNT - 2
    np.testing.assert_allclose(text, np.where(hidden[:, None], 0, scaled(of_text)), atol=1e-4)
    np.testing.assert_array_equal(
        of_text.inputs[0][:, : words.inputs[0].shape[1]], of.batch["caption"]
    )
    np.testing.assert_allclose(context, words.output.tokens, atol=1e-5)
    assert np.all(np.abs(x).sum(1) > 0) and call.keys == 1


@pytest.mark.parametrize("count", [also(1), 3])
def test_of_several_embeddings_that_nearest_to_the_text_is_kept(count):
    of = game(PRIOR, **PLAIN, **{"sampler.best_of": count, "sampler.name": "ddim"})
    outputs, calls = of.work("sample")
    last = calls["network"][1::2]  # Two steps each; at the last one x0_hat is the answer.
    assert len(last) == count
    drawn = np.stack([unit(call.output) for call in last])
    near = np.sum(drawn * unit(scaled(of_clip(calls)[0])), -1)
    expected = np.take_along_axis(drawn, near.argmax(0)[None, :, None], 0)[0]
    np.testing.assert_allclose(outputs["embedding"], expected, atol=1e-4)
    assert count == 1 or len(np.unique(near.argmax(0))) > 1


@pytest.mark.slow
def test_closeness_is_of_what_is_drawn_and_of_the_text():
    of = game(PRIOR, **PLAIN)
    values, calls = of.work("closeness")
    drawn = of.work("sample")[0]["embedding"]
    image, text = unit(calls["image"][0].output.pooled), unit(scaled(of_clip(calls)[0]))
    expected = {"drawn": drawn * image, "text": text * image, "drawn_text": drawn * text}
    for name, product in expected.items():
        np.testing.assert_allclose(values[f"cosine_{name}"], product.sum(-1), atol=1e-4)


def test_a_prior_of_a_prompt():
    of = game(PRIOR, **PLAIN, **{"sampler.prompt": "a seven"})
    _, calls = of.work("sample", moves=False)
    for call in (*of_clip(calls), *of_words(calls)):
        assert len(np.unique(call.inputs[0], axis=0)) == 1
    assert len(np.unique(of_words(of.play().calls)[0].inputs[0], axis=0)) > 2  # One is hidden.


@pytest.mark.parametrize("factor", [2, also(1)])
def test_the_decoders_loss(factor):
    """EDM's loss of the small image; the embedding is the image's own, hidden in some."""
    of = game(DECODER, factor=factor, label_dropout=0.5, **TEXT)
    played = of.play()
    (call,), (read,) = played.calls["network"], played.calls["reader"]
    x = image_of(of)
    x = np.clip(bicubic(x, 8 // factor), -1, 1) if factor > 1 else x
    z, hidden = read.inputs
    np.testing.assert_allclose(z, scaled(played.calls["image"][0]), atol=1e-4)
    assert 2 < hidden.sum() < COUNT - 2
    none = of.variables.params["reader"]["none"]
    seen = np.where(hidden[:, None], none, z)
    np.testing.assert_allclose(call.inputs[2], seen, atol=1e-4)
    words = of.variables.params["reader"]["words"]
    expected = seen @ np.asarray(words["kernel"], float) + words["bias"]
    np.testing.assert_allclose(call.inputs[3].reshape(COUNT, -1), expected, atol=1e-3)
    sigma = np.exp(4 * call.inputs[1]).reshape(-1, 1, 1, 1)  # c_noise = ln(sigma) / 4.
    noised = call.inputs[0] * np.sqrt(sigma**2 + 0.25)
    denoised = (
        0.25 / (sigma**2 + 0.25) * noised + sigma * 0.5 / np.sqrt(sigma**2 + 0.25) * call.output
    )
    weight = (sigma**2 + 0.25) / (sigma * 0.5) ** 2
    agree(played.value, (weight * (denoised - x) ** 2).mean())
    eps = (noised - x) / sigma
    assert abs(eps.std() - 1) < 0.1 and abs(eps.mean()) < 0.1


@pytest.mark.parametrize("source", ["prior", "text"])
def test_whose_embedding_a_sample_is_of(source):
    of = game(DECODER, **{**TEXT, "sampler.embedding": source})
    _, calls = of.work("sample")
    (z, hidden), text = calls["reader"][0].inputs, of_clip(calls)
    assert not hidden.any()
    if source == "prior":
        last = calls["network"][1].output  # The prior draws two, in two steps each.
        assert last.shape == z.shape
        other = calls["network"][3].output
        near = [np.sum(unit(d) * scaled(text[0]), -1) for d in (last, other)]
        drawn = np.where((near[0] >= near[1])[:, None], unit(last), unit(other))
        np.testing.assert_allclose(z, drawn * np.sqrt(z.shape[1]), atol=1e-3)
    else:
        (call,) = text
        np.testing.assert_allclose(z, scaled(call), atol=1e-4)
        embedded, _ = of.work("embed")
        np.testing.assert_allclose(embedded["embedding"], unit(scaled(call)), atol=1e-5)


def test_a_prompt_and_a_target_are_of_samples():
    of = game(DECODER, **TEXT, **{"sampler.prompt": "a three"})
    _, calls = of.work("sample", moves=False)
    assert len(np.unique(of_clip(calls)[0].inputs[0], axis=0)) == 1
    _, calls = of.work("blend")
    seven = game(DECODER, **TEXT, **{"sampler.prompt": "a seven"})
    expected = seven.work("sample", moves=False)[1]["reader"][0].inputs[0]
    np.testing.assert_allclose(calls["reader"][-1].inputs[0], expected, atol=1e-3)


def test_variations_are_of_one_embedding_and_other_noises():
    of = game(DECODER, **TEXT)
    outputs, calls = of.work("variations")
    z = scaled(calls["image"][0])
    for call in calls["reader"]:
        np.testing.assert_allclose(call.inputs[0], z, atol=1e-4)
    x, *others = np.moveaxis(outputs["image"], 1, 0)
    np.testing.assert_allclose(x, np.clip(bicubic(image_of(of), 4), -1, 1), atol=1e-5)
    assert len(others) == 4
    assert all(not np.allclose(a, b) for a, b in itertools.pairwise(others))


def angle(a, b):
    return np.arccos(np.clip(np.sum(unit(a) * unit(b), -1), -1, 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["blend", "text_difference"])
def test_the_way_of_embeddings(name):
    """Equal angles from the image's own embedding, to the target's or halfway to the difference."""
    of = game(DECODER, **TEXT)
    outputs, calls = of.work(name)
    own = scaled(calls["image"][0])
    texts = {c.inputs[0].tobytes(): scaled(c) for c in of_clip(calls)}
    aimed = next(v for v in texts.values() if len(np.unique(v.round(4), axis=0)) == 1)
    if name == "blend":
        end = aimed
    else:
        of_own = next(v for v in texts.values() if len(np.unique(v.round(4), axis=0)) > 1)
        end = aimed - of_own
    path = [c.inputs[0] for c in calls["reader"]][-7:]
    differs = np.array([not np.allclose(e, 0, atol=1e-3) for e in np.broadcast_to(end, own.shape)])
    assert differs.sum() > COUNT // 2
    if name == "text_difference":  # A caption that is the target changes nothing.
        assert not differs.all()
        for z in path:
            np.testing.assert_allclose(z[~differs], own[~differs], atol=1e-2)
    end, own, path = (
        np.broadcast_to(end, own.shape)[differs],
        own[differs],
        np.stack(path)[:, differs],
    )
    whole = angle(own, end)
    share = 1.0 if name == "blend" else 0.5
    np.testing.assert_allclose(path[0], own, atol=1e-3)
    for number, z in enumerate(path):
        np.testing.assert_allclose(angle(own, z), share * whole * number / 6, atol=2e-3)
        np.testing.assert_allclose(np.linalg.norm(z, axis=1), np.sqrt(z.shape[1]), rtol=1e-3)
    if name == "text_difference":  # Begins with what inversion and DDIM make of the image.
        rebuilt, _ = of.work("reconstruct")
        np.testing.assert_allclose(outputs["image"][:, 0], rebuilt["image"][:, 1], atol=1e-2)
