"""By hand, in float64: unCLIP's autoregressive prior, its moments, codes and what it is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.model import Variables
from gm_jax.multimodal.shared import components
from gm_jax.multimodal.unclip_causal_prior import Nearness, counting, nearness
from twins.game import KEY, also, game
from twins.inputs import COUNT
from twins.numbers import agree, log_softmax, pick
from twins.test_unclip import of_clip, of_words, scaled, unit

RECIPE = "unclip_causal_prior_shapes"
PLAIN = {"sampler.guidance": 0.0}
KEPT, BUCKETS, SPAN = 4, 8, 4.0


def away(**overrides):
    """The game, with components, deviations and nearness of its own batch."""
    of = game(RECIPE, **{**PLAIN, **overrides})
    image, text = (
        unit(np.float64(of.functions[name](of.variables, of.batch, KEY)[0]["embedding"]))
        for name in ("encode_image", "encode_text")
    )
    z = image * np.sqrt(image.shape[1])
    axes = np.linalg.svd(z - z.mean(0))[2][:KEPT]
    own = components.Components(
        *map(jnp.float32, (z.mean(0), axes, ((z - z.mean(0)) @ axes.T).std(0)))
    )
    near = np.sum(image * text, axis=1)
    state = {"components": own, "near": Nearness(*map(jnp.float32, (near.mean(), near.std())))}
    return of._replace(variables=of.variables._replace(state=state))


def bucket(z, deviation):
    return np.clip(np.floor((z / deviation + SPAN) * BUCKETS / (2 * SPAN)), 0, BUCKETS - 1)


def codes_of(of, image):
    own = jax.tree.map(np.float64, of.variables.state["components"])
    return bucket((image - own.mean) @ own.axes.T, own.deviation).astype(int)


@pytest.mark.parametrize("dropped", [0.25, also(0.0)])
def test_the_loss(dropped):
    """-log p of each code given those before it, the words, the text's embedding, its nearness."""
    of = away(condition_dropout=dropped)
    played = of.play()
    (call,), (read,) = played.calls["network"], played.calls["reader"]
    (of_text,), (words,) = of_clip(played.calls), of_words(played.calls)
    image, text = scaled(played.calls["image"][0]), scaled(of_text)
    codes = codes_of(of, image)
    np.testing.assert_array_equal(call.inputs[0], codes)
    assert len(np.unique(codes[:, 0])) > 2
    agree(played.value, -pick(log_softmax(call.output), codes).mean())
    tokens, embedding, near, hidden = read.inputs
    np.testing.assert_allclose(tokens, words.output.tokens, atol=1e-5)
    np.testing.assert_allclose(embedding, text, atol=1e-4)
    own, dots = of.variables.state["near"], np.sum(unit(image) * unit(text), axis=1)
    np.testing.assert_array_equal(near, bucket(dots - float(own.mean), float(own.deviation)))
    assert len(np.unique(near)) > 2
    np.testing.assert_array_equal(hidden, np.all(words.inputs[0] == 0, axis=1))
    assert hidden.any() == bool(dropped) and hidden.sum() < COUNT // 2
    np.testing.assert_allclose(call.inputs[-1], read.output, atol=1e-5)
    assert call.keys == 1


def test_samples_ask_for_the_nearer_half():
    of = away()
    outputs, calls = of.work("sample")
    (read,) = [c for c in calls["reader"] if not np.any(c.inputs[3])][:1]
    near = read.inputs[2]
    middle = bucket(np.zeros(1), 0.2)[0]
    assert np.all(near >= middle) and len(np.unique(near)) > 1
    np.testing.assert_allclose(np.linalg.norm(outputs["embedding"], axis=1), 1, atol=1e-5)
    own = jax.tree.map(np.float64, of.variables.state["components"])
    # Each is the vector at the middles of buckets, on the sphere: some multiple of it is in K axes.
    for drawn in np.float64(outputs["embedding"]):
        lengths = np.linspace(0.05, 8.0, 40_000)[:, None]
        along = (lengths * drawn - own.mean) @ own.axes.T / own.deviation
        places = (along + SPAN) * BUCKETS / (2 * SPAN) - 0.5
        outside = lengths * drawn - own.mean
        outside -= outside @ own.axes.T @ own.axes
        best = np.argmin(np.abs(outside).max(1))
        assert np.abs(outside[best]).max() < 1e-3
        assert np.abs(places[best] - places[best].round()).max() < 2e-2


