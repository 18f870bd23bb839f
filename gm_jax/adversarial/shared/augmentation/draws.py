"""Which changes a pipeline makes, and the random numbers of each example."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gm_jax.model import Array

PIXELS = ("flip", "turn", "shift")
GEOMETRY = ("scale", "rotation", "stretch", "rotation_after", "offset")
COLOUR = ("brightness", "contrast", "luma_flip", "hue", "saturation")
PIPELINES = {
    "blit": PIXELS,
    "geom": GEOMETRY,
    "color": COLOUR,
    "filter": ("bands",),
    "noise": ("noise",),
    "cutout": ("cutout",),
    "bg": PIXELS + GEOMETRY,
    "bgc": PIXELS + GEOMETRY + COLOUR,
    "bgcf": (*PIXELS, *GEOMETRY, *COLOUR, "bands"),
    "bgcfn": (*PIXELS, *GEOMETRY, *COLOUR, "bands", "noise"),
    "bgcfnc": (*PIXELS, *GEOMETRY, *COLOUR, "bands", "noise", "cutout"),
}
BANDS = 4  # of frequencies, each of which has its own gain
GRAIN = 0.1  # deviation of the level of the noise
HOLE = 0.5  # of the width and height: what a cutout takes


class Draws(NamedTuple):
    """How each example is changed, [B] or [B, n] each.

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
    bands           factor of each band of frequencies, from the lowest one
    noise           what is added to each value, [B, H, W, C]
    cutout          a rectangle that becomes 0: its centre (x, y) and its size, by shares of the
                    width and height
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
    bands: Array
    noise: Array
    cutout: Array


FACTORS = ("scale", "stretch", "contrast", "saturation", "bands")  # 1 if unchanged; else 0


def draw(keys: Array, p: Array, pipeline: str, shape: tuple[int, int, int]) -> Draws:
    """Each change of the pipeline with probability p, by one key an example [B].

    Each band of frequencies is a change of its own; `shape` is an image's.
    """

    def angle(key):
        return jnp.pi * jax.random.uniform(key, minval=-1.0, maxval=1.0)

    def factor(deviation, shape=()):
        return lambda key: 2.0 ** (deviation * jax.random.normal(key, shape))

    def whole(count):
        return lambda key: jax.random.randint(key, (), 0, count).astype(float)

    def noise(key):
        level, own = jax.random.split(key)
        return GRAIN * jnp.abs(jax.random.normal(level)) * jax.random.normal(own, shape)

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
        bands=factor(1.0, (BANDS,)),
        noise=noise,
        cutout=lambda key: jnp.append(jax.random.uniform(key, (2,)), HOLE),
    )
    # Either of two rotations is made with probability p.
    rates = dict.fromkeys(("rotation", "rotation_after"), 1.0 - jnp.sqrt(1.0 - p))

    def of_example(key):
        drawn = {}
        for number, (name, value) in enumerate(values._asdict().items()):
            gate, own = jax.random.split(jax.random.fold_in(key, number))
            gates = (BANDS,) if name == "bands" else ()
            made = jax.random.bernoulli(gate, rates.get(name, p), gates)
            made &= name in PIPELINES[pipeline]
            drawn[name] = jnp.where(made, value(own), float(name in FACTORS))
        return Draws(**drawn)

    return jax.vmap(of_example)(keys)
