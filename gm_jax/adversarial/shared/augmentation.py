"""Augmentation of all that D sees, real and generated, which G's gradient goes through.

Karras et al. 2020 (ADA, arXiv 2006.06676), appendix B: each change is made with probability p, one
draw an example. A random change that is made of less than all images does not leak into what is
generated, and p follows how often D is right on real images:

    p <- p + sign(mean sign D(x) - target) images seen / speed,    kept in [0, 1]

Geometry: the image is mirrored beyond its border, doubled and halved by the filter sym6, and
between the two read at other coordinates. Colour: one affine map of each pixel.
"""

from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax import replicas
from gm_jax.model import Array
from gm_jax.nn.filtering import filtered
from gm_jax.settings import above, at_least, at_most, one_of, schema

PIXELS = ("flip", "turn", "shift")
GEOMETRY = ("scale", "rotation", "stretch", "rotation_after", "offset")
COLOUR = ("brightness", "contrast", "luma_flip", "hue", "saturation")
PIPELINES = {
    "blit": PIXELS,
    "geom": GEOMETRY,
    "color": COLOUR,
    "bg": PIXELS + GEOMETRY,
    "bgc": PIXELS + GEOMETRY + COLOUR,
}
SYM6 = np.array(
    [
        0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
        0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
        -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
    ]
)  # fmt: skip
TAPS = SYM6 / SYM6.sum()
EDGE = len(TAPS) // 4  # pixels that the filter needs around an image
GREY = np.full(3, 3.0**-0.5)  # the direction of brightness


@schema
class Augmentation:
    """Of what D sees.

    name    the authors' pipelines: bgc is flips, turns, shifts, scaling, rotation and colour; ""
            for no augmentation
    p       the probability of each change, at the start
    target  of the mean sign of D on real images, to which p adapts; if not set, p stays
    speed   images in which p could go from 0 to 1
    every   rounds between two changes of p
    """

    name: Annotated[str, one_of(("", *PIPELINES))] = ""
    p: Annotated[float, at_least(0.0), at_most(1.0)] = 0.0
    target: float | None = 0.6
    speed: Annotated[float, above(0.0)] = 500_000.0
    every: Annotated[int, at_least(1)] = 4


class Draws(NamedTuple):
    """How each example is changed, [B] or [B, 2] each.

    flip            0 or 1: mirrored left to right
    turn            0 .. 3 quarter turns
    shift           by a share of the width and height, to whole pixels
    scale           factor
    rotation        angle, before `stretch`
    stretch         factor of the width, whose inverse is the height's
    rotation_after  angle, after `stretch`
    offset          by a share of the width and height
    brightness      what is added
    contrast        factor
    luma_flip       0 or 1: brightness negated
    hue             angle around grey
    saturation      factor
    """

    flip: Array
    turn: Array
    shift: Array
    scale: Array
    rotation: Array
    stretch: Array
    rotation_after: Array
    offset: Array
    brightness: Array
    contrast: Array
    luma_flip: Array
    hue: Array
    saturation: Array


FACTORS = ("scale", "stretch", "contrast", "saturation")  # 1 if nothing is changed, else 0


def draw(keys: Array, p: Array, pipeline: str) -> Draws:
    """Each change of the pipeline with probability p, by one key an example [B]."""

    def angle(key):
        return jnp.pi * jax.random.uniform(key, minval=-1.0, maxval=1.0)

    def factor(deviation):
        return lambda key: 2.0 ** (deviation * jax.random.normal(key))

    def whole(count):
        return lambda key: jax.random.randint(key, (), 0, count).astype(float)

    values = Draws(
        flip=whole(2),
        turn=whole(4),
        shift=lambda key: jax.random.uniform(key, (2,), minval=-0.125, maxval=0.125),
        scale=factor(0.2),
        rotation=angle,
        stretch=factor(0.2),
        rotation_after=angle,
        offset=lambda key: 0.125 * jax.random.normal(key, (2,)),
        brightness=lambda key: 0.2 * jax.random.normal(key),
        contrast=factor(0.5),
        luma_flip=whole(2),
        hue=angle,
        saturation=factor(1.0),
    )
    # Either of two rotations is made with probability p.
    rates = dict.fromkeys(("rotation", "rotation_after"), 1.0 - jnp.sqrt(1.0 - p))

    def of_example(key):
        drawn = {}
        for number, (name, value) in enumerate(values._asdict().items()):
            gate, own = jax.random.split(jax.random.fold_in(key, number))
            made = jax.random.bernoulli(gate, rates.get(name, p)) & (name in PIPELINES[pipeline])
            drawn[name] = jnp.where(made, value(own), float(name in FACTORS))
        return Draws(**drawn)

    return jax.vmap(of_example)(keys)


def augmented(x: Array, draws: Draws, pipeline: str) -> Array:
    """Images [B, H, W, C], changed as drawn; differentiable in them, and twice."""
    names = PIPELINES[pipeline]
    if set(names) & {*PIXELS, *GEOMETRY}:
        x = _moved(x, coordinates(draws, x.shape[1:3]))
    return recoloured(x, colours(draws)) if set(names) & {*COLOUR} else x


