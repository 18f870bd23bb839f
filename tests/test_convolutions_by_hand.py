"""Convolutional networks of images as wholes, by hand in float64: first stages, judges, CLIP's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_gates import KEY, assert_same, dense, relu, somewhere
from transformers_by_hand import read, swish

from gm_jax.multimodal.shared.text_gan import Discriminator, Generator
from gm_jax.nn.classifier import Classifier
from gm_jax.nn.clip_resnet import ClipResNet
from gm_jax.nn.latent_autoencoder import KLAutoencoder, VQAutoencoder
from gm_jax.nn.patchgan import PatchGAN

GROUPS = 2
RNG = np.random.default_rng(5)
IMAGE, LARGE = RNG.normal(size=(2, 8, 8, 3)), RNG.normal(size=(3, 16, 16, 3))
SIZES = dict(widths=(4, 8), blocks=1, latents=3, groups=GROUPS, dtype=jnp.float64)


def conv(params, x, stride=1, pads=None):
    """With zeros before and after each side, so many that stride 1 keeps them unless `pads` say."""
    kernel = params["kernel"]
    size = len(kernel)
    pads = (size // 2, size - 1 - size // 2) if pads is None else pads
    x = np.pad(x, ((0, 0), pads, pads, (0, 0)))
    height, width = (side - size + 1 for side in x.shape[1:3])
    shifted = (
        x[:, i : i + height, j : j + width] @ kernel[i, j] for i, j in np.ndindex(size, size)
    )
    return sum(shifted)[:, ::stride, ::stride] + params.get("bias", 0.0)


def group_norm(params, x, groups=GROUPS):
    each = x.reshape(*x.shape[:3], groups, -1)
    mean, variance = (f(each, axis=(1, 2, 4), keepdims=True) for f in (np.mean, np.var))
    return ((each - mean) / np.sqrt(variance + 1e-6)).reshape(x.shape) * params["scale"] + params[
        "bias"
    ]


def residual(params, x):
    """x + conv(swish(norm(conv(swish(norm(x)))))), with a convolution of one pixel around it."""
    h = conv(params["conv1"], swish(group_norm(params["norm1"], x)))
    h = conv(params["conv2"], swish(group_norm(params["norm2"], h)))
    return h + (conv(params["conv_shortcut"], x) if "conv_shortcut" in params else x)


def middle(params, x):
    """A residual block, attention with one head, and another block."""
    x, own = residual(params["resnets_0"], x), params["attentions_0"]
    h = group_norm(own["group_norm"], x).reshape(len(x), -1, x.shape[-1])
    mixed = read(*(dense(own[name], h) for name in ("to_q", "to_k", "to_v")), 1)
    return residual(params["resnets_1"], x + dense(own["to_out_0"], mixed).reshape(x.shape))


def encoded(params, x):
    """A block at each of two resolutions; a stride of 2 pads below and to the right."""
    p = params["encoder"]
    x = residual(p["down_blocks_0"]["resnets_0"], conv(p["conv_in"], x))
    x = conv(p["down_blocks_0"]["downsamplers_0"]["conv"], x, 2, (0, 1))
    x = middle(p["mid_block"], residual(p["down_blocks_1"]["resnets_0"], x))
    x = conv(p["conv_out"], swish(group_norm(p["conv_norm_out"], x)))
    return conv(params["quant_conv"], x)


def decoded(params, z):
    """A block more at each resolution; each pixel becomes four."""
    p = params["decoder"]
    x = middle(p["mid_block"], conv(p["conv_in"], conv(params["post_quant_conv"], z)))
    for level in ("up_blocks_0", "up_blocks_1"):
        for number in range(2):
            x = residual(p[level][f"resnets_{number}"], x)
        if level == "up_blocks_0":
            x = conv(p[level]["upsamplers_0"]["conv"], x.repeat(2, 1).repeat(2, 2))
    return conv(p["conv_out"], swish(group_norm(p["conv_norm_out"], x)))


def test_the_first_stage_with_a_gaussian():
    net = KLAutoencoder(**SIZES)
    params, found = somewhere(net, IMAGE)
    moments = encoded(params, IMAGE)
    mean, log_variance = np.split(moments, 2, axis=-1)
    assert_same(found, decoded(params, mean))
    with jax.enable_x64(True):
        (ours, deviation), z = net.apply({"params": params}, IMAGE, method="encode"), mean + 0.3
        assert_same(np.asarray(ours), mean)
        clamped = np.clip(log_variance, -30, 20)
        np.testing.assert_allclose(deviation, np.exp(0.5 * clamped), rtol=1e-9)
        made = net.apply({"params": params}, z, method="decode")
    assert_same(np.asarray(made), decoded(params, z))


def test_the_first_stage_with_a_book():
    params, found = somewhere(VQAutoencoder(**SIZES, code=2, codes=5), IMAGE)
    book = params["quantize"]["embedding"]["embedding"]
    z = encoded(params, IMAGE)
    chosen = ((z[..., None, :] - book) ** 2).sum(-1).argmin(-1)
    assert len(np.unique(chosen)) > 1
    assert_same(found, decoded(params, book[chosen]))


def test_the_classifier_of_noised_images():
    """Half a U-Net: the level is added before the second norm; the mean of the last map is read."""
    widths, t = (8, 12), np.array([3.0, 700.5])
    net = Classifier(5, widths=widths, dtype=jnp.float64)
    params, (logits, maps) = somewhere(net, IMAGE, t)
    angles = t[:, None] * 10_000.0 ** (-np.arange(4) / 3)
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    level = dense(params["Dense_1"], swish(dense(params["Dense_0"], waves)))
    x = conv(params["Conv_0"], IMAGE)
    for depth, width in enumerate(widths):
        if depth:
            x = conv(params[f"Conv_{depth}"], x, 2, (0, 1))
        own = params[f"ResidualBlock_{depth}"]
        first, second = (own[f"Norm_{k}"]["GroupNorm_0"] for k in range(2))
        # At most 32 groups of at least four channels.
        h = conv(own["Conv_0"], swish(group_norm(first, x, x.shape[-1] // 4)))
        h = h + dense(own["Dense_0"], swish(level))[:, None, None]
        h = conv(own["Conv_1"], swish(group_norm(second, h, width // 4)))
        x = h + (dense(own["Dense_1"], x) if "Dense_1" in own else x)
        assert_same(maps[depth], x)
    h = swish(group_norm(params["Norm_0"]["GroupNorm_0"], x, widths[-1] // 4))
    assert_same(logits, dense(params["Dense_2"], h.mean((1, 2))))


def batch_norm(params, x):
    """Of the batch itself, over all axes but the last."""
    params = params.get("BatchNorm_0", params)
    mean, variance = (f(x, axis=tuple(range(x.ndim - 1))) for f in (np.mean, np.var))
    return (x - mean) / np.sqrt(variance + 1e-5) * params["scale"] + params["bias"]


def in_training(net, *inputs):
    """Parameters away from their start, and the outputs, normalised by the batch, in float64."""
    with jax.enable_x64(True):
        shapes = jax.eval_shape(lambda: net.init(KEY, *inputs, True))
        params = jax.tree.map(lambda p: RNG.normal(0, 0.6, p.shape), shapes.pop("params"))
        rest = jax.tree.map(lambda p: jnp.zeros(p.shape), shapes)
        apply = jax.jit(lambda v: net.apply(v, *inputs, True, mutable=list(rest))[0])
        return params, jax.device_get(apply({"params": params, **rest}))


def pooled(x):
    return x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).mean((2, 4))


def test_clips_resnet():
    """Radford et al. 2021, section 2.4: three convolutions first, strides as pools, and attention
    from the mean of the last map, with positions."""
    net, x = ClipResNet(width=8, layers=(1, 1), projection=5, dtype=jnp.float64), LARGE
    params, found = in_training(net, x)
    for number in (1, 2, 3):
        x = conv(params[f"conv{number}"], x, 2 if number == 1 else 1)
        x = relu(batch_norm(params[f"bn{number}"], x))
    x = pooled(x)
    for name, halves in (("layer1_0", False), ("layer2_0", True)):
        own = params[name]
        h = relu(batch_norm(own["bn1"], conv(own["conv1"], x)))
        h = relu(batch_norm(own["bn2"], conv(own["conv2"], h)))
        h, x = (pooled(h), pooled(x)) if halves else (h, x)
        h = batch_norm(own["bn3"], conv(own["conv3"], h))
        x = batch_norm(own["downsample_1"], conv(own["downsample_0"], x))
        x = relu(h + x)
    assert_same(found.tokens, x)
    own = params["attnpool"]
    h = x.reshape(len(x), -1, x.shape[-1])
    h = np.concatenate([h.mean(1, keepdims=True), h], axis=1) + own["positional_embedding"]
    mixed = read(
        dense(own["q_proj"], h[:, :1]), dense(own["k_proj"], h), dense(own["v_proj"], h), 4
    )
    assert_same(found.pooled, dense(own["c_proj"], mixed[:, 0]))


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


@pytest.mark.parametrize("normalization", ["batch", "instance", "none"])
def test_the_discriminator_of_patches(normalization):
    """Isola et al. 2017: strides of 2 but in the last two layers, and no norm in the outer ones."""
    net = PatchGAN(width=4, layers=2, normalization=normalization, dtype=jnp.float64)
    params, found = in_training(net, LARGE)

    def normed(number, x):
        if normalization == "instance":
            mean, variance = (f(x, axis=(1, 2), keepdims=True) for f in (np.mean, np.var))
            return (x - mean) / np.sqrt(variance + 1e-5)
        own = params.get(f"BatchNorm_{number}")
        return batch_norm(own, x) if normalization == "batch" else x

    x = leaky(conv(params["Conv_0"], LARGE, 2, (1, 1)))
    x = leaky(normed(0, conv(params["Conv_1"], x, 2, (1, 1))))
    x = leaky(normed(1, conv(params["Conv_2"], x, 1, (1, 1))))
    assert_same(found, conv(params["Conv_3"], x, 1, (1, 1))[..., 0])


def transposed(params, x):
    """Twice the sides: each pixel adds its multiple of the 4 x 4 kernel, one row and column off."""
    kernel, (b, height, width, _) = params["kernel"], x.shape
    y = np.zeros((b, 2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for i, j in np.ndindex(4, 4):
        y[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += x @ kernel[i, j].T
    return y[:, 1:-1, 1:-1] + params.get("bias", 0.0)


def bottleneck(params, x, activation):
    h = x
    for number in range(3):
        h = batch_norm(params[f"BatchNorm_{number}"], conv(params[f"Conv_{number}"], h))
        h = activation(h) if number < 2 else h
    return x + h


def test_the_networks_of_texts():
    """Reed et al. 2016, figure 2: blocks in G's first two levels, the text at each position of D's
    last map; between D's last two maps nothing bends."""
    z, t = RNG.normal(size=(3, 5)), RNG.normal(size=(3, 6))
    params, found = in_training(Generator((16, 16, 3), width=4, text=4, dtype=jnp.float64), z, t)
    told = leaky(dense(params["Dense_0"], t))
    x = np.concatenate([z, told], axis=-1) @ params["Dense_1"]["kernel"]
    x = batch_norm(params["BatchNorm_0"], x.reshape(3, 4, 4, 8))
    for level in range(2):
        x = bottleneck(params[f"Bottleneck_{level}"], x, relu)
        x = transposed(params[f"TransposedConv_{level}"], relu(x))
        x = x if level else batch_norm(params["BatchNorm_1"], x)
    assert_same(found, np.tanh(x))

    image = RNG.normal(size=(3, 32, 32, 3))
    params, found = in_training(Discriminator(width=4, text=4, dtype=jnp.float64), image, t)
    x = conv(params["Conv_0"], image, 2, (1, 1))
    for level in (1, 2):
        x = conv(params[f"Conv_{level}"], leaky(x) if level == 1 else x, 2, (1, 1))
        x = batch_norm(params[f"BatchNorm_{level - 1}"], x)
    x = leaky(bottleneck(params["Bottleneck_0"], x, leaky))
    told = leaky(batch_norm(params["BatchNorm_2"], t @ params["Dense_0"]["kernel"]))
    told = np.broadcast_to(told[:, None, None], (3, 4, 4, 4))
    x = conv(params["Conv_3"], np.concatenate([x, told], axis=-1))
    x = leaky(batch_norm(params["BatchNorm_3"], x))
    assert_same(found, conv(params["Conv_4"], x, 1, (0, 0))[:, 0, 0, 0])
