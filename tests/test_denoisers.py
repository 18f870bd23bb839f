"""U-Nets equal to published ones, denoisers of their published sizes."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from golden import PRECISIONS, TOLERANCES, Golden, golden
from published_files import nchw, relative

from gm_jax.diffusion.stable_diffusion import networks
from gm_jax.nn import configurations
from gm_jax.nn.dit import DiT
from gm_jax.nn.unet import UNet, UNetSettings
from gm_jax.settings import read
from gm_jax.weights import assign, export, guided_diffusion
from gm_jax.weights.assigning import KINDS, count
from gm_jax.weights.stored import of_array

KEY = jax.random.key(0)
FIXTURE = json.loads((Path(__file__).parent / "fixtures" / "denoisers.json").read_text())
FIRST_BLOCKS = ("input_blocks.1", "down_blocks.0.resnets.0")


def network_of(case, dtype):
    """A case's module, its parameters' shapes and its table of names."""
    config, dtype = case["config"], jnp.dtype(dtype)
    if "diffusers" in case["torch_class"]:
        made = networks.unet(config, dtype)
        return made.network.module, made.shapes, made.tables["diffusers"]
    module = UNet(**guided_diffusion.arguments(config), dtype=dtype)
    x, label = jnp.zeros((1, 8, 8, config["in_channels"])), jnp.zeros(1, int)
    shapes = jax.eval_shape(module.init, KEY, x, jnp.zeros(1), label)["params"]
    return module, shapes, guided_diffusion.table(guided_diffusion.arguments(config))


def inputs_of(models, name):
    """{output: arguments of the module} of a case."""
    inputs = models.cases[name]["inputs"]
    if "x" in inputs:
        inputs = {"output": inputs}
    for output, shapes in inputs.items():
        stem = name if output == "output" else f"{name}.{output}"
        x = nchw(models.value(f"{stem}.x", shapes["x"]))
        label = jnp.asarray(shapes["y"]) if "y" in shapes else None
        context = shapes.get("context")
        if context:
            context = jnp.asarray(models.value(f"{stem}.context", context))
        yield output, (x, jnp.asarray(shapes["timesteps"]), label, None, context)


def agrees(models, name, dtype):
    """The outputs of a case, from weights that are read by their published names."""
    case = models.cases[name]
    with jax.enable_x64(dtype == "float64"):
        module, shapes, table = network_of(case, dtype)
        weights = models.weights(
            (key, KINDS[kind].shape(at(shapes, path).shape)) for key, (path, kind) in table.items()
        )
        tensors = {key: of_array(x) for key, x in weights.items()}
        params = assign(table, tensors, shapes, name)
        # guided-diffusion's softmax is in float32 whatever the rest is; before it all is exact.
        tolerance = max(TOLERANCES[dtype], 0 if "diffusers" in case["torch_class"] else 2e-7)
        for output, inputs in inputs_of(models, name):
            found, block = first_block_and_output(module, params, inputs)
            assert found.dtype == dtype
            expected = np.asarray(models.outputs[f"{name}/{output}"])
            stride = case.get("stride", 1)
            error = relative(found[:, ::stride, ::stride], expected)
            assert error < tolerance, (name, output, error)
            if output == case.get("probes_of", "output"):
                probe = next(v for k, v in case["probes"].items() if k in FIRST_BLOCKS)
                moments = [block.mean(), np.sqrt((block**2).mean()), block.min(), block.max()]
                np.testing.assert_allclose(moments, probe, atol=TOLERANCES[dtype])
    back = export(table, params)
    assert all(np.array_equal(back[key], x) for key, x in weights.items())
    return weights


def first_block_and_output(module, params, inputs):
    """The output, and that of the first residual block."""

    @jax.jit
    def call(params, inputs):
        return module.apply(
            {"params": params}, *inputs,
            capture_intermediates=lambda part, _: part.name == "ResidualBlock_0",
        )  # fmt: skip

    found, state = call(params, inputs)
    return found, np.asarray(state["intermediates"]["ResidualBlock_0"]["__call__"][0])


def at(tree, path):
    for part in path:
        tree = tree[part]
    return tree


def copied() -> Golden:
    """Two small cases, at some pixels."""
    cases = FIXTURE["cases"]
    outputs = {
        f"{name}/{output}": np.asarray(values)
        for name, case in cases.items() for output, values in case["outputs"].items()
    }  # fmt: skip
    return Golden(FIXTURE["salt"], cases, outputs)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", FIXTURE["cases"])
def test_unets_at_some_pixels(name, dtype):
    weights = agrees(copied(), name, dtype)
    assert sum(x.size for x in weights.values()) == FIXTURE["cases"][name]["parameters"]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("family", ["UNet2DConditionModel", "guided-diffusion"])
def test_unets_are_the_reference_implementations(family, dtype, shared):
    models = golden(shared, "models")
    names = [name for name, case in models.cases.items() if family in case["torch_class"]]
    assert names
    for name in names:
        weights = agrees(models, name, dtype)
        assert {k: list(x.shape) for k, x in weights.items()} == dict(models.cases[name]["keys"])


@pytest.mark.slow
def test_the_default_unet_is_as_it_always_was():
    """Its parameters' names and its results: an old run continues as it began."""
    case, models = FIXTURE["default_unet"], Golden("default", {}, {})
    module = UNet(**read(UNetSettings, without(case["settings"], "classes")).__dict__, classes=3)
    x, label = jnp.asarray(models.value("x", (2, 8, 8, 3))), jnp.array([0, 3])
    shapes = jax.eval_shape(module.init, KEY, x, jnp.zeros(2), label)["params"]
    flat = traverse_util.flatten_dict(shapes, sep="/")
    params = models.weights((name, leaf.shape) for name, leaf in flat.items())
    params = traverse_util.unflatten_dict(params, sep="/")
    found = jax.jit(module.apply)({"params": params}, x, jnp.array([3, 700]), label)
    found = np.asarray(found)[:, ::4, ::4].reshape(2, -1)
    np.testing.assert_allclose(found, case["outputs"], atol=2e-6)


