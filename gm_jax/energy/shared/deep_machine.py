"""The deep Boltzmann machine of two hidden layers: energies, mean fields, chains.

The equations are in `energy/deep_boltzmann.py`. v and h2 are independent given h1, so both can be
summed out, and a chain is of h1 alone. params hold w1 [D, H1], w2 [H1, H2], b [D], c1 and c2.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import entr

from gm_jax.energy.shared.machine import flip, fold_in, log_sum_over_states
from gm_jax.model import Array
from gm_jax.nn.layers import product


def assembled(first, second) -> dict[str, Array]:
    """The parameters of two RBMs as those of a deep one: h1's bias is the sum of theirs."""
    return {
        "w1": first["w"], "b": first["b"], "c1": first["c"] + second["b"],
        "w2": second["w"], "c2": second["c"],
    }  # fmt: skip


class DeepMachine(NamedTuple):
    """A deep Boltzmann machine.

    rounds  updates of a mean field
    dtype   of its products
    """

    rounds: int = 10
    dtype: Any = jnp.float32

    def energy(self, params, v: Array, h1: Array, h2: Array) -> Array:
        """E(v, h1, h2), [B]; each may hold means of independent units."""
        of_h1 = params["c1"] + product(v, params["w1"], self.dtype)
        of_h2 = params["c2"] + product(h1, params["w2"], self.dtype)
        return -(v @ params["b"]) - jnp.sum(of_h1 * h1, axis=-1) - jnp.sum(of_h2 * h2, axis=-1)

    def log_density(self, params, h1: Array) -> Array:
        """log of the sum of exp(-E) over v and h2, [B]."""
        sums = [jnp.sum(jax.nn.softplus(d), axis=-1) for d in self._drives_beside(params, h1)]
        return h1 @ params["c1"] + sums[0] + sums[1]

    def log_z(self, params) -> Array:
        """log Z by a visit to all states of h1, a scalar. Raises UserError if they are too many."""
        return log_sum_over_states(lambda h1: self.log_density(params, h1), len(params["c1"]))

    def means(self, params, v: Array) -> tuple[Array, Array]:
        """The mean field's mu1 [B, H1] and mu2 [B, H2], from a bottom-up pass with W1 doubled."""
        below = product(v, params["w1"], self.dtype)

        def mu2_of(mu1):
            return jax.nn.sigmoid(params["c2"] + product(mu1, params["w2"], self.dtype))

        def update(_, mu):
            above = product(mu[1], params["w2"].T, self.dtype)
            mu1 = jax.nn.sigmoid(params["c1"] + below + above)
            return mu1, mu2_of(mu1)

        start = jax.nn.sigmoid(params["c1"] + 2.0 * below)
        return lax.fori_loop(0, self.rounds, update, (start, mu2_of(start)))

    def bound(self, params, v: Array) -> Array:
        """The mean field's bound on log p(v) + log Z, [B]."""
        mu1, mu2 = self.means(params, v)
        entropy = sum(jnp.sum(entr(mu) + entr(1.0 - mu), axis=-1) for mu in (mu1, mu2))
        return entropy - self.energy(params, v, mu1, mu2)

    def beside(self, params, h1: Array) -> tuple[Array, Array]:
        """E(v | h1) and E(h2 | h1)."""
        v, h2 = self._drives_beside(params, h1)
        return jax.nn.sigmoid(v), jax.nn.sigmoid(h2)

    def sweep(self, params, keys: Array, h1: Array) -> Array:
        """v and h2 ~ p(v, h2 | h1), then h1 ~ p(h1 | v, h2): a step of a chain, by keys [B]."""
        own = jnp.moveaxis(jax.vmap(lambda key: jax.random.split(key, 3))(keys), 1, 0)
        v, h2 = self.beside(params, h1)
        v, h2 = flip(own[0], v), flip(own[1], h2)
        below = product(v, params["w1"], self.dtype)
        above = product(h2, params["w2"].T, self.dtype)
        return flip(own[2], jax.nn.sigmoid(params["c1"] + below + above))

    def chain(self, params, keys: Array, h1: Array, steps: int) -> Array:
        """h1 after `steps` sweeps, by keys [B]."""

        def body(step, h1):
            return self.sweep(params, fold_in(keys, step), h1)

        return lax.fori_loop(0, steps, body, h1)

    def _drives_beside(self, params, h1):
        v = params["b"] + product(h1, params["w1"].T, self.dtype)
        return v, params["c2"] + product(h1, params["w2"], self.dtype)
