"""The U-Net of diffusion models: residual blocks, attention, a noise level.

Its settings make the network of Ho et al. 2020 (appendix B), which is the default; that of
Dhariwal & Nichol 2021 (ADM; arXiv 2105.05233, table 4), with adaptive norms and residual
resampling; and that of Rombach et al. 2022 (latent and Stable Diffusion), whose attention reads a
context. `nn/configurations.py` has the published ones.

Every residual branch and the output end in a layer that starts at zero, so the network starts as
the zero function.
"""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.attention import ZERO, Norm, SelfAttention, SpatialTransformer
from gm_jax.nn.film_layers import along_time, attention_along_time
from gm_jax.nn.layers import Dense, Dropout, Rate, Size, full_precision
from gm_jax.nn.remat import rematerialised
from gm_jax.nn.time_features import TIME_FEATURES, features_of, one_by_one
from gm_jax.settings import above, at_least, one_of, part_of, schema


class ResidualBlock(nn.Module):
    """x + conv(dropout(swish(norm(conv(swish(norm(x))) + dense(embedding))))).

    adaptive  the embedding gives scale and shift of the second norm, norm(h) (1 + s) + b, in place
              of what is added before it
    resample  what is done to x and to h before the first convolution, or None
    frames    of a film, see `UNet`
    """

    features: int
    dropout: float
    dtype: jnp.dtype
    groups: int = 0
    epsilon: float = 1e-6
    adaptive: bool = False
    frames: int = 0

    @nn.compact
    def __call__(self, x: Array, embedding: Array, keys: Array | None, resample=None) -> Array:
        def norm(x):
            return Norm(self.dtype, self.groups, self.epsilon)(x)

        h = nn.swish(norm(x))
        if resample:
            h, x = resample(h), resample(x)
        h = along_time(nn.Conv(self.features, (3, 3), dtype=self.dtype)(h), self.frames)
        features = 2 * self.features if self.adaptive else self.features
        level = Dense(features, dtype=self.dtype)(nn.swish(embedding))[:, None, None]
        if self.adaptive:
            scale, shift = jnp.split(level, 2, axis=-1)
            h = norm(h) * (1 + scale) + shift
        else:
            h = norm(h + level)
        h = Dropout(self.dropout)(nn.swish(h), keys)
        h = nn.Conv(self.features, (3, 3), kernel_init=ZERO, dtype=self.dtype)(h)
        h = along_time(h, self.frames)
        if x.shape[-1] != self.features:
            x = Dense(self.features, dtype=self.dtype)(x)
        return x + h


