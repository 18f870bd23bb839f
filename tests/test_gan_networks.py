"""Networks of GANs, each whole by hand: what follows what, slopes, norms, short cuts."""

import jax
import numpy as np
import pytest
from by_hand import (
    batch_norm,
    close,
    conv,
    dense,
    filled,
    halved,
    in_order,
    leaky,
    output,
    relu,
    transposed,
)

from gm_jax.adversarial import cogan
from gm_jax.adversarial.shared import critics, networks, pyramid
from gm_jax.adversarial.shared.resnets import RESNETS, ResNetDiscriminator, ResNetGenerator
from gm_jax.nn.encoders import ConvDecoder, ConvEncoder

RNG = np.random.default_rng(1)
Z = RNG.normal(size=(4, 5)).astype(np.float32)
X = RNG.normal(size=(4, 8, 8, 2)).astype(np.float32)
HOT = np.eye(3, dtype=np.float32)[[2, 0, 1, 2]]


@pytest.mark.parametrize("hidden", [False, True])
def test_dcgans_generator(hidden):
    module = networks.DCGANGenerator((8, 8, 2), 3, dense=hidden)
    variables = filled(module, Z, train=True)
    p, x = in_order(variables["params"]), np.float64(Z)
    if hidden:
        x = relu(batch_norm(dense(x, p("Dense")), p("BatchNorm")))
    x = dense(x, p("Dense")).reshape(4, 4, 4, 3)
    x = relu(batch_norm(x, p("BatchNorm")))
    close(output(module, variables, Z, train=True), np.tanh(transposed(x, p("TransposedConv"))))
    module = networks.DCGANGenerator((16, 16, 1), 2)
    variables = filled(module, Z, train=True)
    p = in_order(variables["params"])
    x = relu(batch_norm(dense(Z, p("Dense")).reshape(4, 4, 4, 4), p("BatchNorm")))
    x = relu(batch_norm(transposed(x, p("TransposedConv")), p("BatchNorm")))
    close(output(module, variables, Z, train=True), np.tanh(transposed(x, p("TransposedConv"))))


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_dcgans_discriminator(norm, hidden):
    """No norm in the first layer; a slope of 0.2 everywhere."""
    x = RNG.normal(size=(4, 16, 16, 1)).astype(np.float32)
    module = networks.DCGANDiscriminator(2, 3, norm, dense=hidden)
    variables = filled(module, x, train=True)
    p = in_order(variables["params"])

    def active(y):
        return leaky(batch_norm(y, p("BatchNorm")) if norm == "batch" else y)

    y = leaky(conv(x, p("Conv"), 2))
    y = active(conv(y, p("Conv"), 2)).reshape(4, -1)
    y = active(dense(y, p("Dense"))) if hidden else y
    close(output(module, variables, x, train=True), dense(y, p("Dense")))


def test_the_small_networks_of_stacked_mnist():
    """A norm in every hidden layer, ReLU in G and a slope of 0.3 in D; sides that are odd."""
    module = networks.SmallGenerator((13, 10, 2), 1)
    variables = filled(module, Z, train=True)
    p = in_order(variables["params"])
    x = relu(batch_norm(dense(Z, p("Dense")).reshape(4, 2, 2, 8), p("BatchNorm")))
    for sides in ((4, 3), (7, 5), (13, 10)):
        x = relu(batch_norm(transposed(x, p("TransposedConv"), sides), p("BatchNorm")))
    close(output(module, variables, Z, train=True), np.tanh(conv(x, p("Conv"))))
    for norm in ("batch", "none"):
        module = networks.SmallDiscriminator(2, 1, norm)
        variables = filled(module, X, train=True)
        p, x = in_order(variables["params"]), np.float64(X)
        for _ in range(3):
            x = conv(x, p("Conv"), 2)
            x = leaky(batch_norm(x, p("BatchNorm")) if norm == "batch" else x, 0.3)
        close(output(module, variables, X, train=True), dense(x.reshape(4, -1), p("Dense")))


