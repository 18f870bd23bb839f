"""A linear classifier of features: logistic regression, its penalty chosen on held-out labels."""

import warnings

import numpy as np

# C of scikit-learn: the sum of the labels' nats is weighed with it against half of |W|^2.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
FOLDS = 5  # of the labelled examples, each held out in turn
MANY = 10_000  # labelled examples, of which only one fold is held out
ITERATIONS = 100  # of L-BFGS at most


def scaled(features: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Features [N, D] and others of them, centred, and of mean variance 1 over all columns.

    So one grid of penalties serves them all, and columns keep their proportions: a pixel that is
    nearly always black is not blown up.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(features.var(axis=0, dtype=np.float64).mean()) or 1.0
    return [((x - mean) / deviation).astype(np.float32) for x in (features, *others)]


def held_out_error(
    features: np.ndarray, labels: np.ndarray, test, seed: int = 0
) -> tuple[float, float]:
    """The share of test examples that a linear classifier of features [N, D] gets wrong.

    labels  [N], each class at least FOLDS times
    test    (features [M, D], labels [M]), by which nothing is chosen

    The strength with the fewest errors on held-out folds, the weakest of equals, is fitted again to
    all. Returns the share and the strength.
    """
    from sklearn.model_selection import StratifiedKFold

    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(features, labels))
    wrong = np.zeros(len(STRENGTHS))
    for own, held in folds[: 1 if len(labels) > MANY else FOLDS]:
        path = fitted(features[own], labels[own], STRENGTHS)
        wrong += [np.sum(model(features[held]) != labels[held]) for model in path]
    strength = STRENGTHS[int(np.argmin(wrong))]
    (model,) = fitted(features, labels, (strength,))
    return float(np.mean(model(test[0]) != test[1])), strength


def fitted(features: np.ndarray, labels: np.ndarray, strengths):
    """Classifiers, features [M, D] -> labels [M], one for each strength by growing order.

    They are one, which goes on from strength to strength: use each before the next.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=ITERATIONS, warm_start=True)
    for strength in strengths:
        model.set_params(C=strength)
        with warnings.catch_warnings():  # Held-out labels choose among ends of L-BFGS, too.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features, labels)
        yield model.predict
