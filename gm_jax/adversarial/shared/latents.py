"""The inputs of generators: priors over z, and paths between two draws of it."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import vmap

from gm_jax.model import Array
from gm_jax.nn.layers import normal, uniform


def cube(keys: Array, shape: tuple[int, ...]) -> Array:
    """U(-1, 1), [B, *shape], from one key an example."""
    return 2.0 * uniform(keys, shape) - 1.0


def sphere(keys: Array, shape: tuple[int, ...]) -> Array:
    """Uniform on the sphere of radius sqrt(D), near which nearly all normal draws lie; [B, D]."""
    z = normal(keys, shape)
    return z / jnp.sqrt(jnp.mean(z**2, axis=-1, keepdims=True))


def truncated(bound: float) -> Callable[[Array, tuple[int, ...]], Array]:
    """A prior: normal noise of which what is beyond the bound is drawn again, (keys, shape) -> z.

    Brock et al. 2019, section 3.1. Neither scaled nor clamped: the density within the bound is the
    normal one's, drawn by its inverse distribution function.
    """

    def prior(keys, shape):
        draw = functools.partial(jax.random.truncated_normal, shape=shape)
        return vmap(lambda key: draw(key, -bound, bound))(keys)

    return prior


# Each: (keys [B], shape) -> z [B, *shape].
PRIORS = {"normal": normal, "uniform": cube, "sphere": sphere}


def slerp(start: Array, end: Array, t: Array) -> Array:
    """Spherical interpolation of vectors [B, D] at t in [0, 1]. Shoemake 1985; White 2016.

    The angle is between the directions; linear where they (nearly) coincide.
    """
    a, b = (x / jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (start, end))
    angle = jnp.arccos(jnp.clip(jnp.sum(a * b, axis=-1, keepdims=True), -1.0, 1.0))
    sine = jnp.sin(angle)
    straight = sine < 1e-6
    safe = jnp.where(straight, 1.0, sine)
    w0 = jnp.where(straight, 1.0 - t, jnp.sin((1.0 - t) * angle) / safe)
    w1 = jnp.where(straight, t, jnp.sin(t * angle) / safe)
    return w0 * start + w1 * end


def path(start: Array, end: Array, frames: int) -> Array:
    """Along the great circles between latents [B, D], ends included: [B, frames, D]."""
    along = vmap(slerp, in_axes=(None, None, 0), out_axes=1)
    return along(start, end, jnp.linspace(0.0, 1.0, frames))