def _stack(rows) -> Array:
    """Matrices [B, n, n] of numbers and arrays [B]."""
    size = next(len(x) for row in rows for x in row if jnp.ndim(x))
    return jnp.stack([jnp.stack([jnp.broadcast_to(x, size) for x in r], -1) for r in rows], -2)


def _scaling(x, y) -> Array:
    return _stack([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 0.0 * x + 1.0]])


def _shifting(x, y) -> Array:
    return _stack([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 0.0 * x + 1.0]])


def _rotation(angle) -> Array:
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return _stack([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def coordinates(draws: Draws, sides: tuple[int, int]) -> Array:
    """[B, 3, 3]: from (x, y, 1) of a changed image to those of the image, around its centre."""
    height, width = sides
    steps = (
        _scaling(1.0 - 2.0 * draws.flip, 1.0 + 0.0 * draws.flip),
        _rotation(0.5 * jnp.pi * draws.turn),
        _shifting(-jnp.round(draws.shift[:, 0] * width), -jnp.round(draws.shift[:, 1] * height)),
        _scaling(1.0 / draws.scale, 1.0 / draws.scale),
        _rotation(draws.rotation),
        _scaling(1.0 / draws.stretch, draws.stretch),
        _rotation(draws.rotation_after),
        _shifting(-draws.offset[:, 0] * width, -draws.offset[:, 1] * height),
    )
    total = steps[0]
    for step in steps[1:]:
        total = total @ step
    return total


def _moved(x: Array, inverse: Array) -> Array:
    """Images [B, H, W, C] read at other coordinates, by `inverse` [B, 3, 3]."""
    height, width = x.shape[1:3]
    margins = ((0, 0), (height - 1, height - 1), (width - 1, width - 1), (0, 0))
    x = jnp.pad(x, margins, mode="reflect")
    size = len(TAPS)
    for axis in (1, 2):
        x = filtered(x, 2.0 * TAPS, axis, ((size + 1) // 2, (size - 2) // 2), up=2)
    outputs = [2 * (side + 2 * EDGE) for side in (height, width)]
    rows, columns = (jnp.arange(n) + 0.5 - n / 2 for n in outputs)
    # A doubled image's centre lies half a pixel further on.
    points = jnp.stack(jnp.meshgrid(columns, rows), -1) / 2.0 + 0.25
    points = jnp.einsum("bij,hwj->bhwi", inverse[:, :2, :2], points)
    points = 2.0 * (points + inverse[:, None, None, :2, 2]) - 0.5
    centre = jnp.array([x.shape[2], x.shape[1]]) / 2 - 0.5
    x = jax.vmap(_read)(x, points + centre)
    crop = (size - 1) // 2 - 2 * EDGE, (size - 2) // 2 - 2 * EDGE
    for axis in (1, 2):
        x = filtered(x, TAPS[::-1], axis, crop, down=2)
    return x


def _read(x: Array, points: Array) -> Array:
    """An image [H, W, C] at points (x, y) [h, w, 2], linear between pixels, 0 outside."""
    first = jnp.floor(points)
    share = (points - first)[..., None]
    column, row = jnp.moveaxis(first.astype(int), -1, 0)

    def pixel(down, right):
        y, z = row + down, column + right
        inside = (y >= 0) & (y < x.shape[0]) & (z >= 0) & (z < x.shape[1])
        read = x[jnp.clip(y, 0, x.shape[0] - 1), jnp.clip(z, 0, x.shape[1] - 1)]
        return jnp.where(inside[..., None], read, 0.0)

    right, down = share[..., 0, :], share[..., 1, :]
    upper = (1.0 - right) * pixel(0, 0) + right * pixel(0, 1)
    lower = (1.0 - right) * pixel(1, 0) + right * pixel(1, 1)
    return ((1.0 - down) * upper + down * lower).astype(x.dtype)


def colours(draws: Draws) -> Array:
    """[B, 3, 4]: the affine map of a pixel's colour."""
    grey, rest = jnp.outer(GREY, GREY), jnp.eye(3) - jnp.outer(GREY, GREY)

    def of_example(d):
        x, y, z = GREY
        cross = jnp.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
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


def init(settings: Augmentation) -> dict[str, Array]:
    """The entry of the state: p, and the sum and number of signs since it changed."""
    return {"p": jnp.float32(settings.p), "signs": jnp.float32(0.0), "count": jnp.float32(0.0)}


def counted(state: dict[str, Array], logits: Array) -> dict[str, Array]:
    """The state with the signs of D's logits [B] on real images."""
    signs = replicas.mean(jnp.mean(jnp.sign(logits)))
    return {**state, "signs": state["signs"] + signs, "count": state["count"] + 1.0}


def adapted(settings: Augmentation, state: dict[str, Array], step: Array, images: int) -> dict:
    """The state with another p, if it is time; `images` in the global batch."""
    if settings.target is None:
        return state
    mean = state["signs"] / jnp.maximum(state["count"], 1.0)
    change = jnp.sign(mean - settings.target) * (images * settings.every / settings.speed)
    due = step % settings.every == 0
    fresh = {"p": jnp.clip(state["p"] + change, 0.0, 1.0)} | dict.fromkeys(
        ("signs", "count"), jnp.zeros_like(mean)
    )
    return jax.tree.map(lambda new, old: jnp.where(due, new, old), fresh, state)
