"""Translation: networks as published, pools, and what ports of pix2pix and CycleGAN get wrong."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, opening
from jax.test_util import check_grads

import gm_jax
from gm_jax import pools
from gm_jax.nn.layers import instance_norm
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.nn.strides import TransposedConv
from gm_jax.translation.shared.resnet import ResNet, reflected
from gm_jax.translation.shared.unet import UNet

KEY = jax.random.key(0)


def parameters(module, *shapes):
    """How many a module has for images of these shapes."""
    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    mode = {} if isinstance(module, ResNet) else {"train": True}
    keys = (None,) if isinstance(module, UNet) else ()
    shapes = jax.eval_shape(lambda *x: module.init(KEY, *x, *keys, **mode), *inputs)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def test_the_published_networks_have_as_many_parameters_as_the_authors():
    """54.414 and 2.769 million of pix2pix, 11.378 and 2.765 of CycleGAN, as their code prints.

    But for biases: those of two layers without a norm, which the PyTorch U-Net lacks, and those
    before an instance norm, which have no effect.
    """
    image, pair = (1, 256, 256, 3), (1, 256, 256, 6)
    settings = gm_jax.load_config("configs/pix2pix_scenes.py:published")
    own, other = settings.generator.to_dict(), settings.discriminator.to_dict()
    del own["optimizer"], other["optimizer"]
    assert parameters(UNet(3, **own), image) == 54_413_955 + 64 + 512
    assert parameters(PatchGAN(**other), pair) == 2_768_705
    settings = gm_jax.load_config("configs/cyclegan_scenes.py:published")
    own, other = settings.generator.to_dict(), settings.discriminator.to_dict()
    del own["optimizer"], other["optimizer"]
    before_norms = 64 + 128 + 256 + 18 * 256 + 128 + 64
    assert parameters(ResNet(3, **own), image) == 11_378_179 - before_norms
    assert parameters(PatchGAN(**other), image) == 2_764_737 - (128 + 256 + 512)


@pytest.mark.slow
@pytest.mark.parametrize(
    "layers, patch, side, count", [(1, 16, 64, 30), (2, 34, 64, 14), (3, 70, 96, 10)]
)
def test_a_logit_sees_exactly_its_patch(layers, patch, side, count):
    """By the gradient; the published 70 gives 30x30 logits at 256 pixels."""
    critic = PatchGAN(width=2, layers=layers, normalization="none")
    x = jax.random.normal(KEY, (1, side, side, 1))
    variables = critic.init(KEY, x, train=True)
    logits, back = jax.vjp(lambda x: critic.apply(variables, x, train=True), x)
    assert logits.shape == (1, count, count)
    middle = count // 2
    (slope,) = back(jnp.zeros_like(logits).at[0, middle, middle].set(1.0))
    for axis in (1, 2):
        seen = np.flatnonzero(np.abs(slope[0, ..., 0]).max(axis - 1))
        assert len(seen) == seen[-1] - seen[0] + 1 == patch


def test_the_transposed_convolution_of_3x3_is_pytorchs_with_output_padding():
    """y[2i + u - 1] += x[i] k[u], cut to twice the size; "SAME" is one pixel off."""
    x, kernel = (np.asarray(jax.random.normal(KEY, s)) for s in ((1, 4, 4, 1), (3, 3, 1, 1)))
    wide = np.zeros((12, 12))
    for i, j, u, v in np.ndindex(4, 4, 3, 3):
        wide[2 * i + u, 2 * j + v] += x[0, i, j, 0] * kernel[u, v, 0, 0]
    expected = wide[1:9, 1:9]

    def ours(padding):
        module = TransposedConv(1, 3, use_bias=False, padding=padding)
        return np.asarray(module.apply({"params": {"kernel": kernel}}, x))[0, ..., 0]

    np.testing.assert_allclose(ours(1), expected, atol=1e-5)
    assert np.abs(ours(None) - expected).max() > 0.1

    def loss(x, kernel):
        module = TransposedConv(1, 3, use_bias=False, padding=1)
        return jnp.sum(module.apply({"params": {"kernel": kernel}}, x) ** 2)

    check_grads(loss, (jnp.asarray(x), jnp.asarray(kernel)), 1, ["rev"], atol=0.05, rtol=0.05)


def test_an_instance_norm_is_of_one_channel_of_one_example():
    x = np.asarray(jax.random.normal(KEY, (3, 4, 5, 2)), np.float64) * 3 + 1
    mean, variance = (f(x, axis=(1, 2), keepdims=True) for f in (np.mean, np.var))
    np.testing.assert_allclose(
        instance_norm(jnp.float32(x)), (x - mean) / np.sqrt(variance + 1e-5), atol=1e-5
    )
    assert np.all(instance_norm(jnp.ones((2, 1, 1, 3))) == 0)


def test_cyclegans_generator_reflects_at_the_border_and_not_the_border_itself():
    row = jnp.arange(4.0).reshape(1, 1, 4, 1) * jnp.ones((1, 4, 1, 1))
    np.testing.assert_array_equal(reflected(row, 2)[0, 0, :, 0], [2, 1, 0, 1, 2, 3, 2, 1])


@functools.cache
def opened(name, path, *overrides):
    """The model's compiled moves and functions, a batch of four, and its variables."""
    settings = config(name, path, batch_size=4, **dict(overrides))
    phase, batches, variables = opening(settings, jax.devices()[:1])
    moves = {p.name: jax.jit(p.moves[0].objective) for p in phase.model.players}
    functions = {n: jax.jit(function) for n, function in phase.model.functions.items()}
    return moves, functions, batches.prepare(batches.first, KEY), variables


