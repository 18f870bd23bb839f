"""n-grams with modified Kneser-Ney smoothing, interpolated: a model fitted by counting.

Kneser & Ney 1995; Chen & Goodman 1999 (TR-10-98), whose equations these are.

    p(w | h) = max(c(hw) - D(c(hw)), 0) / c(h) + gamma(h) p(w | h')           eq. 25, h' one shorter
    gamma(h) = (D1 N1(h) + D2 N2(h) + D3 N3+(h)) / c(h)                       eq. 27
    D1, D2, D3+ = i - (i + 1) Y n_{i+1} / n_i,  Y = n1 / (n1 + 2 n2)          eq. 26

Below the highest order c(hw) counts after how many symbols hw was seen, not how often; below the
first order p is 1/K. After a context never seen, p(w | h) = p(w | h').

The player owns no parameters. Its move writes the windows it sees into `state["text"]` (writing one
twice changes nothing) and counts all n-grams of what it has read so far. k-grams are numbered in
the order of (number of the first k - 1 symbols) K + last symbol: a table is a sorted list of these
keys, and a number is an index into it.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
import optax

from gm_jax import games, replicas
from gm_jax.autoregressive.shared import language
from gm_jax.causal import Causal
from gm_jax.errors import UserError
from gm_jax.model import Array, Aux, Move, Phase, Player, Variables, field_of
from gm_jax.settings import at_least, schema

NONE = jnp.iinfo(jnp.int32).max  # the key of what is no n-gram, after all others
DISCOUNT = 0.75  # used if the counts of counts give none


@schema
class Settings(language.Settings):
    """n-grams.

    order  n: a character is predicted from the n - 1 before it
    """

    order: Annotated[int, at_least(1)] = 5

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        yield from language.order_wrong(self.order, self)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """n-grams up to `order`, counted in one phase; configs/ngram_tinyshakespeare.py.

    Raises UserError if the text is too long for int32 numbers of its n-grams.
    """
    text, order = field_of(spec, "text"), settings.order
    symbols, size = text.cardinality, spec["position"].cardinality
    if symbols * size >= NONE:
        raise UserError(
            f"a text of {size} characters of {symbols} kinds is too long to count: it must have"
            f" fewer than {NONE // symbols}"
        )
    causal = kneser_ney(symbols, order)

    def init(key, batch, previous):
        unread = jnp.full(size, -1, jnp.int32)
        return Variables({}, {"text": unread, "tables": count(unread, symbols, order)})

    def fit(variables, batch, key, step):
        windows = replicas.gather({name: batch[name] for name in ("text", "position")})
        positions = windows["position"][:, None] + jnp.arange(windows["text"].shape[1])
        text = variables.state["text"].at[positions].set(windows["text"])
        tables = count(text, symbols, order)
        logits = causal.apply(tables, batch["text"], None)
        metrics = {"unread": jnp.sum(text < 0) / size}
        nats = jnp.mean(language.cross_entropy(batch, logits))
        return nats, Aux(metrics, {"text": text, "tables": tables})

    player = Player("counter", (), optax.identity(), (Move("count", fit),))
    functions = language.functions(settings, text, causal, lambda v: v.state["tables"])
    return (games.phase(settings, init, (player,), functions),)


def count(text: Array, symbols: int, order: int) -> list[dict[str, Array]]:
    """Tables of the k-grams of a text [N], k = 1 .. order; -1 is a character not read yet.

    keys       sorted, [min(N, symbols^k)], filled up with NONE
    counts     c(hw) of each: how often for the highest order, else after how many symbols
    discounts  D1, D2, D3+
    """
    numbers, tables, positions = _roots(text), [], jnp.arange(text.size)
    for k in range(1, order + 1):
        wanted = _keys(_before(numbers, k - 1), text, symbols)
        keys = jnp.unique(wanted, size=min(text.size, symbols**k), fill_value=NONE)
        shorter, numbers = numbers, _find(keys, wanted)
        if tables:
            # One position at which each k-gram ends: its last k - 1 symbols were seen after one
            # symbol more.
            end = jnp.full(len(keys), -1).at[_or_beyond(numbers, keys)].set(positions, mode="drop")
            suffix = jnp.where(end < 0, -1, shorter[end])
            tables[-1]["counts"] = _tally(suffix, tables[-1]["keys"])
        tables.append({"keys": keys, "counts": _tally(numbers, keys)})
    return [{**table, "discounts": discounts(table["counts"])} for table in tables]


def discounts(counts: Array) -> Array:
    """D1, D2, D3+ of a table's counts, eq. 26; DISCOUNT if that is not between 0 and i."""
    n1, n2, n3, n4 = (jnp.sum(counts == i).astype(jnp.float32) for i in range(1, 5))
    y, i = n1 / (n1 + 2.0 * n2), jnp.arange(1.0, 4.0, dtype=jnp.float32)
    found = i - (i + 1.0) * y * jnp.stack([n2, n3, n4]) / jnp.stack([n1, n2, n3])
    return jnp.where((found > 0.0) & (found < i), found, DISCOUNT)


