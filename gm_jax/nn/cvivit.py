"""Transformers between films and grids of vectors: C-ViViT, causal in time.

Villegas et al. 2022 (Phenaki, arXiv 2210.02399), section 2.1: the first frame becomes patches, the
rest blocks of several frames; attention within a time, then causal attention over times; the
decoder is the mirror image. A film of one frame is an image.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.clip_layers import Encoder
from gm_jax.nn.dit import image_of, patches_of
from gm_jax.nn.layers import Dense, Size, full_precision
from gm_jax.settings import part_of, schema

WEIGHTS = nn.initializers.normal(0.02)


def grid_of(shape: tuple[int, ...], frames: int, patch: int) -> tuple[int, int, int]:
    """Times, rows and columns of a film [T, H, W, C]: 1 + (T - 1) / frames, H / patch, W / patch.

    Raises UserError if it does not divide.
    """
    count, height, width, _ = shape
    if (count - 1) % frames:
        near = 1 + (count - 1) // frames * frames
        raise UserError(
            f"a film of {count} frames is not one frame and blocks of {frames} (network.frames):"
            f" {near} or {near + frames} frames are"
        )
    if height % patch or width % patch:
        raise UserError(
            f"network.patch {patch} does not divide the sides of {height}x{width} frames: choose"
            " another patch or another size"
        )
    return 1 + (count - 1) // frames, height // patch, width // patch


def blocks_of(video: Array, frames: int, patch: int) -> Array:
    """Films [B, t * frames, H, W, C] to [B, t, h, w, frames * patch**2 * C]."""
    b, count, height, width, channels = video.shape
    x = video.reshape(b, count // frames, frames, height, width, channels)
    x = jnp.moveaxis(x, 2, 4).reshape(-1, height, width, frames * channels)
    x = patches_of(x, patch)
    return x.reshape(b, count // frames, height // patch, width // patch, x.shape[-1])


def film_of(x: Array, frames: int, patch: int) -> Array:
    """The inverse of `blocks_of`."""
    b, times, *grid, _ = x.shape
    pixels = image_of(x.reshape(b * times, grid[0] * grid[1], -1), tuple(grid), patch)
    pixels = pixels.reshape(b, times, *pixels.shape[1:3], frames, -1)
    return jnp.moveaxis(pixels, 4, 2).reshape(b, times * frames, *pixels.shape[2:4], -1)


class Factored(nn.Module):
    """Attention within each time, and causal attention over the times of each position.

    x [B, t, h, w, width] to the same; time comes last, or first if `mirrored`. Axes are moved by
    transposition: a reshape alone would mix up films and positions. Raises UserError for more than
    `times` times.
    """

    spatial: int
    temporal: int
    heads: int
    hidden: int
    times: int
    mirrored: bool
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        b, times, height, width, features = x.shape
        if times > self.times:
            raise UserError(
                f"a film of {times} times of codes is longer than those of training, which have"
                f" {self.times}: cut it"
            )

        def attended(x, layers, causal, name):
            own = self.heads, self.hidden, "gelu", causal, self.dtype
            return Encoder(layers, *own, name=name)(x)[-1]

        def positions(name, *shape):
            return self.param(name, WEIGHTS, (*shape, features)).astype(self.dtype)

        def space(x):
            x = x + positions("positions", height, width)
            x = x.reshape(b * times, height * width, features)
            return attended(x, self.spatial, False, "space").reshape(b, times, height, width, -1)

        def time(x):
            x = x + positions("times", self.times)[:times, None, None]
            x = x.transpose(0, 2, 3, 1, 4).reshape(-1, times, features)
            x = attended(x, self.temporal, True, "time")
            return x.reshape(b, height, width, times, -1).transpose(0, 3, 1, 2, 4)

        for over in (time, space) if self.mirrored else (space, time):
            x = over(x)
        return nn.LayerNorm(dtype=self.dtype, name="norm")(x)


class FilmEncoder(nn.Module):
    """Films [B, T, H, W, C] to [B, t, h, w, features].

    Raises UserError for a film that does not divide into blocks, or is longer than `length`.

    features  of the output
    length    T of the longest film
    frames    of a block
    patch     side of a block, in pixels
    width     features of a block
    spatial   layers within a time
    temporal  layers over times
    heads     of attention; they divide the width
    hidden    features within a layer's MLP
    """

    features: int
    length: int
    frames: Size = 2
    patch: Size = 8
    width: Size = 512
    spatial: Size = 4
    temporal: Size = 4
    heads: Size = 8
    hidden: Size = 2048
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, video: Array) -> Array:
        times, *_ = grid_of(video.shape[1:], self.frames, self.patch)

        def dense(features, name):
            return Dense(features, dtype=self.dtype, name=name)

        h = dense(self.width, "first")(blocks_of(video[:, :1], 1, self.patch))
        if times > 1:
            rest = dense(self.width, "rest")(blocks_of(video[:, 1:], self.frames, self.patch))
            h = jnp.concatenate([h, rest], axis=1)
        own = self.spatial, self.temporal, self.heads, self.hidden
        most = 1 + (self.length - 1) // self.frames
        h = Factored(*own, most, False, self.dtype, name="attention")(h)
        return full_precision(dense(self.features, "last")(h))


class FilmDecoder(nn.Module):
    """The mirror image: [B, t, h, w, D] to films [B, T, H, W, channels] of unbounded values."""

    channels: int
    length: int
    frames: int
    patch: int
    width: int
    spatial: int
    temporal: int
    heads: int
    hidden: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, z: Array) -> Array:
        def dense(features, name):
            return Dense(features, dtype=self.dtype, name=name)

        h = dense(self.width, "enter")(z)
        own = self.spatial, self.temporal, self.heads, self.hidden
        most = 1 + (self.length - 1) // self.frames
        h = Factored(*own, most, True, self.dtype, name="attention")(h)
        numbers = self.patch**2 * self.channels
        film = film_of(dense(numbers, "first")(h[:, :1]), 1, self.patch)
        if h.shape[1] > 1:
            rest = dense(self.frames * numbers, "rest")(h[:, 1:])
            film = jnp.concatenate([film, film_of(rest, self.frames, self.patch)], axis=1)
        return full_precision(film)


@schema
class FilmSettings(part_of(FilmEncoder, "features", "length", "dtype")):
    """C-ViViT's encoder and decoder."""

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.width % self.heads:
            yield f"width {self.width} does not divide into heads {self.heads}"
