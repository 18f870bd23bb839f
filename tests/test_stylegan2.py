"""StyleGAN2's networks: the authors' modules' outputs at given weights, in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import refuses
from stylegan2_golden import description, golden, kernel, needs_golden, weights

from gm_jax.errors import UserError
from gm_jax.nn import stylegan2
from gm_jax.nn.equalized import convolution, minibatch_deviation
from gm_jax.nn.filtering import convolution_up
from gm_jax.nn.stylegan2 import Discriminator, Synthesis
from gm_jax.nn.stylegan2_layers import (
    Mapping,
    StyledConv,
    ToRGB,
    activated,
    clamped,
    mixed,
    modulated,
    truncated,
)
from gm_jax.weights.assigning import assign, count
from gm_jax.weights.stored import of_array
from gm_jax.weights.stylegan2 import table

KEY = jax.random.key(0)
WIDE = jnp.float64
GENERATORS = ("g_skip", "g_resnet", "g_orig", "g_cond", "g_clamp")
DISCRIMINATORS = (
    "d_resnet", "d_skip", "d_orig", "d_cond", "d_mbstd_features_2_whole_batch", "d_no_mbstd",
    "d_clamp",
)  # fmt: skip


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def loaded(module, inputs, tensors, prefix=""):
    """The authors' tensors as a module's parameters."""
    shapes = jax.eval_shape(lambda: module.init(KEY, *inputs))["params"]
    own = {name: of_array(x) for name, x in tensors.items() if name.startswith(prefix)}
    ignored = (r".*noise_const", "mapping.w_avg")
    params = assign(table(shapes, prefix), own, shapes, prefix, ignored, np.float64)
    apply = jax.jit(module.apply, static_argnames="maps")
    return functools.partial(apply, {"params": params})


def generator(case):
    """(z, label -> w), (styles, noise -> images), the constant noise and the average w."""
    arguments = description()["generators"][case]["arguments"]
    own, classes = arguments["synthesis_kwargs"], arguments["c_dim"]
    tensors = weights(case, "generators")
    features, resolution = arguments["w_dim"], arguments["img_resolution"]
    mapping = Mapping(features, arguments["mapping_kwargs"]["num_layers"], classes, WIDE)
    synthesis = Synthesis(
        resolution, arguments["img_channels"], own["channel_base"], own["channel_max"],
        own.get("architecture", "skip"), own.get("conv_clamp"), WIDE,
    )  # fmt: skip
    label = jnp.zeros(1, jnp.int32) if classes else None
    noise = [tensors[name][None, :, :, None] for name in tensors if name.endswith("noise_const")]
    return (
        loaded(mapping, (jnp.zeros((1, arguments["z_dim"])), label), tensors, "mapping."),
        loaded(
            synthesis, (jnp.zeros((1, stylegan2.layers(resolution), features)), None),
            tensors, "synthesis.",
        ),
        noise,
        tensors["mapping.w_avg"],
    )  # fmt: skip


def discriminator(case):
    arguments = description()["discriminators"][case]["arguments"]
    last = arguments["epilogue_kwargs"]
    module = Discriminator(
        arguments["channel_base"], arguments["channel_max"],
        arguments.get("architecture", "resnet"), arguments.get("conv_clamp"),
        last.get("mbstd_group_size", 4) or 0, last.get("mbstd_num_channels", 1),
        arguments.get("mapping_kwargs", {}).get("num_layers", 8), arguments["c_dim"], WIDE,
    )  # fmt: skip
    label = jnp.zeros(8, jnp.int32) if arguments["c_dim"] else None
    inputs = golden("in/image"), label
    return loaded(module, inputs, weights(case, "discriminators"))


def repeated(w, count=6):
    return jnp.repeat(w[:, None], count, axis=1)


def close(x, name, tolerance=1e-10):
    expected = golden(name)
    np.testing.assert_allclose(x, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@needs_golden
@pytest.mark.parametrize("case", GENERATORS)
def test_generators(case):
    mapping, synthesis, noise, _ = generator(case)
    label = golden("in/label") if case == "g_cond" else None
    w = mapping(golden("in/z"), label)
    close(w, f"{case}/w")
    close(synthesis(repeated(w), noise), f"{case}/image")


@needs_golden
def test_without_noise_truncated_and_mixed():
    mapping, synthesis, noise, average = generator("g_skip")
    styles = repeated(mapping(golden("in/z")))
    close(synthesis(styles, None), "g_skip/image_without_noise")
    psi, cutoff = description()["psi"], description()["cutoff"]
    close(synthesis(truncated(styles, average, psi), noise), "g_skip/image_psi")
    cut = truncated(styles, average, psi, cutoff)
    close(synthesis(cut, noise), "g_skip/image_psi_cutoff")
    at_average = synthesis(truncated(styles, average, 0.0), noise)
    close(at_average[:1], "g_skip/image_psi_0")
    np.testing.assert_allclose(at_average[1:], at_average[:-1], atol=1e-10)
    mix = mixed(styles, styles[::-1], jnp.full(3, 2))
    close(synthesis(mix, noise), "g_skip/image_mixed_from_2")


@needs_golden
def test_maps_of_each_level():
    mapping, synthesis, noise, _ = generator("g_skip")
    _, seen = synthesis(repeated(mapping(golden("in/z")[:1])), noise, maps=True)
    for (features, image), side in zip(seen, (4, 8, 16), strict=True):
        close(features, f"g_skip/features_{side}", 1e-6)
        close(image, f"g_skip/skip_{side}", 1e-6)


@needs_golden
@pytest.mark.parametrize("case", DISCRIMINATORS)
def test_discriminators(case):
    label = golden("in/d_label") if case == "d_cond" else None
    close(discriminator(case)(golden("in/image"), label), f"{case}/logits")


@needs_golden
def test_the_minibatch_deviation():
    x, group = golden("in/x_mbstd"), description()["mbstd_group"]
    for name, channels in (("group", 1), ("group_features_2", 2)):
        planes = minibatch_deviation(x, group, channels)
        close(planes[:, 0, 0], f"op/minibatch_std_{name}")


@needs_golden
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("demodulate", [0, 1])
def test_modulated_convolutions(up, demodulate):
    weight = kernel("in/w3")
    weight, convolve = (weight, convolution) if up == 1 else (weight[::-1, ::-1], convolution_up)
    y = modulated(golden("in/x_mod"), weight, golden("in/styles"), convolve, bool(demodulate))
    if up == 2:
        y = y + golden("in/noise")[:, :, None]
    close(y, f"op/modulated_k3_up{up}_demod{demodulate}")


@needs_golden
def test_activations():
    x = golden("in/x_conv") + golden("in/b_act")
    close(activated(x, clamp=0.9), "op/bias_act_lrelu")
    close(clamped(x, clamp=0.9), "op/bias_act_linear")


@pytest.mark.parametrize("convolve", [convolution, convolution_up])
def test_modulation_is_a_convolution_with_each_examples_own_kernel(convolve):
    x, kernel = jax.random.normal(KEY, (3, 6, 6, 4)), jax.random.normal(KEY, (3, 3, 4, 5))
    style = 1.0 + jax.random.normal(KEY, (3, 4))
    y = modulated(x, kernel, style, convolve)
    for own, s, out in zip(x, style, y, strict=True):
        k = kernel * s[:, None]
        k = k / jnp.sqrt(jnp.sum(k**2, axis=(0, 1, 2)) + 1e-8)
        np.testing.assert_allclose(convolve(own[None], k)[0], out, atol=1e-12)


def test_demodulated_outputs_have_variance_one_whatever_the_style():
    x, kernel = jax.random.normal(KEY, (64, 12, 12, 8)), jax.random.normal(KEY, (3, 3, 8, 5))
    style = 1.0 + jax.random.normal(jax.random.key(1), (1, 8))
    styles = jnp.repeat(style, 64, axis=0)
    y = modulated(x, kernel, styles)
    inside = y[:, 1:-1, 1:-1]
    np.testing.assert_allclose(jnp.var(inside, axis=(0, 1, 2)), 1.0, rtol=0.1)
    np.testing.assert_allclose(modulated(x, kernel, 7.0 * styles), y, atol=1e-8)


def test_another_number_of_styles_is_refused():
    """JAX would silently use the last one again."""
    module = Synthesis(8, 1, 32, 4)
    for styles in (3, 5):
        with pytest.raises(ValueError, match="4 styles"):
            jax.eval_shape(module.init, KEY, jnp.zeros((1, styles, 2)), None)


@pytest.mark.slow
def test_a_levels_image_has_the_style_of_the_next_levels_first_convolution():
    """Which of six styles the maps and images of three levels depend on."""
    module = Synthesis(16, 1, 32, 2)
    styles = jax.random.normal(KEY, (1, 6, 3))
    params = module.init(KEY, styles, None)

    def seen(styles):
        _, levels = module.apply(params, styles, None, maps=True)
        return jnp.stack([jnp.sum(x**2) for level in levels for x in level])

    slopes = jnp.any(jax.jit(jax.jacrev(seen))(styles) != 0, axis=(1, 3))
    expected = [np.arange(6) < count for count in (1, 2, 3, 4, 5, 6)]
    np.testing.assert_array_equal(slopes, expected)


def test_images_have_sides_of_a_power_of_two():
    for side in (4, 12, 28):
        with pytest.raises(UserError, match=r"8, 16, 32, \.\.\. pixels, not"):
            stylegan2.levels(side)


def test_kernels_of_styled_convolutions_have_deviation_one():
    """Demodulation would hide another scale, but Adam's steps would differ."""
    for module, inputs in (
        (StyledConv(64), (jnp.zeros((1, 4, 4, 32)), jnp.zeros((1, 8)), None)),
        (ToRGB(64), (jnp.zeros((1, 4, 4, 512)), jnp.zeros((1, 8)))),
    ):
        params = module.init(KEY, *inputs)["params"]
        np.testing.assert_allclose(jnp.std(params["kernel"]), 1.0, rtol=0.05)
        np.testing.assert_array_equal(params["affine"]["bias"], 1.0)


