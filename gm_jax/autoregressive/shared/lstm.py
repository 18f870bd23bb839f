"""The recurrent layers of PixelRNN (van den Oord, Kalchbrenner & Kavukcuoglu 2016, section 3).

    [o, f, i, g] = [sigma, sigma, sigma, tanh](K_ss * h + K_is * x)                       eq. 3
    c = f c' + i g,    h = o tanh(c)

h and c' are of the row above (row LSTM), or of the left and upper neighbour (diagonal). The
convolution K_ss of a state is written as a product with its shifted copies side by side: in a loop
the gradient of a convolution's kernel would be far slower on a CPU.

Like `nn.masked`, each runs over whole images, and at one pixel with its states in "cache".
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from gm_jax.model import Array
from gm_jax.nn.masked import MaskedConv, Pixel, Reach, read, shift_down, write

ROWS = Reach(1, 1, 1)  # The three states above a pixel.


def cell(gates: Array, c: Array) -> tuple[Array, Array]:
    """New h and c [..., D] from the gates [..., 4 D] before their nonlinearity. Eq. 3."""
    o, f, i, g = jnp.split(gates, 4, axis=-1)
    c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
    return nn.sigmoid(o) * jnp.tanh(c), c


class RowLSTM(nn.Module):
    """[B, H, W, D] to h [B, H, W, width], row by row: sees a triangle above each pixel.

    K_is is 3x1 with mask B, K_ss 3x1 over the row above (section 3.1).
    """

    width: int
    colors: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, pixel: Pixel | None = None) -> Array:
        inputs = _inputs(self, Reach(0, 1, 0))(x, pixel)
        kernel = _state_kernel(self, 3)
        if pixel is not None:
            return self._at(inputs, kernel, pixel)

        def row(states, gates):
            h, c = states
            left, right = jnp.pad(h, ((0, 0), (1, 0), (0, 0))), jnp.pad(h, ((0, 0), (0, 1), (0, 0)))
            around = jnp.concatenate([left[:, :-1], h, right[:, 1:]], axis=-1)
            states = cell(gates + around @ kernel, c)
            return states, states[0]

        start = jnp.zeros((x.shape[0], x.shape[2], self.width), inputs.dtype)
        _, h = lax.scan(row, (start, start), inputs.swapaxes(0, 1))
        return h.swapaxes(0, 1)

    def _at(self, inputs, kernel, pixel):
        empty = (len(inputs), 2, pixel.width + 2, self.width)
        hs = self.variable("cache", "h", jnp.zeros, empty, inputs.dtype)
        cs = self.variable("cache", "c", jnp.zeros, empty, inputs.dtype)
        around = read(hs.value, pixel, ROWS)[:, :1].reshape(len(inputs), 1, 1, -1)
        above = read(cs.value, pixel, ROWS)[:, :1, 1:2]
        h, c = cell(inputs + around @ kernel, above)
        hs.value, cs.value = write(hs.value, h, pixel, ROWS), write(cs.value, c, pixel, ROWS)
        return h


class DiagonalBiLSTM(nn.Module):
    """[B, H, W, D] to h [B, H, W, width], along both diagonals: sees all pixels before each one.

    K_is is 1x1 with mask B, K_ss 2x1 over the previous diagonal: the neighbours beside and above
    (section 3.2). The map of the direction from the right, whose pixels have seen what comes after
    them in their row, is shifted down by one row before the two are added.
    """

    width: int
    colors: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, pixel: Pixel | None = None) -> Array:
        gates = [_inputs(self, name=f"{side}_inputs")(x, pixel) for side in ("left", "right")]
        kernels = [_state_kernel(self, 2, f"{side}_state") for side in ("left", "right")]
        if pixel is not None:
            return self._at(*gates, *kernels, pixel)
        forward = _diagonals(gates[0], kernels[0])
        backward = _diagonals(gates[1][:, :, ::-1], kernels[1])[:, :, ::-1]
        return forward + shift_down(backward)

    def _at(self, gates, other_gates, kernel, other_kernel, pixel):
        def kept(name, *shape):
            return self.variable("cache", name, jnp.zeros, (len(gates), *shape), gates.dtype)

        near = Reach(1, 1, 0)
        hs, cs = (kept(name, 2, pixel.width + 1, self.width) for name in ("h", "c"))
        # From the right a row can be walked only when it is complete.
        other = kept("other", pixel.width, self.width)
        waiting = kept("gates", pixel.width, 4 * self.width)
        other.value = lax.cond(
            pixel.new_row & (pixel.row > 0),
            lambda h: _from_right(waiting.value, h, other_kernel),
            lambda h: h,
            other.value,
        )
        waiting.value = lax.dynamic_update_slice(
            waiting.value, other_gates[:, 0], (0, pixel.column, 0)
        )
        h, c = read(hs.value, pixel, near), read(cs.value, pixel, near)
        beside, above = h[:, 1:, :1], h[:, :1, 1:]
        h, c = cell(gates + jnp.concatenate([beside, above], axis=-1) @ kernel, c[:, 1:, :1])
        hs.value, cs.value = write(hs.value, h, pixel, near), write(cs.value, c, pixel, near)
        return h + lax.dynamic_slice_in_dim(other.value, pixel.column, 1, 1)[:, None]


def _inputs(lstm, reach=Reach(0, 0, 0), name=None) -> MaskedConv:
    return MaskedConv(4 * lstm.width, reach, "B", lstm.colors, parts=4, dtype=lstm.dtype, name=name)


def _state_kernel(lstm, copies, name="state"):
    shape = (copies * lstm.width, 4 * lstm.width)
    return lstm.param(name, nn.initializers.lecun_normal(), shape).astype(lstm.dtype)


def _diagonals(gates: Array, kernel: Array) -> Array:
    """h [B, H, W, D] from gates [B, H, W, 4 D], diagonal by diagonal from the upper left corner.

    What skewing puts left of the image has gates, and so states, of zero.
    """

    def diagonal(states, gates):
        h, c = states
        above = jnp.pad(h, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        states = cell(gates + jnp.concatenate([h, above], axis=-1) @ kernel, c)
        return states, states[0]

    start = jnp.zeros((*gates.shape[:2], kernel.shape[1] // 4), gates.dtype)
    _, h = lax.scan(diagonal, (start, start), jnp.moveaxis(skew(gates), 2, 0))
    return unskew(jnp.moveaxis(h, 0, 2))


def _from_right(gates: Array, above: Array, kernel: Array) -> Array:
    """h [B, W, D] of one row, walked from the right; gates [B, W, 4 D], `above` h of the last."""

    def leftwards(states, inputs):
        h, c = states
        gates, above = inputs
        states = cell(gates + jnp.concatenate([h, above], axis=-1) @ kernel, c)
        return states, states[0]

    start = jnp.zeros_like(above[:, 0])
    inputs = gates.swapaxes(0, 1), above.swapaxes(0, 1)
    _, h = lax.scan(leftwards, (start, start), inputs, reverse=True)
    return h.swapaxes(0, 1)


def skew(x: Array) -> Array:
    """[B, H, W, D] to [B, H, W + H - 1, D], row i moved right by i: diagonals become columns."""
    b, height, width, depth = x.shape
    flat = jnp.pad(x, ((0, 0), (0, 0), (0, height), (0, 0))).reshape(b, -1, depth)
    return flat[:, :-height].reshape(b, height, width + height - 1, depth)


def unskew(x: Array) -> Array:
    """The inverse of `skew`: [B, H, W + H - 1, D] to [B, H, W, D]."""
    b, height, columns, depth = x.shape
    flat = jnp.pad(x.reshape(b, -1, depth), ((0, 0), (0, height), (0, 0)))
    return flat.reshape(b, height, columns + 1, depth)[:, :, : columns + 1 - height]
