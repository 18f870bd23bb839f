"""PixelRNN with row LSTMs or diagonal BiLSTMs.

van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel Recurrent Neural Networks (arXiv 1601.06759),
sections 3.1 and 3.2; the layers' equations are in `shared.lstm`.

    p(x) = prod_i p(x_i | x_1 .. x_{i-1})                                                 eq. 1
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.autoregressive.shared import pixels
from gm_jax.autoregressive.shared.lstm import DiagonalBiLSTM, RowLSTM
from gm_jax.model import Array, Phase, field_of
from gm_jax.nn.layers import Size, full_precision
from gm_jax.nn.masked import Kernel, MaskedConv, Pixel, Reach, half_plane, scaled
from gm_jax.settings import arguments, one_of, part_of, schema

LSTMS = {"row": RowLSTM, "diagonal": DiagonalBiLSTM}


class PixelRNN(nn.Module):
    """Symbols [B, H, W, C] to logits [B, H, W, C, levels]. Table 1.

    A convolution with mask A, recurrent layers, each added to a map of 2 `width` features
    (figure 5), two 1x1 layers with ReLU.

    levels      values of a symbol
    colors      C
    lstm        the recurrent layer
    layers      recurrent layers
    width       units of a recurrent layer
    head        features of the two last hidden layers
    first_size  side of the first layer's kernel, an odd number
    """

    levels: int
    colors: int = 1
    lstm: Annotated[str, one_of(LSTMS)] = "diagonal"
    layers: Size = 7
    width: Size = 16
    head: Size = 64
    first_size: Kernel = 7
    dtype: jnp.dtype = jnp.float32

    @property
    def reach(self) -> Reach:
        """The window of the image that `along` takes around a pixel."""
        return half_plane(self.first_size)

    @property
    def margin(self) -> bool:
        """Whether it walks through a column of padding right of the image, too.

        From there the direction from the right sets out: mask A hides a row's last pixel from all
        features of the row, so that without it the next row could not know that pixel.
        """
        return self.lstm == "diagonal"

    def __call__(self, x: Array, label: None = None) -> Array:
        x = jnp.pad(self.embed(x), ((0, 0), (0, 0), (0, self.margin), (0, 0)))
        outputs = self.along(x, (), label)
        return outputs[:, :, : outputs.shape[2] - self.margin]

    def embed(self, x: Array) -> Array:
        """Symbols [..., C] to values from -1 to 1."""
        return scaled(x, self.levels)

    def above(self, x: Array, label: None, cached: bool = False) -> tuple:
        """Nothing: the layers of `along` keep the states of the row above themselves."""
        return ()

    @nn.compact
    def along(self, x: Array, maps: tuple, label: None, pixel: Pixel | None = None) -> Array:
        """Logits of the image, or of one pixel from the window around it."""

        def masked(features, **settings):
            return MaskedConv(features, colors=self.colors, dtype=self.dtype, **settings)

        x = masked(2 * self.width, reach=self.reach, kind="A")(x, pixel)
        for _ in range(self.layers):
            y = LSTMS[self.lstm](self.width, self.colors, dtype=self.dtype)(x, pixel)
            x = x + masked(2 * self.width)(y, pixel)
        for _ in range(2):
            x = masked(self.head)(nn.relu(x), pixel)
        x = full_precision(masked(self.colors * self.levels)(nn.relu(x), pixel))
        return x.reshape(*x.shape[:-1], self.colors, self.levels)


NetworkSettings = part_of(PixelRNN, "levels", "colors", "dtype")


@schema
class Settings(pixels.Settings):
    """A PixelRNN.

    network  the stack of recurrent layers
    """

    network: NetworkSettings = NetworkSettings()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A stack of recurrent layers in one phase; configs/pixelrnn_mnist.py."""
    image = field_of(spec, "image")
    net = PixelRNN(
        image.cardinality,
        image.shape[-1],
        **arguments(settings.network),
        dtype=jnp.dtype(settings.dtype),
    )
    model = pixels.causal(net, image.shape, margin=net.margin)
    return (pixels.phase(settings, image, model, pixels.init(net, image)),)
