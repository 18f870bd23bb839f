"""Batches by position: a shuffled, endless data set whose position is one integer.

Batch number `position` is always the same: a resumed run, or one with another number of
processes, continues from that integer alone.
"""

import math
import os
from collections.abc import Callable, Iterator

import grain
import numpy as np

from gm_jax.data.mixtures import uniform
from gm_jax.data.shuffling import shuffled
from gm_jax.data.source import Source
from gm_jax.model import Batch

READERS = min(8, os.cpu_count() or 1)  # threads, each at work on a batch
AHEAD = 2**26  # values read ahead, at most, of examples that are decoded once


def batch_at(
    source: Source, batch_size: int, seed: int, rows: slice
) -> Callable[[int], dict[str, np.ndarray]]:
    """position -> the batch of that number in an endless epoch-wise shuffle; of an endless source,
    its examples in order, starting at an offset that depends on the seed.

    It holds `rows` (this process' share) of the global batch, and `index`, their position in it.
    A batch may span two epochs, so that nothing is dropped.
    """

    # Of 2^62 examples that an endless source has, each seed reads its own stretch (0: the first).
    begin = int(np.random.default_rng(seed).integers(2**22)) << 40 if seed else 0

    def load(position: int) -> dict[str, np.ndarray]:
        positions = position * batch_size + np.arange(batch_size)[rows]
        index = np.arange(batch_size, dtype=np.int32)[rows]
        if source.size is None:
            return {**source.load(positions + begin), "index": index}
        indices = shuffled(positions, source.size, seed)
        if source.visit is None:
            return {**source.load(indices), "index": index}
        draws = np.stack([uniform(positions, 2 * seed + axis) for axis in range(2)], axis=-1)
        return {**source.visit(indices, draws), "index": index}

    return load


def training_batches(
    source: Source,
    batch_size: int,
    seed: int,
    start: int,
    rows: slice,
    put: Callable[[dict[str, np.ndarray]], Batch] = lambda batch: batch,
) -> Iterator[Batch]:
    """Batches number start, start + 1, ... of `batch_at`, read ahead in threads.

    put  what those threads do with a batch once they have read it: move it to the devices

    Examples that are decoded once are read further ahead than others, so that most are there when
    the first move is compiled; none of that work is lost. Reading ends with the iterator.
    """
    load = batch_at(source, batch_size, seed, rows)
    endless = grain.MapDataset.range(2**62).slice(slice(start, None)).map(load).map(put)
    options = grain.ReadOptions(READERS, _ahead(source, batch_size))
    return iter(endless.to_iter_dataset(options))


def _ahead(source: Source, batch_size: int) -> int:
    """How many batches are read ahead: up to an epoch of examples that are decoded once."""
    few = max(4, READERS)
    if not source.kept:
        return few
    values = sum(math.prod(field.shape) for field in source.spec.values())
    return max(few, min(AHEAD // values, source.size) // batch_size)


def ordered_batches(
    source: Source, batch_size: int, count: int, rows: slice
) -> Iterator[dict[str, np.ndarray]]:
    """The first `count` examples in order, from the first again if the source holds fewer.

    `index` [b] is the example's number. The last batch is padded to the static shape with
    repetitions; `mask` [b] is False for these.
    """
    for first in range(0, count, batch_size):
        index = first + np.arange(batch_size, dtype=np.int32)[rows]
        asked = np.minimum(index, count - 1)
        batch = source.load(asked if source.size is None else asked % source.size)
        yield {**batch, "index": index, "mask": index < count}
