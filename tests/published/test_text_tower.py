"""CLIP's text encoder against the reference implementation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import golden
from published_files import open_golden, relative

from gm_jax.nn.text_tower import TextTower
from gm_jax.weights import torch_names

PRECISIONS = {"float64": 1e-9, "float32": 2e-5}
PREFIX = "text_model."


def tower(case, dtype="float32"):
    config = case["config"]
    projected = case["torch_class"].endswith("WithProjection")
    return TextTower(
        config["vocab_size"], config["eos_token_id"], config["max_position_embeddings"],
        config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"],
        config["intermediate_size"], config["hidden_act"],
        config["projection_dim"] if projected else 0, dtype=jnp.dtype(dtype),
    )  # fmt: skip


def prefixed(shapes):
    """Published files name all but the projection below `text_model`."""
    return {
        name if name.startswith("text_projection") else PREFIX + name: entry
        for name, entry in torch_names(shapes).items()
    }


def texts(shared):
    models = golden(shared, "models")
    return models, [n for n, c in models.cases.items() if "CLIPTextModel" in c["torch_class"]]


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_every_output(dtype, shared, tmp_path):
    models, names = texts(shared)
    assert len(names) >= 2
    for name in names:
        case = models.cases[name]
        ids = jnp.asarray(case["inputs"]["ids"])
        with jax.enable_x64(dtype == "float64"):
            net = tower(case, dtype)
            params = open_golden(models, name, net, ids, prefixed, tmp_path)
            last, skipped = net.apply(params, ids), net.apply(params, ids, skip=1)
        pooled = "text_embeds" if net.projection else "pooler_output"
        ours = {
            "last_hidden_state": last.tokens,
            "hidden_states_first": last.hidden[0],
            "hidden_states_penultimate": last.hidden[-2],
            "penultimate_then_final_norm": skipped.tokens,
            pooled: last.pooled,
        }
        expected = {
            k.split("/")[1]: x for k, x in models.outputs.items() if k.startswith(name + "/")
        }
        assert sorted(ours) == sorted(expected)
        for output, value in expected.items():
            assert ours[output].dtype == dtype
            assert relative(ours[output], value) < PRECISIONS[dtype], (name, output)


def tiny(**changed):
    return TextTower(**{"symbols": 9, "end": 8, "length": 6, "width": 8, "layers": 2, "heads": 2,
                        "hidden": 16, **changed})  # fmt: skip


@pytest.mark.slow
def test_features_do_not_depend_on_what_follows_and_padding_is_read():
    """Causal; and no mask hides the padding, so another padding gives other features after it."""
    net, ids = tiny(), jnp.array([[7, 1, 8, 8, 8, 8], [7, 1, 8, 0, 0, 0], [7, 1, 8, 3, 2, 1]])
    params = net.init(jax.random.key(0), ids)
    found = net.apply(params, ids)
    np.testing.assert_array_equal(found.tokens[0, :3], found.tokens[1, :3])
    assert jnp.abs(found.tokens[0, 3:] - found.tokens[1, 3:]).max() > 1e-3
    # The text ends at its first end, though the padding is the same symbol.
    np.testing.assert_array_equal(found.pooled, found.tokens[:, 2])


@pytest.mark.slow
def test_bfloat16_and_a_projection():
    net, ids = tiny(dtype=jnp.bfloat16, projection=3), jnp.array([[7, 1, 8, 8, 8, 8]])
    params = net.init(jax.random.key(0), ids)
    assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(params))
    found = net.apply(params, ids)
    assert found.tokens.dtype == jnp.bfloat16 and found.pooled.shape == (1, 3)
