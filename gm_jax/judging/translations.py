"""Metrics of translations whose truth is known: distances to it, and what is found in them.

A model's `translate` returns `image_b` made of `image`, and perhaps `image` made of `image_b`. Each
is compared with the true partner. Beside each value stands the same value of the input, copied, and
where the truth itself is judged, of the truth. A model that restores `image` from less of it, such
as a smaller one, has a function `baseline`, whose outputs stand beside its own as those copied. A
model that moves a picture as another film moves (`animate`) makes `image_b` of it, too, if the data
has a film of someone else who does the same.
"""

import dataclasses

import numpy as np

from gm_jax import data
from gm_jax.cache import cache_directory
from gm_jax.data import scenes
from gm_jax.errors import UserError
from gm_jax.evaluation import keypoints, segmentation
from gm_jax.evaluation.ssim import ssim
from gm_jax.settings import Data, read
from gm_jax.trained import Trained, sample

CANDIDATES = 500  # true partners among which one is sought
PARTNERS = {"image": "image_b", "image_b": "image"}
DRIVEN = ("animate", "animate_absolute")  # what moves `image` by the data's `image_driver`
EXAMPLES = 2000  # of the training split, to train a segmenter or a finder of points on


def translation(trained: Trained, count: int) -> dict[str, dict]:
    """`count` examples of the split translated, and compared with their true partners.

    For each entry that `translate` returns, as `image_b_l1` (of `animate`: `animate_image_b_l1`):
    l1, psnr, ssim    distance on the scale 0 to 1, decibels, structural similarity
    retrieval         share of the first 500 whose nearest true partner, by squares of pixels, is
                      their own
    pixel, class, iou  if the data has a label map: `evaluation.segmentation.scores` of what a
                      segmenter finds, or of the nearest colour in maps of scenes
    contrast          of photographs of scenes: the discs' mean contrast, of the truth's
    keypoint          if the data has them: how far off they are found, in pixels of a coordinate

    Raises UserError if the split is too small, or does not know the partners.
    """
    split = trained.config.evaluate.split
    config = read(Data, trained.phase.data, "data.")
    source = data.open_source(config, split)
    if source.size is not None and count > source.size:
        raise UserError(f"evaluate.translation is {count}, but {split} has {source.size} examples")
    restored = "baseline" in trained.functions
    domains = [source.spec[name].domain for name in PARTNERS if name in source.spec]
    if len(set(domains)) > 1 and not restored:
        raise UserError(
            f"evaluate.translation needs the true partner of each image, which {source.name} does"
            f" not know in its split {split}"
        )
    truth, results = source.load(np.arange(count)), {}
    driven = [name for name in DRIVEN if name in trained.functions and "image_driver" in truth]
    beside = sample(trained, count, "baseline", split) if restored else {}
    for function in ("translate", *driven):
        prefix = "" if function == "translate" else f"{function}_"
        for name, made in sample(trained, count, function, split).items():
            given = beside.get(name) if restored else truth.get(PARTNERS[name])
            given = given if given is not None and given.shape == made.shape else None
            rows = _rows(config, name, made, truth, given)
            results |= {
                f"{prefix}{name}_{key}": row | {"split": split} for key, row in rows.items()
            }
    return results


def _rows(config: Data, name: str, made, truth, given) -> dict[str, dict]:
    """All metrics of translations `made`; `given` is what they are made of, or None."""
    rows = _distances(made, truth[name], given)
    rows["retrieval"] = _row(_retrieved, made, truth[name], given)
    if "segmentation" in truth:
        rows |= _found(config, name, made, truth, given)
    if _rendering(config, name) == "photo":
        rows["contrast"] = _contrast(made, truth, name)
    points = name.replace("image", "keypoint")
    if points in truth:
        rows["keypoint"] = _keypoints(config, made, truth[points], truth[name], given)
    return rows


