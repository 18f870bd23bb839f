"""The network of PixelCNN++ (Salimans et al. 2017, arXiv 1701.05517, figure 2).

Two stacks of gated residual blocks, first half and second half joined by short cuts. Departures:
all maps stay at full resolution, so that a step of sampling costs one pixel; plain weights in place
of weight normalisation.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.common import Dropout, full_precision
from gm_jax.nn.masked import MaskedConv, Place, Reach, RowConv, scaled, shift_down

ABOVE, BEFORE = Reach(1, 1, 1), Reach(1, 1, 0)  # 2x3 over rows, 2x2 to the left.


class PixelCNNpp(nn.Module):
    """Symbols [B, H, W, C] to numbers of a mixture for each pixel, [B, H, W, outputs].

    blocks   gated residual blocks of `width` features in each half
    dropout  rate within the blocks; keys [B], or None to drop nothing
    classes  labels 0..classes-1 that condition every block; 0 for none
    """

    levels: int
    outputs: int
    blocks: int = 4
    width: int = 32
    dropout: float = 0.0
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        self.vertical = _Vertical(self.blocks, self.width, self.dropout, self.classes, self.dtype)
        self.horizontal = _Horizontal(
            self.outputs, self.blocks, self.width, self.dropout, self.classes, self.dtype
        )

    @property
    def reach(self) -> Reach:
        """The window of the image that `along` takes at a place."""
        return ABOVE

    def __call__(self, x: Array, label: Array | None = None, keys: Array | None = None) -> Array:
        x = self.embed(x)
        maps = tuple(shift_down(m) for m in self.vertical(x, label, False, keys))
        return self.horizontal(x, maps, label, None, keys)

    def embed(self, x: Array) -> Array:
        """Symbols [..., C] to values [..., 2 C], each beside a one that tells it from padding."""
        x = scaled(x, self.levels)
        return jnp.stack([x, jnp.ones_like(x)], axis=-1).reshape(*x.shape[:-1], -1)

    def above(self, x: Array, label: Array | None, cached: bool = False) -> tuple[Array, ...]:
        """What every block leaves to the row below, [B, H, W, width] each."""
        return self.vertical(x, label, cached, None)

    def along(
        self, x: Array, maps: tuple[Array, ...], label: Array | None, place: Place | None = None
    ) -> Array:
        """The mixtures from the image, and the maps of the rows above."""
        return self.horizontal(x, maps, label, place, None)


class _Vertical(nn.Module):
    blocks: int
    width: int
    dropout: float
    classes: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, label, cached, keys):
        def conv(features):
            return lambda y: RowConv(features, ABOVE, dtype=self.dtype)(y, cached)

        block = _block(self, conv, label, keys)
        x = conv(self.width)(x)
        maps, skips = [x], [x]
        for _ in range(self.blocks):
            x = block(x)
            maps.append(x)
            skips.append(x)
        x = skips.pop()
        for _ in range(self.blocks):
            x = block(x, skips.pop())
            maps.append(x)
        return tuple(maps)


class _Horizontal(nn.Module):
    outputs: int
    blocks: int
    width: int
    dropout: float
    classes: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, maps, label, place, keys):
        def conv(features):
            return lambda y: MaskedConv(features, BEFORE, dtype=self.dtype)(y, place)

        block = _block(self, conv, label, keys)
        first, *maps = maps
        x = MaskedConv(self.width, ABOVE, "A", dtype=self.dtype)(x, place)
        x += nn.Dense(self.width, dtype=self.dtype)(concat_elu(first))
        skips = [x]
        for above in maps[: self.blocks]:
            x = block(x, above)
            skips.append(x)
        x = skips.pop()
        for above in maps[self.blocks :]:
            x = block(x, jnp.concatenate([above, skips.pop()], axis=-1))
        return full_precision(nn.Dense(self.outputs, dtype=self.dtype)(nn.elu(x)))


def concat_elu(x: Array) -> Array:
    """elu of x beside elu of -x."""
    return nn.elu(jnp.concatenate([x, -x], axis=-1))


def _block(module, conv, label, keys):
    """(x, what is told besides) -> x + a sigma(b): section 2.4 and 2.5, with `conv(features)`."""

    def block(x, beside=None):
        y = conv(module.width)(concat_elu(x))
        if beside is not None:
            y += nn.Dense(module.width, dtype=module.dtype)(concat_elu(beside))
        y = Dropout(module.dropout)(concat_elu(y), keys)
        y = conv(2 * module.width)(y)
        if module.classes:
            embed = nn.Embed(module.classes, 2 * module.width, dtype=module.dtype)
            y += embed(label)[:, None, None]
        a, b = jnp.split(y, 2, axis=-1)
        return x + a * nn.sigmoid(b)

    return block