def test_networks_of_points_have_two_hidden_layers_of_tanh():
    points, module = np.float32(RNG.normal(size=(4, 2))), networks.PointGenerator((2,), 6)
    variables = filled(module, Z, train=True)
    p = in_order(variables["params"])
    x = np.tanh(dense(np.tanh(dense(Z, p("Dense"))), p("Dense")))
    close(output(module, variables, Z, train=True), dense(x, p("Dense")))
    for norm in ("none", "batch"):
        module = networks.PointDiscriminator(6, 1, norm)
        variables = filled(module, points, train=True)
        p, x = in_order(variables["params"]), points
        for _ in range(2):
            x = dense(x, p("Dense"))
            x = np.tanh(batch_norm(x, p("BatchNorm")) if norm == "batch" else x)
        close(output(module, variables, points, train=True), dense(x, p("Dense")))


def test_a_critic_of_pairs_joins_the_code_to_what_its_trunk_says_of_the_image():
    points = np.float32(RNG.normal(size=(4, 2)))
    module = critics.PairCritic(networks.PointDiscriminator(6, 3), 4)
    variables = filled(module, points, Z, train=True)
    p, trunk = in_order(variables["params"]), in_order(variables["params"]["trunk"])
    x = np.tanh(dense(np.tanh(dense(points, trunk("Dense"))), trunk("Dense")))
    of_x, of_z = leaky(dense(x, trunk("Dense"))), leaky(dense(Z, p("Dense")))
    both = leaky(dense(np.concatenate([of_x, of_z], -1), p("Dense")))
    close(output(module, variables, points, Z, train=True), dense(both, p("Dense")))


def test_coupled_critics_share_all_but_their_first_layers():
    module = cogan.CoupledDiscriminator(networks.DCGANDiscriminator, 2, "none")
    pair = [RNG.normal(size=(4, 16, 16, 1)).astype(np.float32) for _ in "ab"]
    variables = filled(module, *pair, train=True)
    params = jax.tree.map(np.float64, variables["params"])
    for x, domain, found in zip(pair, "ab", output(module, variables, *pair, train=True),
                                strict=True):  # fmt: skip
        shared = in_order(params["Discriminator_0"])
        x = leaky(conv(leaky(conv(x, params[f"first_{domain}"], 2)), shared("Conv"), 2))
        close(found, dense(x.reshape(4, -1), shared("Dense"))[:, 0])


def test_an_auto_encoder_of_images_is_convolutions_and_two_dense_layers_each_way():
    module = critics.AutoEncoder(ConvEncoder(5, (2, 3)), ConvDecoder((7, 8, 2), (2, 3)))
    x = X[:, :7]
    variables = filled(module, x, train=True)
    down, up = (in_order(variables["params"][name]) for name in ("encoder", "decoder"))
    y = relu(conv(relu(conv(x, down("Conv"), 2)), down("Conv"), 2)).reshape(4, -1)
    code = dense(relu(dense(y, down("Dense"))), down("Dense"))
    y = relu(dense(relu(dense(code, up("Dense"))), up("Dense"))).reshape(4, 2, 2, 3)
    y = relu(transposed(y, up("TransposedConv"))[:, :4, :4])
    y = transposed(y, up("TransposedConv"))[:, :7, :8]
    found = output(module, variables, x, train=True)
    close(found[0], y)
    close(found[1], code)


@pytest.mark.parametrize("label", [HOT, None])
def test_lapgans_networks(label):
    """Two hidden layers in all; the class is a rectified plane, or beside a dense network's input.

    Nothing is dropped here.
    """
    low, plane = X[..., :1], np.float32(RNG.uniform(-1, 1, (4, 8, 8, 1)))

    def of_label(params):
        if label is None:
            return []
        named = jax.tree.map(np.float64, params["label"])
        return [relu(dense(label, named)).reshape(4, 8, 8, 1)]

    module = pyramid.Residual(3)
    variables = filled(module, plane, low, label)
    p = in_order(variables["params"])
    x = np.concatenate([plane, *of_label(variables["params"]), low], axis=-1)
    x = relu(conv(relu(conv(x, p("Conv"))), p("Conv")))
    close(output(module, variables, plane, low, label), conv(x, p("Conv")))

    module, seen = pyramid.Critic(3), np.float32(RNG.normal(size=(4, 11, 11, 1)))
    if label is None:
        variables = filled(module, seen, None, None)
        p = in_order(variables["params"])
        x = relu(conv(seen, p("Conv"), 1, 0))
        x = relu(conv(x, p("Conv"), 2, 0)).reshape(4, -1)
        close(output(module, variables, seen, None, None), dense(x, p("Dense"))[:, 0])

    def beside(x):
        return x if label is None else np.concatenate([x, label], axis=-1)

    module = pyramid.CoarseGenerator((2, 2, 1), 6)
    variables = filled(module, Z, label)
    p = in_order(variables["params"])
    x = relu(dense(relu(dense(beside(Z), p("Dense"))), p("Dense")))
    close(output(module, variables, Z, label), dense(x, p("Dense")).reshape(4, 2, 2, 1))
    module, small = pyramid.CoarseCritic(6), X[:, :2, :2]
    variables = filled(module, small, label, None)
    p = in_order(variables["params"])
    x = relu(dense(relu(dense(beside(small.reshape(4, -1)), p("Dense"))), p("Dense")))
    close(output(module, variables, small, label, None), dense(x, p("Dense"))[:, 0])