def _keypoints(config: Data, made, points, true, given) -> dict:
    """How far from where they are a trained network finds points; in the truth, too."""
    source = data.open_source(config)
    real = source.load(np.arange(min(source.size or EXAMPLES, EXAMPLES)))
    finder = keypoints.train_finder(
        real["image"], real["keypoint"], source.name, cache_directory() / "classifiers"
    )

    def off(images, points):
        return keypoints.distance(finder.predict(images), points, images.shape[1])

    return _row(off, made, points, given) | {"truth": float(np.mean(off(true, points)))}


def _row(metric, made, true, given) -> dict:
    """The mean of what metric(made, true) [N] returns, with its error, and of copies."""
    values = metric(made, true)
    error = float(np.std(values, ddof=1) / np.sqrt(len(values)))
    row = {"value": float(np.mean(values)), "standard_error": error, "examples": len(values)}
    return row | ({} if given is None else {"copied": float(np.mean(metric(given, true)))})


def _distances(made, true, given) -> dict[str, dict]:
    metrics = {"l1": _l1, "psnr": _psnr}
    if min(made.shape[1:3]) >= 11:
        metrics["ssim"] = _ssim
    return {name: _row(metric, made, true, given) for name, metric in metrics.items()}


def _difference(x, y):
    return (x.astype(np.float32) - y.astype(np.float32)).reshape(len(x), -1) / 255


def _l1(x, y):
    return np.abs(_difference(x, y)).mean(1)


def _psnr(x, y):
    """In decibels; equal images count as differing by one level of 255 in the mean."""
    return -10 * np.log10(np.maximum((_difference(x, y) ** 2).mean(1), 255.0**-2))


def _ssim(x, y):
    parts = range(0, len(x), 100)
    return np.concatenate([np.asarray(ssim(x[i : i + 100], y[i : i + 100])) for i in parts])


def _retrieved(made, true):
    """Whether the nearest of the true images is an image's own, [N] of 0 and 1."""
    made, true = (v[:CANDIDATES].reshape(len(v[:CANDIDATES]), -1) / 255.0 for v in (made, true))
    squares = (true**2).sum(1) - 2 * made @ true.T
    return (squares.argmin(1) == np.arange(len(made))).astype(np.float64)


def _found(config: Data, name: str, made, truth, given) -> dict[str, dict]:
    """pixel, class and iou of what is found in translations; of the truth and of copies, too."""
    predict, classes, accuracy = _segmenter(config, name)
    of = {"made": made, "truth": truth[name]} | ({} if given is None else {"copied": given})
    found = {
        key: segmentation.scores(truth["segmentation"], predict(image), classes)
        for key, image in of.items()
    }
    made = found.pop("made")

    def row(field):
        others = {key: getattr(other, field) for key, other in found.items()}
        return {"value": getattr(made, field), "examples": len(truth["segmentation"]), **others}

    rows = {"pixel": row("pixel"), "class": row("class_"), "iou": row("iou")}
    rows["class"]["confusion"] = made.confusion
    if accuracy is not None:
        rows["pixel"]["segmenter_accuracy"] = accuracy
    return rows


def _segmenter(config: Data, name: str):
    """(images -> classes, their number, accuracy on held-out pictures; None if it is exact)."""
    paired = dataclasses.replace(config, unpaired=False)
    source = data.open_source(paired)
    classes = source.spec["segmentation"].cardinality
    if _rendering(config, name) == "map":
        return scenes.classes_of_map, classes, None
    real = source.load(np.arange(min(source.size or EXAMPLES, EXAMPLES)))
    segmenter = segmentation.train_segmenter(
        real[name], real["segmentation"], classes, source.name, cache_directory() / "classifiers"
    )
    return segmenter.predict, classes, segmenter.accuracy


def _rendering(config: Data, name: str) -> str:
    """What an entry of scenes shows; "" for other data."""
    if config.name != "scenes":
        return ""
    return scenes.domains_of(config)[name == "image_b"]


def _contrast(made, truth, name) -> dict:
    def of(image):
        return scenes.contrast(image, truth["segmentation"], truth["segmentation_instance"])

    levels = of(truth[name])
    return {"value": of(made) / levels, "examples": len(made), "truth": 1.0, "levels": levels}
