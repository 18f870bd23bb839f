"""Models of sequences on tiny alphabets, where everything can be added up."""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, play
from ml_collections import ConfigDict
from sample_files import text_file

import gm_jax
from gm_jax import UserError
from gm_jax.autoregressive import bengio, ngram
from gm_jax.autoregressive.shared import language
from gm_jax.autoregressive.wavenet import Dilated
from gm_jax.causal import Causal, log_prob, of_module, sample, sample_naive
from gm_jax.nn.transformer import Transformer
from gm_jax.optimizers import optimizer

K, T = 3, 12
KEY = jax.random.key(0)
# Some symbols are rare: if every n-gram occurs, the lower orders say nothing.
TEXT = jax.random.categorical(
    jax.random.key(7), jnp.log(jnp.array([0.8, 0.15, 0.05])), shape=(150,)
)


class Network(NamedTuple):
    """A network with its parameters; `sees` is how many symbols before a position it looks at."""

    causal: Causal
    params: dict
    label: jax.Array | None
    sees: int


COUNT = jax.jit(ngram.count, static_argnums=(1, 2))


def of(network, label, sees):
    """With parameters away from their start, so that every path carries something."""
    x = jnp.zeros((2, T), jnp.int32)
    params = jax.jit(network.init)(KEY, x, None if label is None else label[:2])["params"]
    rng = np.random.default_rng(0)
    moved = jax.tree.map(lambda p: p + rng.normal(0, 0.3, p.shape).astype(p.dtype), params)
    return Network(of_module(network), moved, label, sees)


LABEL = jnp.arange(81) % 2
NETWORKS = {
    "gpt": lambda: of(Transformer(K, T, 8, layers=2, heads=2), None, T),
    "gpt of a label": lambda: of(Transformer(K, T, 8, layers=1, heads=2, classes=2), LABEL, T),
    "bengio": lambda: of(bengio.Window(K, order=4, embedding=2, width=5), None, 3),
    "wavenet": lambda: of(Dilated(K, (1, 2, 4), 8, 32), None, 8),
    "wavenet of a label": lambda: of(Dilated(K, (1, 2), 8, 32, classes=2), LABEL, 4),
    "ngram": lambda: Network(ngram.kneser_ney(K, 3), COUNT(TEXT, K, 3), None, 2),
}
EACH = pytest.mark.parametrize("name", NETWORKS)
X = jax.random.randint(jax.random.key(1), (5, T), 0, K)


def labels(network, count):
    return None if network.label is None else network.label[:count]


@EACH
def test_probabilities_of_all_sequences_add_up_to_one(name):
    network = NETWORKS[name]()
    every = jnp.array(list(itertools.product(range(K), repeat=4)))
    same = None if network.label is None else jnp.ones(len(every), int)
    log_p = jax.jit(functools.partial(log_prob, network.causal))(network.params, every, same)
    np.testing.assert_allclose(np.exp(log_p).sum(), 1.0, rtol=1e-5)
    assert np.std(log_p) > 0.1


@pytest.mark.slow
@EACH
def test_outputs_see_all_before_them_and_nothing_else(name):
    """Changing symbol j changes the outputs at j + 1 .. j + sees, and no other by one bit."""
    network = NETWORKS[name]()
    apply = jax.jit(network.causal.apply)
    one = jnp.tile(X[:1], (T + 1, 1))
    # Row j differs from the last one at position j.
    changed = one.at[jnp.arange(T), jnp.arange(T)].add(1) % K
    label = None if network.label is None else jnp.zeros(T + 1, int)
    logits = np.asarray(apply(network.params, changed, label))
    differs = np.any(logits[:T] != logits[T], axis=-1)
    j, t = np.indices((T, T))
    np.testing.assert_array_equal(differs, (t > j) & (t <= j + network.sees))
    if label is not None:
        other = np.asarray(apply(network.params, changed, label + 1))
        assert np.all(np.any(other != logits, axis=-1))


