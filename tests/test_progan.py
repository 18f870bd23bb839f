"""ProGAN: what fades in, what a phase takes over, its layers by hand, and what is refused."""

import functools
import types

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import GAMES, config, opening, play, refuses

import gm_jax
from gm_jax import zoo
from gm_jax.adversarial import progan, stylegan
from gm_jax.losses.penalties import wgan_gp
from gm_jax.nn.layers import doubled, halved
from gm_jax.nn.progan import (
    Activation,
    Discriminator,
    Generator,
    MinibatchDiscrimination,
    layer_norm,
    linear,
)
from gm_jax.nn.stylegan import Synthesis
from gm_jax.training import loop, state

KEY = jax.random.key(0)
SMALL = {"density": 64, "most": 6}
ONE = jax.devices()[:1]


SYSTEMS = {"progan": progan, "stylegan": stylegan}
HALF_LIFE = {"progan": {"average": 0.9}, "stylegan": {"average.half_life": 64.0}}


@pytest.fixture
def fading(monkeypatch):
    """Systems that end with the phase in which the last layers fade in."""

    def ended(module):
        def build(*arguments):
            return module.build(*arguments)[:-1]

        return types.SimpleNamespace(Settings=module.Settings, build=build)

    for name, module in SYSTEMS.items():
        monkeypatch.setitem(zoo.SYSTEMS, name, ended(module))


def shaken(variables):
    """The parameters a little off their start, where biases are 0."""
    return jax.tree.map(
        lambda x: x + 0.3 * jax.random.normal(jax.random.key(x.size), x.shape), variables
    )


def only(params, *names):
    """The layers whose names begin so."""
    return {"params": {k: v for k, v in params["params"].items() if k.startswith(names)}}


def test_a_share_of_0_is_the_smaller_generator_enlarged_and_1_the_larger_one():
    old, both, new = (
        Generator(side, 2, fade, **SMALL) for side, fade in ((4, 0), (8, 1), (8, 0))
    )  # fmt: skip

    @jax.jit
    def images(z):
        params = shaken(both.init(KEY, z, 0.0, train=True))
        small = only(params, "block_4", "to_image_4")
        large = only(params, "block", "to_image_8")
        begin, middle, end = (both.apply(params, z, share, train=False) for share in (0, 0.25, 1))
        return (
            (begin, middle, end),
            old.apply(small, z, 1.0, train=False),
            new.apply(large, z, 1.0, train=False),
        )

    (begin, middle, end), small, large = images(jax.random.normal(KEY, (3, 5)))
    np.testing.assert_allclose(begin, doubled(small), atol=1e-6)
    np.testing.assert_allclose(end, large, atol=1e-5)
    np.testing.assert_allclose(middle, 0.75 * begin + 0.25 * end, atol=1e-5)
    assert np.abs(begin - end).max() > 0.1