def without(settings, name):
    return {key: value for key, value in settings.items() if key != name}


SIZES = {
    # Ho et al. 2020: 35.7 M; the exact number is that of the checkpoint google/ddpm-cifar10-32.
    "DDPM CIFAR-10": (UNet(**configurations.DDPM_CIFAR10), (32, 32, 3), None, 35_746_307),
    # Dhariwal & Nichol 2021, table 4: 296 M.
    "ADM-64": (
        UNet(**configurations.ADM_64, classes=1000, null_label=False, out_channels=6),
        (64, 64, 3), None, 295_904_454,
    ),
    "SD 1.5": (UNet(**configurations.SD1, out_channels=4), (64, 64, 4), 768, 859_520_964),
    # Peebles & Xie 2023, table 1: 130 M and 675 M; the code's 675,129,632 counts the positions.
    "DiT-B/4": (
        DiT(**configurations.dit("B", 4), classes=1000, out_channels=8),
        (32, 32, 4), None, 130_426_496,
    ),
    "DiT-XL/2": (
        DiT(**configurations.dit("XL", 2), classes=1000, out_channels=8),
        (32, 32, 4), None, 675_129_632 - 256 * 1152,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes(name):
    module, shape, width, parameters = SIZES[name]
    context = None if width is None else jnp.zeros((1, 77, width))

    def init():
        x, one = jnp.zeros((1, *shape)), jnp.zeros(1, int)
        return module.init_with_output(KEY, x, one, one, None, context)

    output, variables = jax.eval_shape(init)
    assert output.shape == (1, *shape[:2], module.out_channels or shape[2])
    assert count(variables["params"]) == parameters


@pytest.mark.slow
def test_a_published_size_is_what_its_own_configuration_makes():
    """Of Stable Diffusion by diffusers' config.json, of ADM by guided-diffusion's flags."""
    for config, ours in (
        (networks.SD1_UNET, configurations.SD1),
        (networks.SD2_UNET, configurations.SD2),
    ):
        made = networks.unet(config, jnp.float32).network.module
        assert made == UNet(**ours, out_channels=4)
    adm = {
        "model_channels": 192, "num_res_blocks": 3, "channel_mult": (1, 2, 3, 4),
        "attention_resolutions": (2, 4, 8), "num_head_channels": 64, "dropout": 0.1,
        "use_scale_shift_norm": True, "resblock_updown": True, "num_classes": 1000,
        "out_channels": 6,
    }  # fmt: skip
    made = UNet(**guided_diffusion.arguments(adm))
    assert made == UNet(**configurations.ADM_64, classes=1000, null_label=False, out_channels=6)
