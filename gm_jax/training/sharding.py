"""Moves and functions as one `jax.jit` over all devices, which may split variables over them.

The half of a move that depends on the batch is mapped by `jax.shard_map` with the axis name of
pmap, so objectives are the same. The optimizer's step is a program on whole arrays; the compiler
partitions it, so that each device computes the part whose state it holds.

Rajbhandari et al. 2020 (ZeRO, arXiv 1910.02054), stage 1, and the averages alike.
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gm_jax import replicas
from gm_jax.model import Batch, Variables

WHOLE, ROWS = PartitionSpec(), PartitionSpec(replicas.NAME)


def mesh_of(devices: Sequence[jax.Device] | None) -> Mesh:
    """The devices of all processes in one row, those of a process side by side; None: all."""
    devices = jax.devices() if devices is None else devices
    ordered = sorted(devices, key=lambda d: (d.process_index, d.id))
    return Mesh(np.array(ordered), (replicas.NAME,))


def share(shape: tuple[int, ...], count: int) -> PartitionSpec:
    """Splits the longest axis that `count` divides; an array without one is copied."""
    axes = [axis for axis, size in enumerate(shape) if size and size % count == 0]
    if not axes or count == 1:
        return WHOLE
    longest = max(axes, key=lambda axis: shape[axis])
    return PartitionSpec(*[None] * longest, replicas.NAME)


def layout(variables: Variables, mesh: Mesh, shared: tuple[str, ...]) -> Variables:
    """The sharding of each leaf of `variables`: those of the fields in `shared` are split."""

    def placement(field, x):
        return NamedSharding(mesh, share(x.shape, mesh.size) if field in shared else WHOLE)

    fields = variables._asdict().items()
    return Variables(**{f: jax.tree.map(partial(placement, f), tree) for f, tree in fields})


def place(variables: Variables, devices, shared: tuple[str, ...]) -> Variables:
    """Variables on the devices, as `layout` says; no two leaves share a buffer."""

    def put(x, placement):
        x = np.array(x)
        return jax.make_array_from_callback(x.shape, placement, lambda part: x[part])

    return jax.tree.map(put, variables, layout(variables, mesh_of(devices), shared))


def map_move(program: Callable, devices, shared: tuple[str, ...]) -> Callable:
    """(variables, (frozen, key, ...), batch) -> (variables, metrics), compiled at the first call.

    The variables are donated, and come back as they lay.
    """
    mesh = mesh_of(devices)

    # Without check_vma collectives are transposed as under pmap: with it, the gradient of a mean
    # over the devices comes out as many times too large as there are devices.
    def over(gradient):
        specs = (WHOLE, WHOLE, ROWS, WHOLE, WHOLE)
        return jax.shard_map(gradient, mesh=mesh, in_specs=specs, out_specs=WHOLE, check_vma=False)

    # A parameter's step is added where the step is computed, and the sum is gathered. If the step
    # were gathered, multiplication and addition would be two kernels, and round twice.
    def stepped(new, old):
        where = NamedSharding(mesh, share(new.shape, mesh.size))
        return new if new is old else jax.lax.with_sharding_constraint(new, where)

    def grouped(before, unsplit, batch):
        frozen, *scalars = unsplit
        variables, metrics = program(before, frozen, batch, *scalars, over=over)
        if shared:
            params = jax.tree.map(stepped, variables.params, before.params)
            variables = variables._replace(params=params)
        placed = layout(variables, mesh, shared)
        return jax.lax.with_sharding_constraint(variables, placed), metrics

    return jax.jit(grouped, donate_argnums=0)


def map_function(program: Callable, devices) -> Callable:
    """(unsplit, batch) -> outputs, all of them split along their first axis like the batch."""
    specs = {"in_specs": (WHOLE, ROWS), "out_specs": ROWS}
    return jax.jit(jax.shard_map(program, mesh=mesh_of(devices), check_vma=False, **specs))


def split(batch: Batch, devices) -> Batch:
    """The global batch of which this process holds the rows in `batch`."""
    rows = NamedSharding(mesh_of(devices), ROWS)
    return {k: jax.make_array_from_process_local_data(rows, v) for k, v in batch.items()}


def rows_here(values: jax.Array) -> np.ndarray:
    """The rows of an array, split along its first axis, that lie on this process' devices."""
    parts = sorted(values.addressable_shards, key=lambda part: part.index[0].start or 0)
    return np.concatenate([np.asarray(part.data) for part in parts])


def whole(x):
    """A copy of an array on each device; the array itself if it is not split."""
    if getattr(x, "is_fully_replicated", True):
        return x
    return jax.jit(lambda x: x, out_shardings=NamedSharding(x.sharding.mesh, WHOLE))(x)