def codes_drawn(of, outputs):
    """The codes whose vectors at the middles of their buckets are the embeddings, [B, K]."""
    own = jax.tree.map(np.float64, of.variables.state["components"])
    every = np.stack(np.unravel_index(np.arange(BUCKETS**KEPT), (BUCKETS,) * KEPT), axis=-1)
    middle = (every + 0.5) * 2 * SPAN / BUCKETS - SPAN
    cosines = (
        np.float64(outputs["embedding"]) @ unit(own.mean + (middle * own.deviation) @ own.axes).T
    )
    np.testing.assert_allclose(cosines.max(1), 1.0, atol=1e-5)
    return every[cosines.argmax(1)]


@pytest.mark.parametrize("weight, prompt", [(2.0, ""), also(0.0, "a seven")])
def test_the_likeliest_codes_are_drawn(weight, prompt):
    """One after the other the largest of (1 + w) given the text - w without it, of the prompt."""
    own = {"guidance": weight, "temperature": 0.0, "prompt": prompt}
    of = away(condition_dropout=0.5, **{f"sampler.{name}": value for name, value in own.items()})
    network = dict(of.variables.params["network"])  # What is read shall count.
    mix = jax.tree.map(lambda p: 30.0 * p, network["blocks_0"]["read_mix"])
    network["blocks_0"] = {**network["blocks_0"], "read_mix": mix}
    params = of.variables.params | {"network": network}
    of = of._replace(variables=of.variables._replace(params=params))
    outputs, calls = of.work("sample", moves=False)
    captions = [call.inputs[0] for call in (*of_clip(calls), *of_words(calls)[:1])]
    for rows in captions:
        assert (len(np.unique(rows, axis=0)) == 1) == bool(prompt)
    (told,), (untold,) = ([c for c in calls["reader"] if np.all(c.inputs[3] == h)] for h in (0, 1))
    codes, (call,) = codes_drawn(of, outputs), of.play().calls["network"]
    apply = jax.jit(lambda read: call.module.apply({"params": network}, codes, None, None, read))
    given, null = (np.float64(apply(jnp.float32(c.output))) for c in (told, untold))
    logits = (1 + weight) * given - weight * null
    np.testing.assert_allclose(pick(logits, codes), logits.max(-1), atol=1e-4)
    assert np.mean(given.argmax(-1) != null.argmax(-1)) > 0.1


def test_if_the_likeliest_code_alone_is_plausible_guidance_changes_nothing():
    limited = {"sampler.guidance": 3.0, "sampler.plausible": 1.0}
    cold, alone, free = (
        away(condition_dropout=0.5, **own).work("sample", moves=False)[0]["embedding"]
        for own in ({"sampler.temperature": 0.0}, limited, limited | {"sampler.plausible": 0.0})
    )
    assert np.isfinite(cold).all()
    np.testing.assert_array_equal(cold, alone)
    assert np.mean(cold != free) > 0.5


@pytest.mark.slow
def test_of_several_embeddings_that_nearest_to_the_text_is_kept():
    one, several = (away(**{"sampler.best_of": n}).work("sample") for n in (1, 8))
    text = unit(scaled(of_clip(one[1])[0]))
    near = [np.sum(o["embedding"] * text, axis=1).mean() for o, _ in (one, several)]
    assert near[1] > near[0]


def test_likelihood_and_what_codes_lose():
    of = away()
    outputs, calls = of.work("likelihood")
    image = scaled(calls["image"][0])
    codes, (call,) = codes_of(of, image), calls["network"]
    agree(outputs["nats_per_code"], -pick(log_softmax(call.output), codes).mean(1))
    own = jax.tree.map(np.float64, of.variables.state["components"])
    middle = (codes + 0.5) * 2 * SPAN / BUCKETS - SPAN
    rebuilt = own.mean + (middle * own.deviation) @ own.axes
    expected = np.sum(unit(rebuilt) * unit(image), axis=1)
    np.testing.assert_allclose(outputs["cosine_codes"], expected, atol=1e-5)


