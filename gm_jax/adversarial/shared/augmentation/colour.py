"""Brightness, contrast, luma flips, hue and saturation: one affine map of each pixel's colour."""

import jax
import jax.numpy as jnp

from gm_jax.adversarial.shared.augmentation.draws import Draws
from gm_jax.model import Array

ROOT = 3.0**-0.5  # of each colour in the direction of grey


def colours(draws: Draws) -> Array:
    """[B, 3, 4]: the affine map of a pixel's colour."""
    grey = jnp.full((3, 3), ROOT**2)
    rest = jnp.eye(3) - grey
    cross = ROOT * jnp.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])

    def of_example(d):
        turn = grey + jnp.cos(d.hue) * rest + jnp.sin(d.hue) * cross
        linear = d.contrast * (grey + d.saturation * rest) @ turn
        linear = linear @ (jnp.eye(3) - 2.0 * d.luma_flip * grey)
        return jnp.concatenate([linear, linear @ jnp.full((3, 1), d.brightness)], axis=1)

    return jax.vmap(of_example)(draws)


def recoloured(x: Array, map: Array) -> Array:
    """Images [B, H, W, 3] by a map [B, 3, 4] of their colours; grey ones by its mean."""
    if x.shape[-1] == 1:
        map = jnp.mean(map, axis=1)
        scale, shift = jnp.sum(map[:, :3], axis=-1), map[:, 3]
        return (x * scale[:, None, None, None] + shift[:, None, None, None]).astype(x.dtype)
    y = jnp.einsum("bij,bhwj->bhwi", map[:, :, :3], x) + map[:, None, None, :, 3]
    return y.astype(x.dtype)
