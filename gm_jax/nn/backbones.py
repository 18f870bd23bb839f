"""The convolutions of published classifiers, whose maps are features: VGG, AlexNet, SqueezeNet.

Simonyan & Zisserman 2014 (arXiv 1409.1556), table 1; Krizhevsky 2014 (arXiv 1404.5997); Iandola et
al. 2016 (arXiv 1602.07360), version 1.1. Each is a sequence of layers, numbered as in torchvision.

A layer is named by its kind, its block (pools divide blocks) and its number among those of its kind
there: relu3_3 is the third rectifier after the second pool.
"""

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import full_precision, reflected


class Conv(NamedTuple):
    """A convolution with a bias; `padding` zeros on all sides."""

    features: int
    size: int = 3
    stride: int = 1
    padding: int = 1


class Relu(NamedTuple):
    """max(x, 0)."""


class Pool(NamedTuple):
    """The maximum, or mean, of windows at stride 2; `ceil` keeps a last one that is not full."""

    size: int = 2
    ceil: bool = False


class Fire(NamedTuple):
    """A convolution of size 1, then one of size 1 beside one of size 3, all rectified."""

    squeeze: int
    expand: int


Layer = Conv | Relu | Pool | Fire


def vgg(*counts: int) -> tuple[Layer, ...]:
    """Blocks of so many convolutions of size 3, each block ended by a pool."""
    blocks = zip((64, 128, 256, 512, 512), counts, strict=True)
    return tuple(
        layer for width, count in blocks for layer in (*(Conv(width), Relu()) * count, Pool())
    )


NETWORKS = {
    "vgg16": vgg(2, 2, 3, 3, 3),
    "vgg19": vgg(2, 2, 4, 4, 4),
    "alexnet": (
        Conv(64, 11, 4, 2), Relu(), Pool(3),
        Conv(192, 5, 1, 2), Relu(), Pool(3),
        Conv(384), Relu(), Conv(256), Relu(), Conv(256), Relu(), Pool(3),
    ),
    "squeezenet": (
        Conv(64, 3, 2, 0), Relu(), Pool(3, True),
        Fire(16, 64), Fire(16, 64), Pool(3, True),
        Fire(32, 128), Fire(32, 128), Pool(3, True),
        Fire(48, 192), Fire(48, 192), Fire(64, 256), Fire(64, 256),
    ),
}  # fmt: skip
# Those that LPIPS compares. Zhang et al. 2018 (arXiv 1801.03924), section 3.
LPIPS = {
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
    "alexnet": ("relu1_1", "relu2_1", "relu3_1", "relu3_2", "relu3_3"),
    "squeezenet": (
        "relu1_1", "fire2_2", "fire3_2", "fire4_1", "fire4_2", "fire4_3", "fire4_4"
    ),
}  # fmt: skip
# ImageNet's means and deviations, of values in [-1, 1].
MEAN, DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


def names(layers: tuple[Layer, ...]) -> tuple[str, ...]:
    """The layers' names, in order."""
    found, block, numbers = [], 1, defaultdict(itertools.count)
    for layer in layers:
        kind = type(layer).__name__.lower()
        found.append(f"{kind}{block}_{next(numbers[kind]) + 1}")
        if kind == "pool":
            block, numbers = block + 1, defaultdict(itertools.count)
    return tuple(found)


def narrowed(layers: tuple[Layer, ...], by: int) -> tuple[Layer, ...]:
    """The same sequence with `by` times fewer channels, one at least."""

    def less(layer):
        if isinstance(layer, Conv):
            return layer._replace(features=max(1, layer.features // by))
        return Fire(*(max(1, n // by) for n in layer)) if isinstance(layer, Fire) else layer

    return tuple(map(less, layers))


def normalized(image: Array) -> Array:
    """Images [B, H, W, 1 or 3] in [-1, 1] as these networks were trained on them, [B, H, W, 3]."""
    return (rgb(image) - jnp.array(MEAN)) / jnp.array(DEVIATION)


def rgb(image: Array) -> Array:
    """Grey images as three equal channels; others as they are."""
    return jnp.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image


POOLS = ("max", "average")
PADDINGS = ("zeros", "reflect")


class Backbone(nn.Module):
    """Images [B, H, W, 3] to {name of a layer: its map [B, h, w, C]}.

    layers     one of `NETWORKS`
    outputs    names of the layers whose maps are returned; the rest is not computed
    precision  of the convolutions' products
    pool       what is taken of a window, one of `POOLS`
    padding    what convolutions see beyond the border, one of `PADDINGS`
    Raises UserError, at the first call, if the images are too small for a layer.
    """

    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    dtype: jnp.dtype = jnp.float32
    precision: str = "default"
    pool: str = "max"
    padding: str = "zeros"

    @nn.compact
    def __call__(self, x: Array) -> dict[str, Array]:
        conv = functools.partial(
            _conv, border=self.padding, dtype=self.dtype, precision=self.precision
        )
        sides, found = x.shape[1:3], {}
        for number, (name, layer) in enumerate(zip(names(self.layers), self.layers, strict=True)):
            x = _applied(layer, x, conv, self.pool, f"features_{number}")
            if not x.size:
                raise UserError(
                    f"images of {sides[0]}x{sides[1]} are too small: nothing of them is left at"
                    f" layer {name}; take larger ones, or layers before it"
                )
            if name in self.outputs:
                found[name] = full_precision(x)
            if len(found) == len(self.outputs):
                break
        return {name: found[name] for name in self.outputs}


class _Fire(nn.Module):
    squeeze: int
    expand: int
    conv: Callable

    @nn.compact
    def __call__(self, x):
        x = nn.relu(self.conv(self.squeeze, 1, 1, 0, name="squeeze")(x))
        parts = [self.conv(self.expand, n, 1, n // 2, name=f"expand{n}x{n}")(x) for n in (1, 3)]
        return nn.relu(jnp.concatenate(parts, axis=-1))


def _applied(layer, x, conv, pool, name):
    match layer:
        case Conv():
            return conv(*layer, name=name)(x)
        case Relu():
            return nn.relu(x)
        case Pool(size, ceil):
            beyond = [(0, (side - size) % 2 if ceil else 0) for side in x.shape[1:3]]
            if pool == "max":
                return nn.max_pool(x, (size, size), (2, 2), beyond)
            return nn.avg_pool(x, (size, size), (2, 2), beyond, count_include_pad=False)
        case Fire():
            return _Fire(*layer, conv, name=name)(x)


def _conv(features, size, stride, padding, *, border, **keywords):
    start, sides = nn.initializers.he_normal(), padding if border == "zeros" else 0
    module = nn.Conv(features, (size, size), stride, sides, kernel_init=start, **keywords)
    return module if border == "zeros" else lambda x: module(reflected(x, padding))