def test_a_share_of_0_is_the_smaller_discriminator_of_halved_images_and_1_the_larger_one():
    old, both, new = (
        Discriminator(side, fade, **SMALL) for side, fade in ((4, 0), (8, 1), (8, 0))
    )  # fmt: skip

    @jax.jit
    def outputs(x):
        params = shaken(both.init(KEY, x, 0.0))
        small = only(params, "block_4", "from_image_4", "output")
        large = only(params, "block", "from_image_8", "output")
        begin, end = (both.apply(params, x, share) for share in (0.0, 1.0))
        return begin, end, old.apply(small, halved(x), 1.0), new.apply(large, x, 1.0)

    begin, end, small, large = outputs(jax.random.normal(KEY, (4, 8, 8, 2)))
    np.testing.assert_allclose(begin, small, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(end, large, rtol=1e-5, atol=1e-5)
    assert np.abs(begin - end).max() > 0.05


def test_a_phase_takes_over_layers_and_averages_but_no_optimizer(digits16):
    """What fades in is new; what faded out is gone; Adam begins at 0."""
    first, second, third = gm_jax.build(config("progan", digits16, average=0.9))
    assert [p.name for p in (first, second, third)] == ["stable_4", "fade_8", "stable_8"]
    batch = {"image": jnp.zeros((8, 8, 8, 1)), "index": jnp.arange(8)}

    def ended(variables):
        average = {"generator": jax.tree.map(lambda x: x + 1.0, variables.average["generator"])}
        opt = jax.tree.map(lambda x: x + 7, variables.opt)
        return variables._replace(average=average, opt=opt)

    previous, phases = None, []
    for number, phase in enumerate((first, second, third)):
        key = jax.random.key(number)
        previous = ended(state.create(phase.model, key, batch, previous))
        phases.append(previous)
    one, two, three = (phase.params for phase in phases)
    for net, layer in (("generator", "to_image"), ("discriminator", "from_image")):
        layers = set(one[net]) - {f"{layer}_4"}
        assert set(two[net]) == layers | {f"{layer}_4", f"{layer}_8", "block_8"}
        assert set(three[net]) == layers | {f"{layer}_8", "block_8"}
        for before, after in ((one, two), (two, three)):
            for name in set(before[net]) & set(after[net]):
                jax.tree.map(np.testing.assert_array_equal, before[net][name], after[net][name])
    averages = [phase.average["generator"]["generator"] for phase in phases]
    apart = jax.tree.map(lambda a, p: np.mean(a - p), averages[2], three["generator"])
    assert {round(float(x)) for x in jax.tree.leaves(apart["block_4"])} == {3}
    assert {round(float(x)) for x in jax.tree.leaves(apart["block_8"])} == {2}
    for phase in phases:  # Of moments and counts that began at 0 and ended at 7.
        assert all(np.all(x == 7) for x in jax.tree.leaves(phase.opt))


@pytest.mark.parametrize("system", ["progan", pytest.param("stylegan", marks=pytest.mark.slow)])
def test_real_images_fade_by_the_fraction_of_the_rounds_that_are_played(system, digits16):
    """From 0 on, not by the penalty's numbers, nor in whole ones; both moves and samples alike."""
    phase = gm_jax.build(config(system, digits16, fade=4))[1]
    x = jax.random.uniform(KEY, (4, 8, 8, 1))
    batch = {"image": x, "index": jnp.arange(4)}
    variables = jax.jit(phase.model.init)(KEY, batch, None)
    variables = variables._replace(state=variables.state | {"share": jnp.float32(0.75)})

    @jax.jit
    def seen(step):
        """D's images, the shares of all calls, and those that the moves keep."""
        images, shares, kept = [], [], []

        def note(called, inputs, options, context):
            if isinstance(context.module, Generator | Synthesis | Discriminator):
                shares.append(jnp.asarray(inputs[-1]))
            if isinstance(context.module, Discriminator):
                images.append(inputs[0])
            return called(*inputs, **options)

        with nn.intercept_methods(note):
            for player in phase.model.players:
                _, aux = player.moves[0].objective(variables, batch, KEY, step)
                kept.append(aux.state["share"])
            phase.model.functions["sample"](variables, batch, KEY)
        # ProGAN's first image is the penalty's.
        return images[1 if system == "progan" else 0], shares, kept

    for step in (0, 1, 3):
        real, (*shares, of_sample), kept = seen(step)
        share = step / 4
        np.testing.assert_allclose(real, (1 - share) * doubled(halved(x)) + share * x, atol=1e-6)
        assert len(shares) == 6 and all(np.all(one == share) for one in [*shares, *kept])
        assert of_sample == 0.75


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_fading_game_is_the_same_on_all_devices_and_its_share_rises_from_0(
    system, fading, digits16
):
    settings = config(system, digits16, dtype="float64", fade=4)
    with jax.enable_x64(True):
        one, eight = (play(settings, 3, jax.devices()[:n], np.float64) for n in (1, 8))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-8), one, eight)
    start, end = (
        jax.tree_util.tree_leaves_with_path(variables.params) for variables, _ in (one[0], one[-1])
    )
    for (path, a), (_, b) in zip(start, end, strict=True):
        undecided = jax.tree_util.keystr(path) in GAMES[system].undecided
        assert undecided or np.abs(a - b).max() > 1e-6
    for number, (variables, metrics) in enumerate(one):
        assert variables.state["share"].shape == ()
        assert variables.state["share"] == metrics["discriminator/value/share"] == number / 4


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_killed_inside_a_fade_and_after_it_ends_bitwise_as_one_never_interrupted(
    system, digits16, tmp_path, monkeypatch
):
    own = {"fade": 4, "steps": 2, "checkpoint.every": 2, "report.every": 1, "show.every": 0}
    settings = config(system, digits16, **HALF_LIFE[system], **own)
    whole = gm_jax.train(settings, tmp_path / "whole", ONE)
    rounds, played = loop.rounds, []

    class Killed(Exception):
        pass

    def killed(*arguments):
        for item in rounds(*arguments):
            played.append(item[0])
            # In the third round of the fade, and in the first round after it.
            if len(played) in (5, 8):
                raise Killed
            yield item

    monkeypatch.setattr(loop, "rounds", killed)
    for _ in range(2):
        with pytest.raises(Killed):
            gm_jax.train(settings, tmp_path / "parts", ONE)
    parts = gm_jax.train(settings, tmp_path / "parts", ONE)
    assert played == [1, 2, 1, 2, 3, 3, 4, 1, 1, 2]
    jax.tree.map(np.testing.assert_array_equal, whole.variables, parts.variables)
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "parts")]
    assert logs[0] == logs[1]


