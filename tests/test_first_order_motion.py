"""The first-order motion model: warps, deformations, keypoints, networks as published."""

import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import refuses

import gm_jax
from gm_jax.translation import first_order_motion as system
from gm_jax.translation.shared import motion, warping
from gm_jax.translation.shared.motion import Keypoints

KEY = jax.random.key(0)


def test_a_warp_by_an_affine_map_is_exact_to_interpolation():
    """Of an image that is linear in x and y; the identity changes nothing."""
    at = warping.grid(9, 12)
    picture = jnp.stack([at @ jnp.array([1.0, 2.0]), at @ jnp.array([-0.5, 3.0])], axis=-1)
    linear, shift = jnp.array([[0.6, 0.1], [-0.2, 0.5]]), jnp.array([0.1, -0.05])
    moved = at @ linear.T + shift
    expected = jnp.stack([moved @ jnp.array([1.0, 2.0]), moved @ jnp.array([-0.5, 3.0])], axis=-1)
    found = warping.warp(picture[None], moved[None])
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    np.testing.assert_allclose(warping.warp(picture[None], at[None])[0], picture, atol=1e-5)


def test_beyond_the_border_are_zeros_or_the_image_mirrored():
    picture = jnp.arange(1.0, 6.0)[None, None, :, None]
    at = jnp.stack([jnp.linspace(-2.0, 2.0, 9), jnp.zeros(9)], axis=-1)[None, None]
    zeros, mirrored = (
        warping.warp(picture, at, outside)[0, 0, :, 0] for outside in ("constant", "mirror")
    )
    np.testing.assert_allclose(zeros, [0, 0, 1, 2, 3, 4, 5, 0, 0], atol=1e-5)
    np.testing.assert_allclose(mirrored, [3, 2, 1, 2, 3, 4, 5, 4, 3], atol=1e-5)


@pytest.mark.parametrize(("factor", "reach"), [(2, 2), (4, 6)])
def test_a_reduced_image_is_blurred_first(factor, reach):
    """A Gaussian of deviation (factor - 1) / 2 with 2 round(4 deviations) + 1 taps."""
    image = np.random.default_rng(0).random((16, 12))
    taps = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * ((factor - 1) / 2) ** 2))
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    padded, size = np.pad(image, reach), 2 * reach + 1
    expected = [
        [(padded[i : i + size, j : j + size] * kernel).sum() for j in range(0, 12, factor)]
        for i in range(0, 16, factor)
    ]
    found = warping.reduced(jnp.asarray(image)[None, :, :, None], factor)
    np.testing.assert_allclose(found[0, ..., 0], expected, atol=1e-6)


def test_a_deformation_is_affine_and_a_spline_of_absolute_distances():
    """r^2 ln r of |x| + |y| from each control point, one coefficient for both coordinates."""
    deformation = warping.random_deformation(KEY)
    points = np.random.default_rng(1).uniform(-1, 1, (6, 2))
    line = np.linspace(-1, 1, 5)
    bent = sum(
        c * r**2 * np.log(r + 1e-6)
        for c, (y, x) in zip(deformation.bending, [(y, x) for y in line for x in line], strict=True)
        for r in [np.abs(points - [x, y]).sum(-1)]
    )
    linear, shift = np.asarray(deformation.affine)[:, :2], np.asarray(deformation.affine)[:, 2]
    expected = points @ linear.T + shift + np.asarray(bent)[:, None]
    np.testing.assert_allclose(deformation(jnp.asarray(points)), expected, atol=1e-5)
    steps = 1e-3 * np.eye(2)
    slopes = [
        (deformation(jnp.asarray(points + h)) - deformation(jnp.asarray(points - h))) / 2e-3
        for h in steps
    ]
    found = deformation.jacobian(jnp.asarray(points))
    np.testing.assert_allclose(found, np.stack(slopes, axis=-1), atol=2e-3)
    drawn = jax.vmap(warping.random_deformation)(jax.random.split(KEY, 2000))
    np.testing.assert_allclose(drawn.affine.mean(0), np.eye(2, 3), atol=0.005)
    np.testing.assert_allclose(drawn.affine.std(0), 0.05, rtol=0.1)
    np.testing.assert_allclose(drawn.bending.std(0), 0.005, rtol=0.1)


