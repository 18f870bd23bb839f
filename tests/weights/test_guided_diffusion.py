"""Checkpoints of guided-diffusion in either order of queries, keys and values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.errors import UserError
from gm_jax.nn.unet import UNet
from gm_jax.weights import assign, export, guided_diffusion
from gm_jax.weights.stored import of_array

CONFIG = {
    "model_channels": 32, "num_res_blocks": 1, "channel_mult": (1, 2), "num_heads": 2,
    "attention_resolutions": (2,), "out_channels": 3,
}  # fmt: skip


@pytest.mark.parametrize("settings, width", [({}, 32), ({"num_head_channels": 16}, 16)])
def test_use_new_attention_order_is_the_same_network(settings, width):
    unet = guided_diffusion.arguments(CONFIG | settings)
    assert unet == guided_diffusion.arguments(CONFIG | settings | {"use_new_attention_order": True})
    table = guided_diffusion.table(unet)
    x = jnp.zeros((1, 8, 8, 3))
    shapes = jax.eval_shape(UNet(**unet).init, jax.random.key(0), x, jnp.zeros(1))["params"]
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype("float32"), shapes)
    expected = export(table, params)
    written = {k: all_queries_first(v, width) if ".qkv." in k else v for k, v in expected.items()}
    assert sum(np.any(written[key] != expected[key]) for key in expected) == 8
    tensors = {key: of_array(x) for key, x in written.items()}
    found = assign(table, guided_diffusion.by_heads(tensors, unet), shapes, "a checkpoint")
    jax.tree.map(np.testing.assert_array_equal, found, params)
    for key, values in guided_diffusion.by_parts(expected, unet).items():
        np.testing.assert_array_equal(values, written[key])


def all_queries_first(rows, width):
    """Heads of q, k, v in turn, `width` rows each, to the heads' q, then their k, then their v."""
    heads = [np.split(head, 3) for head in np.split(rows, len(rows) // (3 * width))]
    return np.concatenate([head[part] for part in range(3) for head in heads])


def test_another_network_is_refused():
    with pytest.raises(UserError, match="conv_resample is False: .* only those with"):
        guided_diffusion.arguments(CONFIG | {"conv_resample": False})
