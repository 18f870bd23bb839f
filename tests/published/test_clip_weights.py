"""CLIP against its reference implementations: both towers, both layouts, all sizes."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import PRECISIONS, TOLERANCES, golden, layouts
from published_files import nchw, relative
from safetensors.numpy import save_file

from gm_jax.multimodal import clip
from gm_jax.multimodal.shared import clip_files
from gm_jax.networks import Network
from gm_jax.nn.clip_resnet import ClipResNet
from gm_jax.nn.text_tower import TextTower
from gm_jax.nn.vit import ViT
from gm_jax.weights import clip as names
from gm_jax.weights.assigning import KINDS, count

CASES = ("clip_vit", "openai_clip_vit", "openai_clip_resnet")


def write(models, name, folder):
    """A case as it would be published: a folder with config.json, or one file."""
    case = models.cases[name]
    path = folder / f"{name}.safetensors"
    if name == "clip_vit":
        (folder / "config.json").write_text(json.dumps(case["config"]))
        path = folder / "model.safetensors"
    save_file(models.weights(case["keys"]), path)
    return folder if name == "clip_vit" else path


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", CASES)
def test_every_output(name, dtype, shared, tmp_path):
    models, tolerance = golden(shared, "models"), TOLERANCES[dtype]
    case = models.cases[name]
    ids = np.array(case["inputs"]["ids"])
    given = nchw(models.value(f"{name}.image", case["inputs"]["image"]))
    with jax.enable_x64(dtype == "float64"):
        opened = clip_files.open_clip(write(models, name, tmp_path), jnp.dtype(dtype))
        variables = clip_files.read(opened, np.dtype(dtype))
        image, text = (Network(n, getattr(opened.towers, n)) for n in ("image", "text"))
        x = jnp.asarray(given, dtype)
        seen, read = image(variables, x), text(variables, jnp.asarray(ids))
        embeds = clip.normalised(seen.pooled), clip.normalised(read.pooled)
        logits = jnp.exp(variables.params["scale"]["log"].astype(dtype)) * embeds[0] @ embeds[1].T
    assert variables.params["scale"]["log"].shape == ()
    ours = {"logits_per_image": logits}
    if name == "clip_vit":
        ours |= {"image_embeds": embeds[0], "text_embeds": embeds[1]}
        ours |= {"vision_last_hidden_state": seen.tokens}
        pooled = Network("image", opened.towers.image.clone(projection=0))
        with jax.enable_x64(dtype == "float64"):
            ours["vision_pooler_output"] = pooled(variables, x).pooled
            ours["loss"] = losses(logits)[None]
    else:
        ours |= {"image_features": seen.pooled, "text_features": read.pooled}
    expected = {k.split("/")[1]: v for k, v in models.outputs.items() if k.startswith(name + "/")}
    assert sorted(ours) == sorted(expected)
    for output, value in expected.items():
        assert ours[output].dtype == dtype
        assert relative(ours[output], value) < tolerance, output


def losses(logits):
    """The loss of transformers, by our own."""
    pairs, none = jnp.arange(len(logits)), jnp.zeros(logits.shape, bool)
    return 0.5 * sum(jnp.mean(clip.info_nce(x, pairs, none)) for x in (logits, logits.T))


TEXT = TextTower(49408, 49407, width=512, heads=8, hidden=2048, projection=512)
LARGE = TextTower(49408, 49407, projection=768)
VIT_L = clip_files.Towers(ViT(14, 1024, 24, 16, 4096, projection=768), LARGE, 224)
SIZES = {
    "openai_vit_b32": clip_files.Towers(ViT(projection=512), TEXT, 224),
    "openai_vit_b16": clip_files.Towers(ViT(16, projection=512), TEXT, 224),
    "openai_vit_l14": VIT_L,
    "clip_vit_l14": VIT_L,
    "openai_rn50": clip_files.Towers(ClipResNet(), TEXT.clone(projection=1024), 224),
}


@pytest.mark.parametrize("name", SIZES)
def test_parameters_and_names_of_the_published_sizes(name, shared):
    full = layouts(shared)
    shapes = clip_files.shapes_of(SIZES[name])
    trained = {part: tree for part, tree in shapes.items() if part != "statistics"}
    assert count(trained) == full["parameters"][name]
    if name not in full["layouts"]:
        return
    own = names.tables(shapes["text"], shapes["image"], shapes.get("statistics", {}))
    table = own["transformers" if name == "clip_vit_l14" else "openai"]
    ours = {key: list(KINDS[kind].shape(leaf(shapes, path))) for key, (path, kind) in table.items()}
    joined = names.join_parts({key: np.zeros(shape, np.int8) for key, shape in ours.items()})
    found = {key: list(x.shape) for key, x in joined.items()} if "openai" in name else ours
    counters = "num_batches_tracked"  # Of batches that its statistics are from.
    theirs = {key: shape for key, shape in full["layouts"][name] if not key.endswith(counters)}
    assert found == theirs


def leaf(tree, path):
    for part in path:
        tree = tree[part]
    return tree.shape
