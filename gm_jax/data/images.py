"""Image data sets: digits, npz files, folders of pictures, and those of TensorFlow Datasets."""

import difflib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from gm_jax.data.source import SPLITS, Source, from_arrays, path_of
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field, Spec

DIGITS_TRAIN = 1500  # of 1,797; the rest is the test split
CACHED_BYTES = 2**31  # decoded images up to this size are kept in memory
IMAGE_MODES = ("L", "RGB", "P", "1")  # of Pillow's, those that conversion loses nothing of
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


def digits(config, split: str) -> Source:
    """8x8 handwritten digits, embedded in scikit-learn: 1,500 to train on, 297 to test."""
    from sklearn.datasets import load_digits

    one_of("split of digits", split, SPLITS)
    raw = load_digits()
    order = np.random.default_rng(0).permutation(len(raw.target))
    order = order[:DIGITS_TRAIN] if split == "train" else order[DIGITS_TRAIN:]
    arrays = {
        # Sixteen grey levels, 0 to 16, become 0 to 255.
        "image": np.round(raw.images[order, ..., None] * (255 / 16)).astype(np.uint8),
        "label": raw.target[order].astype(np.int32),
    }
    return from_arrays("digits", arrays, {"image": Field((8, 8, 1), 256), "label": Field((), 10)})


def npz(config, split: str) -> Source:
    """An npz with `image` [N, H, W, C] uint8, perhaps `label` [N]; split "test": `test_image`."""
    one_of("split of an npz file", split, SPLITS)
    path = Path(path_of(config))
    try:
        with np.load(path) as archive:
            prefix = "test_" if split == "test" else ""
            arrays = {k: archive[prefix + k] for k in ("image", "label") if prefix + k in archive}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as an npz file: {error}") from error
    image = arrays.get("image")
    if image is None or image.dtype != np.uint8 or image.ndim != 4:
        raise UserError(f"{path} must hold `{prefix}image`, uint8 of shape [N, H, W, C]")
    spec = {"image": Field(image.shape[1:], 256)}
    if "label" in arrays:
        arrays["label"] = arrays["label"].astype(np.int32)
        spec["label"] = Field((), int(arrays["label"].max()) + 1)
    return from_arrays(path.stem, arrays, spec)


def folder(config, split: str) -> Source:
    """Images of one size below a folder, or below its subfolder named as the split."""
    path = Path(path_of(config))
    root = path / split if (path / split).is_dir() else path
    if root is path and split != "train":
        raise UserError(f"{path} has no subfolder {split!r}: put the images of that split there")
    files = sorted(f for f in root.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise UserError(f"no image (png, jpg, webp, bmp) below {root}")
    sizes, modes = {}, {}
    for file in files:
        try:
            with Image.open(file) as image:
                sizes.setdefault((image.height, image.width), file)
                modes.setdefault(image.mode, file)
        except (UnidentifiedImageError, OSError) as error:
            raise UserError(f"{file} is not a readable image: {error}") from error
    if len(sizes) > 1:
        (h, w), (h2, w2), *_ = sizes
        raise UserError(
            f"images differ in size: {sizes[(h, w)].name} is {h}x{w}, {sizes[(h2, w2)].name} is"
            f" {h2}x{w2}: resize them to one size first"
        )
    for other in set(modes) - set(IMAGE_MODES):
        raise UserError(
            f"{modes[other]} is an image of mode {other}: save it with 8 bits a channel, grey or"
            " RGB, and without alpha first"
        )
    mode, (shape,) = ("L" if set(modes) == {"L"} else "RGB"), sizes

    def read(index: int) -> dict[str, np.ndarray]:
        try:
            with Image.open(files[index]) as image:
                pixels = np.asarray(image.convert(mode))
        except OSError as error:
            raise UserError(f"{files[index]} is not a readable image: {error}") from error
        return {"image": pixels[..., None] if mode == "L" else pixels}

    spec = {"image": Field((*shape, 1 if mode == "L" else 3), 256)}
    return _cached(path.name, len(files), read, spec)


def tfds_images(config, split: str, others: tuple[str, ...] = ()) -> Source:
    """A prepared TFDS data set with an image and perhaps a label, read without TensorFlow.

    `others` are the names of sources that are not TFDS's, to be suggested beside them.
    """
    import tensorflow_datasets as tfds

    name, directory = config.name, config.get("directory")
    known = tfds.list_builders(with_community_datasets=False)
    base = name.split("/")[0].split(":")[0]
    if base not in known:
        near = difflib.get_close_matches(base, [*known, *others], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"unknown data set {name!r}{hint} ({', '.join(others)} or a name of TFDS)")
    directory = directory or tfds.core.constants.DATA_DIR
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
    if "image" not in features or None in features["image"].shape:
        raise UserError(f"{name} has no images of one size; it cannot be used as an image data set")
    spec = {"image": Field(tuple(features["image"].shape), 256)}
    if "label" in features:
        spec["label"] = Field((), features["label"].num_classes)

    def read(index: int) -> dict[str, np.ndarray]:
        example = data[int(index)]
        return {key: np.asarray(example[key]) for key in spec}

    return _cached(name, len(data), read, spec)


def _cached(name: str, size: int, read: Callable[[int], dict], spec: Spec) -> Source:
    """A source that decodes one example at a time, and only once where memory allows."""
    dtypes = {key: np.uint8 if key == "image" else np.int32 for key in spec}

    def decode(indices):
        rows = [read(i) for i in indices]
        return {key: np.stack([row[key] for row in rows]).astype(dtypes[key]) for key in spec}

    if size * sum(int(np.prod(field.shape)) for field in spec.values()) > CACHED_BYTES:
        return Source(name, size, decode, spec)

    cache = {key: np.empty((size, *spec[key].shape), dtypes[key]) for key in spec}
    present = np.zeros(size, bool)

    def load(indices):
        missing = np.unique(indices[~present[indices]])
        if missing.size:
            for key, values in decode(missing).items():
                cache[key][missing] = values
            present[missing] = True
        return {key: values[indices] for key, values in cache.items()}

    return Source(name, size, load, spec)
