"""Priors of codes that an autoencoder is brought to, some in parts that can be told apart.

Makhzani et al. 2016 (arXiv 1511.05644), figures 2 and 4: a part is a Gaussian of a star, or a piece
of a spiral.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from gm_jax.model import Array
from gm_jax.nn.layers import normal, uniform

CENTRE, RADIAL, TANGENTIAL = 1.4, 0.5, 0.05  # of an arm: its distance and its two deviations
RADIUS, TURNS = 3.0, 2.0  # of the spiral
POINTS = 100  # of a part of the spiral, among which the nearest is sought


class Prior(NamedTuple):
    """A distribution of codes, [B, D].

    draw     (keys [B], part [B]) -> z, of that part; without parts it does not matter
    along    (part [B], t [B]) -> z at the quantile t of the part's longer axis
    part_of  z -> the part to which it most likely belongs, [B]; None if there are none
    plane    whether D must be 2
    """

    draw: Callable[[Array, Array], Array]
    along: Callable[[Array, Array], Array]
    part_of: Callable[[Array], Array] | None = None
    plane: bool = True


def star(parts: int, latents: int) -> Prior:
    """Gaussians of equal weight, long towards the origin, their centres on a circle."""
    angles = 2.0 * jnp.pi * jnp.arange(parts) / parts

    def turned(point, angle):
        x, y = point[..., 0], point[..., 1]
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        return jnp.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)

    def placed(noise, part):
        scaled = noise * jnp.array([RADIAL, TANGENTIAL]) + jnp.array([CENTRE, 0.0])
        return turned(scaled, angles[part])

    def part_of(z):
        own = turned(z[:, None], -angles)  # [B, parts, 2]
        noise = (own - jnp.array([CENTRE, 0.0])) / jnp.array([RADIAL, TANGENTIAL])
        return jnp.argmin(jnp.sum(noise**2, axis=-1), axis=-1)

    def along(part, t):
        return placed(jnp.stack([norm.ppf(t), jnp.zeros_like(t)], axis=-1), part)

    return Prior(lambda keys, part: placed(normal(keys, (2,)), part), along, part_of)


def swiss_roll(parts: int, latents: int) -> Prior:
    """A spiral, evenly by area: radius 3 sqrt(u), angle 4 pi sqrt(u), u in [k, k + 1) / parts."""

    def at(u):
        root = jnp.sqrt(u)
        angle = 2.0 * math.pi * TURNS * root
        return RADIUS * root[..., None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)

    curve = at((jnp.arange(POINTS * parts) + 0.5) / (POINTS * parts))

    def along(part, t):
        return at((part + t) / parts)

    def part_of(z):
        return jnp.argmin(jnp.sum((z[:, None] - curve) ** 2, axis=-1), axis=-1) // POINTS

    return Prior(lambda keys, part: along(part, uniform(keys, ())), along, part_of)


def standard_normal(parts: int, latents: int) -> Prior:
    """N(0, I) in any number of dimensions; `along` is a grid over the first two."""

    def along(part, t):
        plane = jnp.stack([norm.ppf(t), norm.ppf((part + 0.5) / parts)], axis=-1)
        return jnp.pad(plane, ((0, 0), (0, max(0, latents - 2))))[:, :latents]

    return Prior(lambda keys, part: normal(keys, (latents,)), along, None, plane=False)


# Each: (parts, D) -> Prior.
PRIORS = {"star": star, "swiss_roll": swiss_roll, "normal": standard_normal}


def any_part(keys: Array, parts: int) -> Array:
    """A part at random, [B], by keys [B]."""
    return jax.vmap(lambda key: jax.random.randint(key, (), 0, parts))(keys)
