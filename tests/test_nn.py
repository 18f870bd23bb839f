"""Networks: gradients, per-example noise, and the shapes they take."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import perturb

from gm_jax.adversarial.shared import networks
from gm_jax.errors import UserError
from gm_jax.nn import dot_product_attention, layers
from gm_jax.nn.encoders import ConvDecoder, ConvEncoder, GridDecoder, GridEncoder
from gm_jax.nn.layers import Dropout
from gm_jax.nn.strides import strided_convolution, transposed_convolution
from gm_jax.nn.time_features import sinusoidal_embedding
from gm_jax.nn.unet import UNet, doubled

KEY = jax.random.key(0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "size, sides, padding",
    [
        (4, (6, 10), ((2, 2), (2, 2))),
        (3, (5, 9), ((1, 1), (1, 1))),  # Odd: TensorFlow's "SAME" pads both ends of it by one,
        (3, (6, 10), ((2, 1), (2, 1))),  # and an even one only after its end.
    ],
)
def test_transposed_convolution_and_its_gradients_against_jaxs_own(size, sides, padding):
    x, kernel = jax.random.normal(KEY, (2, 3, 5, 4)), jax.random.normal(KEY, (size, size, 6, 4))

    def ours(x, kernel):
        return transposed_convolution(x, kernel, sides)

    def reference(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel[::-1, ::-1].swapaxes(2, 3), (1, 1), padding, lhs_dilation=(2, 2),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip

    assert ours(x, kernel).shape == (2, *sides, 6)
    np.testing.assert_allclose(ours(x, kernel), reference(x, kernel), atol=1e-4)

    def loss(f):
        return lambda x, kernel: jnp.sum(jnp.sin(f(x, kernel)))

    got = jax.grad(loss(ours), (0, 1))(x, kernel)
    expected = jax.grad(loss(reference), (0, 1))(x, kernel)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-3), got, expected)


@pytest.mark.parametrize("size, padding", [(3, None), (4, None), (4, 1), (3, 0)])
@pytest.mark.parametrize("sides", [(6, 10), (5, 9)])
def test_gradients_of_gradients_of_strided_convolutions_are_jaxs_own(size, padding, sides):
    """The loss of a gradient, as a critic's penalty, in float64."""
    with jax.enable_x64(True):
        x = jax.random.normal(KEY, (2, *sides, 3), float)
        kernel = jax.random.normal(KEY, (size, size, 3, 4), float)

        def reference(x, kernel):
            pads = "SAME" if padding is None else [(padding, padding)] * 2
            dimensions = ("NHWC", "HWIO", "NHWC")
            return jax.lax.conv_general_dilated(
                x, kernel, (2, 2), pads, dimension_numbers=dimensions
            )

        def penalty(f):
            def slope(x, kernel):
                return jax.grad(lambda x: jnp.sum(jnp.sin(f(x, kernel))))(x)

            return jax.value_and_grad(lambda *of: jnp.sum(slope(*of) ** 3), (0, 1))(x, kernel)

        got = penalty(lambda x, kernel: strided_convolution(x, kernel, padding))
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), got, penalty(reference)
        )


@pytest.mark.slow
def test_dropout_drops_by_example_key_and_differs_between_layers():
    x = jnp.ones((6, 1000))
    keys = jax.random.split(KEY, 6)
    whole = Dropout(0.3).apply({}, x, keys)
    np.testing.assert_array_equal(whole[3:], Dropout(0.3).apply({}, x[3:], keys[3:]))
    assert abs((whole == 0).mean() - 0.3) < 0.03 and np.isclose(whole.max(), 1 / 0.7)
    np.testing.assert_array_equal(Dropout(0.3).apply({}, x, None), x)

    import flax.linen as nn

    class Two(nn.Module):
        @nn.compact
        def __call__(self, x, keys):
            return Dropout(0.5)(x, keys), Dropout(0.5)(x, keys)

    first, second = Two().apply({}, x, keys)
    assert not np.array_equal(first, second)


