"""A sampler is a table of coefficients; one loop runs any table.

Each row is one evaluation of the denoiser. The state is x, the point that steps start from; y, the
point at which the denoiser is evaluated next; and a memory of earlier estimates. A row
evaluates x0_hat at y, makes of it the estimate that the sampler combines, and sets

    y' = a x + sum_k b_k memory_k + c z,      x' = the same with coefficients of its own,

z fresh standard normal noise. In most samplers x' = y'.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.diffusion.shared.schedules import Points
from gm_jax.model import Array


class Weights(NamedTuple):
    """Of x [N], of each entry of the memory [N, K], and of fresh noise [N]."""

    x: np.ndarray
    memory: np.ndarray
    noise: np.ndarray


class Table(NamedTuple):
    """A row for each evaluation, float64 on the host.

    points    the levels of the N evaluations and of the sampler's end, [N + 1]
    estimate  p and q of the estimate p x0_hat + q y, [N, 2]
    slot      where it goes in the memory, [N]
    x, y      weights of the next x and y
    """

    points: Points
    estimate: np.ndarray
    slot: np.ndarray
    x: Weights
    y: Weights

    @property
    def evaluations(self) -> int:
        """N."""
        return len(self.slot)


class Row(NamedTuple):
    """One evaluation; `x` and `y` are (weight of x, {slot: weight}, weight of the noise).

    x  None if the next x is the next y
    """

    at: Points
    estimate: tuple[float, float]
    y: tuple[float, Mapping[int, float], float]
    x: tuple[float, Mapping[int, float], float] | None = None
    slot: int = 0


X0 = (1.0, 0.0)


def noise_estimate(at: Points) -> tuple[float, float]:
    """eps_hat = (y - alpha x0_hat) / sigma as an estimate."""
    return -at.alpha / at.sigma, 1.0 / at.sigma


STAY = (1.0, {}, 0.0)


def table(rows: Sequence[Row], end: Points) -> Table:
    """The table of rows; `end` is the level of what the last one returns."""
    size = 1 + max(row.slot for row in rows)

    def weights(parts):
        memory = np.zeros((len(rows), size))
        for number, (_, combined, _) in enumerate(parts):
            for slot, weight in combined.items():
                memory[number, slot] += weight
        x, noise = (np.array([part[k] for part in parts], np.float64) for k in (0, 2))
        return Weights(x, memory, noise)

    levels = zip(*(row.at for row in rows), strict=True)
    points = Points(*(np.array([*level, last]) for level, last in zip(levels, end, strict=True)))
    return Table(
        points,
        np.array([row.estimate for row in rows], np.float64),
        np.array([row.slot for row in rows]),
        weights([row.x or row.y for row in rows]),
        weights([row.y for row in rows]),
    )


def run(
    table: Table,
    denoise: Callable[[Array, Points], Array | tuple[Array, Array]],
    x: Array,
    fresh: Callable[[Array], Array],
    keep: Sequence[int] = (),
    after: Callable[[Array, Points, Array], Array] | None = None,
) -> tuple[Array, Array]:
    """Follows a table from x [B, ...] at its first level to its end.

    denoise  (y [B, ...], its level, scalars) -> x0_hat [B, ...], or (x0_hat, f [B, ...]) if the
             variance is learned: the log variance of the noise moves by the share f from beta~_t,
             the table's, to beta_t, which is (sigma_t / sigma_s)^2 times as large
    fresh    number of the row -> standard normal noise [B, ...]; called if the table has noise
    keep     numbers from 0 (the start) to N (the end) of the states y to return
    after    (y, its level, number of the row) -> what y is replaced by, such as an image with its
             known part pasted; x is replaced by the same if they are one
    Returns the end [B, ...] and the states kept [len(keep), B, ...]. Memory does not grow with N.

    The state is of x's type: float32, where EDM's code keeps float64. Measured on a mixture of two
    Gaussians in one dimension, 4,096 samples, whose denoiser is float32 in either case: from 18 to
    80 steps of ddim, heun and dpmpp_2m (EDM's schedule and DDPM's, Karras' spacing) a float32
    state moves the samples by at most 2.3e-6 (rms; 1e-4 at worst, .013 of a level of 255), while
    the steps themselves err by 1.8e-3 to .1.
    """
    kept_at = np.unique(np.asarray(keep, int))
    # The position of each state among those kept; others go to one more, which is dropped.
    slots = np.full(table.evaluations + 1, len(kept_at))
    slots[kept_at] = np.arange(len(kept_at))
    keep_any = len(kept_at) > 0
    one = all(map(np.array_equal, table.x, table.y))
    noisy = bool(np.any(table.x.noise) or np.any(table.y.noise))
    plain = bool(np.all(table.estimate == X0))
    size = table.x.memory.shape[1]

    def step(state, row):
        (x, y), memory, kept = state
        number, at, then, (p, q), slot, x_weights, y_weights, kept_slot = row
        estimate = denoise(y, at)
        estimate, f = estimate if isinstance(estimate, tuple) else (estimate, None)
        estimate = estimate if plain else p * estimate + q * y
        memory = estimate[None] if size == 1 else memory.at[slot].set(estimate.astype(memory.dtype))
        z = fresh(number) if noisy else None
        if noisy and f is not None:
            z = z * (at.sigma / jnp.where(then.sigma > 0, then.sigma, at.sigma)) ** f
        new = [_combined(table.y, y_weights, x, memory, z)]
        if not one:
            new = [_combined(table.x, x_weights, x, memory, z), *new]
        new = [value.astype(x.dtype) for value in new]
        if after is not None:
            new[-1] = after(new[-1], then, number)
        kept = kept.at[kept_slot].set(new[-1]) if keep_any else None
        return ((new[0], new[-1]), memory if size > 1 else None, kept), None

    def columns(points, rows):
        return Points(*(jnp.asarray(column[rows]) for column in points))

    rows = (
        jnp.arange(table.evaluations),
        columns(table.points, slice(None, -1)),
        columns(table.points, slice(1, None)),
        tuple(jnp.asarray(table.estimate).T),
        jnp.asarray(table.slot),
        jax.tree.map(jnp.asarray, table.x),
        jax.tree.map(jnp.asarray, table.y),
        jnp.asarray(slots[1:]),
    )
    kept = (
        jnp.zeros((len(kept_at) + 1, *x.shape), x.dtype).at[slots[0]].set(x) if keep_any else None
    )
    memory = jnp.zeros((size, *x.shape), x.dtype) if size > 1 else None
    ((_, end), _, kept), _ = lax.scan(step, ((x, x), memory, kept), rows)
    return end, kept[np.searchsorted(kept_at, keep)] if keep_any else jnp.zeros((0, *x.shape))


def _combined(host: Weights, row: Weights, x: Array, memory: Array, z: Array | None) -> Array:
    """The weighted sum of one row, without what has weight 0 in all rows."""
    terms = [row.memory[k] * memory[k] for k in range(len(memory)) if np.any(host.memory[:, k])]
    terms += [row.x * x] if np.any(host.x) else []
    terms += [row.noise * z] if np.any(host.noise) else []
    return sum(terms[1:], terms[0])
