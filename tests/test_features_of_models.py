"""Features for a classifier: what is chosen, what is learned, and by which labels."""

import jax
import numpy as np
import pytest
from games import config, refuses

import gm_jax
from gm_jax.data.composed import balanced
from gm_jax.evaluation import linear
from gm_jax.judging import features
from gm_jax.judging.features import Part
from gm_jax.model import Variables
from gm_jax.study import version
from gm_jax.trained import Trained, mapped_functions

ONE = jax.devices()[:1]


def clouds(n, seed=0, spread=0.3):
    """Three separable classes in the plane, beside a hundred columns of noise."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    point = np.eye(3)[label] + spread * rng.normal(size=(n, 3))
    return np.concatenate([point, rng.normal(size=(n, 100))], 1).astype(np.float32), label


def test_scaled_features_keep_their_proportions_and_use_the_first_alone():
    rng = np.random.default_rng(0)
    x, y = 3.0 + rng.normal(size=(500, 4)) * [1.0, 2.0, 0.0, 5.0], rng.normal(size=(7, 4))
    a, b = linear.scaled(x, y)
    root = np.sqrt(x.var(0).mean())
    np.testing.assert_allclose(a, (x - x.mean(0)) / root, atol=1e-6)
    np.testing.assert_allclose(b, (y - x.mean(0)) / root, atol=1e-6)


def test_the_linear_classifier_is_the_penalised_likelihoods_maximum():
    """The slope of sum of nats + |W|^2 / (2 C) is 0 there, by finite sums in float64."""
    x, label = clouds(60)
    (predict,) = linear.fitted(x[:, :10], label, (0.1,))
    model = predict.__self__
    w, b = np.float64(model.coef_), np.float64(model.intercept_)
    logits = x[:, :10] @ w.T + b
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    slope = (p - np.eye(3)[label]).T @ x[:, :10] + w / 0.1
    assert np.abs(slope).max() < 1e-2 < 0.1 < np.abs(w / 0.1).max()


def test_the_strength_is_chosen_on_held_out_labels_not_on_the_test(monkeypatch):
    """Where the test would choose another, and the training labels the weakest penalty."""
    x, label = clouds(60)
    fits = []

    def fitted(features, labels, strengths):
        for strength in strengths:
            fits.append((len(labels), strength))
            good = strength == 1e-1 if len(labels) < 60 else True
            yield lambda x, good=good: label[:0] if not len(x) else _answers(x, good)

    def _answers(x, good):
        return np.argmax(x[:, :3], axis=1) if good else np.zeros(len(x), int)

    monkeypatch.setattr(linear, "fitted", fitted)
    test = x, np.zeros(60, int)
    error, strength = linear.held_out_error(x, label, test)
    assert strength == 1e-1 and error == np.mean(_answers(x, True) != 0)
    assert fits[-1] == (60, 1e-1)
    assert sum(count == 48 for count, _ in fits) == 5 * len(linear.STRENGTHS)
    monkeypatch.setattr(linear, "MANY", 50)
    fits.clear()
    linear.held_out_error(x, label, test)
    assert sum(count == 48 for count, _ in fits) == len(linear.STRENGTHS)


def test_intervals():
    """Student's t of the draws; of one draw that of a share of the test examples."""
    low, high = features.interval([0.1, 0.2, 0.3], 1000)
    assert abs(low - (0.2 - 4.3027 * 0.1 / 3**0.5)) < 1e-4 and abs(low + high - 0.4) < 1e-9
    low, high = features.interval([0.1], 900)
    assert abs(high - (0.1 + 1.96 * 0.01)) < 1e-4 and abs(low + high - 0.2) < 1e-9


def test_all_real_numbers_of_an_example_are_its_features():
    outputs = {
        "code": np.zeros((3, 2), np.int32), "image": np.full((3, 2, 2, 1), 7, np.uint8),
        "latent": np.ones((3, 2, 2), np.float32), "label": np.zeros(3, np.int32),
    }  # fmt: skip
    rows = features.in_rows(outputs, np)
    assert rows.shape == (3, 8) and rows.dtype == np.float32
    np.testing.assert_array_equal(rows[0], [7, 7, 7, 7, 1, 1, 1, 1])
    with pytest.raises(gm_jax.UserError, match="needs real numbers, .* returns code"):
        features.in_rows({"code": outputs["code"]}, np)


@pytest.fixture(scope="module")
def model(digits16):
    """A k-sparse autoencoder that is not trained, but begins elsewhere than with its seed."""
    settings = config("k_sparse", digits16, **{"data.name": "npz", "hidden": 30})
    settings.evaluate.update(features=(50, 0), features_draws=2)
    (phase,) = gm_jax.build(settings)
    batch = {"image": np.zeros((1, 16, 16, 1), np.float32)}
    variables = phase.model.init(jax.random.key(7), batch, None)
    return Trained(settings, phase, mapped_functions(phase, ONE), variables, ONE)


def changed(model, **changes):
    settings = model.config.copy_and_resolve_references()
    settings.evaluate.update(changes)
    return model._replace(config=settings)


@pytest.fixture
def few_strengths(monkeypatch):
    monkeypatch.setattr(linear, "STRENGTHS", (1e-2, 1.0))


def test_frozen_features_are_what_encode_returns(model, few_strengths):
    """Each draw by hand: its own balanced labels, and its own folds."""
    parts = [features.labelled(model, split) for split in ("train", "test")]
    results = features.transfer(model, (50, 0))
    x, y = (gm_jax.sample(model, len(p.label), "encode", p.split)["latent"] for p in parts)
    x, y = linear.scaled(x, y)
    for name, draws, count in (("50", 2, 50), ("all", 1, 0)):
        row = results.pop(f"frozen_error_{name}")
        rows = [balanced(parts[0].label, 10, count, draw) for draw in range(draws)]
        pairs = [
            linear.held_out_error(x[r], parts[0].label[r], (y, parts[1].label), draw)
            for draw, r in enumerate(rows)
        ]
        assert row["draws"] == [error for error, _ in pairs] and row["labels"] == len(rows[0])
        assert row["chosen"] == [strength for _, strength in pairs]
        assert row["value"] == np.mean(row["draws"]) and row["examples"] == 40
    assert not results


