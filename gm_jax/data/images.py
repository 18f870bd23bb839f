"""Image data sets: digits, and those of TensorFlow Datasets."""

import functools
from pathlib import Path

import numpy as np

from gm_jax.data.examples import from_files
from gm_jax.data.pictures import all_resized, padded, resized
from gm_jax.data.records import reader
from gm_jax.data.source import SPLITS, Source, from_arrays
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field
from gm_jax.settings import nearest

DIGITS_TRAIN = 1500  # of 1,797; the rest is the test split


def digits(config, split: str) -> Source:
    """8x8 handwritten digits, included in scikit-learn: 1,500 to train on, 297 to test."""
    one_of("split of digits", split, SPLITS)
    arrays = _digits(split, config.size)
    spec = {"image": Field(arrays["image"].shape[1:], 256), "label": Field((), 10)}
    return from_arrays("digits", arrays, spec)._replace(classes=tuple(map(str, range(10))))


@functools.lru_cache(maxsize=4)  # The splits at two sizes: a run opens its data many times.
def _digits(split: str, size: int | None) -> dict[str, np.ndarray]:
    from sklearn.datasets import load_digits

    raw = load_digits()
    order = np.random.default_rng(0).permutation(len(raw.target))
    order = order[:DIGITS_TRAIN] if split == "train" else order[DIGITS_TRAIN:]
    # Sixteen grey levels, 0 to 16, become 0 to 255.
    image = np.round(raw.images[order, ..., None] * (255 / 16)).astype(np.uint8)
    return {"image": all_resized(image, size), "label": raw.target[order].astype(np.int32)}


def tfds_images(config, split: str, others: tuple[str, ...] = ()) -> Source:
    """A prepared TFDS data set with an image and perhaps a label, read without TensorFlow.

    `others` are the names of sources that are not TFDS's, to be suggested as well.
    """
    known = _builders()
    base = config.name.split("/")[0].split(":")[0]
    if base not in known:
        raise UserError(
            f"unknown data set {config.name!r}{nearest(base, [*known, *others])}; there are: "
            f"{', '.join(others)} or a name of TFDS"
        )
    return _tfds(config, split)


@functools.cache
def _builders() -> list[str]:
    import tensorflow_datasets as tfds

    return tfds.list_builders(with_community_datasets=False)


@functools.lru_cache(maxsize=2)  # The splits of one run, with what they hold in memory.
def _tfds(config, split: str) -> Source:
    import tensorflow_datasets as tfds

    name, directory = config.name, config.directory
    directory = str(Path(directory).expanduser()) if directory else tfds.core.constants.DATA_DIR
    try:
        builder = tfds.builder(name, data_dir=directory)
        prepared = (Path(builder.data_dir) / "dataset_info.json").exists()
        data = builder.as_data_source(split=split) if prepared else None
    except (
        ValueError,
        KeyError,
        tfds.core.registered.DatasetNotFoundError,
    ) as error:
        raise UserError(f"TFDS cannot open {name!r}, split {split!r}: {error}") from error
    if data is None:
        raise UserError(
            f"{name} is not prepared in {directory}. Prepare it once with: pip install"
            f" -e '.[tfds]' && tfds build {name} --file_format=array_record"
            f" --data_dir={directory}; or say where it is with --config.data.directory=..."
        )
    features = builder.info.features
    if "image" not in features or (None in features["image"].shape and not config.size):
        raise UserError(
            f"{name} has no images of one size: --config.data.size=64, say, makes them so, if it"
            " has images at all"
        )
    sides, channels = (config.size, config.size), features["image"].shape[-1]
    shape = (*sides, channels) if config.size else tuple(features["image"].shape)
    spec = {"image": Field(shape, 256)}
    classes = ()
    if "label" in features:
        classes = tuple(features["label"].names)
        spec["label"] = Field((), len(classes))

    examples, fit = reader(data, features, tuple(spec)), padded if config.pad else resized

    def read(indices):
        for example in examples(indices):
            if config.size:
                example["image"] = fit(example["image"], config.size)
            yield example

    bytes = len(data) * sum(int(np.prod(field.shape)) for field in spec.values())
    return from_files(name, len(data), read, spec, config, bytes)._replace(classes=classes)
