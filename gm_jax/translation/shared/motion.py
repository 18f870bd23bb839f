"""The networks of the first-order motion model: detector, dense motion and generator.

Siarohin et al. 2019 (arXiv 2003.00196), section 3 and supplement C, as in the authors' code, but
the detector's last convolutions see zeros beyond the border. Without them its heat maps are six
pixels smaller than the image that they are read as, and an equivariant detector is punished. No
convolution has a bias that a norm or a softmax over positions would undo.
"""

from typing import Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import BatchNorm, Size, doubled, full_precision, halved
from gm_jax.settings import above
from gm_jax.translation.shared.warping import grid, reduced, warp

BLUR = 0.01  # variance of the Gaussians that show keypoints to the dense motion network


class Keypoints(NamedTuple):
    """Where keypoints are, p [B, K, 2], and the linear maps there, J [B, K, 2, 2]."""

    at: Array
    jacobian: Array


class Motion(NamedTuple):
    """What moves the source to the driving frame.

    flow       for each position of the driving frame that of the source, [B, h, w, 2]
    occlusion  how much of the source is to be seen there, 0 to 1, [B, h, w]
    masks      each keypoint's share in the flow, the ground's first, [B, h, w, K + 1]
    """

    flow: Array
    occlusion: Array
    masks: Array


def _convolved(x: Array, features: int, size: int, train: bool, dtype) -> Array:
    """A convolution, batch normalisation and ReLU."""
    x = nn.Conv(features, (size, size), padding=size // 2, use_bias=False, dtype=dtype)(x)
    return nn.relu(BatchNorm(train, dtype)(x))


class Hourglass(nn.Module):
    """[B, H, W, C] to [B, H, W, width + C]: halved `levels` times, doubled back, all joined."""

    width: int
    levels: int
    widest: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        def features(level):
            return min(self.widest, self.width * 2**level)

        seen = [x]
        for level in range(self.levels):
            x = halved(_convolved(x, features(level + 1), 3, train, self.dtype))
            seen.append(x)
        x = seen.pop()
        for level in reversed(range(self.levels)):
            x = _convolved(doubled(x), features(level), 3, train, self.dtype)
            x = jnp.concatenate([x, seen.pop()], axis=-1)
        return x


class Detector(nn.Module):
    """Image [B, H, W, C] to its Keypoints.

    keypoints    K
    factor       how many times smaller than the image what is looked at is
    width        channels of the hourglass, doubled at each level
    levels       of the hourglass
    widest       channels at most
    temperature  of the softmax over positions
    """

    keypoints: Size = 10
    factor: Size = 4
    width: Size = 32
    levels: Size = 5
    widest: Size = 1024
    temperature: Annotated[float, above(0.0)] = 0.1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, image: Array, train: bool) -> Keypoints:
        x = reduced(image, self.factor)
        x = Hourglass(self.width, self.levels, self.widest, self.dtype)(x, train)
        count = self.keypoints

        def identity(key, shape, dtype=jnp.float32):
            return jnp.tile(jnp.eye(2, dtype=dtype).reshape(-1), count)

        heat = nn.Conv(count, (7, 7), padding=3, use_bias=False, dtype=self.dtype, name="heat")(x)
        maps = nn.Conv(
            4 * count, (7, 7), padding=3, kernel_init=nn.initializers.zeros, bias_init=identity,
            dtype=self.dtype, name="jacobian",
        )(x)  # fmt: skip
        batch, height, width = heat.shape[:3]
        heat = full_precision(heat).reshape(batch, -1, count) / self.temperature
        heat = jax.nn.softmax(heat, axis=1)
        maps = full_precision(maps).reshape(batch, -1, count, 2, 2)
        at = jnp.einsum("bnk,nc->bkc", heat, grid(height, width).reshape(-1, 2))
        return Keypoints(at, jnp.einsum("bnk,bnkij->bkij", heat, maps))


def sparse_motion(source: Keypoints, driving: Keypoints, coordinates: Array) -> Array:
    """T_k(z) = p_s + J_s J_d^-1 (z - p_d) for each keypoint, eq. 4; [B, K, h, w, 2].

    coordinates  z [h, w, 2]
    """
    linear = source.jacobian @ inverse(driving.jacobian)
    away = coordinates - driving.at[:, :, None, None]
    moved = jnp.einsum("bkij,bkhwj->bkhwi", linear, away)
    return source.at[:, :, None, None] + moved


def heat_maps(points: Array, coordinates: Array) -> Array:
    """Gaussians around points [B, K, 2], [B, K, h, w]; 1 at the points."""
    squares = jnp.sum((coordinates - points[:, :, None, None]) ** 2, axis=-1)
    return jnp.exp(-0.5 * squares / BLUR)


