import collections
import hashlib
import io
import os
import pickle
import struct
import sys
import types
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from gm_jax.evaluation import EvaluationError, inception, protocols, weights
from gm_jax.evaluation.pth import read_pth

SHARED = Path(os.environ.get("GM_JAX_SHARED", Path(__file__).parents[3] / "shared"))
SHAPES = {"Conv2d_1a_3x3": (3, 3, 3, 32), "Conv2d_2a_3x3": (3, 3, 32, 32)}
SHAPES |= {"Conv2d_2b_3x3": (3, 3, 32, 64)}


def stem(seed=0):
    """The first three layers under the official names, batch norm and all: enough for layer 64."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in SHAPES.items():
        fan = np.sqrt(2 / np.prod(shape[:-1]))
        tensors[f"{name}.conv.weight"] = fan * rng.normal(size=shape).transpose(3, 2, 0, 1)
        tensors[f"{name}.bn.weight"] = rng.uniform(0.5, 1.5, shape[-1])
        tensors[f"{name}.bn.bias"] = rng.normal(size=shape[-1])
        tensors[f"{name}.bn.running_mean"] = rng.normal(size=shape[-1])
        tensors[f"{name}.bn.running_var"] = rng.uniform(1e-3, 2, shape[-1])
    tensors = {k: np.ascontiguousarray(v, np.float32) for k, v in tensors.items()}
    return tensors | {"Conv2d_1a_3x3.bn.num_batches_tracked": np.array(7)}


class Named:
    """What a pickle holds where PyTorch's has a tensor or a storage."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


@pytest.fixture
def fake_torch(monkeypatch):
    """Just enough of torch's names for Python's pickler to write them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for module, name in [(torch, "FloatStorage"), (torch, "LongStorage")]:
        cls = type(name, (), {"__module__": "torch"})
        setattr(module, name, cls)

    def _rebuild_tensor_v2(*args):
        raise AssertionError("never called")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def pickled(tensors, torch, legacy, shape=None, offset=0):
    """The state dict's pickle and its storages {key: array}, as torch.save orders them."""
    storages = {str(i): np.ravel(v) for i, v in enumerate(tensors.values())}
    buffer = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if not isinstance(thing, tuple) or thing[:1] != ("a storage",):
                return None
            key = thing[1]
            kind = torch.LongStorage if storages[key].dtype == np.int64 else torch.FloatStorage
            saved = ("storage", kind, key, "cpu", storages[key].size)
            return (*saved, None) if legacy else saved

    state = collections.OrderedDict()
    for i, (name, value) in enumerate(tensors.items()):
        shape_ = shape or value.shape
        stride = tuple(int(np.prod(shape_[k + 1 :])) for k in range(len(shape_)))
        args = (("a storage", str(i)), offset, shape_, stride, False, collections.OrderedDict())
        state[name] = Named(torch_rebuild(), args)
    Pickler(buffer, protocol=2).dump(state)
    return buffer.getvalue(), storages


def torch_rebuild():
    return sys.modules["torch._utils"]._rebuild_tensor_v2


def write_zip(path, data, storages):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", data)
        for key, values in storages.items():
            file.writestr(f"archive/data/{key}", values.tobytes())


def write_legacy(path, data, storages):
    with open(path, "wb") as file:
        for thing in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(thing, file, protocol=2)
        file.write(data)
        pickle.dump(list(storages), file, protocol=2)
        for values in storages.values():
            file.write(struct.pack("<q", values.size) + values.tobytes())


def write(path, tensors, torch, **kwargs):
    legacy = "legacy" in path.name
    (write_legacy if legacy else write_zip)(path, *pickled(tensors, torch, legacy, **kwargs))
    return path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth"])
def test_pth_is_read_without_torch(name, tmp_path, fake_torch):
    tensors = stem()
    read = read_pth(write(tmp_path / name, tensors, fake_torch))
    assert list(read) == list(tensors)
    for key, value in tensors.items():
        assert read[key].dtype == value.dtype
        np.testing.assert_array_equal(read[key], value)


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the checkout")
@pytest.mark.parametrize("net", ["alex", "squeeze", "vgg"])
def test_files_that_pytorch_wrote_itself(net):
    expected = np.load(SHARED / "data/lpips-heads/lpips_v0.1_heads.npz")
    read = read_pth(SHARED / f"data/lpips-heads/{net}.pth")
    assert len(read) == len([k for k in expected if k.startswith(net)])
    for name, value in read.items():
        np.testing.assert_array_equal(value.ravel(), expected[f"{net}.{name.split('.')[0]}"])


RAN = []


def ran(*args):
    RAN.append(args)


