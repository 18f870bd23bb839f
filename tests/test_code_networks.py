"""Networks of codes, films and judges, each whole by hand; and those that grow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import (
    close,
    conv,
    dense,
    doubled,
    filled,
    halved,
    in_order,
    leaky,
    masked,
    normalised,
    output,
    relu,
    transposed,
)
from twins.numbers import sigmoid

from gm_jax.evaluation import classifier, segmentation
from gm_jax.nn import encoders, grid, multiplicative, progan

RNG = np.random.default_rng(1)
Z = RNG.normal(size=(4, 6)).astype(np.float32)
X = RNG.normal(size=(4, 7, 8, 1)).astype(np.float32)


def test_dense_networks_are_rectified_between_their_layers():
    for module, x, shape in (
        (encoders.MLP(3, (5, 4)), X, (4, 3)),
        (encoders.ImageMLP((2, 3, 1), (5, 4)), Z, (4, 2, 3, 1)),
    ):
        variables = filled(module, x)
        p = variables["params"]
        p = in_order(p.get("MLP_0", p))
        y = relu(dense(relu(dense(x.reshape(4, -1), p("Dense"))), p("Dense")))
        close(output(module, variables, x), dense(y, p("Dense")).reshape(shape))


def test_networks_whose_code_is_a_grid():
    """A strided convolution and one without stride for each width; no ReLU at either end."""
    module = encoders.GridEncoder(12, (2, 3))
    variables = filled(module, X)
    p, y = in_order(variables["params"]), X
    for stride in (2, 1, 2, 1):
        y = relu(conv(y, p("Conv"), stride))
    close(output(module, variables, X), conv(y, p("Conv")).reshape(4, 12))
    module, z = encoders.GridDecoder((7, 8, 1), (2, 3)), np.float32(RNG.normal(size=(4, 12)))
    variables = filled(module, z)
    p = in_order(variables["params"])
    y = relu(conv(relu(conv(z.reshape(4, 2, 2, 3), p("Conv"))), p("Conv")))
    y = relu(transposed(y, p("TransposedConv"))[:, :4, :4])
    y = transposed(relu(conv(y, p("Conv"))), p("TransposedConv"))[:, :7, :8]
    close(output(module, variables, z), y)


def residual_blocks(y, p):
    """x + conv1x1(relu(conv3x3(relu(x)))), and a last ReLU. van den Oord et al. 2017, 4.1."""
    p = in_order(p)
    for _ in range(2):
        y = y + conv(relu(conv(relu(y), p("Conv"))), p("Conv"))
    return relu(y)


def test_networks_of_grids_of_codes():
    module = grid.GridEncoder(5, (2, 3))
    variables = filled(module, X)
    p = in_order(variables["params"])
    y = conv(relu(conv(X, p("Conv"), 2)), p("Conv"), 2)
    y = residual_blocks(y, variables["params"]["Residual_0"])
    close(output(module, variables, X), conv(y, p("Conv")))
    module, z = grid.GridDecoder((7, 8, 1), (2, 3)), np.float32(RNG.normal(size=(4, 2, 2, 5)))
    variables = filled(module, z)
    p = in_order(variables["params"])
    y = residual_blocks(conv(z, p("Conv")), variables["params"]["Residual_0"])
    y = relu(transposed(y, p("TransposedConv"))[:, :4, :4])
    close(output(module, variables, z), transposed(y, p("TransposedConv"))[:, :7, :8])


def unit(h, gates):
    g1, g2, g3, u = np.split(gates, 4, axis=-1)
    return sigmoid(g1) * np.tanh(sigmoid(g2) * h + sigmoid(g3) * np.tanh(u))


def test_the_encoder_of_films():
    """Residual blocks of two units, whose 3x3 convolutions are dilated, frame by frame."""
    module = multiplicative.FilmEncoder(width=2, dilations=(1, 3))
    films = RNG.normal(size=(2, 2, 6, 7, 1)).astype(np.float32)
    variables = filled(module, films)
    p, x = in_order(variables["params"]), np.float64(films).reshape(4, 6, 7, 1)
    x = conv(x, p("Conv"))
    for dilation in (1, 3):
        h = conv(x, p("Conv"))
        for _ in range(2):
            h = unit(h, conv(h, p("Conv"), dilation=dilation))
        x = x + conv(h, p("Conv"))
    memory = multiplicative.ConvLSTM(4)
    own = {"params": variables["params"]["ConvLSTM_0"]}
    expected, _ = memory.apply(own, jnp.float32(x.reshape(2, 2, 6, 7, 4)))
    close(output(module, variables, films)[0], expected)


def test_the_decoder_of_frames():
    """Masked to the pixels before, with what is known of earlier frames beside them."""
    module = multiplicative.FrameDecoder(4, outputs=2, width=2, blocks=1, first_size=3)
    x, known = RNG.integers(0, 4, (2, 5, 6, 1)), RNG.normal(size=(2, 5, 6, 3)).astype(np.float32)
    variables = filled(module, x, known)
    p = in_order(variables["params"])

    y = masked(2 * x / 3 - 1, p("MaskedConv"), "A") + dense(known, p("Dense"))
    h = masked(y, p("MaskedConv"))
    for _ in range(2):
        h = unit(h, masked(h, p("MaskedConv")))
    y = y + masked(h, p("MaskedConv"))
    y = masked(y, p("MaskedConv")).reshape(2, 5, 6, 1, 2)
    close(output(module, variables, x, known), y)


def test_the_classifier_whose_features_are_compared():
    """Images in [-1, 1]; all layers rectified, the 64 features, too."""
    module, x = classifier.Network(3), RNG.integers(0, 256, (4, 20, 20, 1)).astype(np.uint8)
    variables = filled(module, x)
    p, params = in_order(variables["params"]), variables["params"]
    y = x / 127.5 - 1
    for number in range(3):  # 20, 10, 5 pixels, and once more.
        own = {**p("Conv"), "bias": np.float64(params[f"Conv_{number}_bias"])}
        y = relu(conv(y, own, 2))
    features = relu(dense(y.reshape(4, -1), p("Dense")))
    found = output(module, variables, x)
    close(found[0], features)
    close(found[1], dense(features, p("Dense")))


def test_the_network_that_reads_label_maps_adds_the_scores_of_all_its_sizes():
    module, x = segmentation.FCN(3), RNG.integers(0, 256, (2, 8, 8, 1)).astype(np.uint8)
    variables = filled(module, x)
    p, params = in_order(variables["params"]), variables["params"]
    maps = [x / 127.5 - 1]
    for number, stride in enumerate((1, 2, 2, 2)):
        own = {**p("Conv"), "bias": np.float64(params[f"Conv_{number}_bias"])}
        maps.append(relu(conv(maps[-1], own, stride)))
    logits = dense(maps[-1], p("Dense"))
    for finer in maps[-2:0:-1]:
        logits = enlarged(logits) + dense(finer, p("Dense"))
    close(output(module, variables, x)[1], logits)


def enlarged(x):
    """Twice the sides, bilinear between pixels' centres."""
    for axis in (1, 2):
        x = np.moveaxis(x, axis, 0)
        before, after = np.concatenate([x[:1], x[:-1]]), np.concatenate([x[1:], x[-1:]])
        x = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=1)
        x = np.moveaxis(x.reshape(-1, *x.shape[2:]), 0, axis)
    return x


