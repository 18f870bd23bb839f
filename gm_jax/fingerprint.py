"""A short hash of the contents of a tree of arrays."""

import hashlib

import jax
import numpy as np


def fingerprint(tree) -> str:
    """A hash of the leaves' paths, types, shapes and values: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        leaf = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {leaf.dtype.str} {leaf.shape};".encode())
        digest.update(leaf.tobytes())
    return digest.hexdigest()[:16]


def of_stages(frozen: dict) -> str:
    """The fingerprints of frozen stages, in order."""
    return "-".join(map(fingerprint, frozen.values())) or fingerprint(())
