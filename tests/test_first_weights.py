"""How weights begin, where a paper or its authors' code says so."""

import jax
import numpy as np
import pytest

from gm_jax import networks as networks_of_games
from gm_jax.adversarial.shared import networks, pyramid
from gm_jax.autoencoders import adversarial_autoencoder, semi_supervised_aae
from gm_jax.model import Field
from gm_jax.networks import Network
from gm_jax.nn.layers import BatchNorm
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.settings import read
from gm_jax.translation.shared import spade, style
from gm_jax.translation.shared.resnet import ResNet
from gm_jax.translation.shared.unet import UNet

KEY = jax.random.key(0)
Z, HOT = np.zeros((1, 24), np.float32), np.eye(4, dtype=np.float32)[:1]


def picture(side, channels=3):
    return np.zeros((1, side, side, channels), np.float32)


def kernels(tree):
    """{path: kernel in float64} of all arrays of two axes and more."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(p): np.float64(x) for p, x in leaves if x.ndim > 1}


def begun(module, *inputs):
    """As a run has them: those under spectral normalisation, too."""
    network = Network("net", module)
    init = jax.jit(lambda *x: networks_of_games.init(KEY[None], (network, *x)).params["net"])
    return kernels(init(*inputs))


def check(found, expected):
    """Deviations, of as many draws as there are; expected: (path, kernel) -> deviation."""
    assert found
    for path, kernel in found.items():
        error = 5.0 / np.sqrt(2.0 * kernel.size)
        np.testing.assert_allclose(kernel.std(), expected(path, kernel), rtol=error, err_msg=path)


def fans(kernel):
    """Inputs and outputs of a value, over the pixels of a kernel."""
    pixels = np.prod(kernel.shape[:-2], dtype=int)
    return pixels * kernel.shape[-2], pixels * kernel.shape[-1]


CONSTANT = {
    "dcgan": (networks.DCGANGenerator((16, 16, 3), 8, dense=True), (Z,), 0.02),
    "dcgan_d": (networks.DCGANDiscriminator(8, dense=True), (picture(16),), 0.02),
    "small": (networks.SmallGenerator((16, 16, 3), 8), (Z,), 0.02),
    "spectral_d": (networks.DCGANDiscriminator(8, 1, "spectral"), (picture(16),), 0.02),
    "small_d": (networks.SmallDiscriminator(8), (picture(16),), 0.02),
    "pix2pix": (UNet(3, width=8, levels=3), (picture(16), None), 0.02),
    "patches": (PatchGAN(8, 2), (picture(16),), 0.02),
    "cyclegan": (ResNet(3, width=8, blocks=1), (picture(16),), 0.02),
    "styles": (style.StyleNet(3, 1, width=8, blocks=1), (picture(16), HOT[:, :1]), 0.01),
    "lapgan_g": (pyramid.CoarseGenerator((4, 4, 3), 60), (Z, HOT), 0.05),
    "lapgan_d": (pyramid.CoarseCritic(60), (picture(4), HOT, None), 0.005),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTANT)
def test_one_deviation_for_all_kernels(name):
    module, inputs, deviation = CONSTANT[name]
    found = begun(module, *inputs)
    found = {path: kernel for path, kernel in found.items() if "StyleNorm" not in path}
    check(found, lambda path, kernel: deviation)


def test_gains_of_batch_norms_begin_around_one():
    x = np.zeros((1, 4000), np.float32)
    scale = np.asarray(BatchNorm(True).init(KEY, x)["params"]["BatchNorm_0"]["scale"])
    np.testing.assert_allclose([scale.mean(), scale.std()], [1.0, 0.02], rtol=0.05)


def test_networks_of_points_are_orthogonal_with_a_gain_of_1_4():
    """Rows or columns, of which there are fewer, at right angles and of length 1.4."""
    points = np.zeros((1, 2), np.float32)
    for module, x in (
        (networks.PointGenerator((2,), 16), Z), (networks.PointDiscriminator(16), points),
    ):  # fmt: skip
        for kernel in begun(module, x).values():
            w = kernel if kernel.shape[0] <= kernel.shape[1] else kernel.T
            np.testing.assert_allclose(w @ w.T, 1.96 * np.eye(len(w)), atol=1e-5)


@pytest.mark.parametrize(
    "module, inputs",
    [
        (pyramid.Residual(12), (picture(9, 1), picture(9), HOT)),
        (pyramid.Critic(12), (picture(11), HOT, None)),
    ],
)
def test_lapgans_convolutions_begin_as_torchs(module, inputs):
    """U(-a, a), a = 1 / sqrt(fan-in)."""
    found = begun(module, *inputs)
    check(found, lambda path, kernel: (3.0 * fans(kernel)[0]) ** -0.5)
    for kernel in found.values():
        bound = fans(kernel)[0] ** -0.5
        assert 0.95 * bound < np.abs(kernel).max() <= bound


@pytest.mark.parametrize("name", ["sngan_resnet", pytest.param("sagan", marks=pytest.mark.slow)])
def test_residual_networks_are_glorots_times_sqrt_2_before_a_relu(name):
    """Uniform; sqrt 2 within blocks alone, and not in SAGAN's."""
    pair, x = networks.NETWORKS[name], picture(8)
    for module, given in (
        (pair.discriminator(8, 1, "spectral"), x), (pair.generator((8, 8, 3), 8), Z),
    ):  # fmt: skip
        found = begun(module, given, HOT)
        found = {path: k for path, k in found.items() if k.any() and k.size > 60}

        def deviation(path, kernel):
            within = "Block" in path and kernel.shape[0] == 3 and name != "sagan"
            return np.sqrt((4.0 if within else 2.0) / sum(fans(kernel)))

        check(found, deviation)
        for path, kernel in found.items():  # A normal distribution would reach further.
            assert np.abs(kernel).max() <= 1.0001 * 3**0.5 * deviation(path, kernel)