def pixel_norm(x):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-8)


def growing(module, *inputs, **options):
    """Variables of a network of ProGAN, its parameters, and what its layers use of theirs.

    Equalised kernels have deviation 1, and are used times gain / sqrt(fan-in).
    """
    variables = filled(module, *inputs, **options)

    def used(own, gain=2**0.5):
        kernel = own["kernel"]
        scale = gain / np.sqrt(np.prod(kernel.shape[:-1])) if module.equalized else 1.0
        return own | {"kernel": scale * kernel}

    if module.equalized:
        wide = jax.tree.map(
            lambda p: p * np.sqrt(np.prod(p.shape[:-1])) if p.ndim > 1 else p, variables["params"]
        )
        variables = {**variables, "params": wide}
    return variables, jax.tree.map(np.float64, variables["params"]), used


@pytest.mark.parametrize("row", ["a", "g"])
def test_progans_generator(row):
    """Norm, bias and (Leaky)ReLU in the order of each row; an image that is linear, or tanh."""
    old = row == "a"
    own = dict(normalization="batch", slope=0.0, latent_norm=False, tanh=True) if old else {}
    module = progan.Generator(8, 2, density=24, most=4, equalized=not old, **own)
    variables, params, used = growing(module, Z, 1.0, train=True)
    kind = "" if old else "Equalized"

    def active(x, p):
        p = p("Activation")
        if old:
            p = p["BatchNorm_0"]["BatchNorm_0"]
            return relu(normalised(x, (0, 1, 2)) * p["scale"] + p["bias"])
        return pixel_norm(leaky(x + p["bias"]))

    p = in_order(params["block_4"])
    x = dense(Z if old else pixel_norm(np.float64(Z)), used(p(f"{kind}Dense"), 2**0.5 / 4))
    x = active(conv(active(x.reshape(4, 4, 4, 4), p), used(p(f"{kind}Conv"))), p)
    p, x = in_order(params["block_8"]), doubled(x)
    for _ in range(2):
        x = active(conv(x, used(p(f"{kind}Conv"))), p)
    image = conv(x, used(params["to_image_8"], 1.0))
    close(output(module, variables, Z, 1.0, train=True), np.tanh(image) if old else image)


