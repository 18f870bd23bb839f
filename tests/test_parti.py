"""Parti: a decoder that reads a text, its cache, guidance, what is refused."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import perturb, refuses
from twins.game import also, game

import gm_jax
from gm_jax import causal
from gm_jax.multimodal.shared.guided_causal import chosen, guided, reading
from gm_jax.nn.text_tower import TextTower
from gm_jax.nn.transformer import Block, Transformer

KEY = jax.random.key(0)
CODES, LENGTH = 6, 7


@functools.cache
def opened():
    """A decoder, away from its start, codes [3, T] and two contexts [3, 4, 5]."""
    own = Transformer(CODES, LENGTH, width=16, layers=2, heads=2, reads=True)
    x = jax.random.randint(KEY, (3, LENGTH), 0, CODES)
    contexts = jax.random.normal(KEY, (2, 3, 4, 5))
    params = jax.jit(own.init)(KEY, x, context=contexts[0])["params"]
    return own, perturb(params, 0.3), x, contexts


@pytest.mark.parametrize("weight", [also(0.0), 1.5])
def test_cached_is_uncached_with_a_text(weight):
    """And without one, which has a cache and a memory of its own."""
    own, params, x, contexts = opened()
    network, condition = reading(own), contexts[0]
    if weight:
        parts = (chosen(network, number) for number in (0, 1))
        network, condition = guided(*parts, weight), contexts
    whole = jax.jit(network.apply)(params, x, condition)
    cache = jax.jit(network.begin, static_argnums=1)(params, len(x), condition)
    step = jax.jit(network.step)
    for position in range(LENGTH):
        cache, logits = step(params, cache, x[:, max(position - 1, 0)], position)
        np.testing.assert_allclose(logits, whole[:, position], rtol=2e-4, atol=2e-4)
    keys = jax.random.split(KEY, len(x))
    drawn = [
        draw(network, params, keys, LENGTH, condition)
        for draw in (causal.sample, causal.sample_naive)
    ]
    np.testing.assert_array_equal(*drawn)
    if weight:
        apply = jax.jit(own.apply)
        given, null = (apply({"params": params}, x, context=context) for context in contexts)
        np.testing.assert_allclose(whole, (1 + weight) * given - weight * null, rtol=1e-4)


def test_each_code_reads_the_whole_text_and_the_codes_before_it():
    """By Jacobians of the logits by the context, and by changing one code."""
    own, params, x, contexts = opened()

    @jax.jit
    def logits(context, x):
        return own.apply({"params": params}, x, context=context)[0].sum(-1)

    slopes = np.abs(jax.jit(jax.jacobian(logits))(contexts[0], x)).sum(-1)
    assert slopes.shape == (LENGTH, 3, 4) and (slopes[:, 0] > 1e-6).all()
    assert not slopes[:, 1:].any()
    for changed in range(LENGTH):
        other = x.at[0, changed].set((x[0, changed] + 1) % CODES)
        moved = np.abs(logits(contexts[0], other) - logits(contexts[0], x)) > 1e-6
        assert not moved[: changed + 1].any() and moved[changed + 1 :].all()


def test_a_block_reads_between_its_branches():
    """x + mix(softmax(q k^T / sqrt d) v), q of the norm of x; then the MLP, as without."""
    block = Block(8, 2, 1, 0.0, True, jnp.float32, reads=True)
    rng = np.random.default_rng(0)
    x, context = rng.normal(size=(1, 3, 8)), rng.normal(size=(1, 4, 5))

    def run(module):
        return module(x, None, memory=module.memory(context)), module(x, None)

    params = perturb(jax.jit(nn.init(run, block))(KEY)["params"], 0.3)
    params["mix"] = jax.tree.map(jnp.zeros_like, params["mix"])
    params["down"] = jax.tree.map(jnp.zeros_like, params["down"])
    found, without = jax.jit(nn.apply(run, block))({"params": params})
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    normed = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    normed = normed * p["read_norm"]["scale"] + p["read_norm"]["bias"]

    def dense(name, x):
        return x @ p[name]["kernel"] + p[name]["bias"]

    query, key_value = dense("read_query", normed)[0], dense("read_key_value", context)[0]
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        key, value = key_value[:, :8][:, head], key_value[:, 8:][:, head]
        weight = np.exp(query[:, head] @ key.T / 2)
        heads.append(weight / weight.sum(1, keepdims=True) @ value)
    expected = x + dense("read_mix", np.concatenate(heads, axis=1))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(without, x, atol=1e-5)


def test_guidance_is_away_from_an_empty_text():
    """With a weight that drowns the text itself, an empty caption draws as it would without."""
    of = game("parti_shapes", **{"sampler.guidance": 50.0, "sampler.temperature": 0.0})
    plain = game("parti_shapes", **{"sampler.guidance": 0.0, "sampler.temperature": 0.0})
    empty = 0 * of.batch["caption"]
    images = [g.functions["sample"](g.variables, {**g.batch, "caption": c}, KEY)[0]["image"]
              for g, c in ((of, empty), (plain, empty), (of, of.batch["caption"]))]  # fmt: skip
    np.testing.assert_array_equal(*images[:2])
    guided_away = plain.functions["sample"](plain.variables, plain.batch, KEY)[0]["image"]
    assert np.mean(images[2] != guided_away) > 0.01
    # At temperature 0 the likeliest codes are drawn, whatever the key.
    again = plain.functions["sample"](plain.variables, plain.batch, jax.random.key(1))[0]["image"]
    np.testing.assert_array_equal(again, guided_away)


def test_an_encoder_that_is_not_causal_reads_what_comes_after():
    ids = jnp.array([[3, 4, 5, 0]])
    for is_causal in (True, False):
        tower = TextTower(7, 0, 4, width=8, layers=1, heads=2, hidden=8, causal=is_causal)
        params, apply = jax.jit(tower.init)(KEY, ids), jax.jit(tower.apply)
        one, other = (apply(params, i).tokens for i in (ids, ids.at[0, 2].set(6)))
        assert bool(np.allclose(one[0, :2], other[0, :2], atol=1e-6)) is is_causal


def test_the_published_recipe_is_the_papers():
    """Table 1: 16 + 64 layers of 4,096, 64 heads, MLPs of 16,384: 20 billion parameters."""
    settings = gm_jax.load_config("configs/parti_shapes.py:published")
    own, text = settings.network.to_dict(), settings.condition.text.to_dict()
    assert own["heads"] == text["heads"] == 64 and settings.data.caption_length == 128
    width, x = own["width"], jax.ShapeDtypeStruct((1, 1024), jnp.int32)

    def size(init):
        return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(init)["params"]))

    context = jnp.zeros((1, 128, width))
    decoder = Transformer(8192, 1024, **own, reads=True)
    ids = jnp.zeros((1, 128), jnp.int32)
    found = size(lambda: decoder.init(KEY, jnp.zeros(x.shape, x.dtype), context=context))
    block = 6 * width + 16 * width**2 + 13 * width
    assert found == 64 * block + (8192 + 1024 + 1 + 2) * width
    encoder = size(lambda: TextTower(16_000, 0, 128, **text).init(KEY, ids))
    assert encoder == 16 * (12 * width**2 + 13 * width) + (16_000 + 128 + 2) * width
    assert abs((found + encoder) / 20e9 - 1) < 0.05


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"sampler.best_of": 4}, "give stages.clip, the workdir of a clip"),
        ({"condition_dropout": 0.0}, "sampler.guidance needs a model trained with condition.name"),
        ({"condition.name": "label"}, "Parti's decoder reads a text: set condition.name=caption"),
        ({"network.heads": 3}, "width 8 does not divide into heads 3"),
        ({"sampler.prompt": "a pink cross"}, "no caption of the training data has pink"),
        ({"data.captions": ""}, "this system needs `caption`"),
    ],
)
def test_what_cannot_be_drawn_is_refused(overrides, message):
    refuses("parti_shapes", overrides, message)
