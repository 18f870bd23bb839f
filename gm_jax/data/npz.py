"""Images in an npz file, by one rule for training and for evaluation.

Images are uint8, [N, H, W, C] with 1 or 3 channels or [N, H, W], in the array `image` or `images`,
or else in the only array of that form. Labels are whole numbers from 0, [N], in `label` or
`labels`; captions are strings [N] in `caption`. The test split's arrays are called test_...
"""

import functools
import hashlib
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gm_jax.cache import stamp
from gm_jax.data.pictures import all_resized
from gm_jax.data.source import SPLITS, Source, from_arrays, path_of
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field

MOST_CLASSES = 100_000  # More of them, and more than examples, are hardly classes.
READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
BROKEN = (OSError, ValueError, EOFError, struct.error, zlib.error, zipfile.BadZipFile)
RENUMBER = "np.unique(label, return_inverse=True)[1] numbers classes from 0"


class Head(NamedTuple):
    """An array in an npz file, without its values."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    crc: int


def npz(config, split: str) -> Source:
    """`image` and perhaps `label` of an npz file; `data.classes` is their number.

    Raises UserError for values unlike the above, and for labels that cannot be classes.
    """
    one_of("split of an npz file", split, SPLITS)
    path = path_of(config)
    arrays = _arrays(path, config.classes, config.size, stamp(path))
    prefix = "test_" if split == "test" else ""
    if f"{prefix}image" not in arrays:
        raise UserError(f"{path} must hold `{prefix}image`, uint8 of shape [N, H, W, C]")
    chosen = {k: arrays[prefix + k] for k in ("image", "label") if prefix + k in arrays}
    spec = {"image": Field(chosen["image"].shape[1:], 256)}
    if "label" in chosen:
        spec["label"] = Field((), _classes(config.classes, arrays))
    key = hashlib.sha256(repr(sorted(heads(path).items())).encode()).hexdigest()
    texts = arrays.get(f"{prefix}caption")
    captions = None if texts is None else (lambda indices: texts[indices].tolist())
    return from_arrays(path.stem, chosen, spec)._replace(key=key, captions=captions)


@functools.lru_cache(maxsize=2)  # A run opens its data many times.
def _arrays(
    path: Path, classes: int | None, size: int | None, when: tuple
) -> dict[str, np.ndarray]:
    """Images at `size` and labels of both splits of a file with the stamp `when`, checked."""
    known = heads(path)
    arrays = {}
    for prefix in ("", "test_"):
        if prefix and not {"test_image", "test_images"} & set(known):
            continue
        name = image_name(path, known, prefix)
        image = array_of(path, name)
        image = image if image.ndim == 4 else image[..., None]
        arrays[f"{prefix}image"] = all_resized(image, size)
        name = next((prefix + n for n in ("label", "labels") if prefix + n in known), None)
        if name and (not prefix or "label" in arrays):
            arrays[f"{prefix}label"] = _labels(path, name, known[name], len(image))
        name = f"{prefix}caption"
        if name in known:
            arrays[name] = _captions(path, name, known[name], len(image))
    shapes = {x.shape[1:] for name, x in arrays.items() if name.endswith("image")}
    if len(shapes) > 1:
        raise UserError(f"{path}: images of the two splits differ in shape: {shapes}")
    if "label" in arrays:
        _check_classes(path, classes, arrays)
    return arrays


def heads(path: Path) -> dict[str, Head]:
    """{name: Head} of the arrays in an npz file. Raises UserError if the file is broken."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = {}
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    with archive.open(info) as file:
                        head = read_head(file, info.CRC)
                        size = file.tell() + math.prod(head.shape) * head.dtype.itemsize
                    if not head.dtype.hasobject and size != info.file_size:
                        raise ValueError(
                            f"{info.filename} does not hold {head.shape}, as it states"
                        )
                    found[info.filename.removesuffix(".npy")] = head
    except BROKEN as error:
        raise UserError(
            f"{path} is broken or truncated, or not an npz file (np.savez writes one): {error}"
        ) from error
    return found


def read_head(file, crc: int) -> Head:
    """Of the array that follows in a .npy stream of a known checksum."""
    version = np.lib.format.read_magic(file)
    if version not in READERS:
        raise ValueError(f"npy version {version}")
    return Head(*READERS[version](file), crc)


def image_name(path: Path, known: dict[str, Head], prefix: str = "") -> str:
    """The name of the images among the arrays of an npz file. Raises UserError for other kinds.

    prefix  "test_" for the test split's
    """
    looks = [
        name for name, head in known.items()
        if head.dtype == np.uint8 and len(head.shape) in (3, 4)
        and name.startswith("test_") == bool(prefix)
    ]  # fmt: skip
    names = [prefix + name for name in ("image", "images") if prefix + name in known] or looks
    if len(names) != 1:
        held = ", ".join(f"{n} {head.dtype} {head.shape}" for n, head in known.items()) or "nothing"
        raise UserError(
            f"{path} must hold one array of uint8 images [N, H, W, C], called `image`; it holds:"
            f" {held} (quantise floats with gm_jax.evaluation.quantise)"
        )
    _check_image(path, names[0], known[names[0]])
    return names[0]


