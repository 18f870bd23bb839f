"""A source of examples read from files: in threads, kept in memory, cropped."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from gm_jax.data.kinds import kind, of_kind
from gm_jax.data.pictures import crop
from gm_jax.data.source import Source
from gm_jax.data.workers import remembered
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

    def cropped(example, draw=None):
        parts = {key: np.ascontiguousarray(crop(example[key], side, draw)) for key in spatial}
        return {**example, **parts}

    def centred(indices):
        return map(cropped, read(indices)) if side else read(indices)

    kept = remembered(read if at_random else centred, size, bytes)

    def batch(examples):
        examples = list(examples)
        return {key: np.stack([e[key] for e in examples]).astype(dtypes[key]) for key in spec}

    def load(indices):
        return batch(map(cropped, kept(indices)) if at_random else kept(indices))

    def visit(indices, draws):
        return batch(map(cropped, kept(indices), draws))

    return Source(name, size, load, spec, visit if at_random else None)
