"""By hand, in float64: C-ViViT's loss, Phenaki's, and what its networks see in a story."""

import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax.tokenizers.words import encode_prompt
from twins.game import also, game
from twins.inputs import COUNT
from twins.numbers import agree, log_softmax, per_example, pick

RECIPE, FIRST = "phenaki_shapes", "cvivit_shapes"
TOLD = (
    "a small red cross moving right",
    "a large blue circle growing",
    "a small red cross moving up",
)


def nearest(book, z):
    """Indices of the codes [K, D] nearest to z [..., D]."""
    return ((z[..., None, :] - book) ** 2).sum(-1).argmin(-1)


def book_of(variables):
    return np.float64(variables.state["codebook"]["vectors"])


def codes_of(of, call):
    """The codes [B, t, h, w] of what the first stage's encoder returned."""
    return nearest(book_of(of.variables.frozen["codes"]), call.output)


def given(of, call):
    """The codes that the first stage's decoder was given."""
    return nearest(book_of(of.variables.frozen["codes"]), call.inputs[0])


def log_normal(of, x, mean):
    log_variance = np.float64(of.variables.params["log_variance"])
    far = (x - mean) ** 2 / np.exp(log_variance)
    return -0.5 * per_example(np.log(2 * np.pi) + log_variance + far)


def test_cvivits_loss():
    """-log p(x|z_q) of all frames, and .05 of the commitment of all codes."""
    of = game(FIRST)
    x, played = np.float64(of.batch["video"]), of.play()
    ((z,), (call,)) = played.outputs("encoder"), played.calls["decoder"]
    assert z.shape[1:4] == (5, 4, 4) and call.output.shape == x.shape
    book = book_of(of.variables)
    chosen = nearest(book, z)
    agree(call.inputs[0], book[chosen])
    distance, log_p = per_example((z - book[chosen]) ** 2), log_normal(of, x, call.output)
    assert distance.mean() > 0.1 and len(np.unique(chosen)) > 1
    agree(played.value, (0.05 * distance - log_p).mean())
    agree(played.metric("reconstruction"), log_p.mean())
    counts = np.bincount(chosen.ravel(), minlength=8)
    alive = 0.97 * of.variables.state["codebook"]["counts"] + 0.03 * counts
    agree(played.state["codebook"]["counts"], np.where(alive < 0.25, 1.0, alive))


def test_cvivits_functions():
    of = game(FIRST)
    x = np.float64(of.batch["video"])
    codes, calls = of.work("encode")
    np.testing.assert_array_equal(
        codes["code"], nearest(book_of(of.variables), calls["encoder"][0].output)
    )
    outputs, calls = of.work("decode", code=jnp.asarray(codes["code"]))
    made = calls["decoder"][0].output
    agree(outputs["video"], made)
    agree(of.work("reconstruct")[0]["video"], np.stack([x, made], 1))
    outputs, _ = of.work("distortion")
    agree(outputs["squared_error"], per_example((made - x) ** 2) / x[0].size)
    agree(outputs["reconstruction"], log_normal(of, x, made))


@pytest.mark.parametrize("hidden", [0.0, also(1.0)])
def test_phenakis_loss(hidden):
    """The smoothed cross-entropy at masked codes alone, given the caption, or an empty one."""
    of = game(RECIPE, condition_dropout=hidden, **{"sampler.guidance": 0.0})
    assert {f"positions_{axis}" for axis in range(3)} <= set(of.variables.params["network"])
    played = of.play()
    (call,), (text,) = played.calls["network"], played.calls["text"]
    z = codes_of(of, played.calls["encoder"][0]).reshape(COUNT, -1)
    masks, values = call.inputs[0], call.output.shape[-1]
    chosen = masks == values
    np.testing.assert_array_equal(masks[~chosen], z[~chosen])
    assert np.all(chosen.mean(1) >= 0.5) and not np.all(chosen)
    np.testing.assert_array_equal(text.inputs[0], 0 if hidden else np.asarray(of.batch["caption"]))
    log_p = log_softmax(call.output)
    smooth = 0.9 * pick(log_p, z) + 0.1 * log_p.mean(-1)
    agree(played.value, -smooth[chosen].sum() / chosen.sum())


def test_samples_are_films():
    of = game(RECIPE, **{"sampler.guidance": 0.0, "sampler.steps": 1})
    outputs, calls = of.work("sample")
    (call,) = calls["network"]
    assert np.all(call.inputs[0] == call.output.shape[-1])
    agree(outputs["video"], calls["decoder"][0].output)
    assert outputs["video"].shape == of.batch["video"].shape


@pytest.mark.parametrize("keep", [1, also(3), also(5)])
def test_a_story_goes_on_from_the_frames_it_keeps(keep):
    """Each prompt in turn; the codes of the last K frames stay, and their film ends on them."""
    own = {"sampler.guidance": 0.0, "sampler.steps": 1}
    of = game(RECIPE, **own, **{"sampler.keep": keep, "sampler.prompts": TOLD})
    outputs, calls = of.work("story", moves=False)
    film, kept = outputs["video"], 1 + (keep - 1) // 2
    field = gm_jax.data.open_source(of.config.data).spec["caption"]
    captions = [np.broadcast_to(encode_prompt(p, field), (COUNT, *field.shape)) for p in TOLD]
    assert film.shape[1] == 9 + 2 * (9 - keep)
    texts, networks, decoders = calls["text"], calls["network"], calls["decoder"]
    assert [len(c) for c in (texts, networks, decoders, calls["encoder"])] == [3, 3, 3, 2]
    for call, caption in zip(texts, captions, strict=True):
        np.testing.assert_array_equal(call.inputs[0], caption)
    mask = networks[0].output.shape[-1]
    assert np.all(networks[0].inputs[0] == mask)
    agree(film[:, :9], decoders[0].output)
    end = 9
    for number, encoder in enumerate(calls["encoder"], 1):
        # What is encoded are the last K frames that there are.
        agree(encoder.inputs[0], film[:, end - keep : end])
        codes, seen = codes_of(of, encoder), networks[number].inputs[0].reshape(COUNT, 5, 4, 4)
        assert codes.shape[1] == kept
        np.testing.assert_array_equal(seen[:, :kept], codes)
        assert np.all(seen[:, kept:] == mask)
        np.testing.assert_array_equal(given(of, decoders[number])[:, :kept], codes)
        agree(film[:, end : end + 9 - keep], decoders[number].output[:, keep:])
        end += 9 - keep
