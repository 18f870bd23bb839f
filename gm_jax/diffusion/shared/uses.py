"""What a trained denoiser is used for besides sampling: inpainting, editing, inversion.

denoise  (x_t [B, ...], its level) -> x0_hat, as `processes.denoiser` makes it
fresh    number -> standard normal noise [B, ...], as `sampling.fresh_noise` makes it
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.diffusion.shared import samplers
from gm_jax.diffusion.shared.grids import Grid
from gm_jax.diffusion.shared.schedules import Points
from gm_jax.diffusion.shared.tables import Table, run
from gm_jax.model import Array


def inpaint(
    grid: Grid,
    denoise: Callable,
    image: Array,
    known: Array,
    start: Array,
    fresh: Callable[[Array], Array],
    jump: int = 10,
    resample: int = 10,
) -> Array:
    """The image [B, ...] with what is not known made anew; what is known is as it was.

    known     1 where the image is known, 0 where it is made, broadcasts against it
    start     the noise that sampling starts from, [B, ...]
    jump      steps between returns to more noise, and how far they go back
    resample  how often each stretch of `jump` steps is taken; 1 for no returns
    x_{t-1} = known (alpha_{t-1} x_0 + sigma_{t-1} z) + (1 - known) (ancestral step). Lugmayr et al.
    2022 (arXiv 2201.09865), algorithm 1 and appendix B: 10 and 10, of 250 steps.
    """
    steps, returns = _walk(grid.steps, jump, resample)
    t, s, then = (grid.points.take(np.array(v)) for v in (steps, steps + 1, returns))
    table = samplers.ancestral_steps(t, s, "small")
    table = table._replace(points=Points(*map(np.append, t, s.take(-1))))
    scale = then.alpha / s.alpha
    added = np.sqrt(np.maximum(then.sigma**2 - (scale * s.sigma) ** 2, 0.0))
    alpha, sigma, scale, added = map(jnp.asarray, (s.alpha, s.sigma, scale, added))

    def paste(x, at, number):
        first, second = (fresh(len(steps) + 2 * number + k) for k in range(2))
        noised = alpha[number] * image + sigma[number] * first
        x = known * noised + (1.0 - known) * x
        return (scale[number] * x + added[number] * second).astype(image.dtype)

    return run(table, denoise, start, fresh, after=paste)[0]


def _walk(steps, jump, resample):
    """The points that steps start from, and where each is taken to after it: on, or back."""
    left = dict.fromkeys(range(steps, jump, -jump), resample - 1)
    starts, returns, point = [], [], 0
    while point < steps:
        starts.append(point)
        point += 1
        if left.get(point, 0):
            left[point] -= 1
            point -= jump
        returns.append(point)
    return np.array(starts), np.array(returns)


def edit(table: Table, denoise: Callable, image: Array, noise: Array, fresh: Callable) -> Array:
    """The image noised to the first level of a table, and denoised from there, [B, ...].

    Meng et al. 2022 (arXiv 2108.01073), algorithm 1; `rest_of` gives the rest of a grid.
    """
    alpha, sigma = table.points.alpha[0], table.points.sigma[0]
    x = (alpha * image + sigma * noise).astype(image.dtype)
    return run(table, denoise, x, fresh)[0]


def rest_of(grid: Grid, strength: float) -> Grid:
    """The last floor(strength S) steps of a grid, at least one: 1 for all of them."""
    return grid.after(grid.steps - max(int(grid.steps * strength + 1e-9), 1))


def invert(grid: Grid, denoise: Callable, image: Array) -> Array:
    """The noise from which DDIM draws the image, [B, ...]. Song, Meng & Ermon 2021, section 5.4."""
    return run(samplers.inversion(grid), denoise, image, _no_noise)[0]


def reconstruct(grid: Grid, denoise: Callable, image: Array) -> Array:
    """The image after DDIM's inversion and DDIM, [B, ...]: equal to it as steps grow."""
    return from_noise(grid, denoise, invert(grid, denoise, image))


def from_noise(grid: Grid, denoise: Callable, noise: Array) -> Array:
    """What DDIM makes of a noise, without any more, [B, ...]."""
    return run(samplers.ddim(grid), denoise, noise, _no_noise)[0]


def interpolate(grid: Grid, denoise: Callable, first: Array, last: Array, count: int) -> Array:
    """`count` images from one to another, [B, count, ...]: DDIM along the great circle between
    their noises. Song, Meng & Ermon 2021, section 5.3."""
    ends = (invert(grid, denoise, image) for image in (first, last))
    return between(grid, denoise, *ends, count)


def between(grid: Grid, denoise: Callable, first: Array, last: Array, count: int) -> Array:
    """What DDIM makes of `count` points along the great circle of two noises, [B, count, ...]."""
    points = jnp.moveaxis(great_circle(first, last, count), 1, 0)
    images = jax.lax.map(lambda x: from_noise(grid, denoise, x), points)
    return jnp.moveaxis(images, 0, 1)


def great_circle(first: Array, last: Array, count: int) -> Array:
    """`count` points from one noise to another, [B, count, ...], of the deviations between."""
    a, b = (v.reshape(v.shape[0], 1, -1) for v in (first, last))
    norms = jnp.linalg.norm(a, axis=-1, keepdims=True) * jnp.linalg.norm(b, axis=-1, keepdims=True)
    angle = jnp.arccos(jnp.clip((a * b).sum(-1, keepdims=True) / norms, -1.0 + 1e-6, 1.0 - 1e-6))
    share = jnp.linspace(0.0, 1.0, count)[:, None]
    points = jnp.sin((1.0 - share) * angle) * a + jnp.sin(share * angle) * b
    return (points / jnp.sin(angle)).reshape(first.shape[0], count, *first.shape[1:])


def _no_noise(number):
    raise AssertionError("a deterministic table draws no noise")
