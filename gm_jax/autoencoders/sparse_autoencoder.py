"""Sparse autoencoders: one hidden layer, of which few units are active.

Ng 2011 (Sparse autoencoder, lecture notes), "kl":

    h = sigma(W x + c),  y = sigma(V h + b)
    L = 1/2 |y - x|^2 + beta sum_j KL(rho || rho^_j) + decay / 2 (|W|^2 + |V|^2)

rho^_j is the mean of h_j over the batch of all devices, never an example's own.

Makhzani & Frey 2014 (arXiv 1312.5663), "k_sparse":

    h = the k largest of W x + c, and 0 for the others;  y = W'h + b
    L = 1/2 |y - x|^2 + decay / 2 |W|^2

The largest, not those of largest size; the gradient passes through them. k begins large and falls,
so that no unit dies; in use alpha k units are kept, alpha >= 1.

Pixels are in [0, 1].
"""

import math
from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, replicas
from gm_jax.losses.sparsity import kl_from_target
from gm_jax.model import Array, Aux, Phase, Variables, field_of
from gm_jax.nn.layers import Size, product
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, above, at_least, below, one_of, schema

KINDS = ("kl", "k_sparse")


@schema
class KL:
    """A target of each unit's mean.

    target  rho
    weight  beta
    """

    target: Annotated[float, above(0.0), below(1.0)] = 0.1
    weight: Annotated[float, at_least(0.0)] = 3.0


@schema
class KSparse:
    """A number of active units.

    k      of the last rounds
    first  of the first round
    steps  rounds in which it falls from one to the other
    alpha  times k units are kept in use
    """

    k: Size = 25
    first: Size = 100
    steps: Annotated[int, at_least(0)] = 1000
    alpha: Annotated[float, at_least(1.0), Restartable()] = 1.0

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.first < self.k:
            yield f"first {self.first} must be at least k {self.k}, to which it falls"


@schema
class Settings(Recipe):
    """A sparse autoencoder.

    hidden     units
    sparsity   what makes few of them active: a target of their means (kl), or their number
               (k_sparse)
    kl         a target of each unit's mean
    k_sparse   a number of active units
    decay      weight of half the squared weights
    optimizer  one of optax's
    """

    hidden: Size = 1000
    sparsity: Annotated[str, one_of(KINDS)] = "k_sparse"
    kl: KL = KL()
    k_sparse: KSparse = KSparse()
    decay: Annotated[float, at_least(0.0)] = 0.0
    optimizer: Optimizer = adam(1e-3)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.sparsity == "k_sparse" and self.hidden < self.k_sparse.first:
            yield f"k_sparse.first {self.k_sparse.first} must be at most hidden {self.hidden}"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One layer up and one down in one phase; configs/sparse_ae_mnist.py."""
    shape, hidden, own = field_of(spec, "image").shape, settings.hidden, settings.k_sparse
    size, dtype = math.prod(shape), jnp.dtype(settings.dtype)
    by_number = settings.sparsity == "k_sparse"

    def init(key, batch, previous):
        bound = math.sqrt(6.0 / (size + hidden + 1))
        up, down = jax.random.split(key)
        w = jax.random.uniform(up, (size, hidden), minval=-bound, maxval=bound)
        params = {"w": w, "c": jnp.zeros(hidden), "b": jnp.zeros(size)}
        if not by_number:  # The other's decoder is W itself.
            params["v"] = jax.random.uniform(down, (hidden, size), minval=-bound, maxval=bound)
        return Variables({"autoencoder": params})

    def pixels(batch):
        return (batch["image"].reshape(-1, size) + 1.0) / 2.0

    def picture(x):
        return 2.0 * x.reshape(*x.shape[:-1], *shape) - 1.0

    def hidden_of(params, x, k):
        drive = product(x, params["w"], dtype) + params["c"]
        return k_largest(drive, k) if by_number else jax.nn.sigmoid(drive)

    def decode(params, h):
        down = params["w"].T if by_number else params["v"]
        y = product(h, down, dtype) + params["b"]
        return y if by_number else jax.nn.sigmoid(y)

    def in_use(variables, batch):
        """Pixels, hidden units and reconstructions, as the trained model has them."""
        params, x = variables.params["autoencoder"], pixels(batch)
        h = hidden_of(params, x, min(round(own.alpha * own.k), hidden))
        return x, h, decode(params, h)

    def error(variables, batch, key, step):
        params, x = variables.params["autoencoder"], pixels(batch)
        h = hidden_of(params, x, k_at(own, step))
        squares = 0.5 * jnp.mean(jnp.sum((decode(params, h) - x) ** 2, axis=-1))
        of_weights = sum(jnp.sum(params[name] ** 2) for name in ("w", "v") if name in params)
        loss, metrics = (
            squares + 0.5 * settings.decay * of_weights,
            {"squared_error": 2.0 * squares},
        )
        if not by_number:
            mean = replicas.mean(jnp.mean(h, axis=0))
            metrics["sparsity"] = jnp.sum(kl_from_target(mean, settings.kl.target))
            loss += settings.kl.weight * metrics["sparsity"]
        return loss, Aux(metrics)

    def encode(variables, batch, key):
        """The hidden units in use, [B, K]."""
        return {"latent": in_use(variables, batch)[1]}

    def reconstruct(variables, batch, key):
        """The image beside its reconstruction, [B, 2, H, W, C]."""
        x, _, y = in_use(variables, batch)
        return {"image": picture(jnp.stack([x, y], axis=1))}

    def filters(variables, batch, key):
        """The weights of a hidden unit, its largest white or black, [B, H, W, C]."""
        w = variables.params["autoencoder"]["w"]
        chosen = (w / jnp.max(jnp.abs(w), axis=0)).T[batch["index"] % hidden]
        return {"image": chosen.reshape(-1, *shape)}

    def distortion(variables, batch, key):
        """How good a code is, and how sparse, [B] each.

        squared_error  summed over pixels in [0, 1]
        activity       the mean over units
        active         the share of units that are not 0, or above 1/2 if they are sigmoids
        """
        x, h, y = in_use(variables, batch)
        return {
            "squared_error": jnp.sum((y - x) ** 2, axis=-1),
            "activity": jnp.mean(h, axis=-1),
            "active": jnp.mean(h != 0.0 if by_number else h > 0.5, axis=-1, dtype=h.dtype),
        }

    moves, average = {"error": error}, settings.average
    player = games.player("autoencoder", ("autoencoder",), moves, settings, average)
    functions = {f.__name__: f for f in (encode, reconstruct, filters, distortion)}
    return (games.phase(settings, init, (player,), functions),)


def k_largest(z: Array, k) -> Array:
    """z [B, K] with 0 for all but its k largest; k may be traced."""
    ordered = jnp.sort(z, axis=-1, descending=True)
    least = jnp.take(ordered, k - 1, axis=-1)[:, None]
    return jnp.where(z >= least, z, 0.0)


def k_at(own: KSparse, step) -> Array:
    """k in a round: from `first` down to `k`, evenly over `steps`."""
    left = jnp.maximum(0.0, 1.0 - step / max(own.steps, 1)) if own.steps else 0.0
    return jnp.round(own.k + (own.first - own.k) * left).astype(int)
