"""Inception v3 of 2015-12-05: the network that FID is defined on.

It is not the usual Inception v3 (Szegedy et al. 2015, arXiv:1512.00567): average pools leave the
padding out of the count, the last block pools by maximum, there are 1008 classes and no auxiliary
head. Batch normalisation is folded into kernels and biases when the weights are read, so a layer
is relu(conv(x) + bias). Blocks and branches carry the names of the official file.

Two rearrangements change only the speed. An average pool commutes with the 1x1 convolution after
it and is cheaper there, on fewer channels; so all 1x1 convolutions of a block's input become one
matrix product. And XLA on a CPU runs convolutions without padding at a third of its usual rate, so
"valid" ones are padded on the far side, and the extra outputs are cut off.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import lax

# Layer -> its dimension, in the order in which the network reaches them.
# "sfid" is spatial: 7 channels at 17 x 17 positions (Nash et al. 2021, arXiv:2103.03841).
LAYERS = {
    "64": 64,
    "192": 192,
    "sfid": 2023,
    "768": 768,
    "2048": 2048,
    "logits": 1008,
    "logits_unbiased": 1008,
}
PRECISIONS = {"highest": lax.Precision.HIGHEST, "default": lax.Precision.DEFAULT}


class Weights(nn.Module):
    """The kernel [kh, kw, in, out] and the bias [out] of one layer."""

    features: int
    kernel: tuple[int, int] = (1, 1)

    @nn.compact
    def __call__(self, channels: int):
        shape = (*self.kernel, channels, self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        return kernel, self.param("bias", nn.initializers.zeros, (self.features,))


class Block(nn.Module):
    """What the blocks share: layers by name."""

    precision: str = "highest"

    def conv(self, name: str, x, features: int, kernel=(3, 3), stride: int = 1, valid=False):
        """relu(conv(x) + bias), [B, H, W, C] -> [B, H', W', features]."""
        weights, bias = Weights(features, kernel, name=name)(x.shape[-1])
        y = lax.conv_general_dilated(
            x,
            weights,
            (stride, stride),
            [(0, 1), (0, 1)] if valid else "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=PRECISIONS[self.precision],
        )
        if valid:
            height, width = (
                (n - k) // stride + 1 for n, k in zip(x.shape[1:3], kernel, strict=True)
            )
            y = y[:, :height, :width]
        return nn.relu(y + bias)

    def pointwise(self, x, **features: int):
        """Several 1x1 layers of one input, before their relu, as one product."""
        weights = [Weights(f, name=name)(x.shape[-1]) for name, f in features.items()]
        kernel = jnp.concatenate([kernel[0, 0] for kernel, _ in weights], axis=-1)
        bias = jnp.concatenate([bias for _, bias in weights])
        y = jnp.einsum("bhwc,cd->bhwd", x, kernel, precision=PRECISIONS[self.precision]) + bias
        return jnp.split(y, np.cumsum(list(features.values()))[:-1], axis=-1)


def _windows(x, axis: int, stride: int):
    """The three slices whose i-th entries are window i of width 3 along the axis."""
    size = (x.shape[axis] - 3) // stride + 1
    stop = stride * (size - 1) + 1
    return [lax.slice_in_dim(x, k, k + stop, stride, axis) for k in range(3)]


def _pool(x, combine, stride: int):
    for axis in (1, 2):
        a, b, c = _windows(x, axis, stride)
        x = combine(combine(a, b), c)
    return x


def max_pool(x, stride: int = 2):
    """The maximum of 3x3 windows: without padding at stride 2, same size at stride 1."""
    if stride == 1:
        x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-jnp.inf)
    return _pool(x, jnp.maximum, stride)


def average_pool(x):
    """The mean of 3x3 windows at stride 1, over the pixels inside the image alone."""
    inside = [np.convolve(np.ones(n), np.ones(3), "same") for n in x.shape[1:3]]
    count = np.multiply.outer(*inside).astype(np.float32)
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return _pool(x, jnp.add, 1) / count[:, :, None]


class Mixed5(Block):
    """35 x 35: 5b, 5c, 5d."""

    pool: int = 64

    @nn.compact
    def __call__(self, x):
        one, five, double, pool = self.pointwise(
            x, branch1x1=64, branch5x5_1=48, branch3x3dbl_1=64, branch_pool=self.pool
        )
        five = self.conv("branch5x5_2", nn.relu(five), 64, (5, 5))
        double = self.conv("branch3x3dbl_2", nn.relu(double), 96)
        double = self.conv("branch3x3dbl_3", double, 96)
        return jnp.concatenate([nn.relu(one), five, double, nn.relu(average_pool(pool))], axis=-1)


class Mixed6a(Block):
    """35 x 35 -> 17 x 17."""

    @nn.compact
    def __call__(self, x):
        three = self.conv("branch3x3", x, 384, stride=2, valid=True)
        (double,) = self.pointwise(x, branch3x3dbl_1=64)
        double = self.conv("branch3x3dbl_2", nn.relu(double), 96)
        double = self.conv("branch3x3dbl_3", double, 96, stride=2, valid=True)
        return jnp.concatenate([three, double, max_pool(x)], axis=-1)


class Mixed6(Block):
    """17 x 17: 6b to 6e, with c channels inside; returns branch1x1 too, which sFID looks at."""

    c: int = 192

    @nn.compact
    def __call__(self, x):
        one, seven, double, pool = self.pointwise(
            x, branch1x1=192, branch7x7_1=self.c, branch7x7dbl_1=self.c, branch_pool=192
        )
        seven = self.conv("branch7x7_2", nn.relu(seven), self.c, (1, 7))
        seven = self.conv("branch7x7_3", seven, 192, (7, 1))
        double = self.conv("branch7x7dbl_2", nn.relu(double), self.c, (7, 1))
        double = self.conv("branch7x7dbl_3", double, self.c, (1, 7))
        double = self.conv("branch7x7dbl_4", double, self.c, (7, 1))
        double = self.conv("branch7x7dbl_5", double, 192, (1, 7))
        one, pool = nn.relu(one), nn.relu(average_pool(pool))
        return jnp.concatenate([one, seven, double, pool], axis=-1), one


class Mixed7a(Block):
    """17 x 17 -> 8 x 8."""

    @nn.compact
    def __call__(self, x):
        three, seven = self.pointwise(x, branch3x3_1=192, branch7x7x3_1=192)
        three = self.conv("branch3x3_2", nn.relu(three), 320, stride=2, valid=True)
        seven = self.conv("branch7x7x3_2", nn.relu(seven), 192, (1, 7))
        seven = self.conv("branch7x7x3_3", seven, 192, (7, 1))
        seven = self.conv("branch7x7x3_4", seven, 192, stride=2, valid=True)
        return jnp.concatenate([three, seven, max_pool(x)], axis=-1)


class Mixed7(Block):
    """8 x 8: 7b pools by the mean, 7c by the maximum (which does not commute)."""

    maximum: bool = False

    @nn.compact
    def __call__(self, x):
        reduced = {"branch1x1": 320, "branch3x3_1": 384, "branch3x3dbl_1": 448}
        if self.maximum:
            one, three, double = self.pointwise(x, **reduced)
            (pool,) = self.pointwise(max_pool(x, stride=1), branch_pool=192)
        else:
            one, three, double, pool = self.pointwise(x, **reduced, branch_pool=192)
            pool = average_pool(pool)
        three = nn.relu(three)
        double = self.conv("branch3x3dbl_2", nn.relu(double), 384)
        parts = [
            nn.relu(one),
            self.conv("branch3x3_2a", three, 384, (1, 3)),
            self.conv("branch3x3_2b", three, 384, (3, 1)),
            self.conv("branch3x3dbl_3a", double, 384, (1, 3)),
            self.conv("branch3x3dbl_3b", double, 384, (3, 1)),
            nn.relu(pool),
        ]
        return jnp.concatenate(parts, axis=-1)


class InceptionV3(Block):
    """Images [B, 299, 299, 3] in [-1, 1] -> {layer: [B, d]} for `layers`.

    It stops after the last of them, so incomplete weights serve the layers that they reach.
    """

    layers: Sequence[str] = ("2048",)

    @nn.compact
    def __call__(self, x):
        out, p = {}, self.precision
        wanted = set(self.layers)

        def done(values):
            out.update((layer, v) for layer, v in values.items() if layer in wanted)
            return set(out) == wanted

        x = self.conv("Conv2d_1a_3x3", x, 32, stride=2, valid=True)
        x = self.conv("Conv2d_2a_3x3", x, 32, valid=True)
        x = max_pool(self.conv("Conv2d_2b_3x3", x, 64))
        if done({"64": x.mean(axis=(1, 2))}):
            return out
        (x,) = self.pointwise(x, Conv2d_3b_1x1=80)
        x = max_pool(self.conv("Conv2d_4a_3x3", nn.relu(x), 192, valid=True))
        if done({"192": x.mean(axis=(1, 2))}):
            return out
        x = Mixed5(p, 32, name="Mixed_5b")(x)
        x = Mixed5(p, 64, name="Mixed_5c")(x)
        x = Mixed5(p, 64, name="Mixed_5d")(x)
        x = Mixed6a(p, name="Mixed_6a")(x)
        x, _ = Mixed6(p, 128, name="Mixed_6b")(x)
        x, _ = Mixed6(p, 160, name="Mixed_6c")(x)
        x, one = Mixed6(p, 160, name="Mixed_6d")(x)
        if done({"sfid": one[..., :7].reshape(len(x), -1)}):
            return out
        x, _ = Mixed6(p, 192, name="Mixed_6e")(x)
        if done({"768": x.mean(axis=(1, 2))}):
            return out
        x = Mixed7a(p, name="Mixed_7a")(x)
        x = Mixed7(p, False, name="Mixed_7b")(x)
        x = Mixed7(p, True, name="Mixed_7c")(x).mean(axis=(1, 2))
        if done({"2048": x}):
            return out
        kernel, bias = Weights(1008, name="fc")(2048)
        logits = jnp.einsum("bc,cd->bd", x, kernel[0, 0], precision=PRECISIONS[p])
        done({"logits": logits + bias, "logits_unbiased": logits})
        return out
