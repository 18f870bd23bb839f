"""Reads a PyTorch file of tensors without PyTorch, and without running anything in it.

A .pth is a pickle, and a pickle calls what it names. This reader resolves five names only, all to
inert records of its own; the numbers are then read as plain bytes. Both containers are known: the
zip of PyTorch >= 1.6 and the older sequence of pickles, which the official Inception file uses.
"""

import collections
import io
import math
import pickle
import pickletools
import struct
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gm_jax.errors import UserError

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


class _Storage(NamedTuple):
    dtype: str
    key: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def _names() -> dict:
    """What a pickle may name. Made anew for each file: a pickle can write on what it was given."""

    def rebuild_tensor(storage, offset, shape, stride, requires_grad, hooks, metadata=None):
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, stride)))

    names = {("torch", name): dtype for name, dtype in _DTYPES.items()}
    names["torch._utils", "_rebuild_tensor_v2"] = rebuild_tensor
    names["collections", "OrderedDict"] = collections.OrderedDict
    return names


def _refuse_large_memo(file) -> None:
    """Refuses a pickle that numbers its memo beyond its length; the file stays where it is.

    Python makes a table as long as the largest number: a few bytes could ask for all memory.
    """
    start = file.tell()
    for operation, number, position in pickletools.genops(file):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and number > position - start:
            raise pickle.UnpicklingError(f"it numbers its memo {number}, beyond its length")
    file.seek(start)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file):
        _refuse_large_memo(file)
        super().__init__(file, encoding="utf-8")
        self.names = _names()

    def find_class(self, module, name):
        try:
            return self.names[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no tensor") from None

    def persistent_load(self, saved):
        kind, dtype, key, _, size = saved[:5]
        if kind != "storage" or dtype not in _DTYPES.values() or any(saved[5:]):
            raise pickle.UnpicklingError("an unknown kind of storage")
        return _Storage(dtype, str(key), int(size))


def read_pth(path) -> dict[str, np.ndarray]:
    """The state dict in a .pth: {name: array}.

    Raises UserError for a truncated file, one that is no state dict of tensors, or one that
    names anything but tensors; nothing that it names is ever called.
    """
    data = Path(path).read_bytes()
    try:
        read = _read_zip if zipfile.is_zipfile(io.BytesIO(data)) else _read_legacy
        state, storages = read(data)
        if not (isinstance(state, dict) and all(isinstance(t, _Tensor) for t in state.values())):
            raise pickle.UnpicklingError("it is not a dict of tensors")
        return {str(name): _array(tensor, storages) for name, tensor in state.items()}
    except UserError:
        raise
    except Exception as error:  # a hostile or truncated pickle may fail in any way
        raise UserError(
            f"{path} is no PyTorch file of tensors, or a broken one: {error!r}"
        ) from None


def _read_zip(data: bytes):
    archive = zipfile.ZipFile(io.BytesIO(data))
    (pickled,) = [n for n in archive.namelist() if n.endswith("/data.pkl")]
    root = pickled.removesuffix("data.pkl")
    if root + "byteorder" in archive.namelist() and archive.read(root + "byteorder") != b"little":
        raise pickle.UnpicklingError("its byte order is not little-endian")
    state = _Unpickler(io.BytesIO(archive.read(pickled))).load()

    def storage(wanted: _Storage) -> bytes:
        info = archive.getinfo(f"{root}data/{wanted.key}")
        if info.file_size != wanted.size * np.dtype(wanted.dtype).itemsize:
            raise pickle.UnpicklingError(f"storage {wanted.key} has the wrong size")
        return archive.read(info)

    return state, storage


def _read_legacy(data: bytes):
    file = io.BytesIO(data)
    magic, version, _, state = (_Unpickler(file).load() for _ in range(4))
    if magic != _MAGIC or version != 1001:
        raise pickle.UnpicklingError("it does not begin as PyTorch's files do")
    keys = _Unpickler(file).load()
    sizes = {t.storage.key: t.storage for t in state.values() if isinstance(t, _Tensor)}
    found = {}
    for key in keys:
        wanted = sizes[str(key)]
        (size,) = struct.unpack("<q", file.read(8))
        found[wanted.key] = file.read(wanted.size * np.dtype(wanted.dtype).itemsize)
        if size != wanted.size:
            raise pickle.UnpicklingError(f"storage {key} has the wrong size")
    return state, lambda wanted: found[wanted.key]


def _array(tensor: _Tensor, storage) -> np.ndarray:
    """A copy of the tensor's numbers, if all of them lie inside its storage."""
    values = np.frombuffer(storage(tensor.storage), tensor.storage.dtype)
    if len(values) != tensor.storage.size:
        raise pickle.UnpicklingError("it is truncated")
    if len(tensor.shape) != len(tensor.stride) or min(tensor.shape + tensor.stride, default=0) < 0:
        raise pickle.UnpicklingError("a tensor's shape and strides make no sense")
    last = tensor.offset + sum(
        (n - 1) * s for n, s in zip(tensor.shape, tensor.stride, strict=True)
    )
    inside = tensor.offset >= 0 and last < len(values)
    if math.prod(tensor.shape) > len(values) or not inside:
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    strides = [s * values.itemsize for s in tensor.stride]
    return np.lib.stride_tricks.as_strided(
        values[tensor.offset :], tensor.shape, strides, writeable=False
    ).copy()
