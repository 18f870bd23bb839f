"""Filters of a few taps before halving and after doubling an image: layers of StyleGAN 1 and 2.

Karras et al. 2020 (StyleGAN2, arXiv 1912.04958). A filter is separable, and a sum of shifted
copies: on a CPU ten times and more as fast as a convolution of each channel.

    y[n] = sum_t taps[t] u[n + T - 1 - t],    u = x with up - 1 zeros after each entry, padded
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.model import Array
from gm_jax.nn.equalized import convolution
from gm_jax.nn.strides import strided_convolution, transposed_convolution

BINOMIAL = np.array([1.0, 3.0, 3.0, 1.0]) / 8.0
SMOOTH = np.array([1.0, 2.0, 1.0]) / 4.0


class Filter(NamedTuple):
    """What `filtered` does along one axis.

    taps    in the order of a convolution (as in NumPy's): a correlation's reversed
    axis    of the array
    length  entries along it
    pads    zeros before and after; a negative number crops
    up      an entry is followed by up - 1 zeros
    down    every how many entries one is kept, from the first
    """

    taps: tuple[float, ...]
    axis: int
    length: int
    pads: tuple[int, int]
    up: int
    down: int


def filtered(
    x: Array, taps: np.ndarray, axis: int, pads: tuple[int, int], up: int = 1, down: int = 1
) -> Array:
    """x with zeros between its entries along `axis`, padded, convolved and thinned out: `Filter`.

    Its gradient is a filter again, by `transposed`: that of the slices below would be a sum of
    padded arrays, several times as slow on a CPU.
    """
    axis = axis % x.ndim
    return _filtered(Filter(tuple(map(float, taps)), axis, x.shape[axis], pads, up, down), x)


def transposed(f: Filter) -> Filter:
    """The filter whose matrix is the transposed one: up and down change roles."""
    size = len(f.taps)
    outputs = (f.up * f.length + sum(f.pads) - size) // f.down + 1
    before = size - 1 - f.pads[0]
    after = f.up * (f.length - 1) + size - f.down * outputs - before
    return Filter(f.taps[::-1], f.axis, outputs, (before, after), f.down, f.up)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _filtered(f: Filter, x: Array) -> Array:
    taps, axis, length, (before, after), up, down = f
    taps = taps[::-1]
    outputs = up * length + before + after - len(taps) + 1
    reach = max(before, after, len(taps)) + len(taps) * down
    x = jnp.pad(x, [(reach, reach) if i == axis else (0, 0) for i in range(x.ndim)])
    stride = down if up == 1 else 1

    def phase(first):
        """The outputs first, first + up, ...: they meet the same taps; the others meet zeros."""
        count = -(-(outputs - first) // (up * stride))
        total = None
        for t, tap in enumerate(taps):
            start, between = divmod(first + t - before, up)
            if between:
                continue
            start, end = start + reach, start + reach + (count - 1) * stride + 1
            term = tap * lax.slice_in_dim(x, start, end, stride, axis)
            total = term if total is None else total + term
        return total

    if up == 1:
        return phase(0)
    longest = -(-outputs // up)
    phases = [_lengthened(phase(first), longest, axis) for first in range(up)]
    y = jnp.stack(phases, axis + 1)
    y = y.reshape(*x.shape[:axis], longest * up, *x.shape[axis + 1 :])
    return lax.slice_in_dim(y, 0, outputs, down, axis)


_filtered.defvjp(
    lambda f, x: (_filtered(f, x), None), lambda f, _, dy: (_filtered(transposed(f), dy),)
)


def _lengthened(x, length, axis):
    missing = length - x.shape[axis]
    return jnp.pad(x, [(0, missing) if i == axis else (0, 0) for i in range(x.ndim)])


def _both(x, taps, pads, up=1, down=1):
    """[B, H, W, C], filtered along its height and its width."""
    for axis in (1, 2):
        x = filtered(x, taps, axis, pads, up, down)
    return x


def blurred(x: Array) -> Array:
    """[B, H, W, C] smoothed by [1, 2, 1] / 4 along both axes, with zeros around."""
    return _both(x, SMOOTH, (1, 1))


def upsampled(x: Array, taps: np.ndarray = BINOMIAL) -> Array:
    """[B, H, W, C] to [B, 2H, 2W, C]; a constant stays, but at the border."""
    size = len(taps)
    return _both(x, 2.0 * taps, ((size + 1) // 2, (size - 2) // 2), up=2)


def downsampled(x: Array, taps: np.ndarray = BINOMIAL) -> Array:
    """[B, H, W, C] to [B, H/2, W/2, C]."""
    size = len(taps)
    return _both(x, taps, ((size - 1) // 2, (size - 2) // 2), down=2)


def convolution_up(x: Array, kernel: Array) -> Array:
    """[B, H, W, C] doubled, then correlated with kernel [k, k, C, D] of k 1 or 3: [B, 2H, 2W, D].

    The kernel comes before the filter here, at fewer pixels: a transposed convolution to 2H + 1.
    """
    if kernel.shape[0] == 1:
        return upsampled(convolution(x, kernel))
    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    y = transposed_convolution(x, turned, (2 * x.shape[1] + 1, 2 * x.shape[2] + 1), 0)
    return _both(y, 2.0 * BINOMIAL, (1, 1))


def convolution_down(x: Array, kernel: Array) -> Array:
    """[B, H, W, C] smoothed, correlated with kernel [k, k, C, D] of k 1 or 3, and halved."""
    if kernel.shape[0] == 1:
        return convolution(downsampled(x), kernel)
    return strided_convolution(_both(x, BINOMIAL, (2, 2)), kernel, 0)
