"""How well classes are told by a model's features of images: of few labels, or of all.

The model has a function `encode` (or another, `evaluate.features_of`), whose real numbers of an
example, in one row, are its features. `features_of` may also name an entry of the data: "image" is
the baseline of raw pixels, where nothing but a layer on top can learn. Errors are shares of the
split's examples:

    frozen_error_N   of a linear classifier of the features, N labelled training examples
    tuned_error_N    of the same on top, while the parameters that the features come from go on
                     learning
    scratch_error_N  of that from the parameters before any training

The N are balanced by class and drawn several times, "all" once. Nothing is chosen on the split: the
linear classifier's penalty is on held-out labels, and so, for the first draw, is Adam's rate.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import stats

from gm_jax import data
from gm_jax.data.composed import balanced
from gm_jax.errors import UserError
from gm_jax.evaluation import linear
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import Batch, Variables
from gm_jax.trained import Trained, sample

RATES = (1e-3, 1e-4)  # of Adam, to choose from
BATCH = 100  # labelled examples a round
PASSES = 2  # over all labelled examples at least
SCALED = 1000  # examples by which features are scaled before tuning
AT_ONCE = 500  # examples that are classified at once


class Part(NamedTuple):
    """A split whose labels are known: its name, and the entries of all its examples, [N, ...]."""

    split: str
    entries: dict[str, np.ndarray]

    @property
    def label(self) -> np.ndarray:
        return self.entries["label"]


def transfer(trained: Trained, counts) -> dict[str, dict]:
    """Errors of classifiers of `counts` labelled examples, 0 for all; see above.

    Each is a mean over its `draws`, with an `interval95` (`interval`) and what was `chosen`. Raises
    UserError if the data has no labels or no end, if a draw cannot be balanced, or if the model has
    no such function or that returns symbols.
    """
    settings, name = trained.config.evaluate, trained.config.evaluate.features_of
    train, test = (labelled(trained, split) for split in ("train", settings.split))
    classes = data.open_source(trained.phase.data).spec["label"].cardinality
    features = linear.scaled(*(features_of(trained, name, part) for part in (train, test)))

    def frozen(rows):
        pairs = [
            linear.held_out_error(features[0][r], train.label[r], (features[1], test.label), draw)
            for draw, r in enumerate(rows)
        ]
        return zip(*pairs, strict=True)

    methods = {"frozen": (frozen, counts)}
    if settings.features_tuned:
        for method, start in (("tuned", trained.variables), ("scratch", untrained(trained, train))):
            of_method = tuning(trained, start, classes, train, test)
            methods[method] = of_method, settings.features_tuned
    results = {}
    for method, (errors_of, wanted) in methods.items():
        for count in wanted:
            rows = chosen_rows(train.label, classes, count, settings.features_draws)
            errors, chosen = map(list, errors_of(rows))
            results[f"{method}_error_{count or 'all'}"] = {
                "value": float(np.mean(errors)),
                "interval95": interval(errors, len(test.label)),
                "examples": len(test.label),
                "split": test.split,
                "labels": len(rows[0]),
                "draws": errors,
                "chosen": chosen,
            }
    return results


def chosen_rows(labels: np.ndarray, classes: int, count: int, draws: int) -> list[np.ndarray]:
    """The numbers of `count` labelled examples for each draw; for 0 all, once.

    Raises UserError if they cannot be balanced, or are too few to hold some out.
    """
    if 0 < count < linear.FOLDS * classes:
        raise UserError(
            f"evaluate.features is {count}: take at least {linear.FOLDS} examples of each of the"
            f" {classes} classes"
        )
    draws = range(draws if count else 1)
    return [balanced(labels, classes, count, draw, "evaluate.features") for draw in draws]


def labelled(trained: Trained, split: str) -> Part:
    """All examples of a split. Raises UserError if they have no labels, or no end."""
    source = data.open_source(trained.phase.data, split)
    if "label" not in source.spec or source.size is None:
        lacks = "has no labels" if source.size else "is endless"
        raise UserError(
            f"evaluate.features needs labelled data of finite size, and {source.name} {lacks}"
        )
    return Part(split, source.load(np.arange(source.size)))


def features_of(trained: Trained, name: str, part: Part) -> np.ndarray:
    """The features of all examples of a split, [N, D]; `name` is a function's or an entry's."""
    if name in part.entries:
        return in_rows({name: part.entries[name]}, np)
    if name not in trained.functions:
        raise UserError(
            f"evaluate.features_of is {name!r}: choose one of the model's functions"
            f" ({', '.join(trained.functions)}) or of the data's entries"
            f" ({', '.join(part.entries)})"
        )
    outputs = sample(trained, len(part.label), name, part.split)
    return in_rows(outputs, np)


def function_of(trained: Trained, name: str, part: Part) -> Callable:
    """(variables, batch, key) -> the outputs that `name` means: an entry's, or a function's."""
    if name in part.entries:
        return lambda variables, batch, key: {name: batch[name]}
    return trained.phase.model.functions[name]


def in_rows(outputs: Batch, xp=jnp):
    """All real numbers of an example in a row, [B, D]; images are real, symbols are not.

    Raises UserError if there are none.
    """
    real = [
        x for name, x in outputs.items() if x.dtype.kind == "f" or data.of_kind([name], "image")
    ]
    if not real:
        raise UserError(
            f"evaluate.features needs real numbers, and this function returns {', '.join(outputs)}"
        )
    return xp.concatenate([x.reshape(len(x), -1).astype("float32") for x in real], axis=-1)


def untrained(trained: Trained, part: Part) -> Variables:
    """The variables with which the last phase begins if nothing was trained before."""
    batch = numbered(part, np.arange(trained.config.batch_size) % len(part.label))
    batch = data.preparation(trained.phase.data, training=False)(batch, jax.random.key(0))
    first = trained.phase.model.init(jax.random.key(trained.config.seed), batch, None)
    return trained.variables._replace(params=first.params, state=first.state)


def numbered(part: Part, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The examples of these numbers as a batch."""
    batch = {name: values[rows] for name, values in part.entries.items()}
    return {**batch, "index": rows.astype(np.int32)}


