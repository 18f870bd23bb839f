"""The restricted Boltzmann machine: energies, conditionals, chains, and its partition function.

    E(v, h) = -v'W h - b'v - c'h                                   binary v
    E(v, h) = |v - b|^2 / (2 s^2) - (v / s)'W h - c'h              Gaussian v of deviation s
    E(v, h) = -v'W h - b'v + |h - c|^2 / 2                         linear h
    F(v)    = -log sum_h exp(-E(v, h))
    Z       = sum_v exp(-F(v)) = sum_h sum_v exp(-E(v, h))

Units given the other layer are independent. v is [B, D], h [B, H]; params hold w [D, H], b [D],
c [H]. Pixels are in [0, 1] throughout.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import replicas
from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import LOG_2PI
from gm_jax.model import Array, Batch, Field, Spec, field_of
from gm_jax.nn.layers import normal, product, uniform

ENUMERABLE = 20  # hidden units whose states can all be visited
BLOCK = 12  # units whose states are visited at once
RARE = 1e-3  # the least share of white that a pixel is taken to have


class Visible(NamedTuple):
    """A kind of visible units; `drive` is W h.

    log_weight  (v, b) -> log of the factor of exp(-E) that has no hidden unit, [B]
    log_sum     (b, drive) -> log of the sum of exp(-E) over v, without c'h, [B]
    mean        (b, drive) -> E(v | h)
    draw        (keys [B], b, drive) -> v ~ p(v | h)
    scale       1 / s
    """

    log_weight: Callable
    log_sum: Callable
    mean: Callable
    draw: Callable
    scale: float = 1.0


def binary() -> Visible:
    """v_i in {0, 1}; as data also grey, which then are probabilities."""
    return Visible(
        lambda v, b: v @ b,
        lambda b, drive: jnp.sum(jax.nn.softplus(b + drive), axis=-1),
        lambda b, drive: jax.nn.sigmoid(b + drive),
        lambda keys, b, drive: flip(keys, jax.nn.sigmoid(b + drive)),
    )


def gaussian(deviation: float) -> Visible:
    """Real v_i with N(b + s W h, s^2)."""

    def log_sum(b, drive):
        constant = b.shape[-1] * (0.5 * LOG_2PI + math.log(deviation))
        return constant + jnp.sum(drive * (0.5 * drive + b / deviation), axis=-1)

    def mean(b, drive):
        return b + deviation * drive

    return Visible(
        lambda v, b: -0.5 * jnp.sum(((v - b) / deviation) ** 2, axis=-1),
        log_sum,
        mean,
        lambda keys, b, drive: mean(b, drive) + deviation * normal(keys, drive.shape[1:]),
        1.0 / deviation,
    )


# Each: s -> Visible.
VISIBLE = {"binary": lambda deviation: binary(), "gaussian": gaussian}


class Machine(NamedTuple):
    """An RBM.

    visible   the kind of its visible units
    up, down  what the drives of the hidden and of the visible units are multiplied with: 2 stands
              for a layer that a deep machine has above or below (`deep_boltzmann`)
    drawn     whether a chain draws visible units, or takes their means
    linear    whether hidden units are c + W'v plus noise of deviation 1, in place of binary
    dtype     of its products
    """

    visible: Visible
    up: float = 1.0
    down: float = 1.0
    drawn: bool = True
    linear: bool = False
    dtype: Any = jnp.float32

    def hidden_drive(self, params, v: Array) -> Array:
        """up (c + W'v / s), [B, H]."""
        drive = params["c"] + product(v * self.visible.scale, params["w"], self.dtype)
        return self.up * drive

    def hidden(self, params, v: Array) -> Array:
        """E(h | v), [B, H]."""
        drive = self.hidden_drive(params, v)
        return drive if self.linear else jax.nn.sigmoid(drive)

    def visible_mean(self, params, h: Array) -> Array:
        """E(v | h), [B, D]."""
        return self.visible.mean(*self._visible_terms(params, h))

    def free_energy(self, params, v: Array) -> Array:
        """F(v) of a machine of binary hidden units whose drives are not multiplied, [B]."""
        softplus = jax.nn.softplus(self.hidden_drive(params, v))
        return -self.visible.log_weight(v, params["b"]) - jnp.sum(softplus, axis=-1)

    def energy(self, params, v: Array, h: Array) -> Array:
        """E(v, h) but for its terms in h alone if h is linear, [B]; h may hold means."""
        drive = params["c"] + product(v * self.visible.scale, params["w"], self.dtype)
        return -self.visible.log_weight(v, params["b"]) - jnp.sum(drive * h, axis=-1)

    def sweep(self, params, keys: Array, v: Array) -> Array:
        """h ~ p(h | v), then v ~ p(v | h) or its mean: one step of a chain, by keys [B]."""
        of_h, of_v = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
        mean = self.hidden(params, v)
        h = mean + normal(of_h, mean.shape[1:]) if self.linear else flip(of_h, mean)
        if not self.drawn:
            return self.visible_mean(params, h)
        return self.visible.draw(of_v, *self._visible_terms(params, h))

    def chain(self, params, keys: Array, v: Array, steps: int) -> Array:
        """v after `steps` sweeps, by keys [B]. No gradient passes."""
        params = lax.stop_gradient(params)

        def body(step, v):
            return self.sweep(params, fold_in(keys, step), v)

        start = lax.stop_gradient(v).astype(params["b"].dtype)
        return lax.fori_loop(0, steps, body, start)

    def log_z(self, params) -> Array:
        """log Z by a visit to all states of the hidden units, a scalar.

        Raises UserError if they are more than ENUMERABLE.
        """

        def terms(h):
            drive = product(h, params["w"].T, self.dtype)
            return h @ params["c"] + self.visible.log_sum(params["b"], drive)

        return log_sum_over_states(terms, len(params["c"]))

    def visible_drive(self, params, h: Array) -> Array:
        """down (b + W h), [B, D]: the logits of binary visible units."""
        return sum(self._visible_terms(params, h))

    def independent(self, keys: Array, b: Array) -> Array:
        """Visible units without hidden ones, by keys [B]."""
        return self.visible.draw(keys, b, jnp.zeros((len(keys), len(b)), b.dtype))

    def _visible_terms(self, params, h):
        drive = product(h, params["w"].T, self.dtype)
        return self.down * params["b"], self.down * drive


def log_sum_over_states(terms: Callable[[Array], Array], units: int) -> Array:
    """log of the sum of exp(terms(h)) over all h in {0, 1}^units; terms: [N, units] -> [N].

    Raises UserError if there are more units than ENUMERABLE.
    """
    if units > ENUMERABLE:
        raise UserError(f"2^{units} states are too many to visit: at most {ENUMERABLE} units")
    inner = min(units, BLOCK)

    def block(first):
        numbers = first * 2**inner + jnp.arange(2**inner)
        states = (numbers[:, None] >> jnp.arange(units)) & 1
        return jax.nn.logsumexp(terms(states.astype(jnp.result_type(float))))

    return jax.nn.logsumexp(lax.map(block, jnp.arange(2 ** (units - inner))))


def flip(keys: Array, p: Array) -> Array:
    """0 or 1 with probability p [B, N], by keys [B]."""
    return (uniform(keys, p.shape[1:]) < p).astype(p.dtype)


def fold_in(keys: Array, number) -> Array:
    """Keys [B] of their own for a step."""
    return jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number)


