"""Statistics of batch normalisation, gathered afresh for the weights as they are."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.model import Batch, PyTree
from gm_jax.nn.layers import MOMENTUM


def standing(train: Callable[[PyTree, Batch], PyTree], state: PyTree, batches: Batch) -> PyTree:
    """A network's state whose running statistics are the averages of several batches'.

    train    (state, batch) -> its state after the batch in training
    batches  batches in a row, [n, B, ...]

    Means and variances are averaged, as one batch's would be. Whatever else the state holds, such
    as the vectors of spectral normalisation, goes from batch to batch.
    """

    def step(state, batch):
        # From zeros, a running statistic is the batch's times 1 - momentum.
        new = train(_map_statistics(jnp.zeros_like, state), batch)
        return new, _map_statistics(lambda x: x / (1.0 - MOMENTUM), new)

    _, seen = lax.scan(step, state, batches)
    last = jax.tree.map(lambda x: x[-1], seen)
    means = jax.tree.map(lambda x: jnp.mean(x, axis=0), seen)
    return jax.tree_util.tree_map_with_path(
        lambda path, mean, other: mean if _is_statistic(path) else other, means, last
    )


def _map_statistics(function: Callable, state: PyTree) -> PyTree:
    return jax.tree_util.tree_map_with_path(
        lambda path, x: function(x) if _is_statistic(path) else x, state
    )


def _is_statistic(path) -> bool:
    """Whether a leaf is a mean or a variance of `layers.BatchNorm`."""
    return path[-1].key in ("mean", "var")
