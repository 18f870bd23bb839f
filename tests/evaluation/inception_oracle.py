"""Inception v3 of 2015-12-05 in float64 NumPy, written from the table of its blocks.

`rules` says how the average pools, the last pool and the reductions work, so that a test can make
each mistake. Parameters are {"Mixed_5b.branch1x1": (kernel [kh, kw, in, out], bias)}.
"""

import numpy as np

RULES = {"count_padding": (), "last_pool": "max", "reduction": "valid"}


def conv(x, weights, stride=1, padding="same"):
    kernel, bias = (np.asarray(w, np.float64) for w in weights)
    kh, kw = kernel.shape[:2]
    if padding == "same":
        x = np.pad(x, ((0, 0), (kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))
    y = np.einsum("bhwcij,ijcd->bhwd", windows[:, ::stride, ::stride], kernel, optimize=True)
    return np.maximum(y + bias, 0)


def windows3(x, stride, fill):
    if fill is not None:
        x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::stride, ::stride]


def max_reduce(x, rules):
    fill = None if rules["reduction"] == "valid" else -np.inf
    y = windows3(x, 2, fill).max(axis=(-1, -2))
    height, width = ((n - 3) // 2 + 1 for n in x.shape[1:3])
    return y[:, :height, :width]


def average(x, block, rules):
    total = windows3(x, 1, 0).sum(axis=(-1, -2))
    count = windows3(np.ones((1, *x.shape[1:3], 1)), 1, 0).sum(axis=(-1, -2))
    return total / (9 if block in rules["count_padding"] else count)


def maximum(x):
    return windows3(x, 1, -np.inf).max(axis=(-1, -2))


def block5(x, p, name, rules=RULES):
    c = lambda branch, x: conv(x, p[f"{name}.{branch}"])  # noqa: E731
    one = c("branch1x1", x)
    five = c("branch5x5_2", c("branch5x5_1", x))
    double = c("branch3x3dbl_3", c("branch3x3dbl_2", c("branch3x3dbl_1", x)))
    pool = c("branch_pool", average(x, name, rules))
    return np.concatenate([one, five, double, pool], axis=-1)


def block6a(x, p, name="Mixed_6a", rules=RULES):
    three = conv(x, p[f"{name}.branch3x3"], 2, "valid")
    double = conv(conv(x, p[f"{name}.branch3x3dbl_1"]), p[f"{name}.branch3x3dbl_2"])
    double = conv(double, p[f"{name}.branch3x3dbl_3"], 2, "valid")
    return np.concatenate([three, double, max_reduce(x, rules)], axis=-1)


def block6(x, p, name, rules=RULES):
    c = lambda branch, x: conv(x, p[f"{name}.{branch}"])  # noqa: E731
    one = c("branch1x1", x)
    seven = c("branch7x7_3", c("branch7x7_2", c("branch7x7_1", x)))
    double = x
    for i in range(1, 6):
        double = c(f"branch7x7dbl_{i}", double)
    pool = c("branch_pool", average(x, name, rules))
    return np.concatenate([one, seven, double, pool], axis=-1)


def block7a(x, p, name="Mixed_7a", rules=RULES):
    three = conv(conv(x, p[f"{name}.branch3x3_1"]), p[f"{name}.branch3x3_2"], 2, "valid")
    seven = x
    for i in range(1, 4):
        seven = conv(seven, p[f"{name}.branch7x7x3_{i}"])
    seven = conv(seven, p[f"{name}.branch7x7x3_4"], 2, "valid")
    return np.concatenate([three, seven, max_reduce(x, rules)], axis=-1)


def block7(x, p, name, rules=RULES):
    c = lambda branch, x: conv(x, p[f"{name}.{branch}"])  # noqa: E731
    one = c("branch1x1", x)
    three = c("branch3x3_1", x)
    double = c("branch3x3dbl_2", c("branch3x3dbl_1", x))
    last = name == "Mixed_7c" and rules["last_pool"] == "max"
    pool = c("branch_pool", maximum(x) if last else average(x, name, rules))
    parts = [one, c("branch3x3_2a", three), c("branch3x3_2b", three)]
    parts += [c("branch3x3dbl_3a", double), c("branch3x3dbl_3b", double), pool]
    return np.concatenate(parts, axis=-1)


def network(x, p, layers, rules=RULES):
    """Images [B, 299, 299, 3] in [-1, 1] -> {layer: [B, d]}, as far as `layers` ask."""
    out = {}
    x = conv(np.asarray(x, np.float64), p["Conv2d_1a_3x3"], 2, "valid")
    x = conv(x, p["Conv2d_2a_3x3"], 1, "valid")
    x = max_reduce(conv(x, p["Conv2d_2b_3x3"]), rules)
    out["64"] = x.mean(axis=(1, 2))
    if set(layers) <= set(out):
        return out
    x = conv(conv(x, p["Conv2d_3b_1x1"]), p["Conv2d_4a_3x3"], 1, "valid")
    x = max_reduce(x, rules)
    out["192"] = x.mean(axis=(1, 2))
    for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
        x = block5(x, p, name, rules)
    x = block6a(x, p, rules=rules)
    for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        x = block6(x, p, name, rules)
        if name == "Mixed_6d":
            out["sfid"] = x[..., :7].reshape(len(x), -1)
    out["768"] = x.mean(axis=(1, 2))
    if set(layers) <= set(out):
        return out
    x = block7a(x, p, rules=rules)
    x = block7(block7(x, p, "Mixed_7b", rules), p, "Mixed_7c", rules)
    out["2048"] = x.mean(axis=(1, 2))
    kernel, bias = p["fc"]
    out["logits_unbiased"] = out["2048"] @ np.asarray(kernel, np.float64)[0, 0]
    out["logits"] = out["logits_unbiased"] + bias
    return out
