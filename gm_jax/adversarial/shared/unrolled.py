"""A player's next steps, taken in advance: the core of the Unrolled GAN.

Metz et al. 2017 (arXiv 1611.02163).

    theta^0 = theta,   theta^{k+1} = theta^k + optimizer(d f(theta^k) / d theta^k)      eq. 7-9
    f_K(theta_G, theta_D) = f(theta_G, theta_D^K(theta_G, theta_D))                     eq. 10
"""

from collections.abc import Callable

import jax
import optax

from gm_jax import replicas
from gm_jax.model import PyTree


def unroll(
    loss: Callable[[PyTree], jax.Array],
    optimizer: optax.GradientTransformation,
    params: PyTree,
    opt: PyTree,
    steps: int,
    through: bool = True,
) -> PyTree:
    """The parameters after `steps` of `optimizer`, from its live state, down `loss`.

    loss       parameters -> scalar of this device's share of the batch
    through    whether gradients flow back through the steps; else the result is a constant. An
               optimizer that divides by sqrt(v) then needs v > 0 (Adam: eps_root > 0)

    The steps are unrolled in Python: gradients of convolutions in a loop are slow on a CPU.
    """
    for _ in range(steps):
        gradients = replicas.mean(jax.grad(loss)(params))
        updates, opt = optimizer.update(gradients, opt, params)
        params = optax.apply_updates(params, updates)
    return params if through else jax.lax.stop_gradient(params)
