"""Statistics over the devices that share a batch.

The trainer maps every move over one named axis. Inside such a program these functions act on the
global batch; outside it (one device, a notebook, a test) they are the identity. So a system is
written once and need not know about devices.
"""

import jax
import jax.numpy as jnp
from jax import lax

NAME = "data"


def name() -> str | None:
    """The name of the mapped axis, or None outside a mapped program (as flax's `axis_name`)."""
    try:
        lax.axis_size(NAME)
    except NameError:
        return None
    return NAME


def size() -> int:
    """The number of devices that share the batch."""
    return lax.axis_size(NAME) if name() else 1


def mean(tree):
    """The mean of each leaf over the devices: of means of equal shares, the global batch's mean."""
    return lax.pmean(tree, NAME) if name() else tree


def gather(tree):
    """The global batch: leaves [b, ...] become [B, ...], in the order of `batch["index"]`."""
    if not name():
        return tree
    return jax.tree.map(lambda x: lax.all_gather(jnp.asarray(x), NAME, tiled=True), tree)
