"""pix2pix's generator: halvings down to one pixel, and back with the maps of the way down.

Isola et al. 2017 (arXiv 1611.07004), section 3.2.1 and appendix 6.1.1, as in the authors' code.
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import BatchNorm, Dropout, Rate, Size, full_precision
from gm_jax.nn.patchgan import WEIGHTS
from gm_jax.nn.strides import TransposedConv
from gm_jax.settings import at_least

DROPPED = 3  # maps of the way up, from the smallest, that drop units


class UNet(nn.Module):
    """Image [B, H, W, C] and keys [B] for dropout (or None) to an image [B, H, W, features].

    In [-1, 1]. All kernels are 4x4 of stride 2.
    width    channels of the first map; they double up to eight times as many
    levels   halvings; 2^levels must divide the image's sides
    dropout  rate in the three smallest maps of the way up
    """

    features: int
    width: Size = 64
    levels: Annotated[int, at_least(2)] = 8
    dropout: Rate = 0.5
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, keys: Array | None, train: bool) -> Array:
        def norm(x):
            return BatchNorm(train, self.dtype)(x)

        maps = []
        for level in range(self.levels):
            # The first map has no norm, nor has the smallest: normed over one pixel it would be 0.
            plain = level in (0, self.levels - 1)
            x = x if level == 0 else nn.leaky_relu(x, 0.2)
            x = nn.Conv(
                self._width(level), (4, 4), 2, padding=1, use_bias=plain, kernel_init=WEIGHTS,
                dtype=self.dtype,
            )(x)  # fmt: skip
            x = x if plain else norm(x)
            maps.append(x)
        maps.pop()
        for number in range(self.levels - 1):
            features = self._width(self.levels - 2 - number)
            x = TransposedConv(
                features, use_bias=False, kernel_init=WEIGHTS, dtype=self.dtype
            )(nn.relu(x))  # fmt: skip
            x = norm(x)
            if number < DROPPED:
                x = Dropout(self.dropout)(x, keys)
            x = jnp.concatenate([x, maps.pop()], axis=-1)
        x = TransposedConv(self.features, kernel_init=WEIGHTS, dtype=self.dtype)(nn.relu(x))
        return jnp.tanh(full_precision(x))

    def _width(self, level: int) -> int:
        return self.width * min(2**level, 8)


def check_sides(shape: tuple[int, ...], levels: int) -> None:
    """Raises UserError if an image cannot be halved so often."""
    if any(side % 2**levels for side in shape[:2]):
        raise UserError(
            f"images of {shape[0]}x{shape[1]} cannot be halved {levels} times"
            f" (generator.levels): set data.size to a multiple of {2**levels}"
        )
