"""Where images come from: a folder, an npz, a source of `gm_jax.data`."""

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from gm_jax.evaluation.errors import EvaluationError

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".tif", ".tiff"}
_BATCH = 64
_HASHED = 100_000  # one pass over more would cost what the cache is to save


class Images(NamedTuple):
    """A set of images that can be passed over any number of times.

    name     as it was given
    size     how many there are
    key      what the set is, for the cache: another key where it may have changed; "" where that
             is not known, and nothing is kept
    batches  () -> iterator of uint8 [b, H, W, C], in a fixed order
    """

    name: str
    size: int
    key: str
    batches: Callable[[], Iterator[np.ndarray]]


def open_images(name: str) -> Images:
    """The images behind a name.

    DIR       all image files below it, in the order of their paths
    FILE.npz  its one uint8 array [N, H, W, C] or [N, H, W]

    Raises EvaluationError where there is no such thing, or fewer than two images.
    """
    if Path(name).is_dir():
        images = _folder(Path(name))
    elif Path(name).suffix == ".npz" and Path(name).is_file():
        images = _npz(Path(name))
    else:
        raise EvaluationError(
            f"{name}: no such folder or npz (a TFDS split is tfds:NAME/SPLIT, a run run:WORKDIR)"
        )
    if images.size < 2:
        raise EvaluationError(f"{name} holds {images.size} images, statistics need at least 2")
    return images


def _key(*parts) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _folder(root: Path) -> Images:
    files = sorted(p for p in root.rglob("*") if p.suffix.lower() in _SUFFIXES)
    marks = [(str(p.relative_to(root)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]

    def batches():
        shape = None
        with ThreadPoolExecutor() as pool:
            ahead = pool.map(_decode, files[:_BATCH])
            for start in range(0, len(files), _BATCH):
                images = list(ahead)
                ahead = pool.map(_decode, files[start + _BATCH : start + 2 * _BATCH])
                for file, image in zip(files[start:], images, strict=False):
                    shape = shape or image.shape
                    if image.shape != shape:
                        raise EvaluationError(
                            f"images of mixed size: {files[0]} is {_size(shape)}, "
                            f"{file} is {_size(image.shape)}"
                        )
                yield np.stack(images)

    return Images(str(root), len(files), _key(str(root.resolve()), marks), batches)


def _size(shape) -> str:
    height, width, channels = shape
    return f"{width}x{height} {'grey' if channels == 1 else 'RGB'}"


def _decode(path: Path) -> np.ndarray:
    """One file as uint8 [H, W, 3], or [H, W, 1] if it is grey; EvaluationError for other kinds."""
    try:
        with Image.open(path) as image:
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                raise EvaluationError(
                    f"{path} has an alpha channel: put it on a background first, "
                    "FID depends on which"
                )
            if image.mode == "P":
                image = image.convert("RGB")
            if image.mode not in ("RGB", "L"):
                raise EvaluationError(f"{path} is of mode {image.mode}: convert it to 8-bit RGB")
            array = np.asarray(image)
    except (OSError, SyntaxError) as error:
        raise EvaluationError(f"{path} cannot be read: {error}") from None
    return array if array.ndim == 3 else array[..., None]


def _npz(path: Path) -> Images:
    """Images are read from the file piece by piece: it may be larger than the memory."""
    try:
        archive = zipfile.ZipFile(path)
        heads = {name: _head(archive, name) for name in archive.namelist()}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise EvaluationError(f"{path} is broken or truncated: {error}") from None
    found = {n: h for n, h in heads.items() if len(h[0]) in (3, 4) and h[2] == np.uint8}
    if len(found) != 1:
        kinds = ", ".join(f"{n.removesuffix('.npy')} {h[2]} {h[0]}" for n, h in heads.items())
        raise EvaluationError(
            f"{path} must hold one array of uint8 images [N, H, W, C], it holds: {kinds} "
            "(quantise floats with gm_jax.evaluation.quantise)"
        )
    ((name, (shape, fortran, _)),) = found.items()
    if fortran:
        raise EvaluationError(f"{path}: {name} is in Fortran order, save it in C order")
    item = int(np.prod(shape[1:]))
    each = shape[1:] if len(shape) == 4 else (*shape[1:], 1)

    def batches():
        with zipfile.ZipFile(path).open(name) as file:
            _read_head(file)
            for start in range(0, shape[0], _BATCH):
                count = min(_BATCH, shape[0] - start)
                try:
                    data = file.read(count * item)
                except (OSError, zipfile.BadZipFile) as error:
                    raise EvaluationError(f"{path} is broken or truncated: {error}") from None
                yield np.frombuffer(data, np.uint8).reshape(count, *each)

    info = archive.getinfo(name)
    return Images(str(path), shape[0], _key(name, shape, info.CRC, info.file_size), batches)


def _head(archive: zipfile.ZipFile, name: str):
    with archive.open(name) as file:
        return _read_head(file)


def _read_head(file):
    """Shape, order and dtype of the array that follows in a .npy stream."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"npy version {version}")
    return read[version](file)


def of_source(source) -> Images:
    """The images of a source of `gm_jax.data`: what has `name`, `size` and `load(indices)`.

    The key is of its name, size and pixels: of all its images, or 100,000 spread over more.
    """

    def batches(rows):
        for start in range(0, len(rows), _BATCH):
            yield np.asarray(source.load(rows[start : start + _BATCH])["image"])

    pixels = hashlib.sha256()
    for images in batches(np.linspace(0, source.size - 1, min(source.size, _HASHED)).astype(int)):
        pixels.update(np.ascontiguousarray(images))
    key = _key(source.name, source.size, images.shape[1:], pixels.hexdigest())
    return Images(source.name, source.size, key, partial(batches, np.arange(source.size)))
