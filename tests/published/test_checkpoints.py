"""Published DiTs, ADMs and first stages, by their files' names, opened and sampled as they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch_files
from published_files import write_tiny
from safetensors.numpy import load_file, save_file

import gm_jax
from gm_jax.diffusion.shared import processes, schedules
from gm_jax.diffusion.shared.grids import SPACINGS
from gm_jax.nn import configurations
from gm_jax.nn.dit import DiT, patches_of, positions
from gm_jax.nn.unet import UNet
from gm_jax.recipes import load_config, schema_of
from gm_jax.settings import read
from gm_jax.weights import assign, dit, export, guided_diffusion, torch_names
from gm_jax.weights.assigning import KINDS, count
from gm_jax.weights.first_stages import vae_tables
from gm_jax.weights.stored import of_array

ONE, KEY = jax.devices()[:1], jax.random.key(0)
SMALL = dict(width=16, layers=2, heads=2, patch=2)


def dit_shapes(arguments, side):
    module = DiT(**arguments, classes=1000, out_channels=8)
    label = jnp.zeros(1, int)
    inputs = jnp.zeros((1, side, side, 4)), jnp.zeros(1), label
    return module, jax.eval_shape(module.init, KEY, *inputs)["params"]


def test_the_names_and_sizes_of_dit_xl_2():
    """Those of the authors' models.py: 28 blocks, a null label, positions beside the weights."""
    arguments = configurations.dit("XL", 2)
    _, shapes = dit_shapes(arguments, 32)
    table = dit.table(arguments | {"classes": 1000})
    found = {}
    for name, (path, kind) in table.items():
        leaf = shapes
        for part in path:
            leaf = leaf[part]
        found[name] = KINDS[kind].shape(leaf.shape)
    width, expected = 1152, {
        "x_embedder.proj.weight": (1152, 16), "x_embedder.proj.bias": (1152,),
        "t_embedder.mlp.0.weight": (1152, 256), "t_embedder.mlp.0.bias": (1152,),
        "t_embedder.mlp.2.weight": (1152, 1152), "t_embedder.mlp.2.bias": (1152,),
        "y_embedder.embedding_table.weight": (1001, 1152),
        "final_layer.linear.weight": (32, 1152), "final_layer.linear.bias": (32,),
        "final_layer.adaLN_modulation.1.weight": (2304, 1152),
        "final_layer.adaLN_modulation.1.bias": (2304,),
    }  # fmt: skip
    layers = (("attn.qkv", 3, 1), ("attn.proj", 1, 1), ("mlp.fc1", 4, 1), ("mlp.fc2", 1, 4),
              ("adaLN_modulation.1", 6, 1))  # fmt: skip
    for n in range(28):
        for name, outputs, inputs in layers:
            expected[f"blocks.{n}.{name}.weight"] = (outputs * width, inputs * width)
            expected[f"blocks.{n}.{name}.bias"] = (outputs * width,)
    assert found == expected
    assert count(shapes) + 256 * width == 675_129_632


