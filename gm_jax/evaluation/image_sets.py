"""Sets of images to evaluate: a folder, an npz, a source of `gm_jax.data`."""

import hashlib
import math
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gm_jax.data import npz
from gm_jax.data.folder import pictures_of
from gm_jax.data.listing import list_pictures
from gm_jax.data.workers import in_parallel
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.settings import Data

_BATCH = 64
_HASHED = 100_000  # hashing more would take as long as the cache saves


class Images(NamedTuple):
    """A set of images that can be passed over any number of times.

    name     as the user gave it
    size     number of images
    key      identifies the set in the cache, and changes if the set may have changed; "" if that
             is unknown, and nothing is cached
    batches  () -> iterator of uint8 [b, H, W, C], in a fixed order
    """

    name: str
    size: int
    key: str
    batches: Callable[[], Iterator[np.ndarray]]


def open_images(name: str) -> Images:
    """The images of a name, read by the same rules as in training.

    DIR       all pictures below it (`gm_jax.data.folder`), in the order of their paths
    FILE.zip  the same in an archive
    FILE.npz  its uint8 array [N, H, W, C] or [N, H, W] (`gm_jax.data.npz`)

    Raises UserError if it does not exist, or holds fewer than two images.
    """
    path = Path(name)
    if path.is_dir() or (path.suffix == ".zip" and path.is_file()):
        images = _folder(path)
    elif path.suffix == ".npz" and path.is_file():
        images = _npz(path)
    else:
        raise EvaluationError(
            f"{name}: no such folder, zip or npz (a TFDS split is tfds:NAME/SPLIT, a run"
            " run:WORKDIR)"
        )
    if images.size < 2:
        raise EvaluationError(f"{name} holds {images.size} images, statistics need at least 2")
    return images


def _key(*parts) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _folder(root: Path) -> Images:
    pictures = pictures_of(Data(name="folder", path=str(root)), "train", list_pictures(root))
    size = len(pictures.names)

    def read(rows):
        return in_parallel(lambda part: map(pictures.read, part), rows)

    def batches():
        for start in range(0, size, _BATCH):
            yield np.stack(read(range(start, min(start + _BATCH, size))))

    marks = pictures.marks.tolist()
    return Images(str(root), size, _key(str(root.resolve()), pictures.names, marks), batches)


def _npz(path: Path) -> Images:
    """Images are read from the file in pieces: it may be larger than the memory."""
    heads = npz.heads(path)
    name = npz.image_name(path, heads)
    head = heads[name]
    count, *each = head.shape if len(head.shape) == 4 else (*head.shape, 1)
    item = math.prod(each)

    def batches():
        if head.fortran:  # Its images are not stored one after another.
            whole = npz.array_of(path, name).reshape(count, *each)
            yield from (whole[at : at + _BATCH] for at in range(0, count, _BATCH))
            return
        with zipfile.ZipFile(path).open(f"{name}.npy") as file:
            npz.read_head(file, head.crc)
            for start in range(0, count, _BATCH):
                size = min(_BATCH, count - start)
                try:
                    data = file.read(size * item)
                except npz.BROKEN as error:
                    raise EvaluationError(f"{path} is broken or truncated: {error}") from None
                yield np.frombuffer(data, np.uint8).reshape(size, *each)

    return Images(str(path), count, _key(name, head), batches)


def of_source(source) -> Images:
    """The images of a source of `gm_jax.data`, which has `name`, `size` and `load(indices)`.

    The key is a hash of its name, size and pixels: of all its images, or of 100,000 spread over
    them.
    """

    def batches(rows):
        for start in range(0, len(rows), _BATCH):
            yield np.asarray(source.load(rows[start : start + _BATCH])["image"])

    pixels = hashlib.sha256()
    for images in batches(np.linspace(0, source.size - 1, min(source.size, _HASHED)).astype(int)):
        pixels.update(np.ascontiguousarray(images))
    key = _key(source.name, source.size, images.shape[1:], pixels.hexdigest())
    return Images(source.name, source.size, key, partial(batches, np.arange(source.size)))