@EACH
def test_the_cached_network_is_the_whole_one_and_its_sampler_draws_the_same(name):
    causal, params, *_ = network = NETWORKS[name]()
    label = labels(network, len(X))
    whole = jax.jit(causal.apply)(params, X, label)

    def body(carry, position):
        cache, previous = carry
        cache, logits = causal.step(params, cache, previous, position)
        return (cache, X[:, position]), logits

    # The symbol before position 0 is ignored.
    start = causal.begin(params, len(X), label), jnp.full(len(X), 2)
    _, logits = jax.jit(functools.partial(jax.lax.scan, body))(start, jnp.arange(T))
    np.testing.assert_allclose(jnp.moveaxis(logits, 0, 1), whole, atol=1e-5)

    keys = jax.random.split(KEY, len(X))
    a, b = (
        jax.jit(f, static_argnums=(0, 3))(causal, params, keys, T, label, X[:, :2])
        for f in (sample, sample_naive)
    )
    np.testing.assert_array_equal(a, b)
    assert len(np.unique(a, axis=0)) > 1


def test_samples_continue_beyond_the_positions_of_a_network():
    """Counting upwards: each window continues the half that it begins with."""

    def step(params, recent, previous, position):
        recent = jnp.where(position == 0, recent, previous)
        return recent, 50.0 * jax.nn.one_hot((recent + 1) % 30, 30)

    counting = Causal(None, lambda params, batch_size, condition: jnp.full(batch_size, -1), step)
    keys = jax.random.split(KEY, 2)
    for length, window, prompted in ((20, 7, 1), (6, 6, 2), (17, 6, 9)):
        prompt = jnp.tile(jnp.arange(prompted), (2, 1))
        onwards = jax.jit(functools.partial(language.onwards, counting), static_argnums=(2, 3))
        text = onwards(None, keys, length, window, prompt)
        np.testing.assert_array_equal(text, np.tile(np.arange(length), (2, 1)))


def test_a_prompt_with_an_unknown_character_is_refused():
    np.testing.assert_array_equal(language.encode("ba", "abc"), [1, 0])
    with pytest.raises(UserError, match=r"characters 'xé', which do not occur .* are 'abc'"):
        language.encode("axbé", "abc")


@pytest.mark.parametrize(
    "system,change,message",
    [
        ("gpt", {"network.heads": 3}, "network: width 8 does not divide into heads 3"),
        ("gpt", {"network.dropout": 1.0}, "network.dropout is 1.0: it must be below 1"),
        ("gpt", {"sampler.length": 0}, "sampler.length is 0: it must be at least 1"),
        ("gpt", {"sampler.prompt": "é"}, "sampler.prompt has characters 'é'"),
        ("bengio", {"network.embedding": 0}, "network.embedding is 0: it must be at least 1"),
        ("bengio", {"network.order": 5}, "order 5 sees 4 characters back: set data.context"),
        ("ngram", {"order": 0}, "order is 0: it must be at least 1"),
        ("ngram", {"order": 5}, "order 5 sees 4 characters back: set data.context"),
    ],
)
def test_settings_that_no_model_of_text_can_have_are_refused_in_one_line(system, change, message):
    with pytest.raises(UserError, match=message) as caught:
        gm_jax.build(config(system, text_file(), **change))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_gpts_first_weights_tied_head_and_decay():
    network = Transformer(50, 20, width=64, layers=2, heads=4)
    params = jax.jit(network.init)(KEY, jnp.zeros((1, 20), int))["params"]
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path)
        ends = "mix" in name or "down" in name
        if leaf.size > 1000:
            expected = 0.02 / np.sqrt(4) if ends else 0.02
            np.testing.assert_allclose(np.std(leaf), expected, rtol=0.1, err_msg=name)
        elif leaf.ndim == 1:
            assert np.all(leaf == (1.0 if "scale" in name else 0.0)), name
    # No output layer of its own: what a block has, the embeddings, and the last norm.
    block = 12 * 64**2 + (3 + 1 + 4 + 1) * 64 + 4 * 64
    assert sum(p.size for p in jax.tree.leaves(params)) == 2 * block + (50 + 20 + 1 + 2) * 64

    settings = ConfigDict(dict(name="adamw", learning_rate=1.0, weight_decay=0.1))
    chosen = optimizer(settings)
    few = {"kernel": np.ones((2, 2), np.float32), "bias": np.ones(2, np.float32)}
    updates, _ = jax.jit(chosen.update)(jax.tree.map(np.zeros_like, few), chosen.init(few), few)
    np.testing.assert_allclose(updates["kernel"], -0.1, rtol=1e-6)
    np.testing.assert_array_equal(updates["bias"], 0.0)


