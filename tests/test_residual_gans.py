"""Residual GANs: blocks by hand, published sizes, spectral norm, truncation, statistics."""

import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.linen.initializers import normal
from games import config, opening, perturb
from jax import lax
from scipy import stats

import gm_jax
from gm_jax import games
from gm_jax.adversarial.shared import latents, resnet_blocks, resnets
from gm_jax.adversarial.shared.networks import NETWORKS
from gm_jax.losses import penalties
from gm_jax.nn.statistics import standing
from gm_jax.optimizers import Optimizer, adam, optimizer, warmed_up
from gm_jax.training import loop, state, step
from gm_jax.training.checkpoint import Progress

ONE, KEY = jax.devices()[:1], jax.random.key(0)
ANY = resnet_blocks.Weights(*[normal(0.3)] * 3)
PLAIN = resnet_blocks.Layers(ANY, False, True, jnp.float32)
X = jax.random.normal(KEY, (3, 4, 6, 16))
Y = jax.nn.one_hot(jnp.array([2, 0, 1]), 4)


def away(module, *inputs):
    """Variables of a module, all of them off their start."""
    return perturb(jax.jit(module.init)(jax.random.key(1), *inputs), 0.2)


def run(module, variables, *inputs):
    return module.apply(variables, *inputs, mutable=["batch_stats"])[0]


