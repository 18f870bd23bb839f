"""Files of weights: every container and type, and what is refused before it is used."""

import json
import os
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch_files
from safetensors.numpy import save_file

from gm_jax.errors import UserError
from gm_jax.weights import open_weights, read, read_pth

RAN = []


def ran(*args):
    RAN.append(args)


def tensors(dtype=np.float32):
    rng = np.random.default_rng(0)
    return {"a.weight": rng.normal(size=(3, 2)).astype(dtype), "a.bias": np.ones(3, dtype)}


@pytest.mark.parametrize("dtype", [np.float32, np.float16, jnp.bfloat16])
@pytest.mark.parametrize("name", ["w.safetensors", "w.ckpt", "legacy.bin"])
def test_every_type_in_every_container(name, dtype, tmp_path):
    """safetensors' own Flax reader fails at bfloat16; checkpoints hold it, too."""
    written, path = tensors(dtype), tmp_path / name
    if name.endswith("safetensors"):
        save_file(written, path)
    else:
        torch_files.write(path, written)
    opened = open_weights(path)
    assert {k: (t.shape, t.dtype) for k, t in opened.items()} == {
        k: (x.shape, x.dtype) for k, x in written.items()
    }
    for key, value in read(path).items():
        np.testing.assert_array_equal(value, written[key])


@pytest.mark.parametrize("name", ["lightning.ckpt", "legacy.ckpt"])
def test_what_lightning_saves_beside_the_state_dict_is_inert(name, tmp_path):
    """Callbacks, an optimizer's state, a function that would run: none is called, none refused."""
    RAN.clear()
    target = tmp_path / "owned"

    def around(state):
        return {
            "epoch": 3,
            "pytorch-lightning_version": "1.4.2",
            "callbacks": {jax.tree_util.Partial: {"best": np.float64(0.5)}},
            "optimizer_states": [{"state": {0: state["a.weight"]}, "scale": np.ones(3)}],
            "hook": torch_files.Reduced(ran, (1,)),
            "system": torch_files.Reduced(os.system, (f"touch {target}",), {"x": 1}, iter([1])),
            "state_dict": state,
        }

    path = torch_files.write(tmp_path / name, tensors(), around=around)
    found = read_pth(path)
    assert not RAN and not target.exists()
    assert list(found) == list(tensors())
    np.testing.assert_array_equal(found["a.weight"], tensors()["a.weight"])


def test_what_is_no_tensor_inside_the_state_dict_is_refused_by_name(tmp_path):
    def around(state):
        return {"state_dict": {**state, "b.weight": torch_files.Reduced(ran, (1,))}}

    path = torch_files.write(tmp_path / "w.ckpt", tensors(), around=around)
    with pytest.raises(UserError, match=r"b\.weight is not a tensor"):
        open_weights(path)
    assert not RAN


def test_a_name_that_occurs_twice_is_refused(tmp_path):
    entry = '{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    header = f'{{"a": {entry}, "a": {entry}}}'.encode()
    path = tmp_path / "twice.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(UserError, match="a occurs twice"):
        open_weights(path)


def test_weights_in_several_files(tmp_path):
    written = tensors()
    for number, (name, value) in enumerate(written.items()):
        save_file({name: value}, tmp_path / f"part-{number}.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    names = {name: f"part-{n}.safetensors" for n, name in enumerate(written)}
    index.write_text(json.dumps({"weight_map": names}))
    for name, value in read(index).items():
        np.testing.assert_array_equal(value, written[name])
    for wrong, message in (
        ({"a.bias": "part-0.safetensors"}, "holds no a.bias"),
        ({"a.bias": "../part-0.safetensors"}, "which is not beside it"),
        ({"a.bias": "part-7.safetensors"}, "which is not beside it"),
    ):
        index.write_text(json.dumps({"weight_map": names | wrong}))
        with pytest.raises(UserError, match=message):
            open_weights(index)
    index.write_text("{")
    with pytest.raises(UserError, match="broken"):
        open_weights(index)


@pytest.mark.parametrize("cut", [0, 6, 40, -3])
def test_truncated_safetensors(cut, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(tensors(), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError, match="broken or truncated"):
        read(path)


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"weights come as \.safetensors"):
        open_weights(tmp_path / "w.onnx")
