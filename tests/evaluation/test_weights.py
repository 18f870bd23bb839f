import hashlib
import os
import pickle
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file
from torch_files import Reduced, write

from gm_jax.errors import UserError
from gm_jax.evaluation import inception, protocols, weights

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


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def as_files(directory, tensors):
    np.savez(directory / "w.npz", **tensors)
    save_file(tensors, directory / "w.safetensors")
    return directory / "w.npz", directory / "w.safetensors"


def test_all_containers_give_the_same_folded_weights(tmp_path):
    paths = [*as_files(tmp_path, stem()), write(tmp_path / "legacy.pth", stem())]
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
    monkeypatch.delenv(weights.OFFICIAL.variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_without_weights_it_says_where_it_looked_and_what_to_do(nowhere, monkeypatch):
    with pytest.raises(UserError) as error:
        weights.load_inception()
    for part in (
        str(nowhere / "cache"),
        "6726825d",
        weights.OFFICIAL.url,
        weights.OFFICIAL.variable,
        "allow",
    ):
        assert part in str(error.value)
    assert "\n" not in str(error.value)
    monkeypatch.setenv(weights.OFFICIAL.variable, "/elsewhere/w.pth")
    with pytest.raises(UserError, match=r"no Inception weights at /elsewhere/w\.pth"):
        weights.load_inception()
    with pytest.raises(UserError, match=r"no Inception weights at /given/w\.pth"):
        weights.load_inception("/given/w.pth", download=True)


def test_weights_are_found_by_variable_and_in_the_cache(nowhere, monkeypatch):
    path, _ = as_files(nowhere, stem())
    monkeypatch.setenv(weights.OFFICIAL.variable, str(path))
    found = weights.load_inception(sha256=sha256(path))
    monkeypatch.delenv(weights.OFFICIAL.variable)
    official = weights.OFFICIAL._replace(file="official.npz", sha256=sha256(path)[:8])
    monkeypatch.setattr(weights, "OFFICIAL", official)
    (nowhere / "cache/gm_jax").mkdir(parents=True)
    (nowhere / "cache/gm_jax/official.npz").write_bytes(path.read_bytes())
    cached = weights.load_inception()
    assert cached.name == "inception" and found.name.startswith("inception_")
    assert cached.fingerprint == found.fingerprint


def test_a_download_is_kept_only_with_the_right_hash(nowhere, monkeypatch):
    path, _ = as_files(nowhere, stem())

    def official(**changed):
        monkeypatch.setattr(weights, "OFFICIAL", weights.OFFICIAL._replace(**changed))

    official(file="official.npz", url=path.as_uri())
    with pytest.raises(UserError, match="expected 6726825d"):
        weights.load_inception(download=True)
    assert not list((nowhere / "cache").rglob("*.npz"))
    official(sha256=sha256(path)[:8])
    assert weights.load_inception(download=True).layers == {"64": 64}
    official(url=(nowhere / "missing").as_uri())
    assert weights.load_inception(download=True).layers == {"64": 64}
    (nowhere / "cache/gm_jax/official.npz").unlink()
    with pytest.raises(UserError, match="could not be downloaded"):
        weights.load_inception(download=True)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_tampered_and_truncated_weights_are_refused(suffix, tmp_path):
    path = dict(zip(("npz", "safetensors"), as_files(tmp_path, stem()), strict=True))[suffix]
    stated, whole = sha256(path), path.read_bytes()
    with pytest.raises(UserError, match="not Inception's known weights: its sha256 is"):
        weights.load_inception(path)
    path.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    with pytest.raises(UserError, match=r"not .* as stated"):
        weights.load_inception(path, stated)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="broken or truncated"):
        weights.load_inception(path, sha256(path))


def test_an_unknown_pth_is_refused_before_it_is_opened(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(Reduced(print, ("called",))))
    with pytest.raises(UserError, match="not Inception's known weights"):
        weights.load_inception(path)


def test_layers_that_do_not_fit_are_named(tmp_path):
    def refused(change):
        path, _ = as_files(tmp_path, change(stem()))
        with pytest.raises(UserError) as error:
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
    with pytest.raises(UserError, match="not Inception's known weights"):
        weights.load_inception(tmp_path / "altered.npz")
