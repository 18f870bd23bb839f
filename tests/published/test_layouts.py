"""Names and shapes of the full-size networks in both layouts, none of them allocated."""

import jax
import jax.numpy as jnp
import pytest
from golden import layouts

from gm_jax.diffusion.stable_diffusion import networks
from gm_jax.diffusion.stable_diffusion.layouts import text_tables
from gm_jax.errors import UserError
from gm_jax.nn.latent_autoencoder import KLAutoencoder
from gm_jax.nn.text_tower import TextTower
from gm_jax.weights import torch_names
from gm_jax.weights.assigning import KINDS, count
from gm_jax.weights.first_stages import vae_tables


def shapes_of(module, *inputs):
    return jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]


def shape_in(entry, shapes):
    """A tensor's shape by its entry in a table."""
    path, kind = entry
    for part in path:
        shapes = shapes[part]
    return list(KINDS[kind].shape(shapes.shape))


def agree(tables, shapes, rows):
    """The two tables hold the same names, and shapes, as rows of [name, shape, original, ...]."""
    first, original = tables
    assert sorted(first) == sorted(row[0] for row in rows)
    assert sorted(original) == sorted(row[2] for row in rows)
    for name, shape, other, *other_shape in rows:
        assert shape_in(first[name], shapes) == shape, name
        assert shape_in(original[other], shapes) == (other_shape or [shape])[0], other
        assert first[name][0] == original[other][0], name


def test_the_autoencoder(shared):
    full = layouts(shared)
    shapes = shapes_of(KLAutoencoder(), jnp.zeros((1, 8, 8, 3)))
    assert count(shapes) == full["parameters"]["vae"]
    tables = vae_tables(torch_names(shapes))
    agree((tables["diffusers"], tables["original"]), shapes, full["layouts"]["vae"])
    old = tables["diffusers, old"]
    assert "encoder.mid_block.attentions.0.proj_attn.bias" in old
    assert len(old) == len(tables["diffusers"])


TOWERS = {
    "sd15.text_encoder": TextTower(49408, 49407),
    "sd21.text_encoder": TextTower(
        49408, 49407, width=1024, layers=23, heads=16, hidden=4096, activation="gelu"
    ),
}


@pytest.mark.parametrize("name", TOWERS)
def test_the_text_encoders(name, shared):
    full = layouts(shared)
    shapes = shapes_of(TOWERS[name], jnp.zeros((1, 77), int))
    assert count(shapes) == full["parameters"][name]
    rows = full["layouts"][name]
    tables = text_tables(torch_names(shapes))
    if rows[0][2] is None:  # The original is OpenCLIP's, as in CLIP's own files.
        rows = [[name, shape, name] for name, shape, _ in rows]
        agree((tables["transformers"], tables["transformers"]), shapes, rows)
    else:
        agree((tables["transformers"], tables["original"]), shapes, rows)


def test_openclips_names_are_those_of_openais_text_transformer(shared):
    """A tower of CLIP's own size names exactly what openai's file holds beside its image tower."""
    full = layouts(shared)
    tables = text_tables(
        torch_names(shapes_of(TOWERS["sd15.text_encoder"], jnp.zeros((1, 77), int)))
    )
    published = {
        name for name, _ in full["layouts"]["openai_vit_l14"]
        if not name.startswith("visual.") and name not in ("logit_scale", "text_projection")
    }  # fmt: skip
    ours = {name.removeprefix("cond_stage_model.model.") for name in tables["openclip"]}
    joint = {
        name.replace(f"{part}_proj.", "in_proj_") for name in ours for part in "qkv"
        if f".{part}_proj." in name
    }  # fmt: skip
    plain = {name for name in ours if not any(f".{part}_proj." in name for part in "qkv")}
    assert plain | joint == published


UNETS = {
    "sd15.unet": networks.SD1_UNET,
    "sd21.unet": networks.SD2_UNET,
    "sd15_inpainting.unet": networks.SD1_UNET | {"in_channels": 9},
}


@pytest.mark.parametrize("name", UNETS)
def test_the_unets(name, shared):
    full = layouts(shared)
    made = networks.unet(UNETS[name], jnp.float32)
    assert count(made.shapes) == full["parameters"][name]
    if name in full["layouts"]:
        tables = made.tables["diffusers"], made.tables["original"]
        agree(tables, made.shapes, full["layouts"][name])


def test_the_published_configurations_of_the_other_networks():
    for config, expected in ((networks.SD1_TEXT, "sd15"), (networks.SD2_TEXT, "sd21")):
        made = networks.text_encoder(config, jnp.float32)
        assert made.network.module == TOWERS[f"{expected}.text_encoder"]
    assert networks.vae(networks.VAE, jnp.float32).network.module == KLAutoencoder()


@pytest.mark.parametrize(
    "kind, config, message",
    [
        ("unet", {"addition_embed_type": "text_time"}, "addition_embed_type is 'text_time'"),
        ("unet", {"up_block_types": ["UpBlock2D"] * 4}, "up_block_types is"),
        ("vae", {"shift_factor": 0.1}, "shift_factor is 0.1"),
        ("vae", {"down_block_types": ["AttnDownEncoderBlock2D"]}, "down_block_types"),
        ("text_encoder", {"hidden_act": "relu"}, "hidden_act is 'relu'"),
    ],
)
def test_another_architecture_is_refused(kind, config, message):
    with pytest.raises(UserError, match=f"{kind}: {message}.*another architecture"):
        networks.NETWORKS[kind](config, jnp.float32)
