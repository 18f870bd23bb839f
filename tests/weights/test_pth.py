import os
import pickle

import numpy as np
import pytest
from torch_files import Reduced, write, write_legacy, write_zip

from gm_jax.errors import UserError
from gm_jax.weights import read_pth


def tensors(seed=0):
    """A state dict of several shapes and types, as a network with a batch norm leaves it."""
    rng = np.random.default_rng(seed)
    return {
        "conv.weight": rng.normal(size=(8, 3, 3, 3)).astype(np.float32),
        "bn.running_var": rng.uniform(1, 2, 8).astype(np.float32),
        "bn.num_batches_tracked": np.array(7),
    }


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth"])
def test_pth_is_read_without_torch(name, tmp_path):
    written = tensors()
    read = read_pth(write(tmp_path / name, written))
    assert list(read) == list(written)
    for key, value in written.items():
        assert read[key].dtype == value.dtype
        np.testing.assert_array_equal(read[key], value)


@pytest.mark.parametrize("net", ["alex", "squeeze", "vgg"])
def test_files_that_pytorch_wrote_itself(net, shared):
    expected = np.load(shared / "data/lpips-heads/lpips_v0.1_heads.npz")
    read = read_pth(shared / f"data/lpips-heads/{net}.pth")
    assert len(read) == len([k for k in expected if k.startswith(net)])
    for name, value in read.items():
        np.testing.assert_array_equal(value.ravel(), expected[f"{net}.{name.split('.')[0]}"])


RAN = []


def ran(*args):
    RAN.append(args)


def attacks(tmp_path):
    target = str(tmp_path / "owned")
    yield "os.system", pickle.dumps(Reduced(os.system, (f"touch {target}",)), 2)
    yield "a function of ours", pickle.dumps({"w": Reduced(ran, (1,))}, 2)
    yield "eval", pickle.dumps(Reduced(eval, (f"open({target!r}, 'w')",)), 4)
    yield "dotted name", b"\x80\x04\x8c\x0bcollections\x8c\x1dOrderedDict.fromkeys.__class__\x93."
    yield "a type called", b"\x80\x02ctorch\nFloatStorage\nU\x01a\x85R."
    yield "import of a module", b"\x80\x02cbuiltins\n__import__\nU\x02os\x85R."
    yield "extension code", b"\x80\x02\x82\x01."
    yield "a memo of 268 MB", b"\x80\x02Nr\x00\x00\x00\x01."
    yield "nothing", b""
    yield "not a pickle", b"hello"


@pytest.mark.parametrize("container", [write_zip, write_legacy])
def test_a_hostile_pickle_does_not_run(container, tmp_path):
    RAN.clear()
    for name, data in attacks(tmp_path):
        path = tmp_path / "hostile.pth"
        container(path, data, {})
        with pytest.raises(UserError, match="no PyTorch file of tensors") as error:
            read_pth(path)
        assert "\n" not in str(error.value), name
        assert "memo" not in name or "numbers its memo" in str(error.value)
    path.write_bytes(next(data for _, data in attacks(tmp_path)))
    with pytest.raises(UserError, match="no PyTorch file of tensors"):
        read_pth(path)
    assert not RAN and not (tmp_path / "owned").exists()


def test_what_a_pickle_writes_on_our_function_stays_with_that_file(tmp_path):
    """BUILD may set attributes on whatever is named: the next file gets functions of its own."""
    build = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(N}U\x0c__defaults__K\x01\x85stb."
    write_zip(tmp_path / "hostile.pth", build, {})
    with pytest.raises(UserError):
        read_pth(tmp_path / "hostile.pth")
    read = read_pth(write(tmp_path / "zip.pth", tensors()))
    assert len(read) == len(tensors())


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth"])
def test_broken_files(name, tmp_path):
    path = write(tmp_path / name, tensors())
    whole = path.read_bytes()
    for cut in (0, 10, 1000, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match="broken"):
            read_pth(path)
    small = {"w": np.ones(10, np.float32)}
    for bad in ({"shape": (11,)}, {"shape": (5,), "offset": 6}, {"shape": (5,), "offset": -1}):
        with pytest.raises(UserError, match="beyond its storage"):
            read_pth(write(tmp_path / name, small, **bad))