@pytest.mark.slow
def test_the_unet_begins_as_zero_and_takes_odd_sizes_and_labels():
    net = UNet(width=8, multipliers=(1, 2, 2), blocks=1, attention=(7,), classes=3)
    x, t, label = jnp.ones((2, 14, 14, 1)), jnp.ones(2), jnp.array([0, 3])
    variables = net.init(KEY, x, t, label)
    out = net.apply(variables, x, t, label)
    assert out.shape == x.shape and np.all(out == 0)
    rich = perturb(variables, 0.1)
    a, b = (net.apply(rich, x, t, jnp.array([0, k])) for k in (1, 3))
    np.testing.assert_array_equal(a[0], b[0])
    assert not np.allclose(a[1], b[1])
    assert not np.allclose(net.apply(rich, x, 2 * t, label), net.apply(rich, x, t, label))


def test_sinusoidal_embedding_tells_all_thousand_steps_apart():
    embedding = np.asarray(sinusoidal_embedding(jnp.arange(1.0, 1001.0), 32))
    distance = np.abs(embedding[:, None] - embedding[None]).max(-1) + np.eye(1000)
    assert embedding.shape == (1000, 32) and distance.min() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("side", [8, 16, 28, 32])
def test_dcgan_and_convolutional_networks_fit_their_image_size(side):
    shape = (side, side, 3)
    z, image = jnp.ones((2, 5)), jnp.ones((2, *shape))
    generator = networks.DCGANGenerator(shape, width=4)
    variables = generator.init(KEY, z, train=True)
    made = generator.apply(variables, z, train=False)
    assert made.shape == image.shape and np.abs(made).max() <= 1
    discriminator = networks.DCGANDiscriminator(width=4)
    variables = discriminator.init(KEY, image, train=True)
    assert discriminator.apply(variables, image, train=False).shape == (2, 1)
    encoder, decoder = ConvEncoder(7, (4, 8)), ConvDecoder(shape, (4, 8))
    assert encoder.apply(encoder.init(KEY, image), image).shape == (2, 7)
    assert decoder.apply(decoder.init(KEY, z), z).shape == image.shape


def test_a_code_in_a_grid_says_what_is_near_it():
    """One pixel moves the codes around it, and through them the pixels around it."""
    image = jax.random.uniform(KEY, (2, 30, 29, 1))
    encoder, decoder = GridEncoder(8 * 8 * 3, (4, 5)), GridDecoder((30, 29, 1), (4, 5))
    code, own = encoder.init_with_output(KEY, image)
    output, back = decoder.init_with_output(KEY, code)
    assert code.shape == (2, 192) and output.shape == image.shape
    moved = encoder.apply(own, image.at[:, 0, 0].add(1.0))
    changed = np.any(np.asarray(moved != code).reshape(2, 8, 8, 3), axis=(0, 3))
    assert changed[:2, :2].any() and not changed[4:].any() and not changed[:, 4:].any()
    moved = decoder.apply(back, code.reshape(2, 8, 8, 3).at[:, 0, 0].add(1.0).reshape(2, -1))
    changed = np.any(np.asarray(moved != output)[..., 0], axis=0)
    assert changed[:4, :4].any() and not changed[20:].any() and not changed[:, 20:].any()
    with pytest.raises(UserError, match="100 numbers over 8x8 positions: choose latents that 64"):
        GridEncoder(100, (4, 5)).init(KEY, image)