def test_the_first_phase_counts_moments():
    class Clip:
        width = 3
        image = staticmethod(lambda variables, batch, key: batch["a"])
        text = staticmethod(lambda variables, batch, key: batch["b"])

    init, count = counting(Clip)
    variables, rng = init(KEY, {}, None), np.random.default_rng(0)
    a, b = rng.normal(1.0, 2.0, (2, 3, COUNT, 3))
    for rows in zip(a, b, strict=True):
        batch = dict(zip("ab", map(jnp.float32, rows), strict=True))
        _, aux = count(variables, batch, KEY, 0)
        variables = variables._replace(state=aux.state)
    a, b = a.reshape(-1, 3), b.reshape(-1, 3)
    seen, near = variables.state["image"], variables.state["near"]
    np.testing.assert_allclose(seen.mean, a.mean(0), atol=1e-5)
    np.testing.assert_allclose(seen.outer, a.T @ a / len(a), atol=1e-4)
    np.testing.assert_allclose(near.mean[0], (a * b).mean(1).mean(), atol=1e-5)
    np.testing.assert_allclose(near.outer[0, 0], ((a * b).mean(1) ** 2).mean(), atol=1e-4)
    found = nearness(near)
    np.testing.assert_allclose(found.mean, (a * b).mean(1).mean(), atol=1e-5)
    np.testing.assert_allclose(found.deviation, (a * b).mean(1).std(), rtol=1e-3)
    # On eight devices, two examples each, the state is that of the whole batch.
    state = init(KEY, {}, None).state
    batch = {"a": jnp.float32(a[:16]), "b": jnp.float32(b[:16])}
    parts = {name: x.reshape(8, 2, 3) for name, x in batch.items()}
    spread = jax.pmap(lambda batch: count(Variables({}, state), batch, KEY, 0)[1].state, "data")
    (_, whole), on_eight = count(Variables({}, state), batch, KEY, 0), spread(parts)
    for one, each in zip(jax.tree.leaves(whole.state), jax.tree.leaves(on_eight), strict=True):
        np.testing.assert_allclose(each, np.broadcast_to(one, each.shape), atol=1e-4)


def test_the_second_phase_begins_with_the_moments_of_the_first():
    of, rng = game(RECIPE, **PLAIN), np.random.default_rng(0)
    width = of.model.spec["embedding"].shape[0]
    z, near = rng.normal(1.0, 2.0, (500, width)), rng.normal(0.4, 0.1, (500, 1))
    seen = {"image": z, "near": near}
    state = {
        n: components.seen(components.nothing_seen(x.shape[1]), jnp.float32(x))
        for n, x in seen.items()
    }
    begun = of.model.init(KEY, of.batch, Variables({}, state)).state
    np.testing.assert_allclose(begun["components"].mean, z.mean(0), atol=1e-5)
    variances = np.linalg.eigvalsh(np.cov(z.T, bias=True))[::-1][:KEPT]
    np.testing.assert_allclose(begun["components"].deviation, np.sqrt(variances), rtol=1e-3)
    np.testing.assert_allclose(begun["near"], [near.mean(), near.std()], rtol=1e-3)


def test_components_are_those_of_the_covariance_in_falling_order():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(4000, 4)) * [0.2, 2.0, 1.0, 0.5] + 3.0
    own = components.principal(components.seen(components.nothing_seen(4), jnp.float32(z)), 3)
    variance, axes = np.linalg.eigh(np.cov(z.T, bias=True))
    np.testing.assert_allclose(own.deviation, np.sqrt(variance[::-1][:3]), rtol=1e-3)
    np.testing.assert_allclose(np.abs(own.axes @ axes[:, ::-1][:, :3]), np.eye(3), atol=1e-2)
    codes = components.encode(own, jnp.float32(z), 64)
    assert codes.shape == (4000, 3) and codes.min() >= 0 and codes.max() < 64
    rebuilt = components.decode(own, codes, 64)
    along = (np.asarray(rebuilt) - z) @ np.asarray(own.axes).T
    inside = np.abs((z - np.asarray(own.mean)) @ np.asarray(own.axes).T) < 3.9 * own.deviation
    assert np.all(
        np.abs(along)[inside] <= 1.02 * (SPAN / 64 * np.asarray(own.deviation) + 0 * along)[inside]
    )
    far = components.encode(own, jnp.full((1, 4), 1e3), 64)
    assert set(np.unique(far)) <= {0, 63}


def test_what_goes_before_codes():
    of = away(condition_dropout=0.5)
    (read,) = of.play().calls["reader"]
    hidden = np.asarray(read.inputs[3]).astype(bool)
    params = of.variables.params["reader"]
    text = np.where(hidden[:, None], 0, read.inputs[1]) @ np.float64(params["embedding"]["kernel"])
    near = np.where(hidden, BUCKETS, read.inputs[2])
    np.testing.assert_allclose(read.output[:, :-2], read.inputs[0], atol=1e-5)
    np.testing.assert_allclose(
        read.output[:, -2], text + np.float64(params["embedding"]["bias"]), atol=1e-4
    )
    np.testing.assert_allclose(read.output[:, -1], params["near"]["embedding"][near], atol=1e-5)
