"""Reads a PyTorch file of tensors without PyTorch, and without running anything in it.

A .pth or .ckpt is a pickle, and a pickle calls what it names. This reader knows the few names that
tensors need, as inert records of its own; the numbers are then read as plain bytes. Whatever else
a file names becomes an object that does nothing: it is passed over beside a "state_dict", as
pytorch-lightning writes one, and refused in a file that is a state dict itself. Both containers
are known: the zip of PyTorch >= 1.6 and the older sequence of pickles, which the official
Inception file uses.
"""

import collections
import io
import math
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gm_jax.errors import UserError
from gm_jax.weights.stored import Stored

MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",  # known to NumPy by jax.numpy
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
NUMPY = {name: np.dtype(jnp.bfloat16 if name == "bfloat16" else name) for name in _DTYPES.values()}


class Storage(NamedTuple):
    """Values of one type in a row; `key` is their name in the file."""

    dtype: str
    key: str
    size: int


class Tensor(NamedTuple):
    """A tensor as a view of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def _names() -> dict:
    """What a pickle may name. Made anew for each file: a pickle can write on what it was given."""

    def rebuild_tensor(storage, offset, shape, stride, requires_grad, hooks, metadata=None):
        if not isinstance(storage, Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        return Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, stride)))

    names = {("torch", name): dtype for name, dtype in _DTYPES.items()}
    names["torch._utils", "_rebuild_tensor_v2"] = rebuild_tensor
    names["torch._utils", "_rebuild_parameter"] = lambda tensor, requires_grad, hooks: tensor
    names["collections", "OrderedDict"] = collections.OrderedDict
    return names


def inert() -> type:
    """A class, anew for each name, that takes what a pickle does to an object and does nothing."""

    def nothing(self, *args, **kwargs):
        return None

    takes = ("__init__", "__setstate__", "__setitem__", "append", "extend", "add", "update")
    return type("Inert", (), dict.fromkeys(takes, nothing))


def _refuse_large_memo(file) -> None:
    """Refuses a pickle that numbers its memo beyond its length; the file stays where it is.

    Python makes a table as long as the largest number: a few bytes could ask for all memory.
    """
    start = file.tell()
    for operation, number, position in pickletools.genops(file):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and number > position - start:
            raise pickle.UnpicklingError(f"it numbers its memo {number}, beyond its length")
    file.seek(start)


class Unpickler(pickle.Unpickler):
    """Makes records of tensors. `storages` and `unknown` hold what the pickle named."""

    def __init__(self, file):
        _refuse_large_memo(file)
        super().__init__(file, encoding="utf-8")
        self.names, self.storages, self.unknown = _names(), {}, {}

    def find_class(self, module, name):
        if (module, name) in self.names:
            return self.names[module, name]
        return self.unknown.setdefault((module, name), inert())

    def persistent_load(self, saved):
        kind, dtype, key, _, size = saved[:5]
        if kind != "storage" or dtype not in NUMPY or any(saved[5:]):
            raise pickle.UnpicklingError("an unknown kind of storage")
        storage = Storage(dtype, str(key), int(size))
        if self.storages.setdefault(storage.key, storage) != storage:
            raise pickle.UnpicklingError(f"storage {storage.key} is described in two ways")
        return storage


def read_pth(path) -> dict[str, np.ndarray]:
    """The state dict in a PyTorch file: {name: array}. Raises UserError as `open_pth`."""
    return {name: tensor.load() for name, tensor in open_pth(path).items()}


def open_pth(path) -> dict[str, Stored]:
    """The state dict in a PyTorch file, or the one that it holds as "state_dict" or "ema".

    Raises UserError for a truncated file, one that holds no state dict of tensors, or a state dict
    that names anything but tensors; nothing that a file names is ever called.
    """
    path = Path(path)
    try:
        pickled, read = (_open_zip if zipfile.is_zipfile(path) else _open_legacy)(path)
        tensors = {str(name): tensor for name, tensor in pickled.items()}
        for name, tensor in tensors.items():
            if not isinstance(tensor, Tensor):
                raise pickle.UnpicklingError(f"{name} is not a tensor")
            check_tensor(tensor)
    except Exception as error:  # a hostile or truncated pickle may fail in any way
        raise _broken(path, error) from None

    def load(tensor):
        try:
            return _array(tensor, read(tensor.storage))
        except Exception as error:
            raise _broken(path, error) from None

    return {
        name: Stored(t.shape, NUMPY[t.storage.dtype], lambda t=t: load(t))
        for name, t in tensors.items()
    }


def _broken(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is no PyTorch file of tensors, or a broken one: {error!r}")


def _state_dict(read: object, unpickler: Unpickler) -> dict:
    """The dict of tensors in what a file holds."""
    for name in ("state_dict", "ema"):  # pytorch-lightning's, and DiT's averages.
        if isinstance(read, dict) and isinstance(read.get(name), dict):
            return read[name]
    if unpickler.unknown:
        module, name = next(iter(unpickler.unknown))
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no tensor")
    if not isinstance(read, dict):
        raise pickle.UnpicklingError("it is not a dict of tensors")
    return read


def _open_zip(path: Path) -> tuple[dict, Callable[[Storage], bytes]]:
    """The state dict of records, and how the bytes of a storage are read."""
    archive = zipfile.ZipFile(path)  # Open for as long as its tensors may be read.
    names = archive.namelist()
    (pickled,) = [n for n in names if n.endswith("/data.pkl")]
    root = pickled.removesuffix("data.pkl")
    if root + "byteorder" in names and archive.read(root + "byteorder") != b"little":
        raise pickle.UnpicklingError("its byte order is not little-endian")
    unpickler = Unpickler(io.BytesIO(archive.read(pickled)))
    state = _state_dict(unpickler.load(), unpickler)

    def read(wanted: Storage) -> bytes:
        info = archive.getinfo(f"{root}data/{wanted.key}")
        if info.file_size != wanted.size * NUMPY[wanted.dtype].itemsize:
            raise pickle.UnpicklingError(f"storage {wanted.key} has the wrong size")
        return archive.read(info)

    return state, read


def _open_legacy(path: Path) -> tuple[dict, Callable[[Storage], bytes]]:
    """As `_open_zip`; the storages follow the pickles, each after its size."""
    with open(path, "rb") as file:
        if [Unpickler(file).load() for _ in range(3)][:2] != [MAGIC, 1001]:
            raise pickle.UnpicklingError("it does not begin as PyTorch's files do")
        unpickler = Unpickler(file)
        state = _state_dict(unpickler.load(), unpickler)
        positions = {}
        for key in Unpickler(file).load():
            wanted = unpickler.storages[str(key)]
            (size,) = struct.unpack("<q", file.read(8))
            if size != wanted.size:
                raise pickle.UnpicklingError(f"storage {key} has the wrong size")
            positions[wanted.key] = file.tell()
            file.seek(size * NUMPY[wanted.dtype].itemsize, 1)

    def read(wanted: Storage) -> bytes:
        with open(path, "rb") as file:
            file.seek(positions[wanted.key])
            return file.read(wanted.size * NUMPY[wanted.dtype].itemsize)

    return state, read


def check_tensor(tensor: Tensor) -> None:
    """Raises UnpicklingError unless all of the tensor lies inside its storage."""
    shape, stride, size = tensor.shape, tensor.stride, tensor.storage.size
    if len(shape) != len(stride) or min(shape + stride, default=0) < 0:
        raise pickle.UnpicklingError("a tensor's shape and strides make no sense")
    last = tensor.offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
    if math.prod(shape) > size or tensor.offset < 0 or last >= size:
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")


def _array(tensor: Tensor, data: bytes) -> np.ndarray:
    """A copy of the tensor's numbers."""
    values = np.frombuffer(data, NUMPY[tensor.storage.dtype])
    if len(values) != tensor.storage.size:
        raise pickle.UnpicklingError("it is truncated")
    strides = [s * values.itemsize for s in tensor.stride]
    return np.lib.stride_tricks.as_strided(
        values[tensor.offset :], tensor.shape, strides, writeable=False
    ).copy()