def tuning(trained: Trained, start: Variables, classes: int, train: Part, test: Part) -> Callable:
    """[numbers of the labelled examples of a draw] -> errors of all draws, rate of each.

    The model's function and a linear layer learn together, by the labels' log-likelihood. Features
    are scaled by those of the start, the layer begins at 0; what the model carries in its state,
    such as statistics of its batches, stays.
    """
    settings, start = trained.config.evaluate, jax.device_get(start)
    function = function_of(trained, settings.features_of, train)
    prepare, key = data.preparation(trained.phase.data, training=False), jax.random.key(0)

    def rows_of(variables, batch):
        return in_rows(function(variables, prepare(batch, key), key))

    first = numbered(train, np.arange(min(SCALED, len(train.label))))
    first = jax.jit(rows_of)(start, first)
    mean, scale = jnp.mean(first, axis=0), jnp.sqrt(jnp.mean(jnp.var(first, axis=0)))
    head = {"w": jnp.zeros((len(mean), classes)), "b": jnp.zeros(classes)}
    beginning, carried = {"params": start.params, "head": head}, start._replace(params={}, opt={})
    direction = optax.scale_by_adam()

    def logits(learned, carried, batch):
        x = rows_of(carried._replace(params=learned["params"]), batch)
        return (x - mean) / scale @ learned["head"]["w"] + learned["head"]["b"]

    def loss(learned, carried, batch):
        return -jnp.mean(categorical(batch["label"], logits(learned, carried, batch)))

    @jax.jit
    def step(learned, carried, state, batch, rate):
        ways, state = direction.update(jax.grad(loss)(learned, carried, batch), state)
        return jax.tree.map(lambda p, way: p - rate * way, learned, ways), state

    @jax.jit
    def predict(learned, carried, batch):
        return jnp.argmax(logits(learned, carried, batch), axis=-1)

    def learned_from(rows, rate):
        learned, state, size = beginning, direction.init(beginning), min(BATCH, len(rows))
        rounds = max(settings.features_rounds, PASSES * len(rows) // size)
        rng, passes = np.random.default_rng(0), -(-rounds * size // len(rows))
        order = np.concatenate([rng.permutation(rows) for _ in range(passes)])
        for taken in order[: rounds * size].reshape(rounds, size):
            learned, state = step(learned, carried, state, numbered(train, taken), rate)
        return learned

    def error_of(learned, part, rows):
        padded = np.resize(rows, (-(-len(rows) // AT_ONCE), AT_ONCE))
        found = [predict(learned, carried, numbered(part, some)) for some in padded]
        return float(np.mean(np.concatenate(found)[: len(rows)] != part.label[rows]))

    def errors(draws):
        held, own = np.split(np.random.default_rng(0).permutation(draws[0]), [len(draws[0]) // 5])
        wrong = [error_of(learned_from(own, rate), train, held) for rate in RATES]
        rate, every = RATES[int(np.argmin(wrong))], np.arange(len(test.label))
        return [error_of(learned_from(rows, rate), test, every) for rows in draws], [rate] * len(
            draws
        )

    return errors


def interval(errors, examples: int) -> list[float]:
    """The 95 % interval of the mean of errors of several draws, by Student's t.

    Of one draw: that of its share of so many test examples.
    """
    mean, count = np.mean(errors), len(errors)
    if count > 1:
        reach = stats.t.ppf(0.975, count - 1) * np.std(errors, ddof=1) / np.sqrt(count)
    else:
        reach = stats.norm.ppf(0.975) * np.sqrt(mean * (1.0 - mean) / examples)
    return [float(mean - reach), float(mean + reach)]
