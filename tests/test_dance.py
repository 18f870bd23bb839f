"""Everybody Dance Now: networks as published, gradients through time, squares, and refusals."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, opening, refuses
from twins.game import also

import gm_jax
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.translation.shared.film import cropped, cuts, in_turn, pasted
from gm_jax.translation.shared.multiscale import MultiScale
from gm_jax.translation.shared.resnet import ResNet

KEY = jax.random.key(0)


def parameters(module, *shape, **mode):
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    shapes = jax.eval_shape(lambda x: module.init(KEY, x, **mode), x)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def resnet_by_hand(levels, blocks):
    """7x7 of six channels to 64, 3x3 down, two a block, up, 7x7 to three with a bias."""
    sides = [64 * 2**level for level in range(levels + 1)]
    ways = 2 * sum(9 * a * b for a, b in itertools.pairwise(sides))
    return 49 * 6 * 64 + ways + 2 * blocks * 9 * sides[-1] ** 2 + 49 * 64 * 3 + 3


def test_the_published_networks_have_as_many_parameters_as_the_authors_describe():
    """But for biases that instance norms undo: four halvings to 1,024 and three to 512."""
    settings = gm_jax.load_config("configs/dance_dancers.py:published").to_dict()
    own, face, other = settings["generator"], settings["face"], settings["discriminator"]
    of_face = face.pop("discriminator")
    for part in (own, face, other, of_face):
        del part["optimizer"]
    size = face.pop("size")
    del face["steps"], face["adversarial"]
    assert parameters(ResNet(3, **own), 1, 512, 512, 6) == resnet_by_hand(4, 9)
    assert parameters(ResNet(3, **face), 1, size, size, 6) == resnet_by_hand(3, 5)
    one = 16 * 12 * 64 + 64 + 16 * (64 * 128 + 128 * 256 + 256 * 512) + 16 * 512 + 1
    assert parameters(MultiScale(**other), 1, 512, 512, 12, train=True) == 2 * one
    norms = 2 * (128 + 256 + 512)
    faces = one - 16 * 6 * 64 + norms
    critic = PatchGAN(**of_face, padding=2)
    assert parameters(critic, 1, size, size, 6, train=True) == faces


@pytest.mark.parametrize("smooth", [True, also(False)])
def test_the_gradient_reaches_the_generator_through_the_frame_before(digits16, smooth):
    """Along a direction it is what differences say, and a last frame knows the first pose."""
    with jax.enable_x64(True):
        own = {"smooth": smooth, "perceptual": 0.0, "dtype": "float64"}
        settings = config("everybody_dance_now", digits16, batch_size=2, **own)
        phase, batches, variables = opening(settings, jax.devices()[:1], np.float64)
        batch = batches.prepare(batches.first, KEY)
        player, _ = phase.model.players
        weights = variables.params["generator"]
        way = jax.tree.map(lambda x: jax.random.normal(KEY, x.shape, x.dtype), weights)

        @jax.jit
        def loss(far):
            moved = jax.tree.map(lambda x, d: x + far * d, weights, way)
            params = variables.params | {"generator": moved}
            return player.moves[0].objective(variables._replace(params=params), batch, KEY, 0)[0]

        slope = jax.grad(loss)(0.0)
        difference = (loss(1e-8) - loss(-1e-8)) / 2e-8  # Maps have kinks.
        np.testing.assert_allclose(slope, difference, rtol=1e-4)

        @jax.jit
        def last(pose):
            seen = {**batch, "video_pose": jnp.asarray(batch["video_pose"]).at[:, 0].set(pose)}
            return phase.model.functions["film"](variables, seen, KEY)["video"][:, 1].sum()

        slope = jax.grad(last)(batch["video_pose"][:, 0])
        assert bool(np.abs(slope).max() > 0) is smooth


def test_squares_lie_around_boxes_and_inside_the_image():
    box = jnp.array([[-0.25, 0.0, 0.25, 0.5], [-1.0, -1.0, -0.9, -0.9], [0.9, 0.9, 1.0, 1.0]])
    corner = cuts(box, (16, 32), 4)
    np.testing.assert_array_equal(corner, [[8, 14], [0, 0], [12, 28]])
    x = jax.random.normal(KEY, (3, 16, 32, 2))
    square = cropped(x, corner, 4)
    np.testing.assert_array_equal(square[0], x[0, 8:12, 14:18])
    again = pasted(x, corner, square)
    np.testing.assert_allclose(cropped(again, corner, 4), 2 * square)
    np.testing.assert_allclose(np.abs(again - x).sum(), np.abs(square).sum(), rtol=1e-5)
    slope = jax.grad(lambda x: cropped(x, corner, 4).sum())(x)
    np.testing.assert_allclose(slope, pasted(0 * x, corner, 1 + 0 * square))


def test_frames_in_turn_are_all_first_frames_and_then_all_second_ones():
    np.testing.assert_array_equal(in_turn(jnp.arange(6).reshape(2, 3)), np.arange(6))


def test_the_second_phase_begins_with_what_the_first_ended_with():
    *_, first, second = gm_jax.build(gm_jax.load_config("configs/dance_dancers.py:smoke"))
    assert (first.name, second.name) == ("body", "face")
    batch = {
        "video": jnp.zeros((2, 2, 16, 16, 3)), "video_pose": jnp.zeros((2, 2, 16, 16, 3)),
        "box": jnp.zeros((2, 2, 4)), "index": jnp.arange(2),
    }  # fmt: skip
    ended = jax.eval_shape(first.model.init, KEY, batch, None)
    ended = jax.tree.map(lambda x: jnp.full(x.shape, 0.5, x.dtype), ended)
    begun = jax.jit(second.model.init)(KEY, batch, ended)
    for name in ("generator", "discriminator"):
        jax.tree.map(np.testing.assert_array_equal, begun.params[name], ended.params[name])
    assert set(begun.params) == {"generator", "discriminator", "face", "face_discriminator"}


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"stages": {}}, "say which with stages.features, a workdir or a recipe"),
        ({"generator.levels": 4}, "16x16 cannot be halved 4 times: set data.size"),
        ({"face.levels": 3}, "8x8 cannot be halved 3 times: set face.size to a multiple of 8"),
        ({"face.size": 32}, "face.size 32 is larger than the frames of 16x16"),
        ({"data.frames": 3}, "set data.frames to 2, not 3"),
        ({"data.frames": 0}, "this system needs `video`"),
    ],
)
def test_what_cannot_dance_is_refused(overrides, message):
    refuses("dance_dancers", overrides, message)
