"""Metrics by a classifier: modes covered, labels matched, codes that agree with labels.

The class of an image is what a small classifier, trained on the same data, predicts; every metric
that uses it also reports its accuracy on held-out images.
"""

import numpy as np

from gm_jax import data, evaluation
from gm_jax.cache import cache_directory
from gm_jax.data import composed, mixtures
from gm_jax.errors import UserError
from gm_jax.evaluation import modes
from gm_jax.settings import Data, read
from gm_jax.trained import Trained, sample

EXAMPLES = 50_000  # to train a classifier on, of an endless source


def classifier_of_source(
    source: data.Source, held_out: data.Source | None = None, image="image", label="label"
):
    """A classifier of one entry of a source, trained once and cached.

    Its accuracy is measured on `held_out`, or on a tenth of the source. Raises UserError if the
    data has no images with labels.
    """
    if not {image, label} <= set(source.spec):
        raise UserError(f"{source.name} has no images with labels to train a classifier on")
    real = source.load(np.arange(source.size or EXAMPLES))
    test = held_out and held_out.load(np.arange(held_out.size or EXAMPLES // 10))
    return evaluation.train_classifier(
        real[image], real[label], source.spec[label].cardinality,
        dataset=source.name, directory=cache_directory() / "classifiers",
        test=test and (test[image], test[label]),
    )  # fmt: skip


def classifier_of(config, image: str = "image", label: str = "label"):
    """The classifier of the training split that a recipe's `data` names.

    Endless data repeats its examples, so the accuracy is measured on its test split.
    """
    source = data.open_source(config)
    held_out = data.open_source(config, "test") if source.size is None else None
    return classifier_of_source(source, held_out, image, label)


def mode_coverage(trained: Trained, count: int) -> dict[str, dict]:
    """modes, high_quality and reverse_kl of `count` samples; see `evaluation.modes`.

    A mixture's modes are its centres; those of stacked images are found by a classifier of each
    channel. Raises UserError for other data.
    """
    config = read(Data, trained.phase.data, "data.")
    if config.name not in MODES_OF:
        names = ", ".join(MODES_OF)
        raise UserError(f"evaluate.modes needs data with known modes ({names}), not {config.name}")
    coverage, setting = MODES_OF[config.name](config, sample(trained, count))
    return {
        name: {"value": value, "examples": count, **setting}
        for name, value in coverage._asdict().items()
        if value is not None
    }


def _of_mixture(config, samples) -> tuple[modes.Coverage, dict]:
    centres, deviation = mixtures.centres(config), mixtures.deviation(config)
    coverage = modes.of_points(samples["point"], centres, deviation)
    return coverage, {"of_modes": len(centres), "deviation": deviation}


def _of_stacked(config, samples) -> tuple[modes.Coverage, dict]:
    base = composed.base_of(config, "train")
    classifier, classes = classifier_of_source(base), base.spec["label"].cardinality
    a, b, c = (classifier.predict(samples["image"][..., i, None]) for i in range(3))
    coverage = modes.of_labels((a * classes + b) * classes + c, classes**3)
    return coverage, {"of_modes": classes**3, "classifier_accuracy": classifier.accuracy}


# By the name of the data: (the recipe's `data`, samples) -> coverage, and what to report with it.
MODES_OF = {"ring": _of_mixture, "grid": _of_mixture, "stacked": _of_stacked}


def agreement(trained: Trained, count: int) -> dict[str, dict]:
    """Share of `count` samples that a classifier assigns to the requested class.

    That is the label that `sample` returns with the image; for pairs of images, the share on which
    the classifiers of the two domains agree. Raises UserError if samples have neither.
    """
    outputs = sample(trained, count)
    classifiers = {
        image: classifier_of(trained.phase.data, image, "label" + image.removeprefix("image"))
        for image in data.of_kind(outputs, "image")
    }
    sides = [classifier.predict(outputs[image]) for image, classifier in classifiers.items()]
    sides += [outputs["label"]] if "label" in outputs else []
    if len(sides) < 2:
        raise UserError("evaluate.agreement needs samples that come with a label, or in pairs")
    agrees = np.all([side == sides[0] for side in sides[1:]], axis=0)
    accuracy = min(classifier.accuracy for classifier in classifiers.values())
    return {"agreement": share(agrees, accuracy)}


def preservation(trained: Trained, count: int) -> dict[str, dict]:
    """Share of `count` examples of the split that keep their class when reconstructed.

    The model's `reconstruct` returns images [B, 2, H, W, C]: the example, its reconstruction.
    """
    split = trained.config.evaluate.split
    pairs = sample(trained, count, "reconstruct", split)["image"]
    classifier = classifier_of(trained.phase.data)
    same = classifier.predict(pairs[:, 0]) == classifier.predict(pairs[:, 1])
    return {"preserved": {**share(same, classifier.accuracy), "split": split}}


def share(hits: np.ndarray, accuracy: float) -> dict:
    """A row of results: the share of hits [N], by a classifier of an accuracy."""
    return {
        "value": float(np.mean(hits)),
        "standard_error": float(np.std(hits, ddof=1) / np.sqrt(len(hits))),
        "examples": len(hits),
        "classifier_accuracy": accuracy,
    }


def clustering(trained: Trained, count: int) -> dict[str, dict]:
    """How well the codes of `count` examples of the split agree with labels, matched one to one.

    The model's `cluster` returns `code` [B] and `label` [B].
    """
    split = trained.config.evaluate.split
    outputs = sample(trained, count, "cluster", split)
    if "label" not in outputs:
        raise UserError("evaluate.clustering needs data with labels")
    accuracy = modes.clustering_accuracy(outputs["code"], outputs["label"])
    row = {"value": accuracy, "examples": count, "split": split}
    return {"clustering_accuracy": row}
