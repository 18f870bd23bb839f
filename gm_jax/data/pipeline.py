"""Batches by position: a shuffled, endless data set whose position is one integer.

Batch number `position` is always the same: a resumed run, or one with another number of
processes, continues from that integer alone.
"""

from collections.abc import Iterator

import grain
import numpy as np

from gm_jax.data.mixtures import uniform
from gm_jax.data.shuffling import shuffled
from gm_jax.data.source import Source


def training_batches(
    source: Source, batch_size: int, seed: int, start: int, rows: slice
) -> Iterator[dict[str, np.ndarray]]:
    """Batches number start, start + 1, ... of an endless epoch-wise shuffle, read ahead in threads;
    of an endless source, its examples in order, starting at an offset that depends on the seed.

    Each holds `rows` (this process' share) of a global batch, and `index`, their position in it.
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

    endless = grain.MapDataset.range(2**62).slice(slice(start, None)).map(load)
    return iter(endless.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)))


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