def test_bengios_equation_by_hand():
    network = bengio.Window(K, order=3, embedding=2, width=4)
    params = jax.device_get(jax.jit(network.init)(KEY, X)["params"])
    C, x = params["embed"]["embedding"], np.asarray(X)
    later = np.concatenate([C[x[:, 4]], C[x[:, 3]]], axis=-1)
    H, U, W = (params[name]["kernel"] for name in ("hidden", "out", "connections"))
    first = np.concatenate([C[x[:, 0]], C[np.full(5, K)]], axis=-1)
    whole = np.asarray(jax.jit(network.apply)({"params": params}, X))
    for position, seen in ((5, later), (1, first)):
        by_hand = seen @ W + np.tanh(seen @ H) @ U
        np.testing.assert_allclose(whole[:, position], by_hand, atol=1e-6)


def kneser_ney(text, order):
    """p(w | h) by Chen & Goodman's equations with dictionaries, in float64; None is unknown."""

    def grams(k):
        slices = [tuple(text[i : i + k]) for i in range(len(text) - k + 1)]
        return [g for g in slices if None not in g]

    counts = {order: {g: grams(order).count(g) for g in grams(order)}}
    for k in range(1, order):
        before = {}
        for g in set(grams(k + 1)):
            before.setdefault(g[1:], set()).add(g[0])
        counts[k] = {g: len(before[g]) for g in before}
    discount = {}
    for k, table in counts.items():
        n = [list(table.values()).count(i) for i in range(5)]
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.divide(n[1], n[1] + 2 * n[2])
            d = [i - (i + 1) * y * np.divide(n[i + 1], n[i]) for i in (1, 2, 3)]
        discount[k] = [v if 0 < v < i else 0.75 for i, v in enumerate(d, start=1)]

    def p(w, h):
        k = len(h) + 1
        lower = p(w, h[1:]) if h else 1 / K
        row = [counts[k].get((*h, v), 0) for v in range(K)]
        if not sum(row):
            return lower
        taken = [discount[k][min(c, 3) - 1] if c else 0 for c in row]
        return (row[w] - taken[w] + sum(taken) * lower) / sum(row)

    return p


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_kneser_ney_against_dictionaries(order):
    """Part of the text is unknown, and many contexts were never seen."""
    text = np.array(TEXT[:60]).tolist()
    text[20:24] = [None] * 4
    p = kneser_ney(text, order)
    known = jnp.array([-1 if s is None else s for s in text])
    causal = ngram.kneser_ney(K, order)
    logits = jax.jit(causal.apply)(COUNT(known, K, order), X, None)
    for row in range(len(X)):
        for t in range(T):
            h = tuple(int(s) for s in X[row, max(0, t - order + 1) : t])
            expected = [p(w, h) for w in range(K)]
            np.testing.assert_allclose(np.exp(logits[row, t]), expected, rtol=1e-5)


def test_discounts_by_hand():
    """n1 = 4, n2 = 3, n3 = 2, n4 = 1: Y = 0.4, D = (0.4, 1.2, 2.2)."""
    counts = jnp.array([1.0] * 4 + [2.0] * 3 + [3.0] * 2 + [4.0, 9.0, 0.0])
    np.testing.assert_allclose(ngram.discounts(counts), [0.4, 1.2, 2.2], rtol=1e-6)
    np.testing.assert_allclose(ngram.discounts(jnp.zeros(3)), [0.75] * 3)


@pytest.mark.slow
def test_ngrams_read_the_whole_text_once_however_often_they_see_it(digits16):
    """Forty windows of a text in batches of 16: after three rounds all of it, after six no more."""
    played = play(config("ngram", digits16), 40, jax.devices()[:1])
    texts = [played[rounds - 1][0].state for rounds in (24, 40)]
    content = text_file().read_text()
    symbols = sorted(set(content))
    border = int(0.9 * len(content))
    read = texts[0]["text"]
    assert "".join(symbols[s] for s in read[:border]) == content[:border]
    assert np.all(read[border:] == -1)
    jax.tree.map(np.testing.assert_array_equal, *texts)
    whole = {content[i : i + 3] for i in range(border - 2)}
    assert (texts[0]["tables"][-1]["keys"] < ngram.NONE).sum() == len(whole)
    assert texts[0]["tables"][-1]["counts"].sum() == border - 2
