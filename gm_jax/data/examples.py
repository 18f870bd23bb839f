"""A source of examples read from files: in threads, kept in memory, cropped."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from gm_jax.data import workers
from gm_jax.data.kinds import kind, of_kind
from gm_jax.data.pictures import crop
from gm_jax.data.source import Source
from gm_jax.model import Spec


def from_files(
    name: str,
    size: int,
    read: Callable[[Sequence[int]], Iterable[dict]],
    spec: Spec,
    config,
    bytes: int,
) -> Source:
    """A source over `read`, indices -> examples: images resized as data.size says, not cropped yet.

    Images and label maps of an example are cropped alike.
    bytes  of all decoded examples: kept in memory if they are few enough
    """
    side, at_random = config.size, config.crop == "random"
    dtypes = {key: kind(key).dtype for key in spec}
    spatial = [*of_kind(spec, "image"), *of_kind(spec, "segmentation")]
    kept = bytes <= workers.KEPT_BYTES

    def cropped(example, draw=None):
        parts = {key: np.ascontiguousarray(crop(example[key], side, draw)) for key in spatial}
        return {**example, **parts}

    def centred(indices):
        return map(cropped, read(indices)) if side else read(indices)

    def batch(examples):
        examples = list(examples)
        return {key: np.stack([e[key] for e in examples]).astype(dtypes[key]) for key in spec}

    if kept and not at_random:
        arrays = {key: np.empty((size, *spec[key].shape), dtypes[key]) for key in spec}
        load = workers.remembered(centred, size, *_in_arrays(arrays, batch))
        return Source(name, size, load, spec, kept=True)

    def examples(indices):
        return workers.in_parallel(read if at_random else centred, np.asarray(indices).tolist())

    if kept:  # Pictures of several sizes, of which each visit crops another part.
        examples = workers.remembered(read, size, *_in_list(size))

    def load(indices):
        return batch(map(cropped, examples(indices)) if at_random else examples(indices))

    def visit(indices, draws):
        return batch(map(cropped, examples(indices), draws))

    return Source(name, size, load, spec, visit if at_random else None, kept=kept)


def _in_list(size: int) -> tuple[Callable, Callable]:
    """`keep` and `recall` of `workers.remembered` for examples of any shape."""
    held = [None] * size

    def keep(indices, examples):
        for index, example in zip(indices, examples, strict=True):
            held[index] = example

    return keep, lambda indices: [held[index] for index in indices]


def _in_arrays(arrays: dict[str, np.ndarray], batch: Callable) -> tuple[Callable, Callable]:
    """`keep` and `recall` of `workers.remembered` in arrays [size, ...].

    batch  examples -> {name: values [n, ...]}
    """

    def keep(indices, examples):
        for name, values in batch(examples).items():
            arrays[name][indices] = values

    return keep, lambda indices: {name: values[indices] for name, values in arrays.items()}