def written(tmp_path, module, shapes, side, around=lambda state: {"ema": state, "opt": {}}):
    """A DiT's checkpoint as the authors' training writes it, and its parameters."""
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda s: np.float32(0.2 * rng.normal(size=s.shape)), shapes)
    tensors = export(dit.table(SMALL | {"classes": 1000}), params)
    patch = tensors["x_embedder.proj.weight"].reshape(-1, 2, 2, 4)
    tensors["x_embedder.proj.weight"] = np.ascontiguousarray(patch.transpose(0, 3, 1, 2))
    grid = positions((side // 2, side // 2), SMALL["width"])
    tensors["pos_embed"] = np.float32(grid)[None]
    return torch_files.write(tmp_path / "dit.pt", tensors, around=around), tensors, params


def test_patches_are_a_convolution(tmp_path):
    """By hand: out[d] = sum over c, p, q of W[d, c, p, q] x[c, p, q] at each patch."""
    module, shapes = dit_shapes(SMALL, 4)
    _, tensors, params = written(tmp_path, module, shapes, 4)
    stored = {name: of_array(x) for name, x in tensors.items()}
    table = dit.table(SMALL | {"classes": 1000})
    found = assign(table, dit.as_dense(stored), shapes, "dit", (dit.POSITIONS,))
    jax.tree.map(np.testing.assert_array_equal, found, params)
    x = np.random.default_rng(1).normal(size=(4, 4, 4))
    w = tensors["x_embedder.proj.weight"]
    ours = patches_of(x[None], 2)[0] @ found["patches"]["kernel"]
    for number, (row, column) in enumerate(((0, 0), (0, 2), (2, 0), (2, 2))):
        patch = x[row : row + 2, column : column + 2]
        expected = np.einsum("dcpq,pqc->d", w, patch)
        np.testing.assert_allclose(ours[number], expected, rtol=1e-4, atol=1e-5)


def published_dit(weights, first, **changed):
    config = load_config("configs/dit_imagenet.py:published")
    blank = dict(name="blank", size=8, channels=3, classes=1000, flip=False)
    config.update(weights=str(weights), data=blank, **changed)
    config.network.dit.update(SMALL)
    config.sampler.steps = 3
    config.stages.first.update(weights=str(first), data=blank)
    config.stages.first.network.update(widths=(4, 8), blocks=1, groups=4)
    return config


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("sd") / "tiny")


def refused(settings):
    with pytest.raises(gm_jax.UserError) as error:
        gm_jax.build(settings)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.slow
def test_a_dit_is_opened_through_stable_diffusions_first_stage(first, tmp_path):
    module, shapes = dit_shapes(SMALL, 4)
    path, tensors, params = written(tmp_path, module, shapes, 4)
    settings = published_dit(path, first)
    stage, phase = gm_jax.build(settings)
    assert stage.steps == phase.steps == 0
    jax.tree.map(np.testing.assert_array_equal, phase.start({}).params["network"], params)
    vae = load_file(first / "vae" / "model.safetensors")
    kernel = stage.start({}).params["autoencoder"]["encoder"]["conv_in"]["kernel"]
    np.testing.assert_array_equal(kernel, vae["encoder.conv_in.weight"].transpose(2, 3, 1, 0))
    less = {k: x for k, x in tensors.items() if k != "blocks.1.mlp.fc1.bias"} | {
        "more": np.ones(1, np.float32)
    }
    torch_files.write(path, less)
    message = refused(published_dit(path, first))
    assert "1 missing (blocks.1.mlp.fc1.bias); 1 unexpected (more)" in message
    torch_files.write(path, tensors | {"pos_embed": 2 * tensors["pos_embed"]})
    assert "its positions are not fixed ones" in refused(published_dit(path, first))
    assert "is not there" in refused(published_dit(tmp_path / "nothing", first))
    assert "holds no weights of a first stage" in refused(published_dit(path, tmp_path / "no"))
    torch_files.write(path, tensors)
    assert "steps is 0, and there are no weights" in refused(published_dit("", first))


@pytest.mark.slow
def test_a_dit_is_sampled_and_its_network_sees_the_time_from_zero(first, tmp_path):
    module, shapes = dit_shapes(SMALL, 4)
    path, _, params = written(tmp_path, module, shapes, 4)
    settings = published_dit(path, first)
    trained = gm_jax.load(tmp_path / "run", settings, ONE)
    drawn = gm_jax.sample(trained, 3)
    assert drawn["image"].shape == (3, 8, 8, 3) and list(drawn["label"]) == [0, 1, 2]
    other = gm_jax.sample(trained, 3, given={"label": 207})
    assert (other["image"] != drawn["image"]).any() and set(other["label"]) == {207}
    again = gm_jax.load(tmp_path / "run", None, ONE)  # As the workdir remembers it.
    np.testing.assert_array_equal(gm_jax.sample(again, 3)["image"], drawn["image"])
    assert float(trained.variables.state["scale"]["latent"]) == np.float32(0.18215)
    # It is fine-tuned from there, too, and its first stage stays as it is.
    tuned = published_dit(path, first, steps=1)
    tuned.report.every, tuned.optimizer.learning_rate = 1, 1e-3
    after = gm_jax.train(tuned, tmp_path / "tuned", ONE)
    kernel = np.asarray(after.variables.params["network"]["patches"]["kernel"])
    step = np.abs(kernel - params["patches"]["kernel"]).max()
    assert 0 < step < 2e-3
    loaded = gm_jax.load(tmp_path / "tuned", devices=ONE)
    jax.tree.map(np.testing.assert_array_equal, loaded.variables, after.variables)


def test_a_published_network_sees_the_time_from_zero():
    settings = load_config("configs/adm_imagenet64.py:published")
    settings.weights = "unread"
    process = read(schema_of(settings), settings).process()
    seen = []

    def predict(x, level):
        seen.append(level)
        return jnp.zeros((*x.shape[:-1], 6))

    points = SPACINGS["respaced"](process.schedule, 250).points
    for at in (points.take(0), points.take(249)):
        processes.evaluate(process, predict, jnp.zeros((2, 4, 4, 3)), at)
    np.testing.assert_array_equal(seen, [[999, 999], [0, 0]])


def test_times_are_respaced_as_published():
    """The authors' space_timesteps(1000, "250"), from 0 there."""
    expected = [round(i * 999 / 249) for i in range(250)]
    times = SPACINGS["respaced"](schedules.linear(1000), 250).points.time
    np.testing.assert_array_equal(times[:-1][::-1] - 1, expected)
    assert times[-1] == 0


ADM = dict(width=32, multipliers=(1, 2), blocks=1, attention_levels=(1,), head_width=16, groups=32)


def published_adm(path, **changed):
    config = load_config("configs/adm_imagenet64.py:published")
    config.update(weights=str(path), **changed)
    config.data.update(size=8, classes=10)
    config.network.update(ADM)
    config.sampler.steps = 2
    return config


@pytest.mark.parametrize("order", ["parts", "heads"])
def test_an_adm_is_opened_without_its_null_label(order, tmp_path):
    settings = published_adm("", steps=1, attention_order=order)
    (fresh,) = gm_jax.build(settings)
    one = jnp.zeros(1, jnp.int32)
    batch = {"image": jnp.zeros((1, 8, 8, 3)), "label": one, "index": one}
    shapes = jax.eval_shape(lambda: fresh.model.init(KEY, batch, None)).params["network"]
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda s: np.float32(0.2 * rng.normal(size=s.shape)), shapes)
    params["Embed_0"]["embedding"][-1] = 0.0  # The null label, which is not in the file.
    unet = settings.network.to_dict() | {"classes": 10}
    tensors = export(guided_diffusion.table(unet), params)
    if order == "parts":
        tensors = guided_diffusion.by_parts(tensors, unet)
    tensors["label_emb.weight"] = tensors["label_emb.weight"][:10]
    path = torch_files.write(tmp_path / "adm.pt", tensors)
    settings = published_adm(path, attention_order=order)
    (phase,) = gm_jax.build(settings)
    jax.tree.map(np.testing.assert_array_equal, phase.start({}).params["network"], params)
    first = "input_blocks.0.0.weight"
    torch_files.write(path, tensors | {first: tensors[first][:, :2]})
    assert f"1 misshapen ({first} is [32, 2, 3, 3], expected [32, 3, 3, 3])" in refused(settings)


