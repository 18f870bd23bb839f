"""What a layer of sparse codes sees: patches, images, or the pooled codes of the layer below.

    u_p = f(x_p)                          x_p: the window of x at position p
    r_p = max(u_p, 0), max(-u_p, 0)       rectified, each polarity by itself
    v_q = mean of r_p over p in q         pooled over squares q of positions
    y = v / max(floor, |v| / sqrt(n))     contrast divided out, n numbers of v

Jarrett et al. 2009 (ICCV), section 3, rectify by |u| and normalise within small neighbourhoods;
Coates & Ng 2011 (ICML), section 3, split the polarity, with which a pooled code has a picture.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.energy.shared import coding
from gm_jax.errors import UserError
from gm_jax.model import Array, Spec, Stage, Variables
from gm_jax.nn.layers import Size
from gm_jax.settings import above, schema


@schema
class Pooling:
    """How the codes of stages.below become what this layer sees.

    stride  pixels between the windows that are coded
    side    positions of the windows on a side of a square that is pooled
    floor   least root mean square that a pooled code is divided by, so that flat patches stay small
    """

    stride: Size = 4
    side: Size = 2
    floor: Annotated[float, above(0.0)] = 0.05


class Signal(NamedTuple):
    """What is coded: rows of numbers.

    name   of the entry of a batch that it comes from
    size   of a row
    rows   (variables, batch) -> [B, size]
    image  (variables, rows [B, size]) -> pixels [B, Q], linear in the rows
    shape  of an image, Q numbers
    """

    name: str
    size: int
    rows: Callable[[Variables, dict], Array]
    image: Callable[[Variables, Array], Array]
    shape: tuple[int, ...]


def of_stages(stages: Mapping[str, Stage], spec: Spec, pooling: Pooling) -> Signal:
    """The pooled codes of stages.below, or pixels if there is none."""
    return of_codes(stages["below"], spec, pooling) if "below" in stages else of_pixels(spec)


def of_pixels(spec: Spec) -> Signal:
    """Patches and images as they are. Raises UserError if the data has neither."""
    name, field = coding.signal_of(spec)

    def rows(variables, batch):
        return coding.signals(batch, name)

    return Signal(name, math.prod(field.shape), rows, lambda variables, x: x, field.shape)


def of_codes(below: Stage, spec: Spec, pooling: Pooling) -> Signal:
    """The pooled codes of the windows of a larger patch.

    Raises UserError if the stage codes no patches, or if its windows do not fill the squares.
    """
    name, field = coding.signal_of(spec)
    window, units = _window_of(below, name)
    counts = [1 + (field.shape[i] - window[i]) // pooling.stride for i in (0, 1)]
    if min(counts) < 1 or any(count % pooling.side for count in counts):
        raise UserError(
            f"stages.below sees {window[0]}x{window[1]} pixels, of which a patch of"
            f" {field.shape[0]}x{field.shape[1]} has {counts[0]}x{counts[1]} positions at stride"
            f" {pooling.stride}: choose data.size, pooling.stride and pooling.side so that squares"
            f" of {pooling.side}x{pooling.side} positions fill them"
        )

    def windows(x):
        """[B, H, W, C] to [B, h, w, *window]."""
        steps = [pooling.stride * jnp.arange(n) for n in counts]
        i, j = (steps[n][:, None] + jnp.arange(window[n]) for n in (0, 1))
        return x[:, i[:, None, :, None], j[None, :, None, :]]

    def pooled(u):
        return nn.avg_pool(u, (pooling.side,) * 2, (pooling.side,) * 2)

    def rows(variables, batch):
        x = windows(batch[name])
        parts = {name: x.reshape(-1, *window), "index": jnp.arange(x.size // math.prod(window))}
        code = below.model.functions["encode"](variables.frozen["below"], parts, None)["latent"]
        u = code.reshape(*x.shape[:3], units)
        v = pooled(jnp.concatenate([nn.relu(u), nn.relu(-u)], axis=-1)).reshape(len(x), -1)
        contrast = jnp.sqrt(jnp.mean(v**2, axis=-1, keepdims=True))
        return v / jnp.maximum(contrast, pooling.floor)

    squares = [count // pooling.side for count in counts]
    sizes = (*squares, 2 * units)

    def image(variables, x):
        """Each code's picture where its windows are: the transpose of cutting and pooling."""
        positive, negative = jnp.split(x.reshape(-1, *sizes), 2, axis=-1)
        code = (positive - negative).repeat(pooling.side, 1).repeat(pooling.side, 2)
        parts = {"latent": code.reshape(-1, units)}
        seen = below.model.functions["decode"](variables.frozen["below"], parts, None)[name]
        cut = jax.linear_transpose(windows, jnp.zeros((len(x), *field.shape), seen.dtype))
        return cut(seen.reshape(len(x), *counts, *window))[0].reshape(len(x), -1)

    return Signal(name, math.prod(sizes), rows, image, field.shape)


def _window_of(below: Stage, name: str) -> tuple[tuple[int, ...], int]:
    """The shape of what the layer below codes, and its units."""
    spec, functions = below.model.spec, below.model.functions
    if name not in spec or not {"encode", "decode"} <= set(functions):
        raise UserError(
            f"stages.below must code a {name} and decode it: take a recipe of psd, or the workdir"
            " of one"
        )
    return spec[name].shape, spec["latent"].shape[0]