def kneser_ney(symbols: int, order: int) -> Causal:
    """The Causal of tables; its cache holds the numbers of the last 0 .. order - 1 symbols."""

    def apply(tables, x, condition):
        contexts = [_before(_roots(x), 0)]
        for k, table in enumerate(tables[: order - 1], start=1):
            numbers = _find(table["keys"], _keys(contexts[-1], x, symbols))
            contexts.append(_before(numbers, k))
        return _log_mixture(tables, contexts, symbols)

    def begin(tables, batch_size, condition):
        return [jnp.zeros(batch_size, jnp.int32)] + [
            jnp.full(batch_size, -1, jnp.int32) for _ in range(order - 1)
        ]

    def step(tables, contexts, previous, position):
        longer = [
            _find(table["keys"], _keys(context, previous, symbols))
            for table, context in zip(tables, contexts[: order - 1], strict=False)
        ]
        after = [contexts[0], *longer]
        contexts = jax.tree.map(lambda a, b: jnp.where(position == 0, a, b), contexts, after)
        return contexts, _log_mixture(tables, contexts, symbols)

    return Causal(apply, begin, step)


def _log_mixture(tables, contexts, symbols):
    """log p(w | h) of every symbol, [..., K], from the numbers of contexts of each length [...]."""
    p = jnp.full((*contexts[0].shape, symbols), 1.0 / symbols, jnp.result_type(float))
    for table, context in zip(tables, contexts, strict=True):
        found = _find(table["keys"], _keys(context[..., None], jnp.arange(symbols), symbols))
        c = jnp.where(found < 0, 0.0, table["counts"][found])
        taken = jnp.where(c > 0, table["discounts"][jnp.clip(c, 1, 3).astype(int) - 1], 0.0)
        total = jnp.sum(c, axis=-1, keepdims=True)
        mixed = (c - taken + jnp.sum(taken, axis=-1, keepdims=True) * p) / jnp.maximum(total, 1.0)
        p = jnp.where(total > 0, mixed, p)
    return jnp.log(p)


def _roots(text):
    """The number of the empty context at every position."""
    return jnp.zeros(text.shape, jnp.int32)


def _before(numbers, length):
    """Numbers of the contexts of `length` that end before each position; -1 at 0 unless empty."""
    padding = [(0, 0)] * (numbers.ndim - 1) + [(1, 0)]
    return jnp.pad(numbers[..., :-1], padding, constant_values=-1 if length else 0)


def _keys(contexts, text, symbols):
    return jnp.where((contexts < 0) | (text < 0), NONE, contexts * symbols + text)


def _find(keys, wanted):
    """Indices of the wanted keys in a sorted table, -1 if absent."""
    index = jnp.searchsorted(keys, wanted)
    present = (wanted < NONE) & (keys[jnp.minimum(index, len(keys) - 1)] == wanted)
    return jnp.where(present, index, -1)


def _or_beyond(numbers, keys):
    return jnp.where(numbers < 0, len(keys), numbers)


def _tally(numbers, keys):
    """How often each number of a table occurs, [len(keys)] float32."""
    return jnp.zeros(len(keys), jnp.float32).at[_or_beyond(numbers, keys)].add(1.0, mode="drop")
