"""PixelRNN (van den Oord, Kalchbrenner & Kavukcuoglu 2016, arXiv 1601.06759, table 1)."""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.common import full_precision
from gm_jax.nn.lstm import DiagonalBiLSTM, RowLSTM
from gm_jax.nn.masked import MaskedConv, Place, Reach, half_plane, scaled

LSTMS = {"row": RowLSTM, "diagonal": DiagonalBiLSTM}


class PixelRNN(nn.Module):
    """Symbols [B, H, W, C] to logits [B, H, W, C, levels].

    A convolution with mask A, `layers` recurrent layers of `width` units, each added to a map of
    2 `width` features (figure 5), two 1x1 layers with ReLU of `head` features each.
    lstm  "row" or "diagonal"
    """

    levels: int
    colors: int = 1
    lstm: str = "diagonal"
    layers: int = 7
    width: int = 16
    head: int = 64
    first_size: int = 7
    dtype: jnp.dtype = jnp.float32

    @property
    def reach(self) -> Reach:
        """The window of the image that `along` takes at a place."""
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
        """Symbols [..., C] to what the network sees of them."""
        return scaled(x, self.levels)

    def above(self, x: Array, label: None, cached: bool = False) -> tuple:
        """Nothing: the layers of `along` keep the states of the row above themselves."""
        return ()

    @nn.compact
    def along(self, x: Array, maps: tuple, label: None, place: Place | None = None) -> Array:
        """Logits of the image, or of the pixel at a place from the window around it."""

        def masked(features, **settings):
            return MaskedConv(features, colors=self.colors, dtype=self.dtype, **settings)

        x = masked(2 * self.width, reach=self.reach, kind="A")(x, place)
        for _ in range(self.layers):
            y = LSTMS[self.lstm](self.width, self.colors, dtype=self.dtype)(x, place)
            x = x + masked(2 * self.width)(y, place)
        for _ in range(2):
            x = masked(self.head)(nn.relu(x), place)
        x = full_precision(masked(self.colors * self.levels)(nn.relu(x), place))
        return x.reshape(*x.shape[:-1], self.colors, self.levels)
