"""Files as PyTorch writes its state dicts, written without PyTorch."""

import collections
import io
import pickle
import struct
import sys
import types
import zipfile
from unittest import mock

import numpy as np

STORAGES = {
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
}


class Reduced:
    """What is pickled as a call: of a function, with these arguments."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def _names() -> dict[str, types.ModuleType]:
    """Just enough of torch's names for Python's pickler to write them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*args):
        raise AssertionError("never called")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    return {"torch": torch, "torch._utils": utils}


def pickled(tensors, legacy, shape=None, offset=0, around=lambda state: state):
    """The state dict's pickle and its storages {key: array}, as torch.save orders them.

    around  state dict -> what is saved: a dict that holds it, such as pytorch-lightning's
    """
    names = _names()
    storages = {str(i): np.ravel(v) for i, v in enumerate(tensors.values())}
    buffer = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if not isinstance(thing, tuple) or thing[:1] != ("a storage",):
                return None
            key = thing[1]
            kind = getattr(names["torch"], STORAGES[storages[key].dtype.name])
            saved = ("storage", kind, key, "cpu", storages[key].size)
            return (*saved, None) if legacy else saved

    state = collections.OrderedDict()
    for i, (name, value) in enumerate(tensors.items()):
        shape_ = shape or value.shape
        stride = tuple(int(np.prod(shape_[k + 1 :])) for k in range(len(shape_)))
        args = (("a storage", str(i)), offset, shape_, stride, False, collections.OrderedDict())
        state[name] = Reduced(names["torch._utils"]._rebuild_tensor_v2, args)
    with mock.patch.dict(sys.modules, names):
        Pickler(buffer, protocol=2).dump(around(state))
    return buffer.getvalue(), storages


def write_zip(path, data, storages):
    """The container of PyTorch >= 1.6."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", data)
        for key, values in storages.items():
            file.writestr(f"archive/data/{key}", values.tobytes())


def write_legacy(path, data, storages):
    """The older sequence of pickles."""
    with open(path, "wb") as file:
        for thing in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(thing, file, protocol=2)
        file.write(data)
        pickle.dump(list(storages), file, protocol=2)
        for values in storages.values():
            file.write(struct.pack("<q", values.size) + values.tobytes())


def write(path, tensors, **kwargs):
    """Writes a state dict, in the older container if the name says "legacy"; returns the path."""
    legacy = "legacy" in path.name
    (write_legacy if legacy else write_zip)(path, *pickled(tensors, legacy, **kwargs))
    return path