@pytest.mark.slow
def test_the_small_networks_have_the_papers_channels_and_any_side():
    generator, critic = networks.SmallGenerator((28, 28, 3), 8), networks.SmallDiscriminator(2)
    z, x = jnp.ones((2, 256)), jnp.ones((2, 28, 28, 3))
    g = generator.init(KEY, z, train=True)["params"]
    d = critic.init(KEY, x, train=True)["params"]
    assert g["Dense_0"]["kernel"].shape == (256, 4 * 4 * 64)
    ups = [g[f"TransposedConv_{i}"]["kernel"].shape for i in range(3)]
    assert ups == [(3, 3, 32, 64), (3, 3, 16, 32), (3, 3, 8, 16)]
    assert g["Conv_0"]["kernel"].shape == (3, 3, 8, 3)
    assert [d[f"Conv_{i}"]["kernel"].shape[-1] for i in range(3)] == [2, 4, 8]
    assert d["Dense_0"]["kernel"].shape == (4 * 4 * 8, 1)
    for side in (8, 13):
        module = networks.SmallGenerator((side, side, 1), 2)
        image, _ = module.init_with_output(KEY, z, train=True)
        assert image.shape == (2, side, side, 1)


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("kind", ["all", "causal", "seen"])
def test_short_sequences_are_attended_to_as_by_jax(dtype, kind):
    """Values and gradients; in float64 as by the definition, of which JAX takes the softmax in
    float32."""
    rng, seen = np.random.default_rng(0), np.random.default_rng(1).random((7, 9)) < 0.5
    seen[:, 0] = True
    seen = {"all": np.ones((7, 9), bool), "causal": np.tri(7, 9, dtype=bool), "seen": seen}[kind]
    with jax.enable_x64(dtype == jnp.float64):
        q, k, v = (jnp.asarray(rng.normal(size=(2, n, 3, 4)), dtype) for n in (7, 9, 9))
        mask = jnp.asarray(seen)

        def ours(q, k, v):
            own = mask if kind == "seen" else None
            return dot_product_attention.attend(q, k, v, causal=kind == "causal", seen=own)

        def definition(q, k, v):
            weights = jnp.exp(jnp.einsum("bqhd,bkhd->bhqk", q, k) / 2.0) * mask
            weights = weights / jnp.sum(weights, axis=-1, keepdims=True)
            return jnp.einsum("bhqk,bkhd->bqhd", weights, v)

        def of_jax(q, k, v):
            return jax.nn.dot_product_attention(q, k, v, mask=mask[None, None])

        def results(f):
            value, pull = jax.vjp(f, q, k, v)
            assert value.dtype == dtype
            return value, *pull(jnp.sin(jnp.arange(value.size)).reshape(value.shape).astype(dtype))

        other = definition if dtype == jnp.float64 else of_jax
        assert_close(*jax.jit(lambda: (results(ours), results(other)))(), dtype)


@pytest.mark.parametrize("size", [(), (1, 1)])
def test_layers_at_each_position_are_linens_with_gradients_of_one_product(size):
    """Values and gradients on the same parameters; that of the kernel sums over one axis."""
    ours = layers.Pointwise(5) if size else layers.Dense(5)
    linens = nn.Conv(5, size) if size else nn.Dense(5)
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        x, weights = (jnp.asarray(rng.normal(size=(2, 3, 4, n))) for n in (6, 5))
        params = jax.tree.map(lambda leaf: leaf.astype(float) + 0.5, linens.init(KEY, x))

        def results(module):
            value, pull = jax.vjp(module.apply, params, x)
            return value, pull(weights)

        chex.assert_trees_all_close(results(ours), results(linens), rtol=1e-12)
        gradient = jax.make_jaxpr(lambda: results(ours)[1])()
        products = [e for e in gradient.eqns if e.primitive.name == "dot_general"]
        sums = [len(e.params["dimension_numbers"][0][0]) for e in products]
        assert sums == [1] * 3 and "conv" not in str(gradient)


@pytest.mark.parametrize("length", [150, 640])
def test_causal_sequences_are_attended_to_by_blocks(length):
    """Values and gradients as by the definition; the last block is shorter, or they are longer."""
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        q, k, v, weights = (jnp.asarray(rng.normal(size=(1, length, 2, 3))) for _ in range(4))

        def definition(q, k, v):
            table = jnp.exp(jnp.einsum("bqhd,bkhd->bhqk", q, k) / 3**0.5) * np.tri(length)
            table = table / jnp.sum(table, axis=-1, keepdims=True)
            return jnp.einsum("bhqk,bkhd->bqhd", table, v)

        def results(f):
            value, pull = jax.vjp(f, q, k, v)
            return value, *pull(weights)

        ours = functools.partial(dot_product_attention.attend, causal=True)
        pairs = jax.jit(lambda: list(zip(results(ours), results(definition), strict=True)))
        for found, expected in pairs():
            np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("sides", [(6, 10), (6, 9), (5, 9)])
