"""StyleGAN: its layers by hand, what fades in, what a phase takes over, and its sizes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, perturb, refuses
from scipy.signal import convolve2d, correlate2d

import gm_jax
from gm_jax.adversarial import stylegan
from gm_jax.adversarial.shared.growing import growths
from gm_jax.adversarial.shared.path_length import path_length
from gm_jax.model import Field
from gm_jax.nn.layers import doubled
from gm_jax.nn.progan import Block, Discriminator
from gm_jax.nn.stylegan import Level, Synthesis, noise_sides
from gm_jax.nn.stylegan2_layers import Mapping
from gm_jax.optimizers import adam
from gm_jax.settings import read
from gm_jax.weights.assigning import count

KEY = jax.random.key(0)
SMALL = {"density": 64, "most": 6}
BLUR = np.outer([1, 2, 1], [1, 2, 1]) / 16


def drawn(module, *inputs):
    """Parameters of a module: kernels of deviation 1, all else of 0.3."""
    shapes = jax.eval_shape(module.init, KEY, *inputs)["params"]
    rng = np.random.default_rng(0)

    def fill(path, leaf):
        x = rng.normal(size=leaf.shape).astype(np.float32)
        return x if "kernel" in jax.tree_util.keystr(path) else 0.3 * x

    return jax.tree_util.tree_map_with_path(fill, shapes)


def each_map(x, function):
    """[B, H, W, C] with a function of each channel's map."""
    maps = [[function(own[..., c]) for c in range(own.shape[-1])] for own in x]
    return np.moveaxis(np.array(maps), 1, -1)


def convolved(x, kernel):
    """sqrt 2 / sqrt(fan_in) times the correlation with zeros around, [B, H, W, D]."""
    scale = (2.0 / np.prod(kernel.shape[:3])) ** 0.5
    outputs = [
        sum(
            each_map(x[..., c : c + 1], lambda m, k=kernel[..., c, d]: correlate2d(m, k, "same"))
            for c in range(x.shape[-1])
        )
        for d in range(kernel.shape[-1])
    ]
    return scale * np.concatenate(outputs, axis=-1)


