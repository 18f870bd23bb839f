"""How networks begin: the deviations of first weights that their papers or authors' codes state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.autoencoders.shared import quantizers
from gm_jax.multimodal.shared.text_gan import Discriminator, Generator
from gm_jax.nn.bert import Bert
from gm_jax.nn.dit import DiT
from gm_jax.nn.embedding_transformer import EmbeddingTransformer
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.nn.text_tower import TextTower
from gm_jax.nn.vit import ViT

KEY, D, L = jax.random.key(0), 64, 2
OWN = dict(width=D, layers=L, heads=4)
IDS, IMAGE, ROW = jnp.zeros((1, 40), int), jnp.zeros((1, 16, 16, 3)), jnp.zeros((1, 48))
XAVIER = {"query_key_value": (D, 3 * D), "mix": (D, D), "up": (D, 4 * D), "down": (4 * D, D)}
ENDS = 0.02 / (2 * L) ** 0.5  # Of branches, so that their sum keeps its variance.
# Blocks of Radford et al.'s code.
CLIP = {
    "out_proj": D**-0.5 * (2 * L) ** -0.5, "_proj'": D**-0.5, "fc1": (2 * D) ** -0.5,
    "fc2": D**-0.5 * (2 * L) ** -0.5, "projection": D**-0.5,
}  # fmt: skip
# Each: network, its inputs, and {part of a weight's name: its deviation}; the first name counts.
NETWORKS = [
    (
        TextTower(60, 0, 40, hidden=4 * D, projection=D, **OWN),
        (IDS,),
        {"token_embedding": 0.02, "position_embedding": 0.01, **CLIP},
    ),
    (
        ViT(patch=4, hidden=4 * D, projection=D, **OWN),
        (IMAGE,),
        {"patch_embedding": 48**-0.5, "embedding": D**-0.5, **CLIP},
    ),
    (
        DiT(patch=4, classes=20, **OWN),
        (IMAGE, jnp.zeros(1), jnp.zeros(1, int)),
        {
            "modulation": 0.0, "last": 0.0, "level": 0.02, "labels": 0.02,
            "patches": (2 / (48 + D)) ** 0.5,
            **{name: (2 / sum(fans)) ** 0.5 for name, fans in XAVIER.items()},
        },
    ),
    (
        EmbeddingTransformer(**OWN),
        (ROW, jnp.zeros(1), ROW, None, jnp.zeros((1, 20, 48))),
        {"mix": ENDS, "down": ENDS, "": 0.02},
    ),
    # Cut off at two deviations, which leaves .88 of them.
    (Bert(60, hidden=4 * D, **OWN), (IDS,), {"": 0.02 * 0.87963}),
    (PatchGAN(width=16, layers=2), (IMAGE, False), {"": 0.02}),
    (Generator((16, 16, 3), width=16, text=32), (ROW, ROW, False), {"": 0.02}),
    (Discriminator(width=16, text=32), (IMAGE, ROW, False), {"": 0.02}),
]  # fmt: skip


@pytest.mark.parametrize(
    "net, inputs, expected", NETWORKS, ids=[type(row[0]).__name__ for row in NETWORKS]
)
def test_first_weights(net, inputs, expected):
    """Biases are 0; scales of norms 1, or of DCGAN's 1 give or take .02."""
    flags = tuple(i for i, value in enumerate(inputs) if isinstance(value, bool))
    params = jax.jit(net.init, static_argnums=[i + 1 for i in flags])(KEY, *inputs)["params"]
    seen = set()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path)
        if "'bias'" in name:
            assert not np.any(leaf), name
        elif "'scale'" in name:
            assert np.abs(leaf - 1.0).max() < 0.1, name
        elif leaf.size > 400:
            part = next(part for part in expected if part in name)
            seen.add(part)
            np.testing.assert_allclose(leaf.std(), expected[part], rtol=0.1, err_msg=name)
            assert abs(leaf.mean()) <= 0.25 * expected[part], name
    assert seen == set(expected)


def test_first_codes():
    """Learned ones near the origin, within 1 / K of it; averaged ones standard normal."""
    learned, _ = quantizers.learned(100, 40).init(KEY)
    assert np.abs(learned["vectors"]).max() <= 0.01
    np.testing.assert_allclose(learned["vectors"].std(), 0.01 / 3**0.5, rtol=0.05)
    _, carried = quantizers.averaged(100, 40).init(KEY)
    assert abs(carried["vectors"].std() - 1) < 0.05 and np.all(carried["counts"] == 1.0)
    np.testing.assert_array_equal(carried["sums"], carried["vectors"])