@pytest.mark.slow
def test_pix2pix_is_used_as_it_is_trained(digits16):
    """With dropout, by the statistics of the batch at hand: running averages change nothing."""
    _, functions, batch, variables = opened("pix2pix", digits16, ("evaluate.batch_size", 4))
    translate, steady = functions["translate"], functions["steady"]
    first, second = (translate(variables, batch, jax.random.key(k))["image_b"] for k in (1, 2))
    assert np.abs(first - second).max() > 1e-4
    fixed = [steady(variables, batch, jax.random.key(k))["image_b"] for k in (1, 2)]
    np.testing.assert_array_equal(*fixed)
    forgotten = variables._replace(state=jax.tree.map(lambda x: 5.0 * x + 1.0, variables.state))
    np.testing.assert_array_equal(translate(forgotten, batch, jax.random.key(1))["image_b"], first)
    others = {**batch, "image": batch["image"].at[1:].multiply(-0.5)}
    assert np.abs(steady(variables, others, KEY)["image_b"][0] - fixed[0][0]).max() > 1e-6
    shown = functions["compare"](variables, batch, jax.random.key(1))["image"]
    for place, image in enumerate((batch["image"], first, batch["image_b"])):
        np.testing.assert_allclose(shown[:, place], image, atol=1e-5)


def maps_of(module, variables):
    """(x, keys) -> what each part of a network returned, {name: map}, compiled."""

    def maps(x, keys):
        mutable = ["batch_stats", "intermediates"]
        _, seen = module.apply(
            variables, x, keys, train=True, mutable=mutable, capture_intermediates=True
        )
        parts = dict(seen["intermediates"])
        parts.pop("__call__")
        return {name: outputs["__call__"][0] for name, outputs in parts.items()}

    return jax.jit(maps)