def parameters(key: Array, visible: int, hidden: int, deviation: float = 0.01) -> dict[str, Array]:
    """W ~ N(0, deviation^2), and biases of 0."""
    w = deviation * jax.random.normal(key, (visible, hidden))
    return {"w": w, "b": jnp.zeros(visible), "c": jnp.zeros(hidden)}


def logit(mean: Array) -> Array:
    """The biases with which independent binary units have these means, if not nearer to 0 or 1."""
    mean = jnp.clip(mean, RARE, 1.0 - RARE)
    return jnp.log(mean) - jnp.log1p(-mean)


def contrast(rbm: Machine, params, v: Array, fantasy: Array) -> Array:
    """Mean E(v, E(h | v)) of data v less that of fantasies, a scalar; both E(h | v) are constants.

    Its gradient is that of contrastive divergence, whatever multiplies the drives.
    """
    params_now = lax.stop_gradient(params)

    def mean_energy(v):
        return jnp.mean(rbm.energy(params, v, rbm.hidden(params_now, v)))

    return mean_energy(v) - mean_energy(fantasy)


def running_mean(before: Array, v: Array, step) -> Array:
    """The mean of v [B, D] over the first batch and those of all rounds, `step` being this one."""
    return before + (replicas.mean(jnp.mean(v, axis=0)) - before) / (step + 2.0)


def image_of(spec: Spec) -> Field:
    """The images that the family models. Raises UserError unless their pixels have bounds."""
    image = field_of(spec, "image")
    if image.cardinality is None:
        raise UserError("a Boltzmann machine needs pixels in [0, 1]: this data has real numbers")
    return image


def pixels(batch: Batch) -> Array:
    """Images in [-1, 1] as v in [0, 1], [B, D]: the door to this family."""
    image = batch["image"].astype(jnp.result_type(float))
    return (image.reshape(len(image), -1) + 1.0) / 2.0


def picture(v: Array, shape: tuple[int, ...]) -> Array:
    """v [..., D] as images [..., H, W, C] in [-1, 1]."""
    return 2.0 * v.reshape(*v.shape[:-1], *shape) - 1.0