def styled(x, params, w, noise):
    """Noise, a bias and the activation; then each map with its style's deviation and mean."""
    x = x + params["noise_strength"] * noise + params["bias"]
    x = np.where(x > 0, x, 0.2 * x)
    style = w @ params["style"]["kernel"] / w.shape[1] ** 0.5 + params["style"]["bias"]
    scale, shift = style[:, : x.shape[-1]], style[:, x.shape[-1] :]
    x = (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    return x * (1 + scale[:, None, None]) + shift[:, None, None]


def test_a_level_by_hand():
    """The first of its constant; the next blurs what it convolves after each pixel is repeated."""
    w = jax.random.normal(KEY, (2, 2, 5))
    for side, x in ((4, None), (8, jax.random.normal(KEY, (2, 4, 4, 2)))):
        noise = list(jax.random.normal(jax.random.key(side), (2, 2, side, side, 1)))
        level = Level(3, jnp.float32)
        params = drawn(level, x, w, noise)
        found = jax.jit(level.apply)({"params": params}, x, w, noise)
        params, own, maps = jax.tree.map(np.float64, (params, w, noise))
        if x is None:
            y = np.repeat(params["const"][None], 2, axis=0)
        else:
            y = np.float64(x).repeat(2, axis=1).repeat(2, axis=2)
            y = convolved(y, params["EqualizedConv_0"]["kernel"])
            y = each_map(y, lambda m: convolve2d(m, BLUR, "same"))
        y = styled(y, params["Styled_0"], own[:, 0], maps[0])
        y = convolved(y, params[f"EqualizedConv_{int(side > 4)}"]["kernel"])
        y = styled(y, params["Styled_1"], own[:, 1], maps[1])
        np.testing.assert_allclose(found, y, rtol=1e-3, atol=1e-4)


def test_ds_block_blurs_before_its_second_convolution_and_halves_before_the_activation():
    x = jax.random.normal(KEY, (2, 8, 8, 2))
    block = Block((3, 4), True, "none", 0.2, jnp.float32, down=True)
    params = drawn(block, x)
    found = jax.jit(block.apply)({"params": params}, x)
    y, params = np.float64(x), jax.tree.map(np.float64, params)

    def active(y, number):
        y = y + params[f"Activation_{number}"]["bias"]
        return np.where(y > 0, y, 0.2 * y)

    y = active(convolved(y, params["EqualizedConv_0"]["kernel"]), 0)
    y = convolved(each_map(y, lambda m: convolve2d(m, BLUR, "same")),
                  params["EqualizedConv_1"]["kernel"])  # fmt: skip
    y = y.reshape(2, 4, 2, 4, 2, 4).mean((2, 4))
    np.testing.assert_allclose(found, active(y, 1), rtol=1e-4, atol=1e-5)


def only(params, *names):
    """The layers whose names begin so."""
    return {"params": {k: v for k, v in params["params"].items() if k.startswith(names)}}


def test_a_share_of_0_is_the_smaller_generator_enlarged_and_1_the_larger_one():
    old, both, new = (
        Synthesis(side, 2, fade, **SMALL) for side, fade in ((4, False), (8, True), (8, False))
    )
    noise = [jax.random.normal(KEY, (4, side, side, 1)) for side in noise_sides(8)]
    w = jax.random.normal(KEY, (4, 4, 5))
    params = {"params": drawn(both, w, noise, 0.0)}

    @jax.jit
    def images(w, noise):
        small = only(params, "block_4", "to_image_4")
        large = only(params, "block", "to_image_8")
        begin, end = (both.apply(params, w, noise, share) for share in (0.0, 1.0))
        small = old.apply(small, w[:, :2], noise[:2], 1.0)
        return begin, end, small, new.apply(large, w, noise, 1.0)

    begin, end, small, large = images(w, noise)
    np.testing.assert_allclose(begin, doubled(small), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(end, large, rtol=1e-4, atol=1e-5)
    assert np.abs(begin - end).max() > 0.05


def test_another_number_of_styles_is_refused():
    for styles in (3, 5):
        with pytest.raises(ValueError, match="4 styles"):
            shapes = jnp.zeros((1, styles, 2)), None, 1.0
            jax.eval_shape(Synthesis(8, 1, **SMALL).init, KEY, *shapes)


@pytest.mark.slow
def test_a_phase_takes_over_layers_the_average_of_w_and_the_noise(digits16):
    """The mapping as it is; noise of the new layers is new."""
    batch = {"image": jnp.zeros((8, 8, 8, 1)), "index": jnp.arange(8)}
    previous = None
    for number, phase in enumerate(gm_jax.build(config("stylegan", digits16))):
        init = jax.jit(phase.model.init)
        variables = init(jax.random.key(number), batch, previous)
        noise = variables.state["noise"]
        assert phase.name == ("stable_4", "fade_8", "stable_8")[number]
        assert [x.shape for x in noise] == [(1, n, n, 1) for n in (4, 4, 8, 8)[: len(noise)]]
        if not previous:
            np.testing.assert_array_equal(variables.params["synthesis"]["block_4"]["const"], 1.0)
        else:
            kept = variables.state["w_average"], noise[: len(previous.state["noise"])]
            old = previous.state["w_average"], previous.state["noise"]
            jax.tree.map(np.testing.assert_array_equal, kept, old)
            for net, layers in variables.params.items():
                for name in set(layers) & set(previous.params[net]):
                    jax.tree.map(
                        np.testing.assert_array_equal, layers[name], previous.params[net][name]
                    )
            assert "block_4" in previous.params["synthesis"]
        state = variables.state | {"w_average": variables.state["w_average"] + 1.0}
        previous = variables._replace(state=state, params=perturb(variables.params, 0.3))
    assert set(previous.params["synthesis"]) == {"block_4", "block_8", "to_image_8"}


def test_the_published_networks_have_as_many_parameters_as_the_authors():
    """26,219,627 and 23,087,249, of which some are of smaller sides than 1024, no longer used."""
    s = gm_jax.load_config("configs/stylegan_fashion.py:published")
    sizes = {"density": s.density, "most": s.most}

    def parameters(module, *inputs):
        return count(jax.eval_shape(functools.partial(module.init), KEY, *inputs)["params"])

    def of(*shape):
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    unused = [min(16384 // side, 512) for side in (4, 8, 16, 32, 64, 128, 256, 512)]
    mapping = Mapping(s.generator.styles, s.generator.mapping)
    styles = of(1, 18, s.generator.styles)
    generator = parameters(mapping, of(1, s.latents))
    generator += parameters(Synthesis(1024, 3, **sizes), styles, None, 1.0)
    assert generator + sum(3 * n + 3 for n in unused) == 26_219_627
    discriminator = Discriminator(1024, blur=True, **sizes)
    found = parameters(discriminator, of(4, 1024, 1024, 3), 1.0)
    assert found + sum(3 * n + n for n in unused) == 23_087_249


def test_both_players_learn_faster_at_the_largest_sides():
    rates = [stylegan._at(adam(1e-3), side).learning_rate for side in (8, 64, 128, 256, 512, 1024)]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 1.5e-3, 2e-3, 3e-3, 3e-3])


def test_a_phase_has_the_rates_of_its_own_side_and_groups_of_the_recipes_size():
    """Not of the data's side, which only the last phases have."""
    stated = {
        "system": "stylegan", "steps": 1, "batch_size": 2, "first": 64, "stable": 1, "fade": 1,
        "discriminator": {"group": 2},
    }  # fmt: skip
    settings, shape = read(stylegan.Settings, stated), (256, 256, 3)
    phases = stylegan.build(settings, {"image": Field(shape, 256)}, {})
    weights = jnp.zeros(3)
    for phase, factor in zip(phases, (1.0, 1.5, 1.5, 2.0, 2.0), strict=True):
        for player in phase.model.players:
            start = player.optimizer.init(weights)
            step, _ = player.optimizer.update(jnp.ones(3), start, weights)
            np.testing.assert_allclose(step, -1e-3 * factor, rtol=1e-5, err_msg=phase.name)
    nets = stylegan.make(settings, shape, growths(settings, shape)[0])
    assert nets.discriminator.module.group == 2


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"data.size": 12}, r"12x12 are not 4x4 \(first\) doubled"),
        ({"objective": "hinge"}, "objective"),
        ({"sampler.label": 3}, "sampler.label is 3, and this generator knows 0 classes"),
    ],
)
def test_what_cannot_be_is_one_line(overrides, message):
    refuses("stylegan_fashion", overrides, message)


@pytest.mark.slow
def test_a_run_is_trained_and_its_path_length_measured(digits16, tmp_path):
    """Through all phases; the path length of a run that is read again, in w and in z."""
    settings = config("stylegan", digits16, **{"show.every": 0})
    gm_jax.train(settings, tmp_path / "run", jax.devices()[:1])
    trained = gm_jax.load(tmp_path / "run")
    nets = stylegan.networks_of(trained)

    def distance(x, y):
        return jnp.sum((x - y) ** 2, axis=(1, 2, 3))

    lengths = [
        path_length(nets, trained.variables, distance, 20, space, 1e-2, batch_size=20)
        for space in ("w", "z")
    ]
    assert all(np.isfinite(lengths)) and min(lengths) > 0