class Attack:
    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def attacks(tmp_path):
    target = str(tmp_path / "owned")
    yield "os.system", pickle.dumps(Attack(os.system, (f"touch {target}",)), 2)
    yield "a function of ours", pickle.dumps({"w": Attack(ran, (1,))}, 2)
    yield "eval", pickle.dumps(Attack(eval, (f"open({target!r}, 'w')",)), 4)
    yield "dotted name", b"\x80\x04\x8c\x0bcollections\x8c\x1dOrderedDict.fromkeys.__class__\x93."
    yield "a type called", b"\x80\x02ctorch\nFloatStorage\nU\x01a\x85R."
    yield "import of a module", b"\x80\x02cbuiltins\n__import__\nU\x02os\x85R."
    yield "extension code", b"\x80\x02\x82\x01."
    yield "nothing", b""
    yield "not a pickle", b"hello"


@pytest.mark.parametrize("container", [write_zip, write_legacy])
def test_a_hostile_pickle_does_not_run(container, tmp_path):
    RAN.clear()
    for name, data in attacks(tmp_path):
        path = tmp_path / "hostile.pth"
        container(path, data, {})
        with pytest.raises(EvaluationError, match="no PyTorch file of tensors") as error:
            read_pth(path)
        assert "\n" not in str(error.value), name
    path.write_bytes(next(data for _, data in attacks(tmp_path)))
    with pytest.raises(EvaluationError, match="no PyTorch file of tensors"):
        read_pth(path)
    assert not RAN and not (tmp_path / "owned").exists()


