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


def remembered(
    read: Callable[[Sequence], Iterable], size: int, keep: Callable, recall: Callable
) -> Callable:
    """indices -> what `recall` gives of them, each of `size` examples read once, in threads.

    keep    (indices, as many examples) -> None: stores them
    recall  indices -> what was stored
    Safe to call from several threads: at worst two read the same example.
    """
    known = np.zeros(size, bool)

    def load(indices):
        indices = np.asarray(indices)
        missing = np.unique(indices[~known[indices]])
        if missing.size:
            keep(missing, in_parallel(read, missing.tolist()))
            known[missing] = True  # Last: other threads recall what is known.
        return recall(indices)

    return load