def test_published_sizes_have_as_many_parameters_as_the_authors():
    """FFHQ at 1024 x 1024, as their code counts them: 30,370,060 and 29,012,513."""
    counts = []
    for module, inputs in (
        (Mapping(512, 8), (jnp.zeros((1, 512)),)),
        (Synthesis(1024, 3), (jnp.zeros((1, 18, 512)), None)),
        (Discriminator(), (jnp.zeros((1, 1024, 1024, 3)),)),
    ):
        counts.append(count(jax.eval_shape(module.init, KEY, *inputs)["params"]))
    assert (counts[0] + counts[1], counts[2]) == (30_370_060, 29_012_513)


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"batch_size": 6}, "batch_size 6 does not divide into groups of 4"),
        (
            {"discriminator.group": 0, "generator.path.shrink": 3},
            "batch_size 8 does not divide by generator.path.shrink 3",
        ),
        ({"steps": 0}, "steps is 0: give published weights"),
        ({"sampler.label": 3}, "sampler.label is 3, and this generator knows 0 classes"),
        ({"data.size": 12}, r"sides of 8, 16, 32, \.\.\. pixels, not 12"),
        ({"data.size": None, "data.pad": True}, "pad needs the size"),
        ({"weights": "nowhere.pkl"}, "nowhere.pkl is not there"),
    ],
)
def test_what_cannot_be_is_one_line(overrides, message):
    refuses("stylegan2_fashion", {"data.name": "digits", "data.pad": False, **overrides}, message)


def test_noise_differs_by_example_and_layer_and_is_scaled_by_its_strength():
    keys = jax.vmap(jax.random.fold_in, (None, 0))(KEY, jnp.arange(3))
    maps = stylegan2.drawn_noise(keys, stylegan2.noise_sides(16))
    assert [x.shape[1] for x in maps] == [4, 8, 8, 16, 16]
    flat = jnp.stack([x[:, :4, :4, 0] for x in maps]).reshape(15, 16)
    correlation = np.corrcoef(flat) - np.eye(15)
    assert np.abs(correlation).max() < 0.9
    layer = StyledConv(2, dtype=WIDE)
    x, w, noise = jnp.ones((1, 4, 4, 3)), jnp.ones((1, 5)), maps[0][:1]
    variables = layer.init(KEY, x, w, noise)
    same = layer.apply(variables, x, w, noise), layer.apply(variables, x, w, None)
    np.testing.assert_array_equal(*same)  # Its strength is 0 at the start.
