"""Features for a classifier: what is chosen, what is learned, and by which labels."""

import jax
import numpy as np
import pytest
from games import config

import gm_jax
from gm_jax.evaluation import linear
from gm_jax.judging import features
from gm_jax.judging.features import Part

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
    test = x, np.full(60, 2)
    error, strength = linear.held_out_error(x, label, test)
    assert strength == 1e-1 and error == np.mean(_answers(x, True) != 2)
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
def model(digits16, tmp_path_factory):
    settings = config("sparse_autoencoder", digits16, **{"data.name": "npz", "hidden": 30})
    settings.evaluate.update(
        features=(50, 0), features_tuned=(50,), features_draws=2, features_rounds=20
    )
    return gm_jax.train(settings, tmp_path_factory.mktemp("features"), ONE)


def test_a_runs_features_are_those_of_its_function(model, tmp_path):
    """The errors by hand from what `encode` returns; untrained parameters from scratch alone."""
    results = gm_jax.evaluate(model, tmp_path)
    assert set(results) - {"squared_error", "activity", "active"} == {
        "frozen_error_50", "frozen_error_all", "tuned_error_50", "scratch_error_50"
    }  # fmt: skip
    parts = [features.labelled(model, split) for split in ("train", "test")]
    x, y = (gm_jax.sample(model, len(p.label), "encode", p.split)["latent"] for p in parts)
    x, y = linear.scaled(x, y)
    row = results["frozen_error_all"]
    error, strength = linear.held_out_error(x, parts[0].label, (y, parts[1].label))
    assert row["draws"] == [error] and row["chosen"] == [strength] and row["labels"] == 200
    few = results["frozen_error_50"]
    assert len(few["draws"]) == 2 and few["labels"] == 50 and few["examples"] == 40
    assert few["value"] == np.mean(few["draws"]) and few["draws"][0] != few["draws"][1]
    start = features.untrained(model, parts[0]).params["autoencoder"]["w"]
    assert np.abs(start - model.variables.params["autoencoder"]["w"]).max() > 1e-4


def test_tuning_is_adam_on_the_model_and_the_layer(model):
    """Two rounds by hand: gradients of the labels' nats through `encode`, the rest as it was."""
    train, test = (features.labelled(model, split) for split in ("train", "test"))
    errors, rates = features.tuning(model, model.variables, 10, train, test)([np.arange(100)])
    assert set(rates) <= set(features.RATES) and 0.0 <= errors[0] < 0.6
    # Labels are all that it learns from: those of no class leave what it began with.
    shuffled = train.entries | {"label": np.random.default_rng(0).permutation(train.label)}
    wrong, _ = features.tuning(model, model.variables, 10, Part("train", shuffled), test)(
        [np.arange(100)]
    )
    assert wrong[0] > 0.6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features_of": "enc"}, "evaluate.features_of is 'enc': choose .*encode.*image"),
        ({"features": (55,)}, "evaluate.features is 55: take a multiple of the 10 classes"),
        ({"features": (1000,)}, "evaluate.features is 1000, but class 0 has"),
    ],
)
def test_what_does_not_go_is_said_in_a_line(model, changes, message):
    settings = model.config.copy_and_resolve_references()
    settings.evaluate.update(changes)
    with pytest.raises(gm_jax.UserError, match=message):
        features.transfer(model._replace(config=settings), settings.evaluate.features)
