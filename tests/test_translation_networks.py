"""Networks that translate, each whole by hand: what follows what, slopes, norms, borders."""

import numpy as np
import pytest
from by_hand import (
    batch_norm,
    close,
    conv,
    dense,
    doubled,
    filled,
    in_order,
    instance_norm,
    leaky,
    output,
    reflected,
    relu,
    transposed,
)
from twins.numbers import sigmoid

from gm_jax.nn.patchgan import PatchGAN
from gm_jax.translation.shared import multiscale, refiner, srresnet, style
from gm_jax.translation.shared.resnet import ResNet
from gm_jax.translation.shared.unet import UNet

RNG = np.random.default_rng(1)


def picture(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def test_a_u_net_joins_its_maps_and_rectifies_before_each_convolution():
    """LeakyReLU on the way down, ReLU on the way up; no norm of the first and the smallest map."""
    module, x = UNet(2, width=2, levels=4), picture(2, 16, 16, 3)
    variables = filled(module, x, None, train=True)
    p = in_order(variables["params"])
    downs = []
    for level in range(4):
        y = conv(leaky(downs[-1]) if level else x, p("Conv"), 2, 1)
        downs.append(batch_norm(y, p("BatchNorm")) if 0 < level < 3 else y)
    y = downs.pop()
    for _ in range(3):
        y = batch_norm(transposed(relu(y), p("TransposedConv")), p("BatchNorm"))
        y = np.concatenate([y, downs.pop()], axis=-1)
    y = np.tanh(transposed(relu(y), p("TransposedConv")))
    close(output(module, variables, x, None, train=True), y)


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_a_critic_of_patches_norms_all_but_its_ends(norm):
    module, x = PatchGAN(2, 2, norm), picture(2, 12, 12, 3)
    variables = filled(module, x, train=True)
    p, maps = in_order(variables["params"]), []
    maps.append(leaky(conv(x, p("Conv"), 2, 1)))
    for stride in (2, 1):
        y = conv(maps[-1], p("Conv"), stride, 1)
        if norm != "none":
            y = batch_norm(y, p("BatchNorm")) if norm == "batch" else instance_norm(y)
        maps.append(leaky(y))
    logits, found = output(module, variables, x, train=True, maps=True)
    close(logits, conv(maps[-1], p("Conv"), 1, 1)[..., 0])
    for one, expected in zip(found, maps, strict=True):
        close(one, expected)


def test_critics_at_several_scales_see_smoothed_halves():
    module, x = multiscale.MultiScale(2, 2, 1, "none"), picture(2, 16, 16, 1)
    variables = filled(module, x, train=True)
    scales = output(module, variables, x, train=True)
    small = np.stack([[
        [x[n, max(2 * i - 1, 0) : 2 * i + 2, max(2 * j - 1, 0) : 2 * j + 2].mean((0, 1))
         for j in range(8)] for i in range(8)] for n in range(2)
    ])  # fmt: skip
    for number, seen in enumerate((x, small)):
        p = in_order(variables["params"][f"PatchGAN_{number}"])
        y = leaky(conv(seen, p("Conv"), 2, 2))
        y = leaky(conv(y, p("Conv"), 1, 2))
        close(scales[number][0], conv(y, p("Conv"), 1, 2)[..., 0])


def test_a_residual_generator_of_pictures():
    """Instance norms; reflected borders but of strides; no ReLU after a block's sum."""
    module, x = ResNet(3, width=2, blocks=2, levels=2), picture(2, 12, 12, 1)
    variables = filled(module, x)
    p = in_order(variables["params"])
    y = relu(instance_norm(conv(reflected(x, 3), p("Conv"), 1, 0)))
    for _ in range(2):
        y = relu(instance_norm(conv(y, p("Conv"), 2, 1)))
    for _ in range(2):
        h = relu(instance_norm(conv(reflected(y, 1), p("Conv"), 1, 0)))
        y = y + instance_norm(conv(reflected(h, 1), p("Conv"), 1, 0))
    for _ in range(2):
        y = relu(instance_norm(transposed(y, p("TransposedConv"), padding=1)))
    y = np.tanh(conv(reflected(y, 3), p("Conv"), 1, 0))
    close(output(module, variables, x), y)


def test_srresnet():
    """Each block adds to what it is given, all of them to the first map; PReLU after each
    doubling; no tanh."""
    module, x = srresnet.SRResNet(2, 4, width=3, blocks=2), picture(2, 5, 6, 1)
    variables = filled(module, x, train=True)
    p = in_order(variables["params"])

    def normed(y):
        return batch_norm(conv(y, p("Conv")), p("BatchNorm"))

    def prelu(y):
        return leaky(y, float(p("PReLU")["negative_slope"]))

    first = y = prelu(conv(x, p("Conv")))
    for _ in range(2):
        y = y + normed(prelu(normed(y)))
    y = first + normed(y)
    for _ in range(2):
        wide = conv(y, p("Conv"))
        y = np.zeros((2, 2 * y.shape[1], 2 * y.shape[2], 3))
        for i, j in np.ndindex(2, 2):
            y[:, i::2, j::2] = wide[..., 2 * i + j :: 4]
        y = prelu(y)
    close(output(module, variables, x, train=True), conv(y, p("Conv")))


def test_srgans_critic():
    """Convolutions of stride 1 and 2 in turn; no norm in the first; slopes of 0.2."""
    module, x = srresnet.Critic(width=2, levels=2, hidden=3), picture(3, 8, 8, 1)
    variables = filled(module, x, train=True)
    p = in_order(variables["params"])
    y = leaky(conv(x, p("Conv"), 1, 1))
    for stride in (2, 1, 2):
        y = leaky(batch_norm(conv(y, p("Conv"), stride, 1), p("BatchNorm")))
    y = dense(leaky(dense(y.reshape(3, -1), p("Dense"))), p("Dense"))
    close(output(module, variables, x, train=True), y[:, 0])


def test_simgans_networks():
    module, x = refiner.Refiner(1, width=3, blocks=2), picture(2, 7, 8, 1)
    variables = filled(module, x)
    p = in_order(variables["params"])
    y = relu(conv(x, p("Conv")))
    for _ in range(2):
        y = relu(y + conv(relu(conv(y, p("Conv"))), p("Conv")))
    close(output(module, variables, x), np.tanh(conv(y, p("Conv"))))
    module, x = refiner.Critic(width=6), picture(2, 16, 16, 1)
    variables = filled(module, x)
    p = in_order(variables["params"])
    y = relu(conv(relu(conv(x, p("Conv"), 2)), p("Conv"), 2))
    padded = np.pad(y, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    y = np.max([padded[:, i : i + 4, j : j + 4] for i, j in np.ndindex(3, 3)], axis=0)
    outputs = conv(relu(conv(relu(conv(y, p("Conv"))), p("Conv"))), p("Conv"))
    close(output(module, variables, x), outputs[..., 1] - outputs[..., 0])


def test_the_network_of_many_styles():
    """No ReLU after a block's sum; doubled before a convolution; the last is normed, too."""
    module, x = style.StyleNet(2, 3, width=2, blocks=2), picture(2, 12, 12, 1)
    weights = np.float32([[0.2, 0.8, 0.0], [0.0, 0.0, 1.0]])
    variables = filled(module, x, weights)
    p = in_order(variables["params"])

    def normed(y, size, stride=1):
        y = conv(reflected(y, size // 2), p("Conv"), stride, 0)
        own = p("StyleNorm")
        gamma, beta = ((weights @ own[name])[:, None, None] for name in ("gamma", "beta"))
        return instance_norm(y) * gamma + beta

    y = relu(normed(x, 9))
    for _ in range(2):
        y = relu(normed(y, 3, 2))
    for _ in range(2):
        y = y + normed(relu(normed(y, 3)), 3)
    for _ in range(2):
        y = relu(normed(doubled(y), 3))
    close(output(module, variables, x, weights), 2 * sigmoid(normed(y, 9)) - 1)


def test_adains_decoder_doubles_after_the_first_convolution_of_a_width():
    module, x = style.Decoder(2, (4, 3), (3, 2)), picture(2, 4, 4, 5)
    variables = filled(module, x)
    p = in_order(variables["params"])

    def active(y):
        return relu(conv(reflected(y, 1), p("Conv"), 1, 0))

    y = active(active(doubled(active(x))))
    y = active(doubled(active(y)))
    close(output(module, variables, x), conv(reflected(y, 1), p("Conv"), 1, 0))
