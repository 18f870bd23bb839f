"""Files of named arrays, by their suffix."""

import json
import struct
import zipfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import safetensors

from gm_jax.errors import UserError
from gm_jax.weights.pth import open_pth
from gm_jax.weights.stored import Stored, of_array

TORCH = (".pth", ".pt", ".ckpt", ".bin")
INDEX = ".index.json"  # of weights in several files
_BROKEN = (OSError, ValueError, EOFError, zipfile.BadZipFile, safetensors.SafetensorError)
_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": jnp.bfloat16,
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays in a file by their names. Raises UserError as `open_weights`."""
    return {name: tensor.load() for name, tensor in open_weights(path).items()}


def open_weights(path: Path) -> dict[str, Stored]:
    """The tensors in a .safetensors, .npz, .pth, .ckpt or .bin; an .index.json names several files.

    Shapes and types are known at once, numbers are read when asked for. Nothing in a file is run.
    Raises UserError for other suffixes, for broken files, and for names that occur twice.
    """
    path = Path(path)
    if path.suffix in TORCH:
        return open_pth(path)
    if path.name.endswith(INDEX):
        return _open_shards(path)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: of_array(values) for name, values in file.items()}
        if path.suffix == ".safetensors":
            return _open_safetensors(path)
    except (*_BROKEN, struct.error) as error:
        raise _broken(path, error) from None
    raise UserError(f"{path}: weights come as .safetensors, .npz, {', '.join(TORCH)} or *{INDEX}")


def _broken(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is broken or truncated: {error}")


def _open_safetensors(path: Path) -> dict[str, Stored]:
    header = _header(path)
    file = safetensors.safe_open(path, "numpy")

    def load(name):
        try:
            return file.get_tensor(name)
        except _BROKEN as error:
            raise _broken(path, error) from None

    found = {}
    for name in file.keys():  # noqa: SIM118, it is no dict
        kind = header[name]["dtype"]
        if kind not in _TYPES:
            raise UserError(f"{path}: {name} is of type {kind}, which is not read here")
        shape = tuple(header[name]["shape"])
        found[name] = Stored(shape, np.dtype(_TYPES[kind]), lambda name=name: load(name))
    return found


def _header(path: Path) -> dict:
    """The header of a .safetensors. Raises ValueError if a name occurs twice: the library does not.

    The last one would silently win.
    """

    def once(pairs):
        names = [name for name, _ in pairs]
        if len(names) != len(set(names)):
            raise ValueError(f"{next(n for n in names if names.count(n) > 1)} occurs twice")
        return dict(pairs)

    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(size), object_pairs_hook=once)


def _open_shards(index: Path) -> dict[str, Stored]:
    """The tensors of several files beside their index {"weight_map": {name: file}}."""
    try:
        files = json.loads(index.read_text())["weight_map"]
        names = sorted(set(files.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(index, error) from None
    opened = {}
    for name in names:
        if Path(name).name != name or not (index.parent / name).is_file():
            raise UserError(f"{index} names {name}, which is not beside it")
        opened[name] = open_weights(index.parent / name)
    for tensor, name in files.items():
        if tensor not in opened[name]:
            raise UserError(f"{index}: {name} holds no {tensor}")
    return {tensor: opened[name][tensor] for tensor, name in files.items()}
