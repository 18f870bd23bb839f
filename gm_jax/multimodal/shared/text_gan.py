"""GAN-INT-CLS's networks: DCGAN's, with residual blocks, given a text.

Reed et al. 2016 (arXiv 1605.05396), section 4.1 and figure 2, as in the authors' code. No layer has
a bias that batch normalisation would undo.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import BatchNorm, Size, full_precision
from gm_jax.nn.strides import TransposedConv

WEIGHTS = nn.initializers.normal(0.02)
SMALLEST = 4  # the side of the smallest map
leaky = functools.partial(nn.leaky_relu, negative_slope=0.2)


class Bottleneck(nn.Module):
    """Maps [B, h, w, C], and a branch of C / 4 channels added to them; normed, not activated."""

    activation: object
    train: bool
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def conv(x, features, size):
            x = nn.Conv(
                features, (size, size), use_bias=False, kernel_init=WEIGHTS, dtype=self.dtype
            )(x)
            return BatchNorm(self.train, self.dtype)(x)

        features = x.shape[-1]
        h = self.activation(conv(x, features // 4, 1))
        h = self.activation(conv(h, features // 4, 3))
        return x + conv(h, features, 3)


class Generator(nn.Module):
    """z [B, D] and a text's embedding t [B, E] to an image [B, *shape] in [-1, 1].

    width  channels of the last hidden map; each doubling halves them
    text   numbers that the embedding becomes
    """

    shape: tuple[int, int, int]
    width: Size = 128
    text: Size = 128
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, t: Array, train: bool) -> Array:
        def norm(x):
            return BatchNorm(train, self.dtype)(x)

        levels = doublings(self.shape)
        t = leaky(nn.Dense(self.text, kernel_init=WEIGHTS, dtype=self.dtype)(t))
        features = self.width << (levels - 1)
        dense = nn.Dense(
            SMALLEST**2 * features, use_bias=False, kernel_init=WEIGHTS, dtype=self.dtype
        )
        x = dense(jnp.concatenate([z.astype(t.dtype), t], axis=-1))
        x = norm(x.reshape(-1, SMALLEST, SMALLEST, features))
        for level in range(levels):
            if level < 2:
                x = Bottleneck(nn.relu, train, self.dtype)(x)
            last = level == levels - 1
            features = self.shape[-1] if last else x.shape[-1] // 2
            x = TransposedConv(
                features, use_bias=last, kernel_init=WEIGHTS, dtype=self.dtype
            )(nn.relu(x))  # fmt: skip
            x = x if last else norm(x)
        return jnp.tanh(full_precision(x))


class Discriminator(nn.Module):
    """Image [B, H, W, C] and a text's embedding t [B, E] to a logit [B].

    width  channels of the first map; each halving doubles them
    text   numbers that the embedding becomes, at each position of the last map
    """

    width: Size = 64
    text: Size = 128
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, t: Array, train: bool) -> Array:
        def norm(x):
            return BatchNorm(train, self.dtype)(x)

        def conv(x, features, size, stride=1, bias=False, padding="SAME"):
            return nn.Conv(
                features, (size, size), stride, padding, use_bias=bias, kernel_init=WEIGHTS,
                dtype=self.dtype,
            )(x)  # fmt: skip

        levels = doublings(x.shape[1:])
        x = conv(x, self.width, 4, 2, bias=True)
        for level in range(1, levels):
            # Between the last two there is no activation.
            x = x if level == levels - 1 > 1 else leaky(x)
            x = norm(conv(x, self.width << level, 4, 2))
        x = leaky(Bottleneck(leaky, train, self.dtype)(x))
        dense = nn.Dense(self.text, use_bias=False, kernel_init=WEIGHTS, dtype=self.dtype)
        t = leaky(norm(dense(t)))[:, None, None]
        x = jnp.concatenate([x, jnp.broadcast_to(t, (*x.shape[:3], self.text))], axis=-1)
        x = leaky(norm(conv(x, self.width << (levels - 1), 1)))
        return full_precision(conv(x, 1, SMALLEST, bias=True, padding="VALID"))[:, 0, 0, 0]


def doublings(shape: tuple[int, ...]) -> int:
    """How often the smallest map's side is doubled to that of an image."""
    return (shape[0] // SMALLEST).bit_length() - 1


def check_side(shape: tuple[int, ...]) -> None:
    """Raises UserError if doublings of the smallest map do not lead to an image like this."""
    side = shape[0]
    if shape[1] != side or side < 2 * SMALLEST or side != SMALLEST << doublings(shape):
        raise UserError(
            f"images of {side}x{shape[1]} are no doublings of 4x4: set data.size to 16, 32, 64 or"
            " 128"
        )
