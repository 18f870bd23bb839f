"""The PixelCNN (van den Oord, Kalchbrenner & Kavukcuoglu 2016, arXiv 1601.06759, table 1)."""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.common import full_precision
from gm_jax.nn.masked import MaskedConv, Place, Reach, half_plane, scaled


class PixelCNN(nn.Module):
    """Symbols [B, H, W, C] to logits [B, H, W, C, levels].

    A 7x7 convolution (mask A), `layers` residual blocks of 2 `width` features (mask B, figure 5),
    two 1x1 layers with ReLU of `head` features each. Its masks leave a blind spot: pixels above and
    to the right that no path of kernels reaches.
    """

    levels: int
    colors: int = 1
    layers: int = 7
    width: int = 32
    head: int = 64
    size: int = 3
    first_size: int = 7
    dtype: jnp.dtype = jnp.float32

    @property
    def reach(self) -> Reach:
        """The window of the image that `along` takes at a place."""
        return half_plane(self.first_size)

    def __call__(self, x: Array, label: None = None) -> Array:
        return self.along(self.embed(x), (), label)

    def embed(self, x: Array) -> Array:
        """Symbols [..., C] to what the network sees of them."""
        return scaled(x, self.levels)

    def above(self, x: Array, label: None, cached: bool = False) -> tuple:
        """Nothing: the convolutions of `along` look at the rows above themselves."""
        return ()

    @nn.compact
    def along(self, x: Array, maps: tuple, label: None, place: Place | None = None) -> Array:
        """Logits of the image, or of the pixel at a place from the window around it."""

        def masked(features, **settings):
            return MaskedConv(features, colors=self.colors, dtype=self.dtype, **settings)

        x = masked(2 * self.width, reach=self.reach, kind="A")(x, place)
        for _ in range(self.layers):
            y = masked(self.width)(nn.relu(x), place)
            y = masked(self.width, reach=half_plane(self.size))(nn.relu(y), place)
            x = x + masked(2 * self.width)(nn.relu(y), place)
        for _ in range(2):
            x = masked(self.head)(nn.relu(x), place)
        x = full_precision(masked(self.colors * self.levels)(nn.relu(x), place))
        return x.reshape(*x.shape[:-1], self.colors, self.levels)