class DenseMotion(nn.Module):
    """Source image [B, H, W, C] and both frames' keypoints to the Motion between them.

    factor  how many times smaller than the image the motion is
    width   channels of the hourglass, doubled at each level
    levels  of the hourglass
    widest  channels at most
    """

    factor: Size = 4
    width: Size = 64
    levels: Size = 5
    widest: Size = 1024
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, image: Array, source: Keypoints, driving: Keypoints, train: bool) -> Motion:
        small = reduced(image, self.factor)
        batch, height, width, _ = small.shape
        at = grid(height, width)
        ground = jnp.broadcast_to(at, (batch, 1, height, width, 2))
        moves = jnp.concatenate([ground, sparse_motion(source, driving, at)], axis=1)
        seen = jax.vmap(warp, in_axes=(None, 1), out_axes=1)(small, moves)
        changed = heat_maps(driving.at, at) - heat_maps(source.at, at)
        changed = jnp.pad(changed, ((0, 0), (1, 0), (0, 0), (0, 0)))
        x = jnp.concatenate([changed[..., None], seen], axis=-1)
        x = x.transpose(0, 2, 3, 1, 4).reshape(batch, height, width, -1)
        x = Hourglass(self.width, self.levels, self.widest, self.dtype)(x, train)

        def read(count):
            return full_precision(nn.Conv(count, (7, 7), padding=3, dtype=self.dtype)(x))

        masks = jax.nn.softmax(read(moves.shape[1]), axis=-1)
        occlusion = nn.sigmoid(read(1)[..., 0])
        return Motion(jnp.einsum("bhwk,bkhwc->bhwc", masks, moves), occlusion, masks)


class Generator(nn.Module):
    """Source image [B, H, W, C] in [0, 1] and a Motion to the moved image, in [0, 1].

    width     channels at full size, doubled at each halving
    halvings  how often the image is halved before it is moved
    blocks    residual blocks of what was moved
    widest    channels at most
    skips     whether the image and its maps of all sizes are moved, too, and what is generated is
              only seen where they are occluded (Siarohin et al. 2021, arXiv 2104.11280)
    """

    features: int
    width: Size = 64
    halvings: Size = 2
    blocks: Size = 6
    widest: Size = 512
    skips: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, image: Array, motion: Motion, train: bool) -> Array:
        def features(level):
            return min(self.widest, self.width * 2**level)

        x = _convolved(image, self.width, 7, train, self.dtype)
        maps = [x]
        for level in range(self.halvings):
            x = halved(_convolved(x, features(level + 1), 3, train, self.dtype))
            maps.append(x)
        x = moved(x, motion)
        for _ in range(self.blocks):
            h = x
            for bias in (False, True):
                h = nn.relu(BatchNorm(train, self.dtype)(h))
                h = nn.Conv(x.shape[-1], (3, 3), padding=1, use_bias=bias, dtype=self.dtype)(h)
            x = x + h
        for level in reversed(range(self.halvings)):
            if self.skips:
                x = moved(maps.pop(), motion, x)
            x = _convolved(doubled(x), features(level), 3, train, self.dtype)
        x = moved(maps.pop(), motion, x) if self.skips else x
        x = nn.Conv(self.features, (7, 7), padding=3, dtype=self.dtype)(x)
        x = nn.sigmoid(full_precision(x))
        return moved(image, motion, x) if self.skips else x


def moved(x: Array, motion: Motion, hidden: Array | float = 0.0) -> Array:
    """A map [B, h, w, C] moved, and `hidden` to be seen instead where it is occluded."""
    shape = x.shape[:3]
    flow = jax.image.resize(motion.flow, (*shape, 2), "bilinear")
    shown = jax.image.resize(motion.occlusion, shape, "bilinear")[..., None].astype(x.dtype)
    return warp(x, flow) * shown + hidden * (1 - shown)


def resting(batch: int, count: int) -> Keypoints:
    """Keypoints in the middle of the image, with the identity."""
    jacobian = jnp.broadcast_to(jnp.eye(2), (batch, count, 2, 2))
    return Keypoints(jnp.zeros((batch, count, 2)), jacobian)


def stillness(image: Array) -> Motion:
    """The Motion that leaves images [B, H, W, C] as they are."""
    batch, height, width, _ = image.shape
    flow = jnp.broadcast_to(grid(height, width), (batch, height, width, 2))
    shown = jnp.ones((batch, height, width))
    return Motion(flow, shown, shown[..., None])


def relative(own: Keypoints, first: Keypoints, now: Keypoints) -> Keypoints:
    """An image's own keypoints moved as those of another film from its `first` frame to `now`."""
    turned = now.jacobian @ inverse(first.jacobian)
    return Keypoints(own.at + now.at - first.at, turned @ own.jacobian)


def inverse(x: Array) -> Array:
    """Of matrices [..., 2, 2]."""
    a, b, c, d = x[..., 0, 0], x[..., 0, 1], x[..., 1, 0], x[..., 1, 1]
    rows = jnp.stack([jnp.stack([d, -b], -1), jnp.stack([-c, a], -1)], -2)
    return rows / (a * d - b * c)[..., None, None]


def check_sides(shape: tuple[int, ...], settings) -> None:
    """Raises UserError if a network cannot halve the image's sides as often as it would."""
    detector, dense, generator = settings.detector, settings.dense_motion, settings.generator
    for name, divisor in (
        ("scales", 2 ** (settings.scales - 1)),
        ("detector", detector.factor * 2**detector.levels),
        ("dense_motion", dense.factor * 2**dense.levels),
        ("generator", 2**generator.halvings),
    ):
        if any(side % divisor for side in shape[:2]):
            raise UserError(
                f"{name} makes one pixel of {divisor}x{divisor}, but images are"
                f" {shape[0]}x{shape[1]}: set data.size to a multiple, or fewer scales or levels"
            )