@pytest.mark.parametrize("row", ["a", "g"])
def test_progans_discriminator(row):
    """The deviation of groups before the last block; the output has a gain of 1."""
    old = row == "a"
    own = dict(normalization="layer", statistics="") if old else {"group": 2}
    module = progan.Discriminator(8, density=24, most=4, equalized=not old, **own)
    x = RNG.normal(size=(4, 8, 8, 2)).astype(np.float32)
    variables, params, used = growing(module, x, 1.0)
    kind = "" if old else "Equalized"

    def active(y, p):
        p = p("Activation")
        y = p["gain"] * normalised(y, tuple(range(1, y.ndim)), 1e-4) if old else y
        return leaky(y + p["bias"])

    y = leaky(conv(x, used(params["from_image_8"])))
    p = in_order(params["block_8"])
    for _ in range(2):
        y = active(conv(y, used(p(f"{kind}Conv"))), p)
    y = halved(y)
    if not old:  # Examples 0 and 2 are a group, 1 and 3 another.
        far = np.array([np.sqrt(y[[i, i + 2]].var(0) + 1e-8).mean() for i in (0, 1, 0, 1)])
        y = np.concatenate([y, np.tile(far[:, None, None, None], (1, 4, 4, 1))], axis=-1)
    p = in_order(params["block_4"])
    y = active(conv(y, used(p(f"{kind}Conv"))), p).reshape(4, -1)
    y = active(dense(y, used(p(f"{kind}Dense"))), p)
    close(output(module, variables, x, 1.0), dense(y, used(params["output"], 1.0))[:, 0])


def test_minibatch_discrimination_has_directions_of_a_learned_length():
    """exp(s) each, whatever the length of the kernel."""
    module = progan.MinibatchDiscrimination(3, 2)
    variables = filled(module, Z)
    p = jax.tree.map(np.float64, variables["params"])
    directions = p["kernel"] / np.sqrt((p["kernel"] ** 2).sum(0)) * np.exp(p["log_scale"])
    m = np.einsum("bc,cks->bks", Z, directions)
    near = np.exp(-np.abs(m[:, None] - m[None]).sum(-1)).sum(1) - 1 + p["bias"]
    close(output(module, variables, Z), np.concatenate([Z, near], axis=-1))