@pytest.mark.slow
def test_the_u_net_drops_on_the_way_up_and_norms_no_map_of_one_pixel():
    """Dropout in the three smallest maps of the way up, none on the way down; at one pixel, and
    with a batch of one, a norm would leave nothing of the image."""
    x, keys = jax.random.normal(KEY, (1, 32, 32, 3)), jax.random.split(KEY, 1)
    module = UNet(3, width=4, levels=5)
    maps = maps_of(module, jax.jit(functools.partial(module.init, train=True))(KEY, x, keys))
    with_keys, other, without = maps(x, keys), maps(-x, keys), maps(x, None)
    dropped = sorted(name for name in with_keys if name.startswith("Dropout"))
    assert len(dropped) == 3
    for name in (f"Conv_{level}" for level in range(5)):
        np.testing.assert_allclose(with_keys[name], without[name], atol=1e-6)
    for name, size in zip(dropped, (2, 4, 8), strict=True):
        zeros = np.mean(np.asarray(with_keys[name]) == 0)
        assert with_keys[name].shape[1] == size and 0.3 < zeros < 0.7
        assert np.mean(np.asarray(without[name]) == 0) < 0.1
    smallest = "TransposedConv_0"
    assert np.abs(with_keys[smallest] - other[smallest]).max() > 1e-6


@pytest.mark.parametrize(
    "recipe, overrides, message",
    [
        ("pix2pix", {"evaluate.batch_size": 8}, "set evaluate.batch_size to batch_size, 16"),
        (
            "pix2pix",
            {"generator.levels": 5, "evaluate.batch_size": 16},
            "16x16 cannot be halved 5 times",
        ),
        ("pix2pix", {"adversarial": 0.0, "distance": 0.0}, "adversarial and distance are both 0"),
        ("cyclegan", {"adversarial": 0.0, "cycle": 0.0}, "adversarial and cycle are both 0"),
        ("cyclegan", {"data.size": 18}, "18x18 cannot be halved 2 times"),
        (
            "cyclegan",
            {"data.name": "digits", "data.size": None, "data.domains": (), "data.unpaired": False},
            "this system needs `image_b`",
        ),
    ],
)
def test_what_cannot_be_translated_is_refused(recipe, overrides, message, digits16):
    with pytest.raises(gm_jax.UserError, match=message):
        gm_jax.build(config(recipe, digits16, **overrides))


def test_baselines_play_without_what_they_lack():
    """L1 alone and cycles alone have no discriminator; a GAN alone has no cycle."""
    for recipe, variant, players in (
        ("pix2pix", "l1", 1),
        ("cyclegan", "cycle", 1),
        ("cyclegan", "gan", 2),
    ):
        settings = gm_jax.load_config(f"configs/{recipe}_scenes.py:{variant}")
        (phase,) = gm_jax.build(settings)
        assert len(phase.model.players) == players


@pytest.mark.slow
def test_the_cycle_reaches_both_generators(digits16):
    """A cycle of detached fakes would have another slope than the loss that it minimises."""
    weights = ("adversarial", 0.0), ("identity", 0.0)
    moves, _, batch, variables = opened("cyclegan", digits16, *weights)
    assert set(moves) == {"generators"} and set(variables.params) == {"to_a", "to_b"}

    @functools.partial(jax.value_and_grad, has_aux=True)
    def loss(params):
        return moves["generators"](variables._replace(params=params), batch, KEY, 0)

    (_, aux), slopes = loss(variables.params)
    assert set(aux.metrics) == {"cycle"}

    def value(name, step):
        """The loss after a step along the slope of one generator's parameters."""
        moved = jax.tree.map(lambda p, g: p + step * g, variables.params[name], slopes[name])
        there = variables._replace(params=variables.params | {name: moved})
        return moves["generators"](there, batch, KEY, 0)[0]

    for name in ("to_a", "to_b"):
        square = sum(jnp.sum(g**2) for g in jax.tree.leaves(slopes[name]))
        step = 1e-4 / jnp.sqrt(square)
        rise = (value(name, step) - value(name, -step)) / (2 * step)
        np.testing.assert_allclose(rise, square, rtol=0.05)