def test_keypoints_of_a_film_that_moves_affinely_say_how_each_pixel_moves():
    """If D(z) = S(Az + b), p_S = A p_D + b and J_S = A J_D: T_k(z) = Az + b for every k."""
    rng = np.random.default_rng(2)
    linear, shift = np.eye(2) + 0.3 * rng.normal(size=(2, 2)), 0.2 * rng.normal(size=2)
    driving = Keypoints(rng.uniform(-1, 1, (1, 5, 2)), np.eye(2) + rng.normal(size=(1, 5, 2, 2)))
    source = Keypoints(driving.at @ linear.T + shift, linear @ driving.jacobian)
    at = warping.grid(4, 6)
    found = motion.sparse_motion(*(jax.tree.map(jnp.asarray, x) for x in (source, driving)), at)
    expected = np.broadcast_to(at @ linear.T + shift, found.shape)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def blobs(corners):
    """Three blobs, red, green and blue, at points [3, 2]; [1, 64, 64, 3]."""
    squares = ((warping.grid(64, 64)[:, :, None] - corners) ** 2).sum(-1)
    return jnp.exp(-squares / 0.01)[None]


def centroids(image) -> Keypoints:
    """An equivariant detector: the blobs' centres of mass, and J by their differences."""
    weight = image / image.sum((1, 2), keepdims=True)
    at = jnp.einsum("bhwk,hwc->bkc", weight, warping.grid(*image.shape[1:3]))
    edges = jnp.stack([at[:, 1] - at[:, 0], at[:, 2] - at[:, 0]], axis=-1)
    return Keypoints(at, jnp.broadcast_to(edges[:, None], (len(at), 3, 2, 2)))


def test_an_equivariant_detector_has_no_equivariance_loss():
    """An image is warped backwards: p_D = T(p_T), not p_T = T(p_D)."""
    image = blobs(jnp.array([[-0.3, -0.2], [0.4, -0.1], [0.0, 0.4]]))
    deformation = jax.vmap(warping.random_deformation)(jax.random.split(KEY, 1))
    bent = system.deformed(image, deformation)
    driving, found = centroids(image), centroids(bent)
    points, maps = system.equivariance(driving, found, deformation)
    assert points < 2e-3 and maps < 0.03
    wrong, _ = system.equivariance(found, driving, deformation)
    assert wrong > 20 * points


def test_heat_at_a_pixel_is_a_keypoint_there():
    """Whose map is that pixel's: nothing is cut off at the border."""
    detector, image = motion.Detector(1, factor=1, levels=0), np.zeros((1, 10, 14, 1), np.float32)
    image[0, 2, 11] = 1.0
    variables = detector.init(KEY, image, False)
    params = jax.tree.map(jnp.zeros_like, variables["params"])
    params["heat"]["kernel"] = params["heat"]["kernel"].at[3, 3, 0, 0].set(3.0)
    params["jacobian"]["kernel"] = params["jacobian"]["kernel"].at[3, 3, 0].set(jnp.arange(4.0))
    found = detector.apply({"params": params}, image, False)
    np.testing.assert_allclose(found.at[0, 0], warping.grid(10, 14)[2, 11], atol=1e-4)
    np.testing.assert_allclose(found.jacobian[0, 0], [[0, 1], [2, 3]], atol=1e-4)
    start = detector.apply(variables, image, False)
    np.testing.assert_allclose(start.jacobian[0, 0], np.eye(2), atol=1e-5)


def test_the_motion_network_sees_where_keypoints_come_from_and_go():
    """Heat 1 at the driving keypoint, -1 at the source's, none for the ground; exp(-d^2 / .02)."""
    source, driving = (
        motion.resting(1, 1)._replace(at=jnp.array([[[x, 0.0]]])) for x in (-0.5, 0.25)
    )
    net = motion.DenseMotion(factor=1, width=2, levels=1, widest=4)
    image, seen = jnp.full((1, 8, 8, 3), 0.5), []

    def watch(called, inputs, options, context):
        if isinstance(context.module, motion.Hourglass):
            seen.append(np.asarray(inputs[0]))
        return called(*inputs, **options)

    with nn.intercept_methods(watch):
        net.init(KEY, image, source, driving, True)
    x, y = np.linspace(-1, 1, 8), np.linspace(-1, 1, 8)[:, None]

    def heat(at):
        return np.exp(-((x - at) ** 2 + y**2) / 0.02)

    heats = seen[0][0, ..., ::4]
    np.testing.assert_array_equal(heats[..., 0], 0.0)
    np.testing.assert_allclose(heats[..., 1], heat(0.25) - heat(-0.5), atol=1e-5)


