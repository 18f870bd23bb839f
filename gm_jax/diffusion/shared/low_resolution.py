"""A low-resolution image as a condition: enlarged, concatenated, and noised so that faults of the
model it comes from do not matter ("conditioning augmentation").

Ho et al. 2022, Cascaded Diffusion Models (arXiv 2106.15282), section 4.2, not truncated:

    z_s = alpha_s z + sigma_s eps,   s uniform on 0 .. S in training, one number in sampling
    network([x_t, up(z_s)], t, s)    s is told like a second time, and embedded beside it

Enlarging is bicubic, as in SR3 (Saharia et al. 2021, arXiv 2104.07636). Shrinking
(`nn/upsampling.py`) is that of `data.size`, by which the small images were made that the model
below in a cascade has learned.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.diffusion.shared.schedules import Continuous, Schedule
from gm_jax.model import Array
from gm_jax.nn.layers import normal
from gm_jax.nn.upsampling import enlarged


class Augmentation(NamedTuple):
    """The noise on a low-resolution image, level by level.

    alpha, sigma  at the levels 0 .. T, float64 [T + 1]; level 0 is no noise
    most          S, the largest level of training
    """

    alpha: np.ndarray
    sigma: np.ndarray
    most: int

    def draw(self, keys: Array) -> Array:
        """Levels s uniform on 0 .. S, [B], by one key per example."""
        return jax.vmap(lambda key: jax.random.randint(key, (), 0, self.most + 1))(keys)

    def noised(self, small: Array, s: Array, keys: Array) -> Array:
        """z_s of z [B, h, w, C] at levels s [B]."""
        alpha, sigma = (jnp.asarray(c, small.dtype)[s] for c in (self.alpha, self.sigma))
        alpha, sigma = (c.reshape(-1, 1, 1, 1) for c in (alpha, sigma))
        return alpha * small + sigma * normal(keys, small.shape[1:])


def augmentation(schedule: Schedule | Continuous, share: float) -> Augmentation:
    """Along a schedule, with training up to a `share` of its times."""
    points = schedule.at(np.arange(schedule.steps + 1))
    return Augmentation(points.alpha, points.sigma, level_of(schedule, share))


def level_of(schedule: Schedule | Continuous, share: float) -> int:
    """The level at a share of a schedule's times."""
    return round(share * schedule.steps)


def beside(x: Array, small: Array) -> Array:
    """The network's input: x_t [B, H, W, C] and the small image enlarged, [B, H, W, C + C']."""
    return jnp.concatenate([x, enlarged(small, (*x.shape[1:-1], small.shape[-1]))], axis=-1)
