"""Images moved by coordinates, and random smooth deformations of the plane.

Coordinates (x, y) run from -1, the centre of the first pixel, to 1, that of the last, as in the
authors' code of the first-order motion model (Siarohin et al. 2019, arXiv 2003.00196).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates

from gm_jax.model import Array

AFFINE, BENDING, CONTROLS = 0.05, 0.005, 5  # deviations of T's coefficients; 5 x 5 control points


def grid(height: int, width: int) -> Array:
    """The coordinates of an image's pixels, [height, width, 2]."""
    x, y = jnp.linspace(-1.0, 1.0, width), jnp.linspace(-1.0, 1.0, height)
    return jnp.stack(jnp.meshgrid(x, y), axis=-1)


def warp(image: Array, at: Array, outside: str = "constant") -> Array:
    """What [B, H, W, C] shows at coordinates [B, h, w, 2], bilinearly; [B, h, w, C].

    outside  "constant" for zeros beyond the border, "mirror" for the image reflected
    """
    sides = jnp.array(image.shape[2:0:-1], jnp.float32)
    x, y = jnp.moveaxis((at + 1.0) / 2.0 * (sides - 1.0), -1, 0)

    def one(image, x, y):
        def channel(values):
            return map_coordinates(values, (y, x), order=1, mode=outside)

        return jax.vmap(channel, in_axes=-1, out_axes=-1)(image)

    return jax.vmap(one)(image, x, y)


def reduced(image: Array, factor: int) -> Array:
    """[B, H, W, C] to [B, H / factor, W / factor, C]: blurred, then every `factor`-th pixel.

    A Gaussian of deviation (factor - 1) / 2 pixels over four deviations each way; zeros beyond the
    border.
    """
    if factor == 1:
        return image
    # As products with matrices: XLA's gradient of such a convolution is a hundred times slower.
    down, across = (_blur(side, factor) for side in image.shape[1:3])
    return jnp.einsum("ih,bhwc,jw->bijc", down, image, across)


def _blur(side: int, factor: int) -> np.ndarray:
    """Of each of the `side` / `factor` pixels that are kept, the weights of all [side]."""
    deviation = (factor - 1) / 2
    reach = round(4 * deviation)

    def tap(away):
        return np.exp(-(away**2) / (2 * deviation**2)) * (abs(away) <= reach)

    away = np.arange(side) - np.arange(0, side, factor)[:, None]
    whole = tap(np.arange(-reach, reach + 1)).sum()  # Of taps beyond the border, too.
    return np.float32(tap(away) / whole)


class Deformation(NamedTuple):
    """T: an affine map and a thin plate spline over a regular grid of control points.

    affine   [2, 3]
    bending  [CONTROLS ** 2], the coefficient of each control point, one for x and y
    """

    affine: Array
    bending: Array

    def __call__(self, points: Array) -> Array:
        """T of points [N, 2]."""
        controls = grid(CONTROLS, CONTROLS).reshape(-1, 2)
        far = jnp.sum(jnp.abs(points[:, None] - controls), axis=-1)
        bent = far**2 * jnp.log(far + 1e-6) @ self.bending
        return points @ self.affine[:, :2].T + self.affine[:, 2] + bent[:, None]

    def jacobian(self, points: Array) -> Array:
        """dT/dz at points [N, 2], [N, 2, 2]."""
        return jax.vmap(jax.jacfwd(lambda z: self(z[None])[0]))(points)


def random_deformation(key: Array) -> Deformation:
    """One near the identity."""
    of_affine, of_bending = jax.random.split(key)
    return Deformation(
        jnp.eye(2, 3) + AFFINE * jax.random.normal(of_affine, (2, 3)),
        BENDING * jax.random.normal(of_bending, (CONTROLS**2,)),
    )
