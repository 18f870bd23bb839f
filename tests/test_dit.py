"""DiT by hand in float64, and the choice between it and the U-Net."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_gates import dense, sigma, somewhere
from twins.game import game

import gm_jax
from gm_jax import zoo
from gm_jax.diffusion.shared.denoisers import NetworkSettings, module_of
from gm_jax.model import Field
from gm_jax.nn import configurations
from gm_jax.nn.dit import DiT
from gm_jax.nn.unet import UNet
from gm_jax.recipes import complete, load_config, schema_of
from gm_jax.settings import read
from gm_jax.weights.assigning import count

PATCH, WIDTH, HEADS = 2, 8, 2


def norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def swish(x):
    return x * sigma(x)


def gelu(x):
    """The approximation by tanh, as in the published code."""
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


def waves(values, count, cosines_first=False):
    angles = np.reshape(values, (-1, 1)) * 10_000.0 ** (-np.arange(count) / count)
    both = [np.sin(angles), np.cos(angles)]
    return np.concatenate(both[::-1] if cosines_first else both, axis=-1)


def attention(params, x):
    """Of the published order: rows of q, k and v, each head after head."""
    joint = dense(params["query_key_value"], x)
    q, k, v = np.moveaxis(joint.reshape(*x.shape[:2], 3, HEADS, -1), 2, 0)
    weights = softmax(np.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(q.shape[-1]))
    return dense(params["mix"], np.einsum("bhqk,bkhd->bqhd", weights, v).reshape(x.shape))


def by_hand(params, x, t, label):
    """Peebles & Xie 2023, figure 3, for 4 x 6 images."""
    rows, columns = 2, 3
    tokens = np.stack(
        [x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].reshape(2, -1)
         for i in range(rows) for j in range(columns)], axis=1,
    )  # fmt: skip
    i, j = np.divmod(np.arange(rows * columns), columns)
    h = dense(params["patches"], tokens)
    h = h + np.concatenate([waves(j, WIDTH // 4), waves(i, WIDTH // 4)], axis=-1)
    c = dense(params["level_in"], waves(t, 128, cosines_first=True))
    c = dense(params["level_out"], swish(c)) + params["labels"]["embedding"][label]
    for block in ("block_0", "block_1"):
        own = params[block]
        parts = np.split(dense(own["modulation"], swish(c))[:, None], 6, axis=-1)
        shift, scale, gate, shift_2, scale_2, gate_2 = parts
        h = h + gate * attention(own, norm(h) * (1 + scale) + shift)
        hidden = gelu(dense(own["up"], norm(h) * (1 + scale_2) + shift_2))
        h = h + gate_2 * dense(own["down"], hidden)
    shift, scale = np.split(dense(params["last_modulation"], swish(c))[:, None], 2, axis=-1)
    h = dense(params["last"], norm(h) * (1 + scale) + shift)
    image = np.zeros((2, 4, 6, 5))
    for n, (row, column) in enumerate(zip(i, j, strict=True)):
        square = h[:, n].reshape(2, PATCH, PATCH, 5)
        image[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = square
    return image


def test_dit_is_the_papers():
    net = DiT(
        patch=PATCH, width=WIDTH, layers=2, heads=HEADS, classes=3, out_channels=5,
        dtype=jnp.float64,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x, t, label = rng.normal(size=(2, 4, 6, 3)), np.array([3.0, 700.5]), np.array([3, 1])
    params, found = somewhere(net, x, t, label)
    expected = by_hand(params, x, t, label)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size, patch, millions", [("S", 2, 33), ("B", 4, 130), ("L", 2, 458)])
def test_millions_of_parameters(size, patch, millions):
    """Table 1, which counts the positions; tests/test_denoisers.py has the exact numbers."""
    net = DiT(**configurations.dit(size, patch), classes=1000, out_channels=8)
    x = jnp.zeros((1, 32, 32, 4))
    shapes = jax.eval_shape(net.init, jax.random.key(0), x, jnp.zeros(1), jnp.zeros(1, int))
    positions = (32 // patch) ** 2 * net.width
    assert round((count(shapes["params"]) + positions) / 1e6) == millions


def chosen(**settings):
    return module_of(read(NetworkSettings, settings, "network."), 3, 0, jnp.float32)


def test_a_network_is_chosen_by_name_and_is_a_unet_if_none_is_named():
    assert chosen(width=8) == UNet(width=8, classes=3)
    assert chosen(name="dit", dit=dict(width=8)) == DiT(width=8, classes=3)
    with pytest.raises(gm_jax.UserError, match="network.name is 'vit': it must be one of: unet, d"):
        chosen(name="vit")
    with pytest.raises(gm_jax.UserError, match="network.dit: width 8 does not divide into heads 3"):
        chosen(name="dit", dit=dict(width=8, heads=3))


def test_captions_are_for_networks_that_read_a_context():
    recipe = load_config("configs/latent_diffusion_emoji.py").to_dict()
    for changes, refused in (
        (dict(transformer_blocks=0), True),
        (dict(name="dit"), False),
        (dict(name="dit", transformer_blocks=0), False),
    ):
        settings = recipe | {"network": recipe["network"] | changes}
        try:
            read(schema_of(settings), settings)
        except gm_jax.UserError as error:
            assert refused and "network.transformer_blocks of 1 or more" in str(error)
        else:
            assert not refused


def test_a_run_from_before_there_was_a_choice_has_a_unet():
    old = load_config("configs/ddpm_digits.py").to_dict()
    for name in ("name", "dit"):
        del old["network"][name]
    settings = complete(old)
    assert settings.network.name == "unet" and settings.network.width == 32


def parameters_of(recipe, shape, stages=None, **changes):
    """Of a recipe's network at its full size, none of them allocated."""
    settings = load_config(f"configs/{recipe}")
    system, spec = zoo.SYSTEMS[settings.system], {
        "image": Field(shape, 256), "label": Field((), 1000)
    }  # fmt: skip
    phase = system.build(read(schema_of(settings), settings), spec, stages or {})[-1]
    one = jnp.zeros(1, jnp.int32)
    batch = {"image": jnp.zeros((1, *shape)), "label": one, "index": one}
    made = jax.eval_shape(lambda: phase.model.init(jax.random.key(0), batch, None))
    return count(made.params["network"])