def _check_image(path: Path, name: str, head: Head) -> None:
    """Raises UserError, saying how to fix it, unless an array holds images as above."""
    shape, what = head.shape, ""
    if head.dtype.kind == "f":
        what = f"is {head.dtype}: {_scale(path, name)}"
    elif head.dtype != np.uint8:
        what = f"is {head.dtype}: save uint8 of 0 to 255"
    elif len(shape) == 3 and shape[-1] in (1, 3):
        what = f"is one image {list(shape)}: save several, [N, H, W, C]"
    elif len(shape) not in (3, 4):
        what = f"is {list(shape)}: save [N, H, W, C]"
    elif not all(shape):
        what = "holds no examples"
    elif len(shape) == 4 and shape[-1] not in (1, 3) and shape[1] in (1, 3):
        what = f"is {list(shape)}, channels first: save {name}.transpose(0, 2, 3, 1)"
    elif len(shape) == 4 and shape[-1] == 4:
        what = "has an alpha channel: put it on a background first"
    elif len(shape) == 4 and shape[-1] not in (1, 3):
        what = f"has {shape[-1]} channels: save 1 (grey) or 3 (RGB), [N, H, W, C]"
    if what:
        raise UserError(f"{path}: `{name}` must be uint8 of shape [N, H, W, C]; it {what}")


def _scale(path: Path, name: str) -> str:
    """How floating-point images become uint8, by their range."""
    values = array_of(path, name)
    if not np.isfinite(values).all():
        return "and holds NaN or infinity; save round(255 x) of finite values in 0 to 1 as uint8"
    low, high = values.min(initial=0), values.max(initial=0)
    if low < 0:
        mend = "127.5 * (x + 1)" if low >= -1 and high <= 1 else "of a range you know"
    else:
        mend = "255 * x" if high <= 1 else "x"
    return f"quantise floats ({low:.4g} to {high:.4g}), np.round({mend}).astype(np.uint8)"


def array_of(path: Path, name: str) -> np.ndarray:
    """An array of an npz file. Raises UserError if it is broken."""
    try:
        with np.load(path) as archive:
            return archive[name]
    except (*BROKEN, MemoryError) as error:
        raise UserError(f"{path} is broken or truncated: `{name}`: {error}") from error


def _labels(path: Path, name: str, head: Head, size: int) -> np.ndarray:
    """[N] whole numbers from 0. Raises UserError, saying how to fix it, for others."""
    shape, what = head.shape, ""
    if len(shape) == 2 and shape[1] > 1:
        what = f"is {list(shape)}, one-hot perhaps: save {name}.argmax(1)"
    elif len(shape) != 1:
        what = f"is {list(shape)}: save {name}.reshape(-1), [N]"
    elif shape[0] != size:
        what = f"holds {shape[0]} labels for {size} images: save one for each"
    elif head.dtype.kind not in "biuf":
        what = f"is of {head.dtype}, not of numbers: {RENUMBER}"
    else:
        label = array_of(path, name)
        wrong = label[~(np.isfinite(label) & (label == np.floor(label)) & (label >= 0))]
        if not wrong.size:
            return label
        what = f"holds {wrong[0]}: labels are whole numbers from 0; {RENUMBER}"
    raise UserError(f"{path}: `{name}` {what}")


def _captions(path: Path, name: str, head: Head, size: int) -> np.ndarray:
    """[N] strings. Raises UserError for others."""
    if head.dtype.kind != "U" or head.shape != (size,):
        raise UserError(
            f"{path}: `{name}` is {head.dtype} {list(head.shape)}: save a string for each of the"
            f" {size} images, np.array(captions)"
        )
    return array_of(path, name)


def _classes(stated: int | None, arrays: dict[str, np.ndarray]) -> int:
    return stated or int(arrays["label"].max()) + 1


def _check_classes(path: Path, stated: int | None, arrays: dict[str, np.ndarray]) -> None:
    """Raises UserError for a label beyond the stated or plausible classes; makes labels int32."""
    classes, size = _classes(stated, arrays), len(arrays["label"])
    if not stated and classes > min(size, MOST_CLASSES):
        raise UserError(
            f"{path}: label {classes - 1} among {size} examples is hardly a class: {RENUMBER}; or"
            " state the number of classes with --config.data.classes=..."
        )
    for name in ("label", "test_label"):
        if name in arrays:
            highest = int(arrays[name].max())
            if highest >= classes:
                whose = "data.classes is" if stated else "the training split has"
                raise UserError(
                    f"{path}: `{name}` holds {highest}, beyond the {classes} classes (0 to"
                    f" {classes - 1}) that {whose}: correct it or set --config.data.classes"
                )
            arrays[name] = arrays[name].astype(np.int32)