def test_a_film_of_the_same_person_moves_it_as_it_moved():
    """Relative motion from a frame that is the source itself; none without motion."""
    rng = np.random.default_rng(3)
    own, now, other = (
        Keypoints(
            jnp.asarray(rng.normal(size=(2, 3, 2))),
            jnp.eye(2) + 0.2 * jnp.asarray(rng.normal(size=(2, 3, 2, 2))),
        )
        for _ in range(3)
    )
    for found, expected in (
        (motion.relative(own, own, now), now),
        (motion.relative(own, other, other), own),
    ):
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x, y, atol=1e-4)
    scaled = Keypoints(own.at, 2.0 * own.jacobian)
    relative = motion.relative(scaled, own, now)
    np.testing.assert_allclose(relative.jacobian, 2.0 * now.jacobian, atol=1e-4)


def test_stillness_shows_the_map_and_occlusion_hides_it():
    x = jax.random.uniform(KEY, (1, 8, 8, 3))
    still = motion.stillness(jnp.zeros((1, 4, 4, 3)))
    hidden = still._replace(occlusion=jnp.full((1, 4, 4), 0.25))
    # Coordinates of 4 x 4 pixels, enlarged: those within are as of 8 x 8 but for the corners.
    same = motion.moved(x, motion.stillness(x))
    np.testing.assert_allclose(same, x, atol=1e-5)
    np.testing.assert_allclose(motion.moved(x, hidden), 0.25 * motion.moved(x, still), atol=1e-6)


def test_with_skips_the_image_itself_is_seen_where_nothing_is_occluded():
    """And what is generated where it is, whatever the image has there."""
    net, x = motion.Generator(3, 2, halvings=1, blocks=1, skips=True), jnp.zeros((1, 8, 8, 3)) + 0.3
    still = motion.stillness(x)
    variables = net.init(KEY, x, still, True)
    np.testing.assert_allclose(net.apply(variables, x, still, False), x, atol=1e-5)
    hidden = still._replace(occlusion=jnp.zeros((1, 8, 8)))
    one, other = (net.apply(variables, image, hidden, False) for image in (x, 0.5 * x))
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert np.abs(one - x).max() > 0.1


def size(module, *inputs):
    shapes = jax.eval_shape(functools.partial(module.init, train=True), KEY, *inputs)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def test_the_published_networks_have_the_papers_layers():
    """By hand: convolutions, with two numbers of a batch norm or a bias for each channel."""

    def conv(k, a, b, normed=True):
        return k * k * a * b + (2 * b if normed else b)

    def hourglass(width, widest, channels):
        sizes = [channels] + [min(widest, width * 2**i) for i in range(1, 6)]
        down = sum(conv(3, a, b) for a, b in itertools.pairwise(sizes))
        outs = [min(widest, width * 2**i) for i in range(5)]
        ins = [sizes[5]] + [2 * outs[i] for i in range(4, 0, -1)]
        return down + sum(conv(3, a, b) for a, b in zip(ins, reversed(outs), strict=True))

    config = gm_jax.load_config("configs/first_order_motion_dancers.py:published").to_dict()
    x, points = jnp.zeros((1, 256, 256, 3)), motion.resting(1, 10)
    detector = hourglass(32, 1024, 3) + 49 * 35 * 10 + conv(7, 35, 40, False)
    assert size(motion.Detector(**config["detector"]), x) == detector
    dense = hourglass(64, 1024, 44) + conv(7, 108, 11, False) + conv(7, 108, 1, False)
    assert size(motion.DenseMotion(**config["dense_motion"]), x, points, points) == dense
    blocks = 6 * (2 * (9 * 256**2 + 2 * 256) + 256)
    ends = conv(7, 3, 64) + conv(3, 64, 128) + conv(3, 128, 256) + conv(3, 256, 128)
    ends += conv(3, 128, 64) + conv(7, 64, 3, False)
    generator = motion.Generator(3, **config["generator"])
    assert size(generator, x, motion.stillness(x)) == blocks + ends


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"perceptual": 0.0, "pixels": 0.0}, "perceptual and pixels are both 0"),
        ({"data.size": 20}, "detector makes one pixel of 8x8, but images are 20x20"),
        ({"stages": {}}, "say which with stages.features"),
        ({"data.name": "digits", "data.size": None}, "needs `image_b`"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(overrides, message):
    refuses("first_order_motion_dancers", overrides, message)
