"""Images found again: the w and the noise from which a generator makes the most similar image.

Karras et al. 2020 (StyleGAN2, arXiv 1912.04958), appendix D, as in the code of ADA's authors:

    min over w, n   d(x, G(w + e, n)) + weight sum of squared autocorrelations of n,
    e ~ N(0, (.05 sigma max(0, 1 - t / .75)^2)^2)  at the share t of the steps

from the mean of 10,000 w, of which sigma is the total deviation. Adam's rate rises and falls.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gm_jax.adversarial.shared.styles import label_of, latents, repeated
from gm_jax.adversarial.stylegan2.networks import Networks
from gm_jax.adversarial.stylegan2.published import networks_of
from gm_jax.errors import UserError
from gm_jax.model import Array, Variables

DRAWS = 10_000  # of w
RATE = 0.1
SMALLEST = 8  # the side to which noise maps are halved

Distance = Callable[[Array, Array], Array]


class Projection(NamedTuple):
    """What was found for images [B, H, W, C].

    w       [B, D]
    noise   the maps of each convolution
    images  [B, H, W, C] that they give
    errors  d and the noise's penalty together, step by step, a mean over the images
    """

    w: Array
    noise: list[Array]
    images: Array
    errors: np.ndarray


def spread(w: Array) -> tuple[Array, Array]:
    """The mean of w [N, D], and the root of its total variance."""
    mean = jnp.mean(w, axis=0)
    return mean, jnp.sqrt(jnp.sum((w - mean) ** 2) / len(w))


def noise_penalty(maps: list[Array]) -> Array:
    """How much neighbours of noise maps [B, h, h, 1] agree, at their size and its halvings, [B]."""
    total = 0.0
    for x in maps:
        while True:
            for axis in (1, 2):
                total += jnp.mean(x * jnp.roll(x, 1, axis), axis=(1, 2, 3)) ** 2
            if x.shape[1] <= SMALLEST:
                break
            x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, 1).mean((2, 4))
    return total


def rate(t: Array) -> Array:
    """The learning rate at the share t of the steps: up within .05, down from .75 on."""
    down = jnp.minimum(1.0, (1.0 - t) / 0.25)
    return RATE * (0.5 - 0.5 * jnp.cos(jnp.pi * down)) * jnp.minimum(1.0, t / 0.05)


def squared_error(x: Array, y: Array) -> Array:
    """The sum over the pixels of squared differences, [B]: for want of features."""
    return jnp.sum((x - y) ** 2, axis=(1, 2, 3))


def project(
    trained, images: Array, steps: int = 1000, distance: Distance = squared_error,
    weight: float = 1e5, seed: int = 0, label: Array | None = None,
) -> Projection:  # fmt: skip
    """Finds images [B, H, W, C] in [-1, 1] again.

    distance  (images, images) -> [B], differentiable; the authors take LPIPS's VGG16, whose
              distance of features `configs/lpips.py` has
    weight    of the noise's penalty
    label     [B], if the generator knows classes

    Raises UserError if the images are not of the generator's size.
    """
    nets = networks_of(trained)
    images = jnp.asarray(images)
    if images.shape[1:] != nets.shape:
        raise UserError(f"the generator makes images of {nets.shape}, these are {images.shape[1:]}")
    batch = {"index": jnp.arange(len(images)), "label": label}
    variables = Variables(trained.variables.params, trained.variables.state)
    start, found = _start(nets, variables, batch, jax.random.key(seed))
    tool = optax.adam(1.0)
    step = jax.jit(functools.partial(_step, nets, tool, distance, weight))
    memory, errors = tool.init(found), []
    for number in range(steps):
        share, key = number / steps, jax.random.fold_in(jax.random.key(seed), number)
        found, memory, error = step(variables, images, found, memory, start, share, key)
        errors.append(error)
    images = jax.jit(functools.partial(_images, nets))(variables, found)
    return Projection(*found, images, np.asarray(errors))


def _start(nets: Networks, variables, batch, key):
    """The deviation of w, and where the search begins: (the mean of w, noise)."""
    many = {"index": jnp.arange(DRAWS)}
    z_key, noise_key = jax.random.split(key)
    labels = None
    if nets.classes:
        labels = jnp.resize(label_of(nets, batch), DRAWS)
    draw = jax.jit(lambda variables, z: nets.mapping(variables, z, labels))
    w = draw(variables, latents(nets, z_key, many))
    mean, sigma = spread(w)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(noise_key, batch["index"])
    w = jnp.broadcast_to(mean, (len(batch["index"]), nets.styles))
    return sigma, (w, nets.maps(keys))


def _images(nets: Networks, variables, found):
    w, noise = found
    return nets.images(variables, repeated(nets, w), noise)


def _step(nets, tool, distance, weight, variables, images, found, memory, sigma, share, key):
    """One step of Adam; noise is brought back to mean 0 and deviation 1."""
    w, _ = found
    scale = 0.05 * sigma * jnp.maximum(0.0, 1.0 - share / 0.75) ** 2
    shaken = scale * jax.random.normal(key, w.shape)

    def loss(found):
        w, noise = found
        far = distance(images, _images(nets, variables, (w + shaken, noise)))
        errors = far + weight * noise_penalty(noise)
        return jnp.sum(errors), jnp.mean(errors)

    slope, error = jax.grad(loss, has_aux=True)(found)
    updates, memory = tool.update(slope, memory)
    w, noise = optax.apply_updates(found, jax.tree.map(lambda u: rate(share) * u, updates))
    noise = [x - jnp.mean(x, axis=(1, 2), keepdims=True) for x in noise]
    noise = [x * jax.lax.rsqrt(jnp.mean(x**2, axis=(1, 2), keepdims=True)) for x in noise]
    return (w, noise), memory, error