@pytest.mark.slow
def test_biggans_weights_are_orthogonal_and_those_for_cifar_small():
    pair = networks.NETWORKS["biggan"]
    for path, kernel in begun(pair.discriminator(4, 1, "none"), picture(8), HOT).items():
        w = kernel.reshape(-1, kernel.shape[-1])
        w = w if w.shape[0] <= w.shape[1] else w.T
        np.testing.assert_allclose(w @ w.T, np.eye(len(w)), atol=1e-5, err_msg=path)
    pair = networks.NETWORKS["biggan_cifar"]
    found = begun(pair.discriminator(8, 1, "none"), picture(8), HOT)
    check(found, lambda path, kernel: 0.02)


def test_spades_weights_are_glorots_with_a_gain_of_2_hundredths():
    m = picture(16, 5)
    for module, inputs in (
        (spade.Generator(3, width=4, levels=2, hidden=8), (m, None)),
        (spade.Encoder(12, width=8, levels=1), (picture(16),)),
    ):
        found = begun(module, *inputs)
        check(found, lambda path, kernel: 0.02 * np.sqrt(2.0 / sum(fans(kernel))))


@pytest.mark.parametrize("system", [adversarial_autoencoder, semi_supervised_aae])
def test_adversarial_autoencoders_begin_with_the_recipes_deviation(system):
    name = system.__name__.split(".")[-1]
    stated = {"system": name, "steps": 1, "batch_size": 2, "widths": (40, 30), "deviation": 0.03}
    image, label = Field((6, 6, 1), 256), Field((), 4)
    spec = {"image": image, "label": label, "image_labelled": image, "label_labelled": label}
    (phase,) = system.build(read(system.Settings, stated), spec, {})
    batch = {name: np.zeros((2, *field.shape), np.float32) for name, field in spec.items()}
    params = jax.jit(lambda batch: phase.model.init(KEY, batch, None).params)(batch)
    check(kernels(params), lambda path, kernel: 0.03)
