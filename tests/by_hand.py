"""Layers by hand, in float64 NumPy, of which tests put whole networks together."""

import functools
from collections import Counter

import jax
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def filled(module, *inputs, **options) -> dict:
    """Variables of a module of which nothing is as it begins: kernels keep the size of a map."""
    shapes = jax.eval_shape(lambda *x: module.init(jax.random.key(0), *x, **options), *inputs)
    rng = np.random.default_rng(0)

    def fill(path, leaf):
        name, noise = jax.tree_util.keystr(path), rng.normal(size=leaf.shape)
        if leaf.ndim > 1 and "batch_stats" not in name:
            return (noise / np.sqrt(np.prod(leaf.shape[:-1]) / 2)).astype(np.float32)
        around = any(word in name for word in ("scale", "var", "sigma", "gain"))
        return (around + 0.3 * np.tanh(noise)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(fill, shapes)


def output(module, variables, *inputs, **options):
    """What a module returns; of one with a state in training, that it returns with it."""
    mutable = [name for name in variables if name != "params"]
    apply = jax.jit(functools.partial(module.apply, mutable=mutable, **options))
    return apply(variables, *inputs)[0]


def in_order(tree):
    """kind -> the next parameters of that kind of layer, as a network uses them; in float64."""
    seen, tree = Counter(), jax.tree.map(np.float64, dict(tree))

    def following(kind):
        seen[kind] += 1
        return tree[f"{kind}_{seen[kind] - 1}"]

    return following


def close(found, expected):
    """Equal, but for float32's rounding of many layers."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=3e-4 * np.abs(expected).max())
    assert expected.std() > 1e-3


def relu(x):
    return np.maximum(x, 0.0)


def leaky(x, slope=0.2):
    return np.where(x > 0, x, slope * x)


def dense(x, p):
    return x @ p["kernel"] + p.get("bias", 0.0)


def conv(x, p, stride=1, padding="SAME", dilation=1):
    """Of [B, H, W, C]; `padding` zeros on every side, or as "SAME" has them."""
    kernel = p["kernel"]
    size = dilation * (kernel.shape[0] - 1) + 1
    if padding == "SAME":
        total = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[1:3]]
        pads = [(n // 2, n - n // 2) for n in total]
    else:
        pads = [(padding, padding)] * 2
    x = np.pad(x, [(0, 0), *pads, (0, 0)])
    windows = sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    windows = windows[..., ::dilation, ::dilation]
    return np.einsum("bhwcij,ijcd->bhwd", windows, kernel, optimize=True) + p.get("bias", 0.0)


def transposed(x, p, sides=None, padding=None):
    """[B, H, W, C] to twice its sides (or `sides`) with kernel [k, k, D, C]: each value spreads.

    padding  what the convolution of stride 2 that it transposes pads; None for "SAME"
    """
    kernel, (batch, height, width, _) = p["kernel"], x.shape
    sides, size = sides or (2 * height, 2 * width), len(p["kernel"])
    whole = np.zeros((batch, 2 * height + size, 2 * width + size, kernel.shape[2]))
    for i, j in np.ndindex(size, size):
        rows, columns = slice(i, i + 2 * height, 2), slice(j, j + 2 * width, 2)
        whole[:, rows, columns] += x @ kernel[i, j].T
    before = [
        max((n - 1) * 2 + size - side, 0) // 2 if padding is None else padding
        for n, side in zip((height, width), sides, strict=True)
    ]
    cut = whole[:, before[0] : before[0] + sides[0], before[1] : before[1] + sides[1]]
    return cut + p.get("bias", 0.0)


def normalised(x, axes, epsilon=1e-5):
    mean, variance = (f(x, axis=axes, keepdims=True) for f in (np.mean, np.var))
    return (x - mean) / np.sqrt(variance + epsilon)


def batch_norm(x, p):
    """In training: over all of a channel. Of `layers.BatchNorm`, or without a scale and shift."""
    p = p.get("BatchNorm_0", {})
    return normalised(x, tuple(range(x.ndim - 1))) * p.get("scale", 1.0) + p.get("bias", 0.0)


def instance_norm(x):
    return normalised(x, (1, 2))


def doubled(x):
    return np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)


def halved(x):
    """The mean of each four pixels."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def reflected(x, count):
    return np.pad(x, [(0, 0), (count, count), (count, count), (0, 0)], mode="reflect")


def masked(x, p, kind="B"):
    """A convolution over the rows above and the pixels to the left; of kind "B" the pixel, too.

    Its kernel [up + 1, 2 side + 1, C, D] holds no row below a pixel's own.
    """
    kernel = p["kernel"].copy()
    up, middle = kernel.shape[0] - 1, kernel.shape[1] // 2
    kernel[-1, middle + (kind == "B") :] = 0
    below = np.zeros((up, *kernel.shape[1:]))
    return conv(x, {**p, "kernel": np.concatenate([kernel, below])})
