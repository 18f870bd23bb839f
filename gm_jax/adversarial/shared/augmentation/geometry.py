"""Where an image is read: flips, turns and shifts by whole pixels, and any affine map.

The image is mirrored beyond its border, doubled and halved by the filter sym6, and between the two
read at other coordinates.
"""

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.adversarial.shared.augmentation.draws import Draws
from gm_jax.model import Array
from gm_jax.nn.filtering import filtered

SYM6 = np.array(
    [
        0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
        0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
        -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
    ]
)  # fmt: skip
TAPS = SYM6 / SYM6.sum()
EDGE = len(TAPS) // 4  # pixels that the filter needs around an image


def _stack(rows) -> Array:
    """Matrices [B, n, n] of numbers and arrays [B]."""
    size = next(len(x) for row in rows for x in row if jnp.ndim(x))
    return jnp.stack([jnp.stack([jnp.broadcast_to(x, size) for x in r], -1) for r in rows], -2)


def _scaling(x, y) -> Array:
    return _stack([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 0.0 * x + 1.0]])


def _shifting(x, y) -> Array:
    return _stack([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 0.0 * x + 1.0]])


def _rotation(angle) -> Array:
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return _stack([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def coordinates(draws: Draws, sides: tuple[int, int]) -> Array:
    """[B, 3, 3]: from (x, y, 1) of a changed image to those of the image, around its centre."""
    height, width = sides
    steps = (
        _scaling(1.0 - 2.0 * draws.flip, 1.0 + 0.0 * draws.flip),
        _rotation(0.5 * jnp.pi * draws.turn),
        _shifting(-jnp.round(draws.shift[:, 0] * width), -jnp.round(draws.shift[:, 1] * height)),
        _scaling(1.0 / draws.scale, 1.0 / draws.scale),
        _rotation(draws.rotation),
        _scaling(1.0 / draws.stretch, draws.stretch),
        _rotation(draws.rotation_after),
        _shifting(-draws.offset[:, 0] * width, -draws.offset[:, 1] * height),
    )
    total = steps[0]
    for step in steps[1:]:
        total = total @ step
    return total


def moved(x: Array, inverse: Array) -> Array:
    """Images [B, H, W, C] read at other coordinates, by `inverse` [B, 3, 3]."""
    height, width = x.shape[1:3]
    margins = ((0, 0), (height - 1, height - 1), (width - 1, width - 1), (0, 0))
    x = jnp.pad(x, margins, mode="reflect")
    size = len(TAPS)
    for axis in (1, 2):
        x = filtered(x, 2.0 * TAPS, axis, ((size + 1) // 2, (size - 2) // 2), up=2)
    outputs = [2 * (side + 2 * EDGE) for side in (height, width)]
    rows, columns = (jnp.arange(n) + 0.5 - n / 2 for n in outputs)
    # A doubled image's centre lies half a pixel further on.
    points = jnp.stack(jnp.meshgrid(columns, rows), -1) / 2.0 + 0.25
    points = jnp.einsum("bij,hwj->bhwi", inverse[:, :2, :2], points)
    points = 2.0 * (points + inverse[:, None, None, :2, 2]) - 0.5
    centre = jnp.array([x.shape[2], x.shape[1]]) / 2 - 0.5
    x = jax.vmap(_read)(x, points + centre)
    crop = (size - 1) // 2 - 2 * EDGE, (size - 2) // 2 - 2 * EDGE
    for axis in (1, 2):
        x = filtered(x, TAPS[::-1], axis, crop, down=2)
    return x


def _read(x: Array, points: Array) -> Array:
    """An image [H, W, C] at points (x, y) [h, w, 2], linear between pixels, 0 outside."""
    first = jnp.floor(points)
    share = (points - first)[..., None]
    column, row = jnp.moveaxis(first.astype(int), -1, 0)

    def pixel(down, right):
        y, z = row + down, column + right
        inside = (y >= 0) & (y < x.shape[0]) & (z >= 0) & (z < x.shape[1])
        read = x[jnp.clip(y, 0, x.shape[0] - 1), jnp.clip(z, 0, x.shape[1] - 1)]
        return jnp.where(inside[..., None], read, 0.0)

    right, down = share[..., 0, :], share[..., 1, :]
    upper = (1.0 - right) * pixel(0, 0) + right * pixel(0, 1)
    lower = (1.0 - right) * pixel(1, 0) + right * pixel(1, 1)
    return ((1.0 - down) * upper + down * lower).astype(x.dtype)