def test_a_unet_doubles_as_jax_resizes(sides):
    """Values and gradients, of even sides without a gather."""
    x = jax.random.normal(KEY, (2, 3, 5, 4))
    weights = jax.random.normal(KEY, (2, *sides, 4))

    def ours(x):
        return doubled(x, sides, symmetric=False)

    def resized(x):
        return jax.image.resize(x, (2, *sides, 4), "nearest")

    def results(f):
        value, pull = jax.vjp(f, x)
        return value, *pull(weights)

    for found, expected in zip(results(ours), results(resized), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert ("gather" in str(jax.make_jaxpr(ours)(x))) == (sides != (6, 10))


def assert_close(found, expected, dtype):
    """Up to the precision of a type, relative to each array's largest value."""
    exact = {jnp.float64: 1e-12, jnp.float32: 1e-5, jnp.bfloat16: 2e-2}[dtype]
    for a, b in zip(found, expected, strict=True):
        a, b = (np.asarray(x, np.float64) for x in (a, b))
        np.testing.assert_allclose(a, b, atol=exact * np.abs(b).max(), rtol=0.0)


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32, jnp.bfloat16])
def test_groups_are_normalised_as_by_linen(dtype):
    """Values and gradients, on the same parameters by the same names; channels of one group differ
    in mean and scale, and so do examples. In bfloat16 all are far from 0: squares are coarse there.
    """
    rng, far = np.random.default_rng(0), 6.0 if dtype == jnp.bfloat16 else 0.0
    with jax.enable_x64(dtype == jnp.float64):
        x = rng.normal(size=(3, 4, 5, 12)) * np.linspace(0.5, 2, 12) + np.linspace(-1, 1, 12)
        x = jnp.asarray(x * np.array([1.0, 2.0, 3.0])[:, None, None, None] + far, dtype)
        wide = jnp.promote_types(dtype, jnp.float32)
        params = {name: jnp.asarray(rng.normal(size=12), wide) for name in ("scale", "bias")}

        def results(module):
            assert jax.tree.structure(module.init(KEY, x)["params"]) == jax.tree.structure(params)
            y, pull = jax.vjp(lambda p, x: module.apply({"params": p}, x), params, x)
            assert y.dtype == dtype
            of_params, of_x = pull(jnp.sin(jnp.arange(y.size)).reshape(y.shape).astype(dtype))
            return y, of_params["scale"], of_params["bias"], of_x

        ours = layers.GroupNorm(3, 1e-3, dtype)
        linen = nn.GroupNorm(3, epsilon=1e-3, dtype=dtype)
        assert_close(*jax.jit(lambda: (results(ours), results(linen)))(), dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_long_sequences_are_attended_to_by_blocks(dtype):
    """As by the whole table of weights, gradients too."""
    keys = jax.random.split(jax.random.key(0), 3)
    q, k, v = (
        jax.random.normal(key, (2, n, 2, 4), dtype)
        for key, n in zip(keys, (1024, 1030, 1030), strict=True)
    )

    def loss(attend, q, k, v):
        return jnp.sum(jnp.sin(3.0 * attend(q, k, v).astype(jnp.float32)))

    assert "scan" in str(jax.make_jaxpr(dot_product_attention.attend)(q, k, v))
    exact = 2e-5 if dtype == jnp.float32 else 3e-2
    whole = jax.nn.dot_product_attention
    np.testing.assert_allclose(
        dot_product_attention.attend(q, k, v).astype(jnp.float32),
        whole(q, k, v).astype(jnp.float32),
        atol=exact,
    )
    gradients = [
        jax.grad(loss, (1, 2, 3))(f, q, k, v) for f in (dot_product_attention.attend, whole)
    ]
    for a, b in zip(*gradients, strict=True):
        a, b = (np.asarray(x, np.float32) for x in (a, b))
        np.testing.assert_allclose(a, b, atol=10 * exact * np.abs(b).max())
