"""The spatial LSTM of RIDE (Theis & Bethge 2015, arXiv 1506.03478, eq. 6 to 8).

    [g, o, i, f_row, f_column] = [tanh, sigma, sigma, sigma, sigma](W [x, h_left, h_above] + b)
    c = c_left f_column + c_above f_row + g i,    h = tanh(c o)

The output gate is inside the tanh. Over images it goes from one anti-diagonal to the next.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from gm_jax.autoregressive.shared.lstm import skew, unskew
from gm_jax.model import Array
from gm_jax.nn.layers import Dense, full_precision


def cell(gates: Array, left: Array, above: Array) -> tuple[Array, Array]:
    """h and c [..., D] from the gates [..., 5 D] before their nonlinearity and two cells' c."""
    g, o, i, row, column = jnp.split(gates, 5, axis=-1)
    c = left * nn.sigmoid(column) + above * nn.sigmoid(row) + jnp.tanh(g) * nn.sigmoid(i)
    return jnp.tanh(c * nn.sigmoid(o)), c


def _uniform(key, shape, dtype=jnp.float32):
    return nn.initializers.uniform(0.16)(key, shape, dtype) - 0.08


class SpatialLSTM(nn.Module):
    """[B, H, W, D] to h [B, H, W, units], each of what is above and to the left of it.

    Beyond the image h and c are 0.
    """

    units: int
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        self.inputs = Dense(5 * self.units, kernel_init=_uniform, dtype=self.dtype)
        self.states = self.param("states", _uniform, (2 * self.units, 5 * self.units))

    def __call__(self, x: Array) -> Array:
        gates = full_precision(self.inputs(x))

        def diagonal(states, gates):
            left, above = states, tuple(_down(state) for state in states)
            states = cell(gates + self._recurrent(left[0], above[0]), left[1], above[1])
            return states, states[0]

        start = jnp.zeros((*x.shape[:2], self.units), gates.dtype)
        # What skewing puts left of the image has gates, and so states, of zero.
        _, h = lax.scan(diagonal, (start, start), jnp.moveaxis(skew(gates), 2, 0))
        return unskew(jnp.moveaxis(h, 0, 2))

    def begin(self, batch_size: int, width: int) -> Array:
        """h and c of the last pixel seen in each column, [2, B, W, units]."""
        return jnp.zeros((2, batch_size, width, self.units), self.states.dtype)

    def step(self, x: Array, seen: Array, column: Array) -> tuple[Array, Array]:
        """h [B, units] of a pixel with x [B, D] in a column, in raster order, and what is seen."""
        left = lax.dynamic_index_in_dim(seen, jnp.maximum(column - 1, 0), 2, False) * (column > 0)
        above = lax.dynamic_index_in_dim(seen, column, 2, False)
        gates = full_precision(self.inputs(x)) + self._recurrent(left[0], above[0])
        states = jnp.stack(cell(gates, left[1], above[1]))
        return states[0], lax.dynamic_update_index_in_dim(seen, states, column, 2)

    def _recurrent(self, left: Array, above: Array) -> Array:
        near = jnp.concatenate([left, above], axis=-1).astype(self.dtype)
        return full_precision(near @ self.states.astype(self.dtype))


def _down(state: Array) -> Array:
    """[B, H, D] moved one row down, zeros above."""
    return jnp.pad(state, ((0, 0), (1, 0), (0, 0)))[:, :-1]