def test_the_names_and_sizes_of_adm_64():
    """The table names every parameter of the published network once: 295.9 million."""
    own = configurations.ADM_64 | {"classes": 1000}
    module = UNet(**own, null_label=False, out_channels=6)
    inputs = jnp.zeros((1, 64, 64, 3)), jnp.zeros(1), jnp.zeros(1, int)
    shapes = jax.eval_shape(module.init, KEY, *inputs)["params"]
    table = guided_diffusion.table({"heads": (1,), **own})
    assert len(table) == len(jax.tree.leaves(shapes)) and count(shapes) == 295_904_454
    assert {"label_emb.weight", "out.2.bias", "output_blocks.11.1.qkv.weight"} <= set(table)


def test_a_first_stage_of_every_layout_is_the_same(first, tmp_path):
    config = published_dit("x", first).stages.first
    (phase,) = gm_jax.build(config)
    expected = phase.start({}).params["autoencoder"]
    config.weights = str(first / "vae")
    (again,) = gm_jax.build(config)
    jax.tree.map(np.testing.assert_array_equal, again.start({}).params["autoencoder"], expected)
    for table in vae_tables(torch_names(expected)).values():
        path = tmp_path / "vae.safetensors"
        save_file(export(table, expected), path)
        config.weights = str(path)
        (other,) = gm_jax.build(config)
        found = other.start({}).params["autoencoder"]
        jax.tree.map(np.testing.assert_array_equal, found, expected)