def test_what_a_pickle_writes_on_our_function_stays_with_that_file(tmp_path, fake_torch):
    """BUILD may set attributes on whatever is named: the next file gets functions of its own."""
    build = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(N}U\x0c__defaults__K\x01\x85stb."
    write_zip(tmp_path / "hostile.pth", build, {})
    with pytest.raises(EvaluationError):
        read_pth(tmp_path / "hostile.pth")
    read = read_pth(write(tmp_path / "zip.pth", stem(), fake_torch))
    assert len(read) == len(stem())


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth"])
def test_broken_files(name, tmp_path, fake_torch):
    path = write(tmp_path / name, stem(), fake_torch)
    whole = path.read_bytes()
    for cut in (0, 10, 1000, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(EvaluationError, match="broken"):
            read_pth(path)
    small = {"w": np.ones(10, np.float32)}
    for bad in ({"shape": (11,)}, {"shape": (5,), "offset": 6}, {"shape": (5,), "offset": -1}):
        with pytest.raises(EvaluationError, match="beyond its storage"):
            read_pth(write(tmp_path / name, small, fake_torch, **bad))


def as_files(directory, tensors):
    np.savez(directory / "w.npz", **tensors)
    save_file(tensors, directory / "w.safetensors")
    return directory / "w.npz", directory / "w.safetensors"


def test_all_containers_give_the_same_folded_weights(tmp_path, fake_torch):
    paths = [*as_files(tmp_path, stem()), write(tmp_path / "legacy.pth", stem(), fake_torch)]
    loaded = [weights.load_inception(path, sha256(path)) for path in paths]
    assert len({w.fingerprint for w in loaded}) == 1
    for path, w in zip(paths, loaded, strict=True):
        assert w.layers == {"64": 64} and w.name == f"inception_{sha256(path)[:8]}"


def test_folding_is_batch_normalisation(tmp_path):
    """With eps 1e-3: PyTorch's default of 1e-5 is the mistake that must show."""
    path, _ = as_files(tmp_path, tensors := stem())
    params = weights.load_inception(path, sha256(path)).params
    net = inception.InceptionV3(layers=("64",))
    x = np.random.default_rng(1).uniform(-1, 1, (1, 299, 299, 3)).astype(np.float32)
    result = jax.jit(net.apply)({"params": params}, x)["64"]

    def normalised(eps):
        y = x.astype(np.float64)
        for name, (stride, pad) in zip(SHAPES, [(2, 0), (1, 0), (1, 1)], strict=True):
            t = {k: tensors[f"{name}.{k}"] for k in ("conv.weight", "bn.weight", "bn.bias")}
            mean, var = (tensors[f"{name}.bn.running_{k}"] for k in ("mean", "var"))
            y = np.pad(y, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
            windows = np.lib.stride_tricks.sliding_window_view(y, (3, 3), axis=(1, 2))
            y = np.einsum(
                "bhwcij,dcij->bhwd",
                windows[:, ::stride, ::stride],
                t["conv.weight"].astype(np.float64),
                optimize=True,
            )
            y = (y - mean) / np.sqrt(var + eps) * t["bn.weight"] + t["bn.bias"]
            y = np.maximum(y, 0)
        windows = np.lib.stride_tricks.sliding_window_view(y, (3, 3), axis=(1, 2))
        return windows[:, ::2, ::2].max(axis=(-1, -2)).mean(axis=(1, 2))

    expected = normalised(1e-3)
    assert np.abs(result - expected).max() < 1e-5 * expected.max()
    assert np.abs(result - normalised(1e-5)).max() > 1e-3 * expected.max()


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    monkeypatch.delenv(weights.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_without_weights_it_says_where_it_looked_and_what_to_do(nowhere, monkeypatch):
    with pytest.raises(EvaluationError) as error:
        weights.load_inception()
    for part in (str(nowhere / "cache"), "6726825d", weights.URL, weights.VARIABLE, "allow"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)
    monkeypatch.setenv(weights.VARIABLE, "/elsewhere/w.pth")
    with pytest.raises(EvaluationError, match=r"no Inception weights at /elsewhere/w\.pth"):
        weights.load_inception()
    with pytest.raises(EvaluationError, match=r"no Inception weights at /given/w\.pth"):
        weights.load_inception("/given/w.pth", download=True)


def test_weights_are_found_by_variable_and_in_the_cache(nowhere, monkeypatch):
    path, _ = as_files(nowhere, stem())
    monkeypatch.setenv(weights.VARIABLE, str(path))
    found = weights.load_inception(sha256=sha256(path))
    monkeypatch.delenv(weights.VARIABLE)
    monkeypatch.setattr(weights, "OFFICIAL", "official.npz")
    monkeypatch.setattr(weights, "OFFICIAL_SHA256", sha256(path)[:8])
    (nowhere / "cache/gm_jax").mkdir(parents=True)
    (nowhere / "cache/gm_jax/official.npz").write_bytes(path.read_bytes())
    cached = weights.load_inception()
    assert cached.name == "inception" and found.name.startswith("inception_")
    assert cached.fingerprint == found.fingerprint


def test_a_download_is_kept_only_with_the_right_hash(nowhere, monkeypatch):
    path, _ = as_files(nowhere, stem())
    monkeypatch.setattr(weights, "URL", path.as_uri())
    monkeypatch.setattr(weights, "OFFICIAL", "official.npz")
    with pytest.raises(EvaluationError, match="expected 6726825d"):
        weights.load_inception(download=True)
    assert not list((nowhere / "cache").rglob("*.npz"))
    monkeypatch.setattr(weights, "OFFICIAL_SHA256", sha256(path)[:8])
    assert weights.load_inception(download=True).layers == {"64": 64}
    monkeypatch.setattr(weights, "URL", (nowhere / "missing").as_uri())
    assert weights.load_inception(download=True).layers == {"64": 64}
    (nowhere / "cache/gm_jax/official.npz").unlink()
    with pytest.raises(EvaluationError, match="could not be downloaded"):
        weights.load_inception(download=True)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_tampered_and_truncated_weights_are_refused(suffix, tmp_path):
    path = dict(zip(("npz", "safetensors"), as_files(tmp_path, stem()), strict=True))[suffix]
    stated, whole = sha256(path), path.read_bytes()
    with pytest.raises(EvaluationError, match="not Inception's known weights: its sha256 is"):
        weights.load_inception(path)
    path.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    with pytest.raises(EvaluationError, match=r"not .* as stated"):
        weights.load_inception(path, stated)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EvaluationError, match="broken or truncated"):
        weights.load_inception(path, sha256(path))


def test_an_unknown_pth_is_refused_before_it_is_opened(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(Attack(ran, (1,))))
    with pytest.raises(EvaluationError, match="not Inception's known weights"):
        weights.load_inception(path)


def test_layers_that_do_not_fit_are_named(tmp_path):
    def refused(change):
        path, _ = as_files(tmp_path, change(stem()))
        with pytest.raises(EvaluationError) as error:
            weights.load_inception(path, sha256(path))
        return str(error.value)

    nan = np.full((32, 3, 3, 3), np.nan, np.float32)
    assert "Conv2d_2b_3x3.bn.bias" in refused(
        lambda t: {k: v for k, v in t.items() if k != "Conv2d_2b_3x3.bn.bias"}
    )
    assert "NaN" in refused(lambda t: t | {"Conv2d_1a_3x3.conv.weight": nan})
    wide = np.zeros((32, 3, 5, 5), np.float32)
    assert "expected (3, 3, 3, 32)" in refused(lambda t: t | {"Conv2d_1a_3x3.conv.weight": wide})
    assert "torchvision" in refused(lambda t: t | {"AuxLogits.fc.bias": np.zeros(3, np.float32)})
    assert "no layers" in refused(lambda t: {"x": np.zeros(3, np.float32)})


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the checkout")
def test_the_true_folded_weights_are_known_in_any_container_and_not_when_altered(tmp_path):
    path = SHARED / "data/inception-fid-2015/inception_fid_folded_to_mixed_6e.npz"
    tensors = dict(np.load(path))
    save_file(tensors, tmp_path / "w.safetensors")
    loaded = [weights.load_inception(p) for p in (path, tmp_path / "w.safetensors")]
    assert [w.name for w in loaded] == ["inception"] * 2
    assert loaded[0].fingerprint == loaded[1].fingerprint
    features = protocols.inception_features(loaded[0])
    assert features.name == "inception" and "2048" not in features.layers
    tensors["Mixed_6e.branch_pool.bias"] = tensors["Mixed_6e.branch_pool.bias"] + np.float32(1e-3)
    np.savez(tmp_path / "altered.npz", **tensors)
    with pytest.raises(EvaluationError, match="not Inception's known weights"):
        weights.load_inception(tmp_path / "altered.npz")