def conditional(x, p, y):
    """Batch norm with a gain of 1 + W y."""
    gain, shift = (
        np.float64(p[name]) if y is None else (y @ p[name]["kernel"])[:, None, None]
        for name in ("gain", "shift")
    )
    return batch_norm(x, {}) * (1.0 + gain) + shift


def up_block(x, p, y):
    x = np.asarray(x)
    h = relu(conditional(x, p("ConditionalBatchNorm"), y))
    h = conv(h.repeat(2, 1).repeat(2, 2), p("Conv"))
    h = conv(relu(conditional(h, p("ConditionalBatchNorm"), y)), p("Conv"))
    return h + conv(x.repeat(2, 1).repeat(2, 2), p("Conv"))


def down_block(x, p, down, first):
    h = conv(relu(conv(x if first else relu(x), p("Conv"))), p("Conv"))
    if down:
        h, x = halved(h), halved(x)
    same = not down and x.shape[-1] == h.shape[-1]
    return h + (x if same else conv(x, p("Conv")))


def of_blocks(params, kind, count):
    return [in_order(params[f"{kind}_{number}"]) for number in range(count)]


@pytest.mark.parametrize("flat", [True, False])
def test_residual_generators(flat):
    """A dense layer, blocks, and a rectified norm before the last convolution and tanh."""
    module = ResNetGenerator((16, 16, 2), 2, flat=flat)
    variables = filled(module, Z, HOT, train=True)
    p, sizes = in_order(variables["params"]), (2, 2, 2) if flat else (8, 4, 2)
    x = dense(Z, p("Dense")).reshape(4, 4, 4, sizes[0])
    for block, size in zip(of_blocks(variables["params"], "UpBlock", 2), sizes[1:], strict=True):
        x = up_block(x, block, HOT)
        assert x.shape[-1] == size
    x = relu(conditional(x, p("ConditionalBatchNorm"), None))
    close(output(module, variables, Z, HOT, train=True), np.tanh(conv(x, p("Conv"))))


@pytest.mark.parametrize("flat, pool", [(True, np.sum), (True, np.mean), (False, np.sum)])
def test_residual_discriminators(flat, pool):
    """Rectified before the sum, or mean, over the pixels; and <V y, h> beside the logits."""
    own = RESNETS["wgan_gp_resnet" if pool is np.mean else "sngan_resnet"][1]
    module = ResNetDiscriminator(2, 1, "none", flat=flat, **own)
    x = np.float32(RNG.normal(size=(4, 16, 16, 1)))
    variables = filled(module, x, HOT, train=True)
    params = variables["params"]
    downs = (True, True, False, False) if flat else (True, True, False)
    y = np.float64(x)
    for number, down in enumerate(downs):
        y = down_block(y, in_order(params[f"DownBlock_{number}"]), down, number == 0)
    h = pool(relu(y), axis=(1, 2))
    own = jax.tree.map(np.float64, params)
    expected = dense(h, own["Dense_0"])[:, 0] + (HOT @ own["embedding"]["kernel"] * h).sum(-1)
    assert ("bias" in own["Dense_0"]) == (pool is np.mean)
    close(output(module, variables, x, HOT, train=True)[:, 0], expected)
