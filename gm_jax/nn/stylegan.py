"""StyleGAN's synthesis: a constant input, and styles and noise after every convolution.

Karras et al. 2019 (arXiv 1812.04948), figure 1b; with a map x, its style (s, b) = A w, and n noise,

    AdaIN(x, w) = (1 + s) (x - mean x) / deviation x + b                              eq. 1
    x <- AdaIN(LeakyReLU(conv(x) + strength n + bias), w)

twice at every side, the first time of the constant (4 x 4) or of blur(conv(up(x))). Of side r, maps
of min(density / r, most) features. Layers fade in as ProGAN's do, by a share of 0 to 1.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.equalized import EqualizedConv, EqualizedDense
from gm_jax.nn.filtering import blurred
from gm_jax.nn.layers import doubled, full_precision, instance_norm
from gm_jax.nn.progan import FIRST, GAIN, mixed


def noise_sides(side: int) -> list[int]:
    """The sides of the noise maps, in the order of the layers: as many as there are styles."""
    return [2**k for k in range(FIRST.bit_length() - 1, side.bit_length()) for _ in range(2)]


class Styled(nn.Module):
    """(x [B, H, W, C], w [B, D], noise [B or 1, H, W, 1] or None) to what follows a convolution."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, w: Array, noise: Array | None) -> Array:
        features, wide = x.shape[-1], jnp.promote_types(self.dtype, jnp.float32)
        strength = self.param("noise_strength", nn.initializers.zeros, (features,))
        bias = self.param("bias", nn.initializers.zeros, (features,))
        if noise is not None:
            x = x + (noise * strength).astype(x.dtype)
        x = nn.leaky_relu(x + bias.astype(x.dtype), 0.2)
        style = EqualizedDense(2 * features, dtype=wide, name="style")(w)
        scale, shift = jnp.split(style[:, None, None], 2, axis=-1)
        return ((1.0 + scale) * instance_norm(full_precision(x), 1e-8) + shift).astype(x.dtype)


class Level(nn.Module):
    """Maps of half its side, or None for the constant, to maps of its own: two styled layers."""

    features: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array | None, styles: Array, noise: list[Array | None]) -> Array:
        def conv(x):
            return EqualizedConv(self.features, 3, GAIN, use_bias=False, dtype=self.dtype)(x)

        if x is None:
            const = self.param("const", nn.initializers.ones, (FIRST, FIRST, self.features))
            x = jnp.broadcast_to(const.astype(self.dtype), (len(styles), *const.shape))
        else:
            x = blurred(conv(doubled(x)))
        x = Styled(self.dtype)(x, styles[:, 0], noise[0])
        return Styled(self.dtype)(conv(x), styles[:, 1], noise[1])


class Synthesis(nn.Module):
    """Styles [B, layers, D] and noise to images [B, side, side, channels], which are not bounded.

    side      of its images
    channels  of its images
    fading    whether the layers of that side are fading in
    density   features of a map times its side
    most      features of a map, at most
    """

    side: int
    channels: int
    fading: bool = False
    density: int = 16384
    most: int = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, styles: Array, noise: list[Array] | None, share: Array | float) -> Array:
        """noise [B or 1, h, h, 1] for each of `noise_sides`; None for no noise.

        Raises ValueError on another number of styles: JAX would repeat the last one.
        """
        sides = noise_sides(self.side)
        if styles.shape[1] != len(sides):
            raise ValueError(f"{len(sides)} styles, not {styles.shape[1]}")
        noise = noise or [None] * len(sides)

        def image_of(x):
            layer = EqualizedConv(self.channels, 1, dtype=self.dtype, name=f"to_image_{x.shape[1]}")
            return full_precision(layer(x))

        x = smaller = None
        for first in range(0, len(sides), 2):
            own, side, smaller = slice(first, first + 2), sides[first], x
            level = Level(min(self.density // side, self.most), self.dtype, name=f"block_{side}")
            x = level(x, styles[:, own], noise[own])
        image = image_of(x)
        return mixed(doubled(image_of(smaller)), image, share) if self.fading else image
