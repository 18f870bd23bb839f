"""Reads the network pickles of StyleGAN2-ADA's authors, without PyTorch and without running them.

Such a file holds {"G": ..., "D": ..., "G_ema": ...}: modules with the source text of their classes,
which the authors' code runs as it reads them. Here that text is passed over. A module becomes a
record of its state; its tensors lie as bytes within, each in PyTorch's older container. Whatever
else a file names is refused.
"""

import io
import pickle
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gm_jax.errors import UserError
from gm_jax.weights import pth
from gm_jax.weights.stored import Stored, of_array

TENSORFLOW = "dnnlib.tflib"


class Module(NamedTuple):
    """A module of the authors': its class's name, and what its object held."""

    kind: str
    state: dict[str, Any]


class _Numbers(NamedTuple):
    """A storage and its values."""

    storage: pth.Storage
    values: np.ndarray


def open_modules(path) -> dict[str, Module]:
    """The modules of a file by name, "G_ema" among them.

    Nothing that a file names is ever called. Raises UserError, in one line, for a broken file, one
    of the TensorFlow code, or one that names anything but the parts of such networks.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"{path} is not there: give a network pickle, --config.weights=FILE")
    try:
        with open(path, "rb") as file:
            unpickler = _Unpickler(file)
            read = unpickler.load()
    except UserError:
        raise
    except Exception as error:  # a hostile or truncated pickle may fail in any way
        raise UserError(f"{path} is no network pickle, or a broken one: {error}") from None
    modules = {
        str(name): module
        for name, module in (read.items() if isinstance(read, dict) else ())
        if isinstance(module, Module)
    }
    if "G_ema" not in modules:
        raise UserError(f"{path} holds no G_ema: it is no network pickle of StyleGAN2-ADA")
    return modules


def tensors(module: Module, prefix: str = "") -> dict[str, Stored]:
    """A module's parameters and buffers, and those of its parts, by the authors' names.

    Raises UserError if a tensor does not lie within its storage.
    """
    found = {}
    for kind in ("_parameters", "_buffers"):
        for name, tensor in module.state.get(kind, {}).items():
            if tensor is not None:
                found[prefix + name] = of_array(_array(prefix + name, tensor))
    for name, part in module.state.get("_modules", {}).items():
        if isinstance(part, Module):
            found |= tensors(part, f"{prefix}{name}.")
    return found


def _array(name: str, tensor) -> np.ndarray:
    if not isinstance(tensor, pth.Tensor) or not isinstance(tensor.storage, _Numbers):
        raise UserError(f"{name} is no tensor: the file is broken")
    try:
        pth.check_tensor(tensor._replace(storage=tensor.storage.storage))
    except pickle.UnpicklingError as error:
        raise UserError(f"{name}: {error}") from None
    values = tensor.storage.values
    strides = [s * values.itemsize for s in tensor.stride]
    return np.lib.stride_tricks.as_strided(
        values[tensor.offset :], tensor.shape, strides, writeable=False
    ).copy()


class _Unpickler(pth.Unpickler):
    """Makes records of modules. What a file may name is in `names`, all else is refused."""

    def __init__(self, file):
        super().__init__(file)
        inert = pth.inert()
        self.names = {
            ("torch_utils.persistence", "_reconstruct_persistent_obj"): _module,
            ("dnnlib.util", "EasyDict"): type("EasyDict", (dict,), {}),
            ("torch.storage", "_load_from_bytes"): _numbers,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): self.names[
                "torch._utils", "_rebuild_parameter"
            ],
            ("collections", "OrderedDict"): self.names["collections", "OrderedDict"],
            # Numbers among the arguments of classes; none is needed.
            ("numpy", "dtype"): inert,
            ("numpy.core.multiarray", "scalar"): inert,
            ("numpy._core.multiarray", "scalar"): inert,
        }

    def find_class(self, module, name):
        if (module, name) in self.names:
            return self.names[module, name]
        if module.startswith(TENSORFLOW):
            raise UserError(
                "this is a network of the TensorFlow code: convert it with the legacy.py of"
                " stylegan2-ada-pytorch first"
            )
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a network")

    def persistent_load(self, saved):
        raise pickle.UnpicklingError("a storage that is not in the file")


def _module(meta: dict) -> Module:
    """A module without its source text."""
    if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
        raise pickle.UnpicklingError("a module without a state")
    return Module(str(meta.get("class_name")), meta["state"])


def _tensor(storage, offset, shape, stride, requires_grad, hooks, metadata=None) -> pth.Tensor:
    return pth.Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, stride)))


def _numbers(data: bytes) -> _Numbers:
    """A storage in PyTorch's older container: its description, then its size and values."""
    file = io.BytesIO(data)
    if [pth.Unpickler(file).load() for _ in range(3)][:2] != [pth.MAGIC, 1001]:
        raise pickle.UnpicklingError("a storage that does not begin as PyTorch's do")
    storage = pth.Unpickler(file).load()
    if not isinstance(storage, pth.Storage) or pth.Unpickler(file).load() != [storage.key]:
        raise pickle.UnpicklingError("a storage that is none")
    (size,) = struct.unpack("<q", file.read(8))
    values = np.frombuffer(file.read(), pth.NUMPY[storage.dtype])
    if not size == storage.size == len(values):
        raise pickle.UnpicklingError("a storage of the wrong size")
    return _Numbers(storage, values)