def test_recipes_of_published_scale_have_the_published_sizes():
    assert parameters_of("ddpm_cifar10.py", (32, 32, 3)) == 35_746_307
    null_label = 4 * 192
    assert parameters_of("adm_imagenet64.py", (64, 64, 3)) == 295_904_454 + null_label


@pytest.mark.parametrize("variant, published, width, patch", [
    ("", 675_129_632, 1152, 2), (":b4", 130_475_648, 768, 4),
])  # fmt: skip
def test_the_dits_of_imagenet_have_the_published_sizes(variant, published, width, patch):
    first = load_config("configs/dit_imagenet.py").stages.first
    spec = {"image": Field((256, 256, 3), 256), "label": Field((), 1000)}
    phase = zoo.SYSTEMS["first_stage"].build(read(schema_of(first), first), spec, {})[-1]
    stages = {"first": gm_jax.model.Stage(phase.model, "first")}
    positions = (32 // patch) ** 2 * width  # Counted there, none of the parameters here.
    found = parameters_of(f"dit_imagenet.py{variant}", (256, 256, 3), stages)
    assert found + positions == published


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["dit_digits", "latent_diffusion_emoji"])
def test_systems_train_a_dit_in_bfloat16(recipe):
    small = {"name": "dit", "dit.width": 8, "dit.layers": 1, "dit.heads": 2}
    of = game(recipe, dtype="bfloat16", **{f"network.{name}": x for name, x in small.items()})
    assert np.isfinite(of.play().value)