def parameters(module, *inputs, **options):
    shapes = jax.eval_shape(functools.partial(module.init, **options), KEY, *inputs)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def test_the_published_networks_have_as_many_parameters_as_the_authors():
    """23,079,115 and 23,087,249, of which some are of smaller sides than 1024, no longer used."""
    s = gm_jax.load_config("configs/progan_fashion.py:published")
    sizes = {"density": s.density, "most": s.most}
    z, x = (jax.ShapeDtypeStruct(of, jnp.float32) for of in ((4, s.latents), (4, 1024, 1024, 3)))
    unused = [min(16384 // side, 512) for side in (4, 8, 16, 32, 64, 128, 256, 512)]
    generator = parameters(Generator(1024, 3, **sizes), z, 1.0, train=False)
    assert generator + sum(3 * n + 3 for n in unused) == 23_079_115
    discriminator = parameters(Discriminator(1024, **sizes), x, 1.0)
    assert discriminator + sum(3 * n + n for n in unused) == 23_087_249


def test_layers_begin_with_hes_deviation_by_their_gains():
    """sqrt 2 before a LeakyReLU, a quarter of it at the first layer, 1 where nothing follows."""
    net = Generator(4, 48, equalized=False, density=256, most=64)
    params = net.init(KEY, jnp.zeros((1, 32)), 1.0, train=False)["params"]
    block, last = params["block_4"], params["to_image_4"]
    for kernel, expected in (
        (block["Dense_0"]["kernel"], (2 / 32) ** 0.5 / 4),
        (block["Conv_0"]["kernel"], (2 / (9 * 64)) ** 0.5),
        (last["kernel"], (1 / 64) ** 0.5),
    ):
        np.testing.assert_allclose(kernel.std(), expected, rtol=0.05)
    for size in (0, 1):
        x = jax.random.normal(KEY, (64, 8, 8, 16))
        kernels = [
            linear(16, size, equalized, jnp.float32, 1.0).init(KEY, x)["params"]["kernel"]
            for equalized in (True, False)
        ]
        np.testing.assert_allclose([k.std() for k in kernels], [1.0, 0.25], rtol=0.15)


def test_the_rows_of_the_table_differ_in_their_layers():
    """Batch and layer norms, ReLU, tanh, raw latents; later LeakyReLU and pixel norm."""
    z = 3.0 * jax.random.normal(KEY, (8, 4))
    for row in "adg":
        own = gm_jax.load_config(f"configs/progan_fashion.py:{row}").generator.to_dict()
        del own["optimizer"]
        net = Generator(4, 1, equalized=row == "g", **SMALL, **own)
        variables = net.init(KEY, z, 1.0, train=True)
        one, larger = (net.apply(variables, by * z, 1.0, train=False) for by in (1.0, 9.0))
        assert np.allclose(one, larger, atol=1e-4) == (row != "a")
        assert ("batch_stats" in variables) == (row == "a")
        last = jax.tree.map(lambda p: 99.0 * p, variables["params"]["to_image_4"])
        variables = variables | {"params": variables["params"] | {"to_image_4": last}}
        bounded = np.abs(net.apply(variables, z, 1.0, train=False)).max() <= 1.0
        assert bounded == (row == "a")
    x = jnp.array([[[[-1.0, 0.5]]]])
    for norm, slope, expected in (
        ("none", 0.0, [0.0, 0.5]),
        ("none", 0.2, [-0.2, 0.5]),
        ("pixel", 0.2, np.array([-0.2, 0.5]) / np.sqrt(0.145)),
        ("layer", 0.2, np.array([-0.2, 1.0])),
    ):
        module = Activation(norm, slope)
        np.testing.assert_allclose(
            module.apply(module.init(KEY, x), x)[0, 0, 0], expected, rtol=1e-3
        )


def test_a_layer_norm_is_over_all_values_of_an_example():
    x = np.asarray(jax.random.normal(KEY, (3, 4, 4, 2))) * 5 + 2
    mean, deviation = (f(x, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.std))
    np.testing.assert_allclose(layer_norm(jnp.asarray(x)), (x - mean) / deviation, atol=1e-4)
    assert np.abs(layer_norm(jnp.full((1, 4), 3.0))).max() == 0.0


def test_minibatch_discrimination_by_hand():
    """sum_j exp(-|.|_1) over the others, of directions of length 1, and a bias of -1."""
    module, x = MinibatchDiscrimination(3, 2), jax.random.normal(KEY, (5, 4))
    params = module.init(KEY, x)
    kernel = np.float64(params["params"]["kernel"])
    m = np.einsum("bc,cks->bks", np.float64(x), kernel / np.sqrt((kernel**2).sum(0)))
    expected = [
        [
            sum(np.exp(-np.abs(m[i, k] - m[j, k]).sum()) for j in range(5) if j != i) - 1
            for k in range(3)
        ]
        for i in range(5)
    ]
    found = module.apply(params, x)
    np.testing.assert_array_equal(found[:, :4], x)
    np.testing.assert_allclose(found[:, 4:], expected, atol=1e-5)


def test_the_penalty_is_in_units_of_its_target():
    """Of a linear critic with a slope of 3, (3 / t - 1)^2."""
    x = jnp.ones((2, 4))

    def critic(x):
        return x @ jnp.array([3.0, 0.0, 0.0, 0.0])

    for target in (1.0, 3.0, 750.0):
        found = wgan_gp(critic, x, 2 * x, jnp.full(2, 0.5), target)
        np.testing.assert_allclose(found, (3.0 / target - 1.0) ** 2, atol=1e-5)


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"data.size": 12}, r"12x12 are not 4x4 \(first\) doubled"),
        ({"first": 16}, r"8x8 are not 16x16 \(first\)"),
        ({"first": 6, "data.size": 12}, "first is 6: it must be 4, 8, 16"),
        ({"data.name": "ring"}, "this system needs `image`"),
    ],
)
def test_what_cannot_grow_is_refused(overrides, message):
    refuses("progan_fashion", overrides, message)


def test_a_gan_that_does_not_grow_is_one_phase_and_groups_must_divide_the_batch(digits16):
    settings = config("progan", digits16, first=8)
    assert [phase.name for phase in gm_jax.build(settings)] == ["stable_8"]
    settings = config("progan", digits16, first=8, batch_size=6)
    with pytest.raises(gm_jax.UserError, match="does not divide into groups of 4"):
        opening(settings, ONE)
