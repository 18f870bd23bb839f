"""Squares of frames, cut out and put back, and frames as examples of a batch."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.model import Array


def cuts(box: Array, sides: tuple[int, int], size: int) -> Array:
    """The upper left corners (row, column) of squares around boxes, [..., 2] int32.

    box    [..., 4] as (left, top, right, bottom) from -1 to 1 over the image's `sides` (H, W)
    size   pixels of a square's side; squares that would reach beyond the image are moved inside
    """
    centre = (box[..., [1, 0]] + box[..., [3, 2]]) / 4.0 + 0.5
    corner = jnp.round(centre * jnp.array(sides) - size / 2).astype(jnp.int32)
    return jnp.clip(corner, 0, jnp.array(sides) - size)


@functools.partial(jax.vmap, in_axes=(0, 0, None))
def cropped(x: Array, corner: Array, size: int) -> Array:
    """The squares [B, size, size, C] of images [B, H, W, C] at corners [B, 2]."""
    return lax.dynamic_slice(x, (*corner, 0), (size, size, x.shape[-1]))


@jax.vmap
def pasted(x: Array, corner: Array, square: Array) -> Array:
    """Images [B, H, W, C] to which squares [B, size, size, C] are added at corners [B, 2]."""
    added = lax.dynamic_update_slice(jnp.zeros_like(x), square.astype(x.dtype), (*corner, 0))
    return x + added


def in_turn(frames: Array) -> Array:
    """[T, B, ...] to [T B, ...]: all frames as one batch."""
    return frames.reshape(-1, *frames.shape[2:])
