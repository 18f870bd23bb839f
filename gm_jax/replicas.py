"""Statistics over the devices that share a batch.

The trainer maps every move over one named axis. Inside such a program these functions act over the
global batch; outside it (one device, a notebook, a test) they are the identity, so a system is
written once and knows nothing of devices.
"""

import jax
import jax.numpy as jnp
from jax import lax

NAME = "data"


def name() -> str | None:
    """The mapped axis' name, or None outside a mapped program (what flax's `axis_name` takes)."""
    try:
        lax.axis_size(NAME)
    except NameError:
        return None
    return NAME


def size() -> int:
    """The number of devices that share the batch."""
    return lax.axis_size(NAME) if name() else 1


def mean(tree):
    """The mean over the devices of each leaf: of equal shares' means, the global batch's mean."""
    return lax.pmean(tree, NAME) if name() else tree


def gather(tree):
    """The global batch: leaves [b, ...] become [B, ...], in the order of `batch["index"]`."""
    if not name():
        return tree
    return jax.tree.map(lambda x: lax.all_gather(jnp.asarray(x), NAME, tiled=True), tree)
