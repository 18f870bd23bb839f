"""Tensors become parameters and come back, and whatever does not fit is named in one line."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.errors import UserError
from gm_jax.weights import Stored, assign, export, torch_names
from gm_jax.weights.assigning import join_rows, split_rows
from gm_jax.weights.stored import of_array


class Tiny(nn.Module):
    @nn.compact
    def __call__(self, x, ids):
        x = nn.Conv(4, (3, 1), name="conv_in")(x)
        x = nn.GroupNorm(2, name="norms_0")(x)
        return nn.Dense(5, name="out")(x) + nn.Embed(7, 5, name="tokens")(ids)


SHAPES = jax.eval_shape(
    Tiny().init, jax.random.key(0), jnp.zeros((1, 4, 4, 2)), jnp.zeros((1, 1, 1), int)
)["params"]
RNG = np.random.default_rng(0)
WRITTEN = {
    "conv_in.weight": RNG.normal(size=(4, 2, 3, 1)),
    "conv_in.bias": RNG.normal(size=4),
    "norms.0.weight": RNG.normal(size=4),
    "norms.0.bias": RNG.normal(size=4),
    "out.weight": RNG.normal(size=(5, 4)),
    "out.bias": RNG.normal(size=5),
    "tokens.weight": RNG.normal(size=(7, 5)),
}


def stored(arrays):
    return {name: of_array(np.float32(x)) for name, x in arrays.items()}


def test_parameters_by_name_and_back():
    table = torch_names(SHAPES)
    params = assign(table, stored(WRITTEN), SHAPES, "a test")
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, SHAPES)
    # A convolution's kernel is HWIO here: [out 1, in 0, row 2] becomes [row 2, 0, in 0, out 1].
    kernel = params["conv_in"]["kernel"]
    assert kernel[2, 0, 0, 1] == np.float32(WRITTEN["conv_in.weight"][1, 0, 2, 0])
    assert params["out"]["kernel"][3, 1] == np.float32(WRITTEN["out.weight"][1, 3])
    back = export(table, params)
    assert sorted(back) == sorted(WRITTEN)
    for name, x in back.items():
        np.testing.assert_array_equal(x, np.float32(WRITTEN[name]))


def test_a_convolution_of_one_pixel_as_a_dense_layer():
    table = torch_names(SHAPES)
    table["out.weight"] = (table["out.weight"][0], "conv_as_dense")
    written = WRITTEN | {"out.weight": WRITTEN["out.weight"][:, :, None, None]}
    params = assign(table, stored(written), SHAPES, "a test")
    np.testing.assert_array_equal(params["out"]["kernel"], np.float32(WRITTEN["out.weight"]).T)
    assert export(table, params)["out.weight"].shape == (5, 4, 1, 1)


def test_what_does_not_fit_is_named_before_anything_is_read():
    def never():
        raise AssertionError("read")

    tensors = {
        k: Stored(x.shape, np.float32, never) for k, x in WRITTEN.items() if "norms" not in k
    }
    tensors["out.weight"] = Stored((4, 5), np.float32, never)
    tensors |= {f"more.{i}": Stored((1,), np.float32, never) for i in range(5)}
    tensors["position_ids"] = Stored((1, 77), np.int64, never)
    with pytest.raises(UserError) as error:
        assign(torch_names(SHAPES), tensors, SHAPES, "unet of DIR", [".*position_ids"])
    assert str(error.value) == (
        "unet of DIR does not fit this network: tensors are 2 missing (norms.0.bias,"
        " norms.0.weight); 5 unexpected (more.0, more.1, more.2, ...); 1 misshapen (out.weight is"
        " [4, 5], expected [5, 4])"
    )


def test_a_table_that_forgets_a_parameter_is_a_mistake_of_ours():
    table = torch_names(SHAPES)
    del table["out.bias"]
    with pytest.raises(ValueError, match="does not name each parameter once"):
        assign(table, stored(WRITTEN), SHAPES, "a test")


def test_joint_queries_keys_and_values():
    joint = np.arange(18.0).reshape(9, 2)
    parts = ("q.weight", "k.weight", "v.weight")
    tensors = stored({"x.in_proj_weight": joint, "y": np.ones(2)})
    split = {k: t.load() for k, t in split_rows(tensors, "in_proj_weight", parts).items()}
    np.testing.assert_array_equal(split["x.k.weight"], joint[3:6])
    back = join_rows(split, "in_proj_weight", parts)
    assert sorted(back) == ["x.in_proj_weight", "y"]
    np.testing.assert_array_equal(back["x.in_proj_weight"], joint)