def shown_over(count, batch=4, size=10, rounds=None):
    """Numbered fakes given to a pool, what it showed of them, and the pool at the end."""
    pool, given, shown = pools.empty_pool(size, (1,)), [], []
    step = jax.jit(pools.exchange)
    for number in range(count):
        fakes = jnp.arange(batch, dtype=jnp.float32)[:, None] + batch * number + 1
        out, pool = step(jax.random.key(number), pool, fakes, {"index": jnp.arange(batch)})
        given.append(np.asarray(fakes[:, 0]))
        shown.append(np.asarray(out[:, 0]))
    return np.concatenate(given), np.concatenate(shown), np.asarray(pool["kept"][:, 0])


def test_a_pool_keeps_and_shows_each_fake_once():
    given, shown, kept = shown_over(50)
    np.testing.assert_array_equal(shown[:10], given[:10])  # While it fills.
    after = np.sort(np.concatenate([shown[10:], kept]))
    np.testing.assert_array_equal(after, np.sort(given))


def test_half_of_what_a_full_pool_shows_is_old_and_fifty_slots_make_it_a_hundred_shows_old():
    given, shown, _ = shown_over(1500, size=50)
    given, shown = given[1000:], shown[1000:]
    age = given - shown
    assert abs(np.mean(age > 0) - 0.5) < 0.03 and np.all(age >= 0)
    assert abs(age[age > 0].mean() - 100) < 8
    of_batch = (age > 0).reshape(-1, 4).mean(1)  # Each by its own draw: 2 of 16 batches are alike.
    assert abs(np.mean((of_batch > 0) & (of_batch < 1)) - 7 / 8) < 0.05


def test_a_pool_takes_the_fakes_of_a_batch_one_after_another():
    """So one that came a moment ago can be shown in the same batch; a pool of none shows all."""
    given, shown, _ = shown_over(300, batch=8, size=3)
    batches = zip(given.reshape(-1, 8), shown.reshape(-1, 8), strict=True)
    assert any(np.any((out < new) & (out >= new[0])) for new, out in batches)
    fakes = jnp.ones((4, 1))
    out, _ = pools.exchange(KEY, pools.empty_pool(0, (1,)), fakes, {"index": jnp.arange(4)})
    np.testing.assert_array_equal(out, fakes)


def test_a_pool_is_the_same_on_one_and_eight_devices():
    """Shown to each position of the global batch, kept equal on all devices."""
    fakes, index = jnp.arange(16.0).reshape(16, 1) + 1, jnp.arange(16)
    pool = {"kept": -jnp.ones((5, 1)), "filled": jnp.int32(5)}
    whole, one = pools.exchange(KEY, pool, fakes, {"index": index})

    def program(fakes, index):
        return pools.exchange(KEY, pool, fakes, {"index": index})

    parts = (x.reshape(8, 2, *x.shape[1:]) for x in (fakes, index))
    shown, eight = jax.pmap(program, axis_name="data")(*parts)
    np.testing.assert_array_equal(shown.reshape(16, 1), whole)
    for kept in eight["kept"]:
        np.testing.assert_array_equal(kept, one["kept"])


@pytest.mark.slow
def test_d_sees_what_comes_out_of_its_domains_pool(digits16):
    """All that was generated is in the pool or was shown; each domain has its own."""
    moves, functions, batch, variables = opened("cyclegan", digits16, ("pool", 2))
    fakes = functions["translate"](variables, batch, KEY)
    _, aux = moves["discriminators"](variables, batch, KEY, 0)
    old = {}
    for name, made in (("pool_a", fakes["image"]), ("pool_b", fakes["image_b"])):
        pool = aux.state[name]
        sums, kept = (np.asarray(x).sum((1, 2, 3)) for x in (made, pool["kept"]))
        assert int(pool["filled"]) == 2 and all(np.abs(sums - k).min() < 1e-2 for k in kept)
        old[name] = {**pool, "kept": 0.0 * pool["kept"] + 0.3}
    variables = variables._replace(state=variables.state | old)
    values = [moves["discriminators"](variables, batch, jax.random.key(k), 0)[0] for k in range(4)]
    assert len(set(np.round(values, 6))) > 1
