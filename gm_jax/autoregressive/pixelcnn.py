"""The PixelCNN.

van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel Recurrent Neural Networks (arXiv 1601.06759),
section 3.4: masked convolutions, a softmax over the levels of each colour channel.

    p(x) = prod_i p(x_i,R | x_<i) p(x_i,G | x_<i, x_i,R) p(x_i,B | x_<i, x_i,R, x_i,G)    eq. 1, 2
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.autoregressive.shared import pixels
from gm_jax.model import Array, Phase, field_of
from gm_jax.nn.layers import Size, full_precision
from gm_jax.nn.masked import Kernel, MaskedConv, Pixel, Reach, half_plane, scaled
from gm_jax.settings import arguments, part_of, schema


class PixelCNN(nn.Module):
    """Symbols [B, H, W, C] to logits [B, H, W, C, levels]. Table 1.

    A 7x7 convolution (mask A), residual blocks of 2 `width` features (mask B, figure 5), two 1x1
    layers with ReLU. Its masks leave a blind spot: pixels above and to the right that no path of
    kernels reaches.

    levels      values of a symbol
    colors      C
    layers      residual blocks
    width       h of figure 5: half the features of the map that the blocks add to
    head        features of the two last hidden layers
    size        side of a block's kernel, an odd number
    first_size  side of the first layer's kernel, an odd number
    """

    levels: int
    colors: int = 1
    layers: Size = 7
    width: Size = 32
    head: Size = 64
    size: Kernel = 3
    first_size: Kernel = 7
    dtype: jnp.dtype = jnp.float32

    @property
    def reach(self) -> Reach:
        """The window of the image that `along` takes around a pixel."""
        return half_plane(self.first_size)

    def __call__(self, x: Array, label: None = None) -> Array:
        return self.along(self.embed(x), (), label)

    def embed(self, x: Array) -> Array:
        """Symbols [..., C] to values from -1 to 1."""
        return scaled(x, self.levels)

    def above(self, x: Array, label: None, cached: bool = False) -> tuple:
        """Nothing: the convolutions of `along` look at the rows above themselves."""
        return ()

    @nn.compact
    def along(self, x: Array, maps: tuple, label: None, pixel: Pixel | None = None) -> Array:
        """Logits of the image, or of one pixel from the window around it."""

        def masked(features, **settings):
            return MaskedConv(features, colors=self.colors, dtype=self.dtype, **settings)

        x = masked(2 * self.width, reach=self.reach, kind="A")(x, pixel)
        for _ in range(self.layers):
            y = masked(self.width)(nn.relu(x), pixel)
            y = masked(self.width, reach=half_plane(self.size))(nn.relu(y), pixel)
            x = x + masked(2 * self.width)(nn.relu(y), pixel)
        for _ in range(2):
            x = masked(self.head)(nn.relu(x), pixel)
        x = full_precision(masked(self.colors * self.levels)(nn.relu(x), pixel))
        return x.reshape(*x.shape[:-1], self.colors, self.levels)


NetworkSettings = part_of(PixelCNN, "levels", "colors", "dtype")


@schema
class Settings(pixels.Settings):
    """A PixelCNN.

    network  the stack of masked convolutions
    """

    network: NetworkSettings = NetworkSettings()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A stack of masked convolutions in one phase; configs/pixelcnn_mnist.py."""
    image = field_of(spec, "image")
    net = PixelCNN(
        image.cardinality,
        image.shape[-1],
        **arguments(settings.network),
        dtype=jnp.dtype(settings.dtype),
    )
    model = pixels.causal(net, image.shape)
    return (pixels.phase(settings, image, model, pixels.init(net, image)),)
