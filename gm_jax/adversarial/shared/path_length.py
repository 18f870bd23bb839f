"""Perceptual path length: how much images change along short steps between two latents.

Karras et al. 2019 (StyleGAN, arXiv 1812.04948), section 4.1, eq. 2 and 3:

    E d(G(lerp(w1, w2, t)), G(lerp(w1, w2, t + e))) / e^2,    t ~ U(0, 1)

and with slerp in place of lerp for z. Both images have one noise; the lowest and the highest
hundredth of the values are left out.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.adversarial.shared.latents import slerp
from gm_jax.adversarial.shared.styles import Styled, label_of, latents, repeated
from gm_jax.errors import UserError
from gm_jax.model import Array, Variables, example_keys
from gm_jax.nn.layers import uniform

EPSILON = 1e-4
SPACES = ("w", "z")


def along(start: Array, end: Array, t: Array, space: str) -> Array:
    """Between two latents [B, D] at t [B]: straight in w, on the great circle in z."""
    if space == "w":
        return start + t[:, None] * (end - start)
    return jax.vmap(lambda a, b, t: slerp(a[None], b[None], t)[0])(start, end, t)


def path_length(
    nets: Styled, variables: Variables, distance: Callable[[Array, Array], Array],
    count: int = 10_000, space: str = "w", epsilon: float = EPSILON, seed: int = 0,
    batch_size: int = 50, label: int | None = None,
) -> float:  # fmt: skip
    """The mean of `count` values, without the lowest and highest hundredth.

    nets      of a system's `networks_of(trained)`; variables: `trained.variables`
    distance  (images, images) -> [B]; LPIPS's VGG16 in the paper: compare values of one alone
    label     of all, if the generator knows classes; if not given, each in turn

    Raises UserError for another space than w or z.
    """
    if space not in SPACES:
        raise UserError(f"space is {space!r}: choose w or z")
    variables = Variables(variables.params, variables.state)
    values = jax.jit(functools.partial(_values, nets, distance, space, epsilon))
    found = []
    for first in range(0, count, batch_size):
        index = first + jnp.arange(min(batch_size, count - first))
        labels = index % max(nets.classes, 1) if label is None else jnp.full_like(index, label)
        found.append(values(variables, {"index": index, "label": labels}, jax.random.key(seed)))
    return trimmed_mean(np.concatenate(found))


def trimmed_mean(values: np.ndarray) -> float:
    """The mean of those between the first and the 99th percentile."""
    low = np.percentile(values, 1, method="lower")
    high = np.percentile(values, 99, method="higher")
    return float(np.mean(values[(values >= low) & (values <= high)]))


def _values(nets, distance, space, epsilon, variables, batch, key):
    *keys, noise_key, t_key = jax.random.split(key, 4)
    ends = [latents(nets, k, batch) for k in keys]
    t = uniform(example_keys(t_key, batch), ())
    noise = nets.maps(example_keys(noise_key, batch))
    label = label_of(nets, batch)

    def mapped(z):
        return nets.mapping(variables, z, label)

    if space == "w":
        ends = [mapped(z) for z in ends]

    def images(t):
        point = along(*ends, t, space)
        w = point if space == "w" else mapped(point)
        return nets.images(variables, repeated(nets, w), noise)

    return distance(images(t), images(t + epsilon)) / epsilon**2
