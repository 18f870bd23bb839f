"""The authors' network pickles: read without running them, and their images."""

import pickle
from pathlib import Path

import jax
import numpy as np
import pytest
from stylegan2_golden import FOLDER, fill, needs_golden

import gm_jax
from gm_jax.adversarial.shared.styles import repeated
from gm_jax.adversarial.stylegan2 import export
from gm_jax.adversarial.stylegan2.published import open_published
from gm_jax.errors import UserError
from gm_jax.nn.stylegan2_layers import truncated
from gm_jax.recipes import schema_of
from gm_jax.settings import read
from gm_jax.weights.network_pickle import open_modules, tensors

TINY = FOLDER / "tiny_network.pkl"
CONFIG = "configs/stylegan2.py"


def opened(path=TINY, **changes):
    config = gm_jax.load_config(CONFIG)
    with config.unlocked():
        config.update_from_flattened_dict({"weights": str(path), **changes})
    return config


def images_of(trained, psi=1.0):
    """Images and logits of the golden latents, by the system's own networks and functions."""
    settings = read(schema_of(trained.config), trained.config)
    nets, variables = open_published(settings).nets, trained.variables
    with np.load(FOLDER / "tiny_network.npz") as file:
        z, label = file["z"], file["label"]

    @jax.jit
    def both(variables):
        w = nets.mapping(variables, z, label)
        styles = truncated(repeated(nets, w), variables.state["w_average"], psi)
        images = nets.synthesis(variables, styles, variables.state["noise"])
        return images, nets.discriminator(variables, images, label)

    return jax.device_get(both(variables._replace(opt={}, average={})))


def golden(name):
    with np.load(FOLDER / "tiny_network.npz") as file:
        x = file[name]
    return np.moveaxis(x, 1, -1) if x.ndim == 4 else x


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return gm_jax.load(tmp_path_factory.mktemp("tiny"), opened())


@needs_golden
def test_the_golden_images_and_logits(trained):
    images, logits = images_of(trained)
    np.testing.assert_allclose(images, golden("image"), atol=2e-5 * np.abs(golden("image")).max())
    np.testing.assert_allclose(logits, golden("logits"), rtol=1e-4)
    images, _ = images_of(trained, 0.5)
    expected = golden("image_psi_half")
    np.testing.assert_allclose(images, expected, atol=2e-5 * np.abs(expected).max())


@needs_golden
def test_samples_of_a_class(trained):
    """Without data the classes take turns; one can be asked for."""
    drawn = gm_jax.sample(trained, 4)
    assert drawn["image"].shape == (4, 8, 8, 3) and drawn["image"].dtype == np.uint8
    np.testing.assert_array_equal(drawn["label"], np.arange(4) % 3)
    again = gm_jax.sample(trained, 4, given={"label": 1})
    np.testing.assert_array_equal(again["label"], 1)
    np.testing.assert_array_equal(again["image"][1], drawn["image"][1])
    assert (again["image"][2] != drawn["image"][2]).any()


@needs_golden
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_an_exported_file_gives_the_same_images(trained, suffix, tmp_path):
    path = export(trained, tmp_path / f"out{suffix}")
    state = open_modules(TINY)["G_ema"].state["_init_kwargs"]
    widths = {k: state["synthesis_kwargs"][f"channel_{k}"] for k in ("base", "max")}
    sizes = {f"{p}.base": widths["base"] for p in ("generator", "discriminator")}
    sizes |= {f"{p}.most": widths["max"] for p in ("generator", "discriminator")}
    sizes |= {
        "generator.latents": state["z_dim"], "generator.styles": state["w_dim"],
        "generator.mapping": state["mapping_kwargs"]["num_layers"],
        "discriminator.mapping": 2, "generator.clamp": 256.0, "discriminator.clamp": 256.0,
    }  # fmt: skip
    again = gm_jax.load(tmp_path / "run", opened(path, **sizes))
    for a, b in zip(images_of(trained), images_of(again), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(UserError, match="exists"):
        export(trained, path)
    with pytest.raises(UserError, match=r"\.safetensors or \.npz"):
        export(trained, tmp_path / "out.pkl")


@needs_golden
def test_every_tensor_is_read():
    modules = open_modules(TINY)
    assert set(modules) >= {"G", "D", "G_ema"}
    for name, module in modules.items():
        for parameter, tensor in tensors(module).items():
            if not parameter.endswith("resample_filter"):
                expected = fill(f"pkl_{name}/{parameter}", tensor.shape, "gm-p")
                np.testing.assert_array_equal(tensor.load(), np.float32(expected))


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_what_a_file_would_run_is_refused(tmp_path):
    file, victim = tmp_path / "evil.pkl", tmp_path / "ran"
    file.write_bytes(pickle.dumps({"G_ema": Evil(victim)}))
    with pytest.raises(UserError, match="it names pathlib.*, which is no part of a network"):
        open_modules(file)
    assert not victim.exists()


def test_other_files_are_refused_in_a_line(tmp_path):
    file = tmp_path / "other.pkl"
    with pytest.raises(UserError, match="is not there"):
        open_modules(file)
    file.write_bytes(pickle.dumps({"weights": [1.0, 2.0]}))
    with pytest.raises(UserError, match="holds no G_ema"):
        open_modules(file)
    file.write_bytes(b"cdnnlib.tflib.network\nNetwork\n.")
    with pytest.raises(UserError, match="TensorFlow code: convert it"):
        open_modules(file)
    file.write_bytes(b"not a pickle")
    with pytest.raises(UserError, match="no network pickle, or a broken one"):
        open_modules(file)


@needs_golden
def test_a_truncated_file_is_refused(tmp_path):
    file = tmp_path / "short.pkl"
    file.write_bytes(TINY.read_bytes()[:30_000])
    with pytest.raises(UserError, match="broken"):
        open_modules(file)


@needs_golden
def test_a_storage_of_another_size_is_refused(tmp_path):
    """It says six numbers and holds six; here it says seven."""
    data, file = TINY.read_bytes(), tmp_path / "size.pkl"
    said = (6).to_bytes(8, "little")
    assert said in data
    file.write_bytes(data.replace(said, (7).to_bytes(8, "little")))
    with pytest.raises(UserError, match="a storage of the wrong size"):
        open_modules(file)


@needs_golden
def test_another_network_is_refused(tmp_path):
    """Names and shapes are checked before anything is built."""
    data = TINY.read_bytes()
    file = tmp_path / "renamed.pkl"
    file.write_bytes(data.replace(b"\x8c\x06affine", b"\x8c\x06AFFINE"))
    with pytest.raises(UserError, match=r"does not fit this network: tensors are .* missing"):
        gm_jax.load(tmp_path / "run", opened(file))
