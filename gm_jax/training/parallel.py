"""The one file that knows how work is spread over devices and processes.

A move is written for one device's share of the batch and mapped here. Variables never have a device
axis; batches are split along their first. A recipe's setting `parallel`, `form` below, says how
variables lie on the devices. All forms compute the same, and a run may change from one to another:

    pmap        a copy on each device
    replicated  a copy on each device, by jax.shard_map (sharding.py)
    optimizer   the same, but optimizer states and averages are split over the devices
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gm_jax import replicas
from gm_jax.errors import UserError
from gm_jax.model import Batch, Variables
from gm_jax.training import sharding

Devices = Sequence[jax.Device] | None
# The fields of Variables that are split over the devices, in the forms beside pmap.
SHARED = {"replicated": (), "optimizer": ("opt", "average")}
# What connects processes, as the errors of XLA name it.
CONNECTIONS = ("Gloo", "NCCL", "coordination service", "UNAVAILABLE", "DEADLINE_EXCEEDED")


def local(devices: Devices) -> list[jax.Device]:
    """The devices of this process among `devices`; None means all devices."""
    devices = jax.devices() if devices is None else devices
    return [d for d in devices if d.process_index == jax.process_index()]


def rows(batch_size: int, devices: Devices) -> slice:
    """The rows of a global batch that this process feeds.

    Raises UserError if the batch does not divide by the number of devices.
    """
    count = len(jax.devices() if devices is None else devices)
    if batch_size % count:
        raise UserError(
            f"batch_size {batch_size} does not divide by {count} devices: use a multiple of"
            f" {count}, such as {max(1, round(batch_size / count)) * count}"
        )
    share = batch_size // count * len(local(devices))
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)


def map_move(program: Callable, devices: Devices = None, form: str = "pmap") -> Callable:
    """A move over all devices: see `step.make_move`. The variables are donated.

    Its batches went through `feed` of the same form.
    """
    if form == "pmap":
        mapped = _pmapped(program, devices)
    else:
        mapped = sharding.map_move(program, devices, SHARED[form])

    def play(
        variables: Variables, frozen, batch: Batch, key, step: int, position: int, age: int,
        last: bool,
    ):  # fmt: skip
        unsplit = frozen, key, np.int32(step), np.int32(position), np.int32(age), np.bool_(last)
        return mapped(variables, unsplit, batch)

    return play


def _pmapped(program: Callable, devices: Devices) -> Callable:
    """(variables, (frozen, key, ...), batch) -> (variables, metrics)."""

    # What is not split is one argument. pmap takes `in_axes` to be flattened already if its
    # length equals the number of leaves, so there must be more leaves than arguments.
    def grouped(variables, unsplit, batch):
        frozen, *scalars = unsplit
        return program(variables, frozen, batch, *scalars)

    return jax.pmap(
        grouped,
        axis_name=replicas.NAME,
        in_axes=(None, None, 0),
        out_axes=None,
        donate_argnums=0,
        devices=devices,
    )


def feed(devices: Devices = None, form: str = "pmap") -> Callable[[Batch], Batch]:
    """Readies a batch of this process' rows for a move: split, and on devices that have a memory of
    their own. The threads that read call it, so that the copy is made before the move is due.
    """
    if form != "pmap":
        return functools.partial(sharding.split, devices=devices)
    there = local(devices)
    rows = NamedSharding(Mesh(np.array(there), (replicas.NAME,)), PartitionSpec(replicas.NAME))

    def put(batch: Batch) -> Batch:
        batch = _split(batch, devices)
        return jax.device_put(batch, rows) if _has_memory(there[0]) else batch

    return put


def _has_memory(device: jax.Device) -> bool:
    """Whether what a device computes with must be copied to it first."""
    return device.platform != "cpu"


def map_function(
    function: Callable, prepare: Callable, finish: Callable, devices: Devices = None,
    form: str = "pmap",
) -> Callable:  # fmt: skip
    """One of a model's functions over all devices: (variables, raw batches, key) -> outputs.

    Takes batches with `mask` (`data.ordered_batches`) and yields, batch by batch, the outputs of
    the examples that the mask keeps: host arrays, on every process those of the global batch.
    """

    def program(unsplit, batch):
        variables, key = unsplit
        prepared = prepare(batch, jax.random.fold_in(key, 0))
        return finish(function(variables, prepared, jax.random.fold_in(key, 1)))

    if form == "pmap":
        mapped = jax.pmap(program, axis_name=replicas.NAME, in_axes=(None, 0), devices=devices)
        split, join = _split, _join
    else:
        mapped = sharding.map_function(program, devices)
        split, join = sharding.split, sharding.rows_here

    def apply(variables: Variables, batches: Iterable[Batch], key) -> Iterator[Batch]:
        for batch in batches:
            outputs = mapped((variables, key), split(batch, devices))
            outputs = {"mask": batch["mask"], **{k: join(v) for k, v in outputs.items()}}
            if jax.process_count() > 1:
                outputs = multihost_utils.process_allgather(outputs, tiled=True)
            mask = outputs.pop("mask")
            yield {name: values[mask] for name, values in outputs.items()}

    return apply


def replicate(tree, devices: Devices = None):
    """A copy of `tree` on every device, placed as a mapped move returns it.

    Thus the first call of a program compiles it for all later ones. No two leaves share a
    buffer afterwards, as donation demands (a moving average starts as the parameters).
    """
    placement = NamedSharding(Mesh(np.array(local(devices)), (replicas.NAME,)), PartitionSpec())
    return jax.tree.map(lambda x: jax.device_put(np.array(x), placement), tree)


def place(variables: Variables, devices: Devices = None, form: str = "pmap") -> Variables:
    """Variables on the devices, as a move of this form takes and returns them."""
    if form == "pmap":
        return replicate(variables, devices)
    return sharding.place(variables, devices, SHARED[form])


def to_host(tree):
    """The whole tree as NumPy arrays, which can be saved and survive donation.

    All processes must call it: leaves that are split over them are gathered, one at a time.
    """

    def array(x):
        local = getattr(x, "is_fully_addressable", True)
        return np.asarray(x if local else whole(x))

    return jax.tree.map(array, tree)


def whole(tree):
    """The tree with a copy of every leaf on each device. All processes must call it."""
    return jax.tree.map(sharding.whole, tree)


class Elsewhere(UserError):
    """Another process of this run stopped; says why."""


def gather(text: str, failed: bool = False) -> list[str]:
    """The texts of all processes, in their order. All processes must call it.

    All agreements between processes use this one exchange, so that a process that failed
    (`together`) reaches the others wherever they wait. Raises Elsewhere with its message.
    """
    if jax.process_count() == 1:
        return [text]
    mine = np.frombuffer(text.encode(), np.uint8)
    heads = multihost_utils.process_allgather(np.array([mine.size, failed], np.int32))
    texts = np.zeros((len(heads), 0), np.uint8)
    if longest := heads[:, 0].max():
        texts = multihost_utils.process_allgather(np.pad(mine, (0, longest - mine.size)))
    texts = [row[:size].tobytes().decode() for row, size in zip(texts, heads[:, 0], strict=True)]
    for number, (_, stopped) in enumerate(heads):
        if stopped:
            raise Elsewhere(f"process {number} stopped: {texts[number]}")
    return texts


@contextlib.contextmanager
def together() -> Iterator[None]:
    """A UserError of any process in this context stops all; at its end they wait for each other."""
    try:
        yield
    except Elsewhere:
        raise
    except UserError as error:
        with contextlib.suppress(Elsewhere):
            gather(str(error), failed=True)
        raise
    gather("")


def any_process(flag: bool) -> bool:
    """Whether the flag is set on any process. All processes must call it."""
    return any(gather("set" if flag else ""))


def barrier() -> None:
    """Waits until all processes have called it."""
    gather("")


def all_equal(text: str) -> bool:
    """Whether the text is the same on all processes. All processes must call it."""
    return len(set(gather(text))) == 1


def is_alone(error: jax.errors.JaxRuntimeError) -> bool:
    """Whether an error means that another process of this run died or does not answer."""
    return jax.process_count() > 1 and any(sign in str(error) for sign in CONNECTIONS)


def in_flight(devices: Devices = None) -> int:
    """How many moves may be in flight at once.

    Two keep an accelerator busy. Virtual devices of one CPU share its threads, and a second move
    in flight can starve the all-reduce of the first: there, each move is awaited.
    """
    mine = local(devices)
    return 1 if len(mine) > 1 and mine[0].platform == "cpu" else 2


def _split(batch: Batch, devices: Devices) -> Batch:
    count = len(local(devices))
    return {k: v.reshape(count, v.shape[0] // count, *v.shape[1:]) for k, v in batch.items()}


def _join(values: jax.Array) -> np.ndarray:
    values = np.asarray(values)
    return values.reshape(-1, *values.shape[2:])
