"""From tensors of a file to parameters and back, by a table of names.

A table says of each name in the file which parameter it is and how that is laid out:

    {"conv_in.weight": (("conv_in", "kernel"), "conv"), ...}
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from flax import traverse_util

from gm_jax.errors import UserError
from gm_jax.model import PyTree
from gm_jax.weights.stored import Stored, Tensors

Path = tuple[str, ...]
Table = Mapping[str, tuple[Path, str]]


class Kind(NamedTuple):
    """How a tensor of PyTorch is laid out against a parameter of Flax.

    read   the tensor's numbers -> the parameter's
    write  the inverse
    shape  the parameter's shape -> the tensor's
    """

    read: Callable[[np.ndarray], np.ndarray]
    write: Callable[[np.ndarray], np.ndarray]
    shape: Callable[[tuple[int, ...]], tuple[int, ...]]


def _same(x):
    return x


# conv: OIHW and HWIO; dense: [out, in] and [in, out]; conv_as_dense, conv1d_as_dense: a convolution
# of size 1 in the file, along two axes or one, a dense layer here; embedding: [count, features] in
# both; plain: anything else. Of StyleGAN2: conv_turned, a convolution where ours is a correlation;
# chw: a map; map_as_dense: a dense layer of maps of 4x4 pixels, which are flattened CHW and HWC.
KINDS = {
    "conv": Kind(
        lambda x: x.transpose(2, 3, 1, 0),
        lambda x: x.transpose(3, 2, 0, 1),
        lambda s: (s[3], s[2], s[0], s[1]),
    ),
    "dense": Kind(np.transpose, np.transpose, lambda s: s[::-1]),
    "conv_as_dense": Kind(
        lambda x: x[:, :, 0, 0].T, lambda x: x.T[:, :, None, None], lambda s: (s[1], s[0], 1, 1)
    ),
    "conv1d_as_dense": Kind(
        lambda x: x[:, :, 0].T, lambda x: x.T[:, :, None], lambda s: (s[1], s[0], 1)
    ),
    "embedding": Kind(_same, _same, _same),
    "plain": Kind(_same, _same, _same),
    "conv_turned": Kind(
        lambda x: x[:, :, ::-1, ::-1].transpose(2, 3, 1, 0),
        lambda x: x[::-1, ::-1].transpose(3, 2, 0, 1),
        lambda s: (s[3], s[2], s[0], s[1]),
    ),
    "chw": Kind(
        lambda x: x.transpose(1, 2, 0), lambda x: x.transpose(2, 0, 1), lambda s: (s[2], *s[:2])
    ),
    "map_as_dense": Kind(
        lambda x: x.reshape(len(x), -1, 4, 4).transpose(2, 3, 1, 0).reshape(-1, len(x)),
        lambda x: x.reshape(4, 4, -1, x.shape[1]).transpose(3, 2, 0, 1).reshape(x.shape[1], -1),
        lambda s: s[::-1],
    ),
}


def torch_names(shapes: PyTree) -> Table:
    """The table of a module whose parts are named as in PyTorch, with "_0" for ".0".

    shapes  its parameters, or their shapes: kernels of four axes are convolutions, of two dense
    """
    leaves = {"kernel": "weight", "scale": "weight", "embedding": "weight"}
    table = {}
    for path, x in traverse_util.flatten_dict(shapes).items():
        *parts, leaf = path
        names = [re.sub(r"_(\d+)$", r".\1", part) for part in parts]
        kind = {"kernel": "conv" if len(x.shape) == 4 else "dense", "embedding": "embedding"}
        name = ".".join([*names, leaves.get(leaf, leaf)])
        table[name] = (path, kind.get(leaf, "plain"))
    return table


def assign(
    table: Table,
    tensors: Tensors,
    shapes: PyTree,
    what: str,
    ignored: Iterable[str] = (),
    dtype=np.float32,
) -> PyTree:
    """The parameters that a file holds, as arrays on the host.

    shapes   the parameters' shapes (`jax.eval_shape`)
    what     whose parameters, in messages: "unet of DIR"
    ignored  patterns of names that are left out on purpose (`re.fullmatch`)
    dtype    of the parameters
    Every name and shape is checked before any number is read. Raises UserError, in one line, if
    tensors are missing, unexpected or of another shape.
    """
    check(table, tensors, shapes, what, ignored)
    flat = {}
    for name, (path, kind) in table.items():
        values = KINDS[kind].read(tensors[name].load())
        flat[path] = np.asarray(values, dtype, order="C")
    return traverse_util.unflatten_dict(flat)


def check(
    table: Table, tensors: Tensors, shapes: PyTree, what: str, ignored: Iterable[str] = ()
) -> None:
    """Raises UserError, as `assign`, without reading any number."""
    flat = traverse_util.flatten_dict(shapes)
    if sorted(path for path, _ in table.values()) != sorted(flat):
        raise ValueError(f"the table of {what} does not name each parameter once")
    left_out = re.compile("|".join(ignored) or "$^")
    wrong = {
        "missing": [name for name in table if name not in tensors],
        "unexpected": [n for n in tensors if n not in table and not left_out.fullmatch(n)],
        "misshapen": [],
    }
    for name, (path, kind) in table.items():
        expected = tuple(KINDS[kind].shape(flat[path].shape))
        if name in tensors and tuple(tensors[name].shape) != expected:
            held = list(tensors[name].shape)
            wrong["misshapen"].append(f"{name} is {held}, expected {list(expected)}")
    if any(wrong.values()):
        parts = [f"{len(names)} {kind} ({_few(names)})" for kind, names in wrong.items() if names]
        raise UserError(f"{what} does not fit this network: tensors are {'; '.join(parts)}")


def _few(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def layout_of(tables: Mapping[str, Table], tensors: Tensors) -> str:
    """The layout whose names a file holds most of."""
    return max(tables, key=lambda name: sum(tensor in tensors for tensor in tables[name]))


def export(table: Table, params: PyTree) -> dict[str, np.ndarray]:
    """Parameters by the names and in the layout of a file: the inverse of `assign`."""
    flat = traverse_util.flatten_dict(params)
    return {
        name: np.asarray(KINDS[kind].write(np.asarray(flat[path])), order="C")
        for name, (path, kind) in table.items()
    }


def renamed(name: str, rules: Iterable[tuple[str, str]]) -> str:
    """The name after all substitutions (pattern, replacement), in their order."""
    for pattern, other in rules:
        name = re.sub(pattern, other, name)
    return name


def count(shapes: PyTree) -> int:
    """The number of parameters."""
    return sum(math.prod(x.shape) for x in traverse_util.flatten_dict(shapes).values())


def split_rows(tensors: Tensors, name: str, parts: tuple[str, ...]) -> dict[str, Stored]:
    """`tensors` with each "....`name`" cut along its first axis into "....`part`", of equal size.

    MultiheadAttention of PyTorch keeps queries, keys and values in one "in_proj_weight".
    """
    found = {}
    for key, tensor in tensors.items():
        if not key.endswith(name):
            found[key] = tensor
            continue
        rows = tensor.shape[0] // len(parts)
        for number, part in enumerate(parts):
            found[key.removesuffix(name) + part] = Stored(
                (rows, *tensor.shape[1:]),
                tensor.dtype,
                lambda t=tensor, n=number, r=rows: t.load()[n * r : (n + 1) * r],
            )
    return found


def join_rows(arrays: Mapping, name: str, parts: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The inverse of `split_rows`, of arrays."""
    found = dict(arrays)
    for key in [key for key in arrays if key.endswith(parts[0])]:
        stem = key.removesuffix(parts[0])
        found[stem + name] = np.concatenate([found.pop(stem + part) for part in parts])
    return found