def conv(params, x, name):
    """A convolution of a block, on its own."""
    kernel = params[name]["kernel"]
    pads = [(k // 2, k // 2) for k in kernel.shape[:2]]
    layout = "NHWC", "HWIO", "NHWC"
    out = lax.conv_general_dilated(x, kernel, (1, 1), pads, dimension_numbers=layout)
    return out + params[name].get("bias", 0.0)


def normalised(x):
    axes = (0, 1, 2)
    return (x - x.mean(axes)) / jnp.sqrt(x.var(axes) + 1e-5)


def nearest(x):
    return jax.image.resize(x, (len(x), 2 * x.shape[1], 2 * x.shape[2], x.shape[3]), "nearest")


def pooled(x):
    return x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).mean((2, 4))


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_conditional_batch_norm_has_gain_one_plus_w_y():
    """Trap: no + 1. At its start it is batch norm alone, whatever the label."""
    layers = PLAIN._replace(weights=resnet_blocks.Weights(*[normal(0.3)] * 2))
    norm = resnet_blocks.ConditionalBatchNorm(layers)
    close(run(norm, norm.init(KEY, X, Y), X, Y), normalised(X))
    variables = away(norm, X, Y)
    gain, shift = (Y @ variables["params"][name]["kernel"] for name in ("gain", "shift"))
    expected = normalised(X) * (1.0 + gain[:, None, None]) + shift[:, None, None]
    close(run(norm, variables, X, Y), expected)
    variables = away(norm, X)
    own = variables["params"]
    close(run(norm, variables, X), normalised(X) * (1.0 + own["gain"]) + own["shift"])


def test_up_blocks_enlarge_before_they_convolve():
    """As published: the shortcut enlarges first, too, and both norms see the condition."""
    block = resnet_blocks.UpBlock(8, PLAIN)
    variables = away(block, X, Y)
    own = variables["params"]

    def active(x, number):
        norm = own[f"ConditionalBatchNorm_{number}"]
        gain, shift = ((Y @ norm[name]["kernel"])[:, None, None] for name in ("gain", "shift"))
        return jax.nn.relu(normalised(x) * (1.0 + gain) + shift)

    h = conv(own, nearest(active(X, 0)), "Conv_0")
    h = conv(own, active(h, 1), "Conv_1")
    close(run(block, variables, X, Y), h + conv(own, nearest(X), "Conv_2"))


@pytest.mark.parametrize(("down", "first"), [(True, True), (True, False), (False, False)])
def test_down_blocks_pool_after_they_convolve(down, first):
    """The shortcut is a convolution if the block pools or widens, else the identity."""
    block = resnet_blocks.DownBlock(16, PLAIN, down, first)
    variables = away(block, X)
    own = variables["params"]
    h = conv(own, X if first else jax.nn.relu(X), "Conv_0")
    h = conv(own, jax.nn.relu(h), "Conv_1")
    expected = pooled(h) + pooled(conv(own, X, "Conv_2")) if down else h + X
    close(run(block, variables, X), expected)
    assert ("Conv_2" in own) == down


def test_deep_blocks_keep_the_first_channels_and_concatenate_new_ones():
    """Without its last convolution a block is what goes beside it."""
    up = resnet_blocks.DeepUpBlock(8, PLAIN)
    variables = away(up, X, Y)
    assert variables["params"]["Conv_1"]["kernel"].shape == (3, 3, 4, 4)
    last = variables["params"]["Conv_3"]
    variables["params"]["Conv_3"] = jax.tree.map(jnp.zeros_like, last)
    close(run(up, variables, X, Y), nearest(X[..., :8]))
    down = resnet_blocks.DeepDownBlock(24, PLAIN)
    variables = away(down, X)
    assert variables["params"]["Conv_1"]["kernel"].shape == (3, 3, 6, 6)
    last, more = variables["params"]["Conv_3"], variables["params"]["Conv_4"]
    assert last["kernel"].shape[-1] == 24 and more["kernel"].shape[-1] == 8
    own = variables["params"]
    h = jax.nn.relu(conv(own, jax.nn.relu(X), "Conv_0"))
    h = jax.nn.relu(conv(own, jax.nn.relu(conv(own, h, "Conv_1")), "Conv_2"))
    beside = jnp.concatenate([pooled(X), pooled(conv(own, X, "Conv_4"))], -1)
    close(run(down, variables, X), pooled(conv(own, h, "Conv_3")) + beside)


def test_attention_is_a_softmax_over_keys_that_begins_as_the_identity():
    """By hand, of a map that is not square. Traps: softmax over queries, scaled scores, biases."""
    module = resnet_blocks.SelfAttention(PLAIN)
    variables = module.init(KEY, X)
    np.testing.assert_array_equal(module.apply(variables, X), X)
    own = away(module, X)["params"]
    assert [own[f"Conv_{n}"]["kernel"].shape[-1] for n in range(4)] == [2, 2, 8, 16]
    assert all("bias" not in own[f"Conv_{n}"] for n in range(4))

    def maxima(x):
        return x.reshape(3, 2, 2, 3, 2, -1).max((2, 4)).reshape(3, 6, -1)

    q = conv(own, X, "Conv_0").reshape(3, 24, 2)
    k, v = maxima(conv(own, X, "Conv_1")), maxima(conv(own, X, "Conv_2"))
    scores = np.exp(np.float64(jnp.einsum("bqc,bkc->bqk", q, k)))
    read = (scores / scores.sum(2, keepdims=True)) @ v
    read = conv(own, jnp.float32(read).reshape(3, 4, 6, 8), "Conv_3")
    close(module.apply({"params": own}, X), X + own["gain"] * read)


def test_projection_adds_the_product_of_label_and_features():
    critic = NETWORKS["sngan_resnet"].discriminator(8, 1, "none")
    x = jax.random.normal(KEY, (3, 8, 8, 1))
    variables = critic.init(KEY, x, Y)
    logits, aside = critic.apply(variables, x, Y, mutable=["intermediates"])
    (hidden,) = aside["intermediates"]["hidden"]
    features = jnp.sum(hidden, (1, 2))
    assert "bias" not in variables["params"]["Dense_0"]
    product = jnp.sum(Y @ variables["params"]["embedding"]["kernel"] * features, -1)
    close(logits[:, 0], (features @ variables["params"]["Dense_0"]["kernel"])[:, 0] + product)
    mean = NETWORKS["wgan_gp_resnet"].discriminator(8, 1, "none")
    own = mean.init(KEY, x)
    logits, aside = mean.apply(own, x, mutable=["intermediates"])
    features = jnp.mean(aside["intermediates"]["hidden"][0], (1, 2))
    close(logits, features @ own["params"]["Dense_0"]["kernel"])


@pytest.mark.slow
def test_spectral_norm_is_everywhere_and_reaches_the_largest_singular_value():
    """Of 1x1 shortcuts, attention and embeddings, too, but of G's shared embedding.

    Traps: u not saved, u moved in evaluation, an embedding or a shortcut left out.
    """
    players = (
        (NETWORKS["biggan"].discriminator(8, 1, "spectral"), X[..., :3].repeat(2, 1)[:, :8], set()),
        (NETWORKS["biggan"].generator((8, 8, 1), 4), jnp.ones((3, 8)), {"embedding"}),
    )
    for module, x, without in players:
        variables = module.init(KEY, x, Y, train=True)
        own = {"batch_stats": variables["batch_stats"]}
        # Orthogonal weights, as they begin, have no largest singular value.
        params = perturb(variables["params"], 0.5)

        @jax.jit
        def step(own, module=module, params=params, x=x):
            return module.apply(
                {"params": params, **own}, x, Y, train=True, mutable=["batch_stats"]
            )[1]

        for _ in range(100):
            own = step(own)
        flat = _by_path(own["batch_stats"])
        sigmas = {path: s for path, s in flat.items() if path.endswith("sigma")}
        kernels = {path: k for path, k in _by_path(params).items() if k.ndim > 1}
        assert len(sigmas) == len([p for p in kernels if not without & set(p.split("/"))])
        found = sorted(float(s) for s in sigmas.values())
        largest = [
            np.linalg.svd(np.reshape(k, (-1, k.shape[-1])), compute_uv=False)[0]
            for path, k in kernels.items()
            if not without & set(path.split("/"))
        ]
        np.testing.assert_allclose(found, sorted(largest), rtol=5e-3)
        _, after = module.apply({"params": params, **own}, x, Y, mutable=["batch_stats"])
        jax.tree.map(np.testing.assert_array_equal, after["batch_stats"], own["batch_stats"])


def test_the_gradient_stops_at_the_vectors_of_spectral_norm():
    """d(W / sigma) with sigma = v W u, of constant u and v."""
    dense = resnet_blocks.Layers(ANY, True, True, jnp.float32).dense
    module = _Once(functools.partial(dense, 3, False))
    x = jax.random.normal(KEY, (5, 4))
    variables = module.init(KEY, x)
    weights, others = variables["params"], {"batch_stats": variables["batch_stats"]}

    def loss(params):
        return jnp.sum(module.apply({"params": params, **others}, x, mutable=["batch_stats"])[0])

    (w,) = jax.tree.leaves(weights)
    u = next(v for path, v in _by_path(others).items() if path.endswith("/u"))
    v = (w @ u[0]) / jnp.linalg.norm(w @ u[0])
    u = (v @ w) / jnp.linalg.norm(v @ w)
    expected = jax.grad(lambda w: jnp.sum(x @ w / (v @ w @ u)))(w)
    close(jax.tree.leaves(jax.grad(loss)(weights))[0], expected)


class _Once(nn.Module):
    """One layer, made within a module as blocks make it."""

    make: object

    @nn.compact
    def __call__(self, x):
        return self.make()(x)


def test_each_block_sees_its_own_part_of_z():
    z = jnp.arange(12.0).reshape(1, 12)
    y = jnp.array([[7.0]])
    first, parts = resnets.split(z, y, 2)
    np.testing.assert_array_equal(first, z[:, :4])
    np.testing.assert_array_equal(parts[1], jnp.concatenate([z[:, 8:], y], -1))
    first, parts = resnets.joined(z, y, 2)
    np.testing.assert_array_equal(first, jnp.concatenate([z, y], -1))
    assert all(part is first for part in parts)
    with pytest.raises(gm_jax.UserError, match="12 do not divide into 5"):
        resnets.split(z, y, 4)


def sizes(recipe, classes):
    """The parameters of a recipe's generator and discriminator."""
    settings = gm_jax.load_config(f"configs/{recipe}")
    side = settings.data.size or 32
    pair, widths = NETWORKS[settings.networks], (settings.generator.width, settings.discriminator)
    label = [jnp.zeros((1, classes))] if classes else []
    nets = (
        (pair.generator((side, side, 3), widths[0]), jnp.zeros((1, settings.latents))),
        (pair.discriminator(widths[1].width, 1, widths[1].normalization),
         jnp.zeros((1, side, side, 3))),
    )  # fmt: skip
    shapes = [jax.eval_shape(functools.partial(net.init, KEY), x, *label) for net, x in nets]
    return tuple(sum(x.size for x in jax.tree.leaves(s["params"])) for s in shapes)


def layers(*sizes):
    """Parameters of 3x3 convolutions, with biases."""
    return sum(9 * i * o + o for i, o in sizes)


def up(i, o, conditions):
    """Parameters of a block that enlarges; of the norms' labels."""
    return layers((i, o), (o, o)) + i * o + o + 2 * conditions * (i + o)


def down(i, o, same=False):
    return layers((i, o), (o, o)) + (0 if same else i * o + o)


@pytest.mark.slow
def test_published_models_have_the_published_sizes():
    """BigGAN's are those of compare_gan's tests; the others by the channels of their authors."""
    assert sizes("biggan_fashion.py:published", 1000) == (70_433_988, 87_982_370)
    assert sizes("biggan_fashion.py:deep", 1000) == (50_244_484, 34_590_210)
    flat = 128 * 16 * 256 + 16 * 256 + 3 * up(256, 256, 10) + 2 * 256 + layers((256, 3))
    critic = down(3, 128) + down(128, 128) + 2 * down(128, 128, same=True)
    assert sizes("sngan_resnet_mnist.py:published", 10) == (flat, critic + 128 + 10 * 128)
    wide = down(3, 256) + down(256, 256) + 2 * down(256, 256, same=True)
    assert sizes("biggan_fashion.py:cifar", 10) == (flat, wide + 257 + 10 * 256)
    plain = 3 * (layers((128, 128), (128, 128)) + 128 * 129 + 4 * 128)
    plain += 129 * 16 * 128 + 2 * 128 + layers((128, 3))
    assert sizes("wgan_gp_resnet_digits.py:published", 0) == (plain, critic + 129)
    channels = 1024, 1024, 512, 256, 128, 64
    generator = 129 * 16 * 1024 + sum(up(i, o, 1000) for i, o in itertools.pairwise(channels))
    attention = 2 * 256 * 32 + 2 * 256 * 128 + 1
    channels = 3, 64, 128, 256, 512, 1024
    critic = sum(down(i, o) for i, o in itertools.pairwise(channels))
    critic += down(1024, 1024, same=True) + 1025 + 1000 * 1024
    expected = (
        generator + attention + 2 * 64 + layers((64, 3)),
        critic + 2 * 128 * 16 + 2 * 128 * 64 + 1,
    )
    assert sizes("sagan_fashion.py:published", 1000) == expected


def test_a_truncated_latent_is_drawn_again():
    """Traps: scaled, or clamped to the bound."""
    z = np.ravel(latents.truncated(0.8)(jax.random.split(KEY, 2000), (4,)))
    assert np.abs(z).max() < 0.8 and len(np.unique(z)) > 7900
    assert stats.kstest(z, stats.truncnorm(-0.8, 0.8).cdf).pvalue > 1e-3


@pytest.mark.slow
def test_standing_statistics_are_the_averages_of_the_batches():
    """Of the averaged generator, by truncated latents. Trap: running averages of raw weights."""
    own = {"average": 0.5, "sampler.standing": 3, "sampler.truncation": 0.3}
    phase, _, variables = opening(config("biggan", None, **own, **{"data.name": "digits"}), ONE)
    average = jax.tree.map(lambda x: 1.5 * x + 0.01, variables.average)
    variables = variables._replace(average=average)
    seen = state.averaged(phase.model, variables)
    jax.tree.map(np.testing.assert_array_equal, seen.params["generator"],
                 average["generator"]["generator"])  # fmt: skip
    # The first norm's input: 128 values that an orthogonal matrix makes of 6 of the latents.
    found, raw = (
        own["generator"]["batch_stats"]["UpBlock_0"]["ConditionalBatchNorm_0"]["BatchNorm_0"]
        for own in (seen.state, jax.jit(phase.model.calibrate)(variables))
    )
    variance = np.mean(found["BatchNorm_0"]["var"]) / stats.truncnorm(-0.3, 0.3).var()
    assert 0.5 < variance * 128 / 6 < 1.3
    assert not np.allclose(found["BatchNorm_0"]["mean"], raw["BatchNorm_0"]["mean"], atol=1e-3)
    assert seen.state["discriminator"] is variables.state["discriminator"]


def test_standing_averages_means_and_variances_and_hands_the_rest_on():
    x = jax.random.normal(KEY, (5, 8, 4)) * 3.0 + jnp.arange(5.0)[:, None, None]

    def train(own, batch):
        mean, var = batch["x"].mean(0), batch["x"].var(0)
        running = {
            "mean": 0.9 * own["norm"]["mean"] + 0.1 * mean,
            "var": 0.9 * own["norm"]["var"] + 0.1 * var,
        }
        return {"norm": running, "u": own["u"] + 1.0}

    begin = {"norm": {"mean": jnp.full(4, 7.0), "var": jnp.full(4, 9.0)}, "u": jnp.zeros(())}
    found = standing(train, begin, {"x": x})
    close(found["norm"]["mean"], x.mean((0, 1)))
    close(found["norm"]["var"], x.var(1).mean(0))
    assert found["u"] == 5.0


def test_orthogonal_regularisation_has_the_codes_gradient():
    """2 beta (W W^T o (1 - I)) W, rows of W the outputs; nothing for embeddings and biases."""
    kernel = jax.random.normal(KEY, (3, 3, 2, 5))
    params = {"conv": {"kernel": kernel, "bias": jnp.ones(5)}, "embedding": {"kernel": kernel[0]}}
    slope = jax.grad(penalties.orthogonal)(params)
    w = np.float64(kernel).reshape(-1, 5).T
    expected = 2.0 * (w @ w.T * (1.0 - np.eye(5))) @ w
    close(slope["conv"]["kernel"], expected.T.reshape(kernel.shape))
    assert not np.any(slope["conv"]["bias"]) and not np.any(slope["embedding"]["kernel"])
    rows, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(18, 5)))
    assert penalties.orthogonal({"w": jnp.float32(3.0 * rows)}) < 1e-8


