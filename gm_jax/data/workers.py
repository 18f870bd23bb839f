"""Threads that read and decode examples, and keep them in memory."""

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

WORKERS = min(32, max(4, os.cpu_count() or 1))
KEPT_BYTES = 2**31  # decoded examples up to this size are kept in memory


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, "reading")


def in_parallel(read: Callable[[Sequence], Iterable], items: Sequence) -> list:
    """`list(read(items))`, in several threads, a share of the items each, in order.

    The first exception that a share raises is raised here.
    """
    # Starting a task costs as much as reading a small picture or two.
    share = max(8, -(-len(items) // WORKERS))
    shares = [items[at : at + share] for at in range(0, len(items), share)]
    if len(shares) < 2:
        return list(read(items))
    return [result for part in _pool().map(lambda s: list(read(s)), shares) for result in part]


def remembered(read: Callable[[Sequence], Iterable], size: int, bytes: int) -> Callable:
    """indices -> examples, read in threads; each only once if all `size` are few enough `bytes`.

    Safe to call from several threads: at worst two read the same example.
    """
    if bytes > KEPT_BYTES:
        return functools.partial(in_parallel, read)
    kept = [None] * size

    def load(indices):
        missing = [i for i in np.unique(indices).tolist() if kept[i] is None]
        for i, example in zip(missing, in_parallel(read, missing), strict=True):
            kept[i] = example
        return [kept[i] for i in indices]

    return load
