import os
import subprocess
import sys

import numpy as np
import pytest
from environment import OPTIMIZED
from sklearn.datasets import load_digits

from gm_jax.evaluation import EvaluationError, classifier, extract, train_classifier


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return np.rint(data.images / 16 * 255).astype(np.uint8)[..., None], data.target


def test_it_learns_digits_and_is_not_trained_twice(digits, tmp_path):
    first = train_classifier(*digits, 10, dataset="digits", directory=tmp_path, epochs=15)
    assert first.accuracy > 0.93
    assert first.features.name == "classifier_digits" and first.features.layers == {"64": 64}
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    second = train_classifier(*digits, 10, dataset="digits", directory=tmp_path, epochs=15)
    assert second.features.fingerprint == first.features.fingerprint
    assert second.accuracy == first.accuracy
    assert [f.stat().st_mtime_ns for f in tmp_path.iterdir()] == [written]
    (a,), (b,) = (list(extract(c.features, [digits[0][:9]])) for c in (first, second))
    np.testing.assert_array_equal(a["64"], b["64"])
    assert a["64"].shape == (9, 64)


def test_other_data_is_another_key(digits, tmp_path):
    images, labels = digits[0][:100], digits[1][:100]
    train_classifier(images, labels, 10, directory=tmp_path, epochs=1)
    train_classifier(images, labels[::-1], 10, directory=tmp_path, epochs=1)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_tenth_whose_labels_are_compared_is_not_trained_on(monkeypatch):
    images, shown = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1), []

    def train(network, images, labels, *rest):
        shown.append((images.ravel(), labels))

    def predict(network, params, images):
        shown.append((images.ravel(), images.ravel() % 3))
        return np.where(np.arange(len(images)) < 1, 9, images.ravel() % 3)  # One is wrong.

    monkeypatch.setattr(classifier, "_train", train)
    monkeypatch.setattr(classifier, "predict", predict)
    _, accuracy = classifier.fitted(classifier.Network(3), "", images, np.arange(40) % 3)
    trained, held = shown
    assert len(trained[0]) == 36 and accuracy == 0.75
    assert sorted([*trained[0], *held[0]]) == list(range(40))
    np.testing.assert_array_equal(trained[1], trained[0] % 3)


def test_floats_are_refused(digits):
    with pytest.raises(EvaluationError, match="needs uint8 images"):
        train_classifier(digits[0] / 255.0, digits[1], 10)


TRAIN = """
import numpy as np
from sklearn.datasets import load_digits
from gm_jax.evaluation import train_classifier
images = load_digits().images[:140, ..., None].astype(np.uint8) * 15
print(train_classifier(images, load_digits().target[:140], 10, epochs=1).features.fingerprint)
"""


@pytest.mark.slow
def test_the_weights_are_the_same_on_any_number_of_cores():
    settings = {"JAX_NUM_CPU_DEVICES": "1", "JAX_ENABLE_COMPILATION_CACHE": "0"}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN],
            env=os.environ | OPTIMIZED | settings | {"PJRT_NPROC": threads},
            stdout=subprocess.PIPE,
        )
        for threads in ("1", "3")
    ]
    one, three = (run.communicate(timeout=120)[0] for run in runs)
    assert len(one.strip()) == 16 and one == three