def test_pixels_are_a_baseline_without_a_model(model, few_strengths):
    pixels = changed(model, features_of="image", features_tuned=(50,), features_rounds=5)
    results = features.transfer(pixels._replace(functions={}), (0,))
    x, y = (features.labelled(model, split) for split in ("train", "test"))
    rows = linear.scaled(*(p.entries["image"].reshape(-1, 256) for p in (x, y)))
    error, _ = linear.held_out_error(rows[0], x.label, (rows[1], y.label))
    assert results["frozen_error_all"]["value"] == error
    # Only the layer on top learns: the same from any variables of the model.
    tuned, scratch = (results[f"{name}_error_50"]["draws"] for name in ("tuned", "scratch"))
    assert tuned == scratch and len(tuned) == 2


def test_from_scratch_is_from_the_start_of_the_runs_seed(model):
    first = features.untrained(model, features.labelled(model, "train"))
    batch = {"image": np.zeros((1, 16, 16, 1), np.float32)}
    again = model.phase.model.init(jax.random.key(model.config.seed), batch, None)
    jax.tree.map(np.testing.assert_array_equal, first.params, again.params)


def adam(w, slope, state, rate):
    """A step of Adam in float64, w and its moments."""
    m, v, t = state
    m, v, t = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2, t + 1
    return w - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), (m, v, t)


def test_tuning_is_adam_on_the_model_and_a_layer_on_top(model, monkeypatch):
    """Three rounds by hand: slopes of the labels' nats through encode, from scaled features."""
    rate = 0.1
    monkeypatch.setattr(features, "RATES", (rate,))
    w = np.random.default_rng(0).normal(size=(256, 5))

    def encode(variables, batch, key):
        return {"latent": batch["image"].reshape(-1, 256) @ variables.params["w"]}

    own = model.phase.model._replace(functions={"encode": encode})
    of = changed(model, features_rounds=3)
    of = of._replace(phase=of.phase._replace(model=own))
    train, test = (features.labelled(of, split) for split in ("train", "test"))
    start = Variables({"w": np.float32(w)}, opt={"player": np.zeros(3)})
    rows = np.random.default_rng(1).permutation(200)[:100]
    (error,), _ = features.tuning(of, start, 10, train, test)([rows])

    x, y = (p.entries["image"].reshape(-1, 256) / 127.5 - 1.0 for p in (train, test))
    mean, scale = (x @ w).mean(0), np.sqrt((x @ w).var(0).mean())
    hot, x = np.eye(10)[train.label[rows]], x[rows]
    learned = [w, np.zeros((5, 10)), np.zeros(10)]
    states = [(0.0, 0.0, 0)] * 3
    for _ in range(3):
        z = (x @ learned[0] - mean) / scale
        p = np.exp(z @ learned[1] + learned[2])
        back = (p / p.sum(1, keepdims=True) - hot) / 100
        slopes = x.T @ (back @ learned[1].T) / scale, z.T @ back, back.sum(0)
        steps = [adam(*of_one, rate) for of_one in zip(learned, slopes, states, strict=True)]
        learned, states = map(list, zip(*steps, strict=True))
    found = ((y @ learned[0] - mean) / scale @ learned[1] + learned[2]).argmax(1)
    assert error == np.mean(found != test.label)


def test_the_rate_is_chosen_on_held_out_labels_of_the_first_draw(model, monkeypatch):
    """A rate of 0 never learns; the test's labels, which would have it, are not asked."""
    monkeypatch.setattr(features, "RATES", (0.0, 0.1))
    of = changed(model, features_rounds=30)
    train, test = (features.labelled(of, split) for split in ("train", "test"))
    zeros = Part("test", test.entries | {"label": np.zeros(40, int)})
    errors, rates = features.tuning(of, model.variables, 10, train, zeros)([np.arange(100)] * 2)
    assert rates == [0.1, 0.1] and errors[0] == errors[1] > 0.5


def test_fine_tuning_goes_with_fixed_features():
    refuses("rbm_mnist", {"evaluate.features_tuned": (100,)}, "set evaluate.features, too")


def test_every_entry_of_the_study_has_an_encoder_and_one_budget():
    config = gm_jax.load_config("configs/study_features.py:smoke")
    for name in config.study.entries:
        recipe = version(config, name, 3)
        *_, phase = gm_jax.build(recipe)
        assert "encode" in phase.model.functions and recipe.seed == 3, name
        assert tuple(recipe.evaluate.features) == (50,) and recipe.batch_size == 16
        assert not recipe.evaluate.score and not recipe.average
        # Or its runs would lack a measure.
        assert tuple(recipe.evaluate.features_tuned) == (50,), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features_of": "enc"}, "evaluate.features_of is 'enc': choose .*encode.*image"),
        ({"features": (55,)}, "evaluate.features is 55: take a multiple of the 10 classes"),
        ({"features": (40,)}, "evaluate.features is 40: take at least 5 examples of each"),
        ({"features": (1000,)}, "evaluate.features is 1000, but class 0 has"),
    ],
)
def test_what_does_not_go_is_said_in_a_line(model, changes, message):
    of = changed(model, **changes)
    with pytest.raises(gm_jax.UserError, match=message):
        features.transfer(of, of.config.evaluate.features)