class UNet(nn.Module):
    """A noised image and its noise level to an image of the same shape.

    x [B, H, W, C], level [B] (a time step), label [B] int, or [B, D] numbers if there are no
    classes, or None, keys [B] for dropout or None, context [B, L, D] or None (only transformers
    read it). Sides need not be even. Of several levels
    [B, K], such as the time and that of an augmentation, each has an embedding of its own.
    width                channels at full resolution
    multipliers          of `width`, level by level
    blocks               residual blocks per level
    attention            image sides (in pixels) at which self-attention follows each block
    attention_levels     levels, from 0 at full resolution, at which it does so whatever the side
    heads                of attention, level by level, or one number for all
    head_width           channels of a head, in place of a number of heads; 0 for `heads`
    transformer_blocks   of the spatial transformer that stands for self-attention and reads the
                         context; 0 for self-attention
    dropout              rate within the blocks
    adaptive_norm        whether the level scales and shifts a norm (AdaGN) or is added before it
    residual_resampling  whether residual blocks change the resolution, or convolutions
    symmetric            whether stride 2 pads (1, 1) and odd sides grow by cropping, as in PyTorch;
                         or (0, 1) and by interpolation, as in TensorFlow
    groups               of the norms; 0 for at most 32 of at least four channels
    epsilon              of the norms
    time_features        sines_first, cosines_first or fourier
    time_shift           1 for frequencies that reach 1e-4 (DDPM), 0 for those just above it
    classes              labels 0..classes-1; 0 for no labels
    null_label           whether there is also the label `classes`, for none
    out_channels         of the output; 0 for those of x
    frames               of each film that x is, film by film, [B frames, H, W, C]; 0 for images
    remat                whether the backward pass computes the inside of each block again, which
                         takes less memory and more time
    """

    width: Annotated[int, at_least(4)] = 64
    multipliers: tuple[Annotated[float, above(0.0)], ...] = (1, 2, 2)
    blocks: Size = 2
    attention: tuple[int, ...] = (16,)
    attention_levels: tuple[Annotated[int, at_least(0)], ...] = ()
    heads: tuple[Size, ...] = (1,)
    head_width: Annotated[int, at_least(0)] = 0
    transformer_blocks: Annotated[int, at_least(0)] = 0
    dropout: Rate = 0.0
    adaptive_norm: bool = False
    residual_resampling: bool = False
    symmetric: bool = False
    groups: Annotated[int, at_least(0)] = 0
    epsilon: Annotated[float, above(0.0)] = 1e-6
    time_features: Annotated[str, one_of(TIME_FEATURES)] = "sines_first"
    time_shift: Annotated[int, at_least(0)] = 1
    classes: int = 0
    null_label: bool = True
    out_channels: int = 0
    frames: int = 0
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
        def residual(x, features, resample=None):
            return rematerialised(ResidualBlock, self.remat, static=(4,))(
                features, self.dropout, self.dtype, self.groups, self.epsilon, self.adaptive_norm,
                self.frames,
            )(x, embedding, keys, resample)  # fmt: skip

        def block(x, depth):
            x = residual(x, self._widths[depth])
            here = depth in self.attention_levels or x.shape[1] in self.attention
            return self._attend(x, context, depth) if here else x

        channels = self.out_channels or x.shape[-1]
        embedding = self._embed(level, label)
        x = self._conv(x, self.width)
        skips = [x]
        depths = range(len(self.multipliers))
        for depth in depths:
            if depth:
                x = self._down(x, residual)
                skips.append(x)
            for _ in range(self.blocks):
                x = block(x, depth)
                skips.append(x)

        x = residual(x, x.shape[-1])
        x = self._attend(x, context, depths[-1])
        x = residual(x, x.shape[-1])

        for depth in reversed(depths):
            for _ in range(self.blocks + 1):
                x = block(jnp.concatenate([x, skips.pop()], axis=-1), depth)
            if skips:
                x = self._up(x, skips[-1].shape[1:3], residual)

        x = nn.swish(Norm(self.dtype, self.groups, self.epsilon)(x))
        return full_precision(self._conv(x, channels, kernel_init=ZERO))

    def _conv(self, x, features, **own):
        x = nn.Conv(features, (3, 3), **own, dtype=self.dtype)(x)
        return along_time(x, self.frames)

    @property
    def _widths(self):
        return widths(self.width, self.multipliers)

    def _embed(self, level, label):
        """The levels and the label, if there is one, [B, 4 width]."""

        def embed(level):
            kind = self.time_features, self.time_shift, self.dtype
            features = features_of(level, self.width, *kind)
            hidden = nn.swish(Dense(4 * self.width, dtype=self.dtype)(features))
            return Dense(4 * self.width, dtype=self.dtype)(hidden)

        embedding = sum(map(embed, one_by_one(level)))
        if self.classes:
            labels = self.classes + self.null_label
            embedding += nn.Embed(labels, 4 * self.width, dtype=self.dtype)(label)
        elif label is not None and label.ndim == 2:
            embedding += Dense(4 * self.width, dtype=self.dtype)(label)
        return embedding

    def _attend(self, x, context, depth):
        heads = heads_of(x.shape[-1], depth, self.heads, self.head_width)
        if not self.transformer_blocks:
            module = rematerialised(SelfAttention, self.remat)
            x = module(self.dtype, heads, self.groups, self.epsilon)(x)
            return attention_along_time(x, self.frames, heads)
        if context is None:
            raise UserError(
                "network.transformer_blocks needs a context to read: set it to 0 for a model"
                " without one"
            )
        module = rematerialised(SpatialTransformer, self.remat)
        x = module(self.transformer_blocks, heads, self.groups, self.dtype)(x, context)
        return attention_along_time(x, self.frames, heads)

    def _down(self, x, residual):
        if self.residual_resampling:
            return residual(x, x.shape[-1], _halve)
        padding = ((1, 1), (1, 1)) if self.symmetric else "SAME"
        return self._conv(x, x.shape[-1], strides=2, padding=padding)

    def _up(self, x, size, residual):
        """x at the sides `size`, the skip's: twice its own, or one less."""

        def grow(x):
            return doubled(x, size, self.symmetric)

        if self.residual_resampling:
            return residual(x, x.shape[-1], grow)
        return self._conv(grow(x), x.shape[-1])


def doubled(x: Array, size: tuple[int, int], symmetric: bool) -> Array:
    """[B, H, W, C] at sides of 2H or 2H - 1 and 2W or 2W - 1, each value from its nearest.

    PyTorch (symmetric) drops the end of an odd side, TensorFlow interpolates between centres. Of
    even sides both repeat each value, whose gradient is a sum; that of `resize` scatters, and takes
    ten times as long on a CPU.
    """
    if symmetric or size == (2 * x.shape[1], 2 * x.shape[2]):
        return x.repeat(2, axis=1).repeat(2, axis=2)[:, : size[0], : size[1]]
    return jax.image.resize(x, (x.shape[0], *size, x.shape[-1]), "nearest")


def _halve(x):
    """Means of squares of two by two; at the end of an odd side, of what there is."""
    return nn.avg_pool(x, (2, 2), (2, 2), "SAME", count_include_pad=False)


def widths(width: int, multipliers: tuple[float, ...]) -> tuple[int, ...]:
    """Channels of a U-Net, level by level."""
    return tuple(round(width * multiplier) for multiplier in multipliers)


def heads_of(channels: int, depth: int, heads: tuple[int, ...], head_width: int) -> int:
    """How many heads of attention a level of so many channels has."""
    return channels // head_width if head_width else heads[min(depth, len(heads) - 1)]


@schema
class UNetSettings(part_of(UNet, "classes", "null_label", "out_channels", "frames", "dtype")):
    """A U-Net."""

    def wrong(self):
        """Choices that do not go together, a line for each."""
        levels = len(self.multipliers)
        if len(self.heads) not in (1, levels):
            yield f"heads {self.heads} must be one number, or one for each of {levels} levels"
        for depth in self.attention_levels:
            if depth >= levels:
                yield f"attention_levels has {depth}: the levels are 0 .. {levels - 1}"
        for depth, channels in enumerate(widths(self.width, self.multipliers)):
            if self.groups and channels % self.groups:
                yield f"groups {self.groups} does not divide the {channels} channels of a level"
            heads = heads_of(channels, depth, self.heads, self.head_width)
            if not heads or channels % heads or (self.head_width and channels % self.head_width):
                each = f"head_width {self.head_width}" if self.head_width else f"heads {heads}"
                yield f"{each} does not divide the {channels} channels of a level"
