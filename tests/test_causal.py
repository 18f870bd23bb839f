"""The causal core over a table whose every probability is known."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax import UserError
from gm_jax.causal import Causal, log_prob, sample, sample_naive, truncate

K, T = 3, 3
# p(x_t | x_{t-1}, t, label): a table [2, T, K + 1, K]; row K is the start.
TABLE = jax.random.normal(jax.random.key(0), (2, T, K + 1, K))


def markov():
    def apply(params, x, label):
        before = jnp.pad(x[:, :-1], ((0, 0), (1, 0)), constant_values=K)
        return params[label[:, None], jnp.arange(x.shape[1])[None], before]

    def step(params, label, previous, position):
        return label, params[label, position, jnp.where(position == 0, K, previous)]

    return Causal(apply, lambda params, batch_size, label: label, step)


EVERY = jnp.array(list(itertools.product(range(K), repeat=T)))


def test_samples_have_the_models_own_frequencies_and_naive_sampling_draws_the_same():
    keys, label = jax.random.split(jax.random.key(1), 20_000), jnp.arange(20_000) % 2
    drawn = np.asarray(sample(markov(), TABLE, keys, T, label))
    for which in (0, 1):
        exact = np.exp(log_prob(markov(), TABLE, EVERY, jnp.full(len(EVERY), which)))
        np.testing.assert_allclose(exact.sum(), 1, rtol=1e-5)
        number = drawn[which::2] @ [K * K, K, 1]
        found = np.bincount(number, minlength=K**T) / len(number)
        np.testing.assert_allclose(found, exact, atol=5 * np.sqrt(exact.max() / len(number)))
    naive = sample_naive(markov(), TABLE, keys[:64], T, label[:64])
    np.testing.assert_array_equal(naive, drawn[:64])


def test_a_prompt_is_kept_and_seen():
    keys, label = jax.random.split(jax.random.key(1), 4000), jnp.zeros(4000, int)
    prompt = jnp.full((4000, 1), 2)
    for sampler in (sample, sample_naive):
        drawn = sampler(markov(), TABLE, keys, T, label, prompt)
        assert np.all(drawn[:, 0] == 2)
        found = np.bincount(drawn[:, 1], minlength=K) / 4000
        np.testing.assert_allclose(found, jax.nn.softmax(TABLE[0, 1, 2]), atol=0.04)
    with pytest.raises(UserError, match="prompt of 4 symbols does not fit in a sample of 3"):
        sample(markov(), TABLE, keys, T, label, jnp.zeros((4000, 4), int))


LOGITS = jnp.log(jnp.array([0.1, 0.4, 0.2, 0.3]))


@pytest.mark.parametrize(
    "settings,expected",
    [
        (dict(), [0.1, 0.4, 0.2, 0.3]),
        (dict(temperature=0), [0, 1, 0, 0]),
        (dict(temperature=0.5), np.array([1, 16, 4, 9]) / 30),
        (dict(top_k=2), [0, 4 / 7, 0, 3 / 7]),
        (dict(top_k=9), [0.1, 0.4, 0.2, 0.3]),
        # The fewest that hold the mass: the one that crosses it is kept, the first one always.
        (dict(top_p=0.65), [0, 4 / 7, 0, 3 / 7]),
        (dict(top_p=0.75), [0, 4 / 9, 2 / 9, 3 / 9]),
        (dict(top_p=1e-6), [0, 1, 0, 0]),
        # Of what the temperature and top_k have left.
        (dict(top_k=2, top_p=0.55), [0, 1, 0, 0]),
        (dict(temperature=0.5, top_p=0.55), [0, 16 / 25, 0, 9 / 25]),
    ],
)
def test_truncation_by_hand(settings, expected):
    np.testing.assert_allclose(jax.nn.softmax(truncate(LOGITS, **settings)), expected, atol=1e-6)
    rows = jax.nn.softmax(truncate(jnp.stack([LOGITS, LOGITS[::-1]]), **settings))
    np.testing.assert_allclose(rows, [expected, expected[::-1]], atol=1e-6)


@pytest.mark.parametrize(
    "bad,message",
    [
        (dict(temperature=-1), "sampler.temperature is -1: it must be at least 0"),
        (dict(top_k=-1), "sampler.top_k is -1: it must be at least 0"),
        (dict(top_p=0.0), "sampler.top_p is 0.0: it must be above 0"),
        (dict(top_p=1.1), "sampler.top_p is 1.1: it must be at most 1"),
    ],
)
def test_senseless_truncation_is_refused(bad, message):
    with pytest.raises(UserError, match=message):
        truncate(LOGITS, **bad)
