"""Networks that restyle pictures, and the maps that say what a style is.

StyleNet: Dumoulin, Shlens & Kudlur 2017 (arXiv 1610.07629), table 1, after Johnson et al. 2016.
Decoder: Huang & Belongie 2017 (arXiv 1703.06868), section 6.1: VGG to relu4_1, mirrored.
"""

from collections.abc import Callable, Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax import games
from gm_jax.errors import UserError
from gm_jax.losses.style import moments
from gm_jax.model import Array, Stage
from gm_jax.nn.layers import Size, doubled, full_precision, instance_norm, reflected

WEIGHTS = nn.initializers.normal(0.01)


class StyleNorm(nn.Module):
    """Conditional instance normalisation, eq. 5: gamma_s (x - mean) / deviation + beta_s.

    gamma and beta have a row for each of `styles`; weights [B, styles] say how much of each row an
    example has: one-hot for a style, a convex sum for a blend.
    """

    styles: int

    @nn.compact
    def __call__(self, x: Array, weights: Array) -> Array:
        shape = self.styles, x.shape[-1]
        gamma = weights @ self.param("gamma", nn.initializers.ones, shape)
        beta = weights @ self.param("beta", nn.initializers.zeros, shape)
        scaled = instance_norm(full_precision(x)) * gamma[:, None, None] + beta[:, None, None]
        return scaled.astype(x.dtype)


class StyleNet(nn.Module):
    """Images [B, H, W, C] and weights of styles [B, styles] to images [B, H, W, features].

    In [-1, 1], by a sigmoid. Convolutions see the picture reflected beyond its border, and have no
    bias, which the norm after each would undo; the last has a norm, too. The second beta of a block
    has no slope, as the norms after it undo it; the paper has it all the same.
    width   channels at full size; the blocks have four times as many
    blocks  residual blocks
    """

    features: int
    styles: int
    width: Size = 32
    blocks: Size = 5
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, weights: Array) -> Array:
        def conv(x, features, size, stride=1):
            x = nn.Conv(
                features, (size, size), stride, padding=0, use_bias=False, kernel_init=WEIGHTS,
                dtype=self.dtype,
            )(reflected(x, size // 2))  # fmt: skip
            return StyleNorm(self.styles)(x, weights)

        x = nn.relu(conv(x, self.width, 9))
        for factor in (2, 4):
            x = nn.relu(conv(x, factor * self.width, 3, stride=2))
        for _ in range(self.blocks):
            x = x + conv(nn.relu(conv(x, x.shape[-1], 3)), x.shape[-1], 3)
        for factor in (2, 1):
            x = nn.relu(conv(doubled(x), factor * self.width, 3))
        return 2.0 * nn.sigmoid(full_precision(conv(x, self.features, 9))) - 1.0


class Decoder(nn.Module):
    """A map [B, h, w, C] to an image [B, H, W, features] without bounds or norms.

    widths        channels, from the map on; the sides double after the first convolution of each
    convolutions  of each width
    """

    features: int
    widths: tuple[Size, ...] = (256, 128, 64)
    convolutions: tuple[Size, ...] = (4, 2, 2)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def conv(x, features):
            return nn.Conv(features, (3, 3), padding=0, dtype=self.dtype)(reflected(x, 1))

        for width, count in zip(self.widths, self.convolutions, strict=True):
            x = doubled(nn.relu(conv(x, width)))
            for _ in range(count - 1):
                x = nn.relu(conv(x, width))
        return full_precision(conv(x, self.features))


def adain(content: Array, style: Array) -> Array:
    """The content's map with each channel's mean and deviation those of the style's, eq. 8."""
    mean, deviation = (m[:, None, None] for m in moments(style))
    return instance_norm(content) * deviation + mean


def feature_maps(
    stages: Mapping[str, Stage], shape: tuple[int, ...], layers: Sequence[str]
) -> tuple[Callable, dict[str, tuple[int, ...]]]:
    """`games.feature_maps`, and the shape [h, w, C] of each of the `layers` for images of a shape.

    Raises UserError unless `stages.features` has these layers, each of two pixels or more.
    """
    maps, model = games.feature_maps(stages), stages["features"].model
    key = jax.random.key(0)

    def traced(x):
        variables = model.init(key, {"image": x}, None)
        return model.functions["features"](variables, {"image": x}, key)

    found = jax.eval_shape(traced, jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    for name in layers:
        if name not in found:
            raise UserError(
                f"stages.features has no map {name}: it has {', '.join(found)}"
                " (stages.features.layers says which)"
            )
        if found[name].shape[1] * found[name].shape[2] < 2:
            raise UserError(
                f"images of {shape[0]}x{shape[1]} leave one pixel at layer {name}, which has no"
                " style: set data.size higher, or take layers before it"
            )
    return maps, {name: x.shape[1:] for name, x in found.items()}
