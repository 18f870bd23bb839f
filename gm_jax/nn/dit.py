"""DiT, a transformer over the patches of a noised image. Peebles & Xie 2023 (arXiv 2212.09748).

    h + gate * branch(norm(h) * (1 + scale) + shift)          adaLN, section 3.2

Shift, scale and gate are functions of the level and label that start at zero (adaLN-Zero): each
block starts as the identity and the network as the zero function.
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.attention import ZERO, Attention
from gm_jax.nn.dot_product_attention import attend
from gm_jax.nn.layers import Dense, Size, full_precision
from gm_jax.nn.remat import rematerialised
from gm_jax.nn.time_features import TIME_FEATURES, features_of, one_by_one
from gm_jax.settings import at_least, one_of, part_of, schema

NORMAL = nn.initializers.normal(0.02)
XAVIER = nn.initializers.xavier_uniform()
FEATURES = 256  # Of the level, whatever the width.


class Block(nn.Module):
    """Self-attention and a two-layer network on tokens [B, N, C], both modulated by c [B, C].

    A context [B, L, D] is read between them, by a layer that starts at zero (section 3.2,
    cross-attention block; without modulation, as in PixArt, arXiv 2310.00426).
    """

    heads: int
    ratio: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, c: Array, context: Array | None) -> Array:
        width = x.shape[-1]

        def dense(features, name, init=XAVIER):
            return Dense(features, kernel_init=init, dtype=self.dtype, name=name)

        modulation = dense(6 * width, "modulation", ZERO)(nn.swish(c))[:, None]
        shift, scale, gate, *second = jnp.split(modulation, 6, axis=-1)
        h = modulated(x, shift, scale, self.dtype)
        h = dense(3 * width, "query_key_value")(h).reshape(*x.shape[:2], 3 * self.heads, -1)
        h = attend(*jnp.split(h, 3, axis=2)).reshape(x.shape)
        x = x + gate * dense(width, "mix")(h)
        if context is not None:
            h = nn.LayerNorm(dtype=self.dtype, name="context_norm")(x)
            read = Attention(self.heads, self.dtype, ZERO, bias=True, name="context")
            x = x + read(h, context)
        shift, scale, gate = second
        h = dense(self.ratio * width, "up")(modulated(x, shift, scale, self.dtype))
        return x + gate * dense(width, "down")(nn.gelu(h, approximate=True))


class DiT(nn.Module):
    """A noised image and its noise level to an image of the same shape.

    x [B, H, W, C], level [B] or several [B, K], label [B] int, or [B, D] numbers if there are no
    classes, or None, context [B, L, D] or None.
    `keys` are there for the sake of networks with dropout: a DiT has none. Raises UserError if a
    side of the image does not divide into patches.
    patch          side of a patch, in pixels
    width          features of a patch
    layers         blocks
    heads          of attention; they divide the width
    ratio          of the blocks' hidden layer to the width
    time_features  sines_first, cosines_first or fourier
    classes        labels 0..classes-1; 0 for no labels
    null_label     whether there is also the label `classes`, for none
    out_channels   of the output; 0 for those of x
    remat          whether the backward pass computes the inside of each block again, which takes
                   less memory and more time
    """

    patch: Size = 2
    width: Annotated[int, at_least(4)] = 128
    layers: Size = 6
    heads: Size = 4
    ratio: Size = 4
    time_features: Annotated[str, one_of(TIME_FEATURES)] = "cosines_first"
    classes: int = 0
    null_label: bool = True
    out_channels: int = 0
    remat: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: Array,
        level: Array,
        label: Array | None = None,
        keys: Array | None = None,
        context: Array | None = None,
    ) -> Array:
        _, height, width, channels = x.shape
        if height % self.patch or width % self.patch:
            raise UserError(
                f"network.dit.patch {self.patch} does not divide the sides of {height}x{width}"
                " images: choose another patch or another size"
            )
        grid = height // self.patch, width // self.patch
        h = Dense(self.width, kernel_init=XAVIER, dtype=self.dtype, name="patches")(
            patches_of(x, self.patch)
        )
        h = h + jnp.asarray(positions(grid, self.width), self.dtype)
        c = self._embed(level, label)
        block = rematerialised(Block, self.remat)
        for number in range(self.layers):
            h = block(self.heads, self.ratio, self.dtype, name=f"block_{number}")(h, c, context)
        modulation = Dense(
            2 * self.width, kernel_init=ZERO, dtype=self.dtype, name="last_modulation"
        )(nn.swish(c))[:, None]
        h = modulated(h, *jnp.split(modulation, 2, axis=-1), self.dtype)
        outputs = self.patch**2 * (self.out_channels or channels)
        h = Dense(outputs, kernel_init=ZERO, dtype=self.dtype, name="last")(h)
        return full_precision(image_of(h, grid, self.patch))

    def _embed(self, level, label):
        """The levels and the label, if there is one, [B, width]."""

        def dense(name):
            return Dense(self.width, kernel_init=NORMAL, dtype=self.dtype, name=name)

        def embed(number, level):
            features = features_of(level, FEATURES, self.time_features, shift=0, dtype=self.dtype)
            suffix = f"_{number}" if number else ""
            return dense(f"level_out{suffix}")(nn.swish(dense(f"level_in{suffix}")(features)))

        embedding = sum(embed(*numbered) for numbered in enumerate(one_by_one(level)))
        if self.classes:
            embedding += nn.Embed(
                self.classes + self.null_label,
                self.width,
                embedding_init=NORMAL,
                dtype=self.dtype,
                name="labels",
            )(label)
        elif label is not None and label.ndim == 2:
            embedding += dense("labels")(label)
        return embedding


def modulated(x: Array, shift: Array, scale: Array, dtype) -> Array:
    """Layer normalisation whose scale and shift are inputs."""
    norm = nn.LayerNorm(1e-6, use_bias=False, use_scale=False, dtype=dtype, parent=None)
    return norm.apply({}, x) * (1 + scale) + shift


def patches_of(x: Array, patch: int) -> Array:
    """[B, H, W, C] to [B, H W / patch**2, patch**2 C], row by row."""
    b, height, width, channels = x.shape
    x = x.reshape(b, height // patch, patch, width // patch, patch, channels)
    return x.swapaxes(2, 3).reshape(b, -1, patch**2 * channels)


def image_of(h: Array, grid: tuple[int, int], patch: int) -> Array:
    """The inverse of `patches_of`, for a grid of so many rows and columns."""
    x = h.reshape(len(h), *grid, patch, patch, -1).swapaxes(2, 3)
    return x.reshape(len(h), grid[0] * patch, grid[1] * patch, -1)


def positions(grid: tuple[int, int], features: int) -> np.ndarray:
    """Sines and cosines of column, then of row, [rows * columns, features]; fixed, not trained."""
    frequencies = 10_000.0 ** (-np.arange(features // 4) / (features // 4))
    rows, columns = np.meshgrid(*map(np.arange, grid), indexing="ij")
    waves = [
        wave(axis.reshape(-1, 1) * frequencies)
        for axis in (columns, rows) for wave in (np.sin, np.cos)
    ]  # fmt: skip
    return np.concatenate(waves, axis=-1)


@schema
class DiTSettings(part_of(DiT, "classes", "null_label", "out_channels", "dtype")):
    """A DiT."""

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.width % self.heads:
            yield f"width {self.width} does not divide into heads {self.heads}"
        if self.width % 4:
            yield f"width {self.width} must be a multiple of 4, for the positions"