def test_gradients_of_fresh_batches_accumulate_to_one_step():
    """Of so many moves the last one steps, by their mean; the schedule counts steps."""
    chosen = Optimizer(
        name="sgd", learning_rate=1.0, decay_steps=2, schedule="linear", accumulate=2
    )
    made, weights = optimizer(chosen), jnp.zeros(1)
    opt, steps = made.init(weights), []
    for slope in (1.0, 3.0, 2.0, 4.0):
        step, opt = made.update(jnp.array([slope]), opt, weights)
        steps.append(float(step[0]))
    assert steps == [0.0, -2.0, 0.0, -1.5]

    class Part:
        optimizer = adam(1e-3, b1=0.0)
        twice = Optimizer(name="sgd", learning_rate=1.0, accumulate=3)

    moves = {"value": (None, lambda step: 2 - step % 2)}
    assert [games.player("p", ("w",), moves, Part).moves[0].times(n) for n in (0, 1)] == [2, 1]
    Part.optimizer = Part.twice
    assert [games.player("p", ("w",), moves, Part).moves[0].times(n) for n in (0, 1)] == [6, 3]


def test_a_round_of_accumulated_moves_is_one_step_by_fresh_batches():
    """Two moves of D on other examples, then its one step: the mean of what each would do."""
    games_of = {}
    for parts in (1, 2):
        settings = gm_jax.load_config("configs/gan_ring.py:smoke")
        descent = {"name": "sgd", "learning_rate": 0.1, "accumulate": parts}
        with settings.unlocked():
            settings.batch_size, settings.discriminator.optimizer = 16, descent
        games_of[parts] = opening(settings, ONE)
    phase, batches, variables = games_of[1]
    judge = next(p for p in phase.model.players if p.name == "discriminator")
    program = jax.jit(step.make_move(judge, judge.moves[0], batches.prepare))
    drawn = batches.start(0)
    each = [
        program(variables._replace(frozen=()), {}, next(drawn), KEY, 0, position, 0, False)[0]
        for position in (0, 1)
    ]
    phase, batches, variables = games_of[2]
    played = loop.rounds(phase.model, variables, batches, KEY, Progress(), ONE)
    number, position, found, _ = next(played)
    assert (number, position) == (1, 3)
    jax.tree.map(
        lambda found, a, b: close(found, (a + b) / 2.0),
        found.params["discriminator"], *(v.params["discriminator"] for v in each),
    )  # fmt: skip


def test_an_average_may_begin_as_a_copy():
    decay = warmed_up(0.9999, start=5)
    np.testing.assert_allclose([decay(4), decay(5), decay(10**6)], [0.0, 0.9999, 0.9999])


def test_what_does_not_go_together_is_refused():
    for change, message in (
        ({"sampler.truncation": 0.5, "prior": "uniform"}, "of normal latents"),
        ({"unroll.steps": 2, "discriminator.optimizer.accumulate": 2}, "whole steps of D"),
    ):
        with pytest.raises(gm_jax.UserError, match=message):
            gm_jax.build(config("biggan", None, **change, **{"data.name": "digits"}))
    critic = NETWORKS["sagan"].discriminator(4, 1, "batch")
    with pytest.raises(gm_jax.UserError, match="normalization to spectral or none"):
        critic.init(KEY, jnp.ones((1, 8, 8, 1)))


def _by_path(tree) -> dict:
    """{path: leaf}, the path's keys joined by slashes."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(p, simple=True, separator="/"): x for p, x in leaves}
