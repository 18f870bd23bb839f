"""Penalties on a critic's gradient, one value per example; each takes the critic as a function.

`orthogonal` is a penalty on weights, a scalar.

critic  [B, ...] -> [B]; each output depends only on its own example. So no batch normalisation in
        training mode: it would mix the gradients of different examples
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gm_jax import replicas
from gm_jax.model import Array, PyTree

Critic = Callable[[Array], Array]


def per_example_squared_gradient(critic: Critic, x: Array) -> Array:
    """||grad_x D(x)||^2 over all axes of an example: [B, ...] -> [B]."""
    gradient = jax.grad(lambda x: jnp.sum(critic(x)))(x)
    return jnp.sum(gradient**2, axis=range(1, x.ndim))


def per_example_gradient_norm(critic: Critic, x: Array) -> Array:
    """||grad_x D(x)||, [B, ...] -> [B]; its gradient is finite even where the norm is 0."""
    return jnp.sqrt(per_example_squared_gradient(critic, x) + 1e-12)


def wgan_gp(critic: Critic, real: Array, fake: Array, alpha: Array, target: float = 1.0) -> Array:
    """(||grad D(a x + (1 - a) G(z))|| - 1)^2 with one a ~ U[0, 1) per example, alpha [B] -> [B].

    Gulrajani et al. 2017, eq. 3: two-sided. The norm is in units of `target`.
    """
    alpha = _broadcast(alpha, real)
    norm = per_example_gradient_norm(critic, alpha * real + (1.0 - alpha) * fake)
    return (norm / target - 1.0) ** 2


def dragan(critic: Critic, real: Array, alpha: Array, uniform: Array) -> Array:
    """(||grad D(x + a (x_p - x))|| - 1)^2 with x_p = x + 0.5 std(batch) u, [B].

    alpha [B] and u = uniform [B, ...], both of U[0, 1). Kodali et al. 2017, algorithm 1 (lambda 10,
    k 1); as in its authors' code, std is over all values of the global batch.
    """
    mean = replicas.mean(jnp.mean(real))
    deviation = jnp.sqrt(replicas.mean(jnp.mean((real - mean) ** 2)))
    x = real + _broadcast(alpha, real) * 0.5 * deviation * uniform
    return (per_example_gradient_norm(critic, x) - 1.0) ** 2


def zero_centred(critic: Critic, x: Array) -> Array:
    """1/2 ||grad D(x)||^2, [B]: R1 at real examples, R2 at generated ones; its weight is gamma.

    Mescheder et al. 2018, eq. 9 and 10.
    """
    return 0.5 * per_example_squared_gradient(critic, x)


def path_lengths(generate: Callable[[Array], Array], styles: Array, noise: Array) -> Array:
    """|J^T y| at styles [B, L, D], the root of its mean square over the layers, [B].

    generate  styles -> images [B, ...]
    noise     y, as the images; N(0, 1) divided by the root of the number of pixels

    Karras et al. 2020 (StyleGAN2, arXiv 1912.04958), eq. 4. Finite slopes even at 0.
    """
    gradient = jax.grad(lambda styles: jnp.sum(generate(styles) * noise))(styles)
    return jnp.sqrt(jnp.mean(jnp.sum(gradient**2, axis=-1), axis=-1) + 1e-12)


def path_penalty(lengths: Array, mean: Array, decay: float = 0.99) -> tuple[Array, Array]:
    """(|J^T y| - a)^2 of lengths [B], and a: their running mean, moved before it is used.

    a's slope counts, as in the authors' code: it moves with the lengths of the whole batch.
    """
    moved = decay * mean + (1.0 - decay) * replicas.mean(jnp.mean(lengths))
    return (lengths - moved) ** 2, moved


def orthogonal(params: PyTree) -> Array:
    """Sum over the weights of 1/2 ||W W^T o (1 - I)||^2, rows of W one output each; a scalar.

    Brock et al. 2019 (BigGAN), eq. 3, with the half of its authors' code: beta times the gradient
    is 2 beta (W W^T o (1 - I)) W. All arrays of two axes or more, [..., out], but embeddings.
    """
    weights = [
        x.reshape(-1, x.shape[-1])
        for path, x in jax.tree_util.tree_leaves_with_path(params)
        if x.ndim > 1 and "embedding" not in jax.tree_util.keystr(path)
    ]

    def overlap(w):
        return 0.5 * jnp.sum((w.T @ w * (1.0 - jnp.eye(w.shape[1]))) ** 2)

    return sum(map(overlap, weights))


def _broadcast(values: Array, x: Array) -> Array:
    """[B] shaped to multiply [B, ...]."""
    return values.reshape(-1, *[1] * (x.ndim - 1))


# By their names in recipes: (critic, real [B, ...], fake [B, ...], alpha [B], uniform [B, ...]).
PENALTIES = {
    "wgan_gp": lambda critic, real, fake, alpha, uniform: wgan_gp(critic, real, fake, alpha),
    "dragan": lambda critic, real, fake, alpha, uniform: dragan(critic, real, alpha, uniform),
    "r1": lambda critic, real, fake, alpha, uniform: zero_centred(critic, real),
    "r2": lambda critic, real, fake, alpha, uniform: zero_centred(critic, fake),
}
