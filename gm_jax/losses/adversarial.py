"""Value functions of two players: one loss per example from the discriminator's outputs [B].

The discriminator minimises `discriminator(real, fake)`, the generator `generator(real, fake)`.
Outputs are logits or, in the energy-based ones, energies. No network appears here, so every value
function works with any networks.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gm_jax.model import Array


class ValueFunction(NamedTuple):
    """Both players' losses, (real [B], fake [B]) -> [B] each.

    In a zero-sum game the generator's loss is the discriminator's, negated. It includes D's outputs
    on real examples, which G influences if D's next steps are unrolled.

    labelled  whether `discriminator` takes `real_label` and `fake_label`, as soft and noisy labels
              need; in [0, 1] if they are probabilities
    """

    discriminator: Callable[..., Array]
    generator: Callable[[Array, Array], Array]
    labelled: bool = False


def log_loss(
    real: Array, fake: Array, real_label: Array | float = 1.0, fake_label: Array | float = 0.0
) -> Array:
    """-log D(x) - log(1 - D(G(z))), D = sigmoid(logit). Goodfellow et al. 2014, eq. 1, negated.

    real_label in [0, 1] softens the label of real examples only (Salimans et al. 2016,
    section 3.4: "one-sided"): -l log D(x) - (1 - l) log(1 - D(x)).
    """
    return _cross_entropy(real, real_label) + _cross_entropy(fake, fake_label)


def non_saturating(fake: Array) -> Array:
    """-log D(G(z)). Goodfellow et al. 2014, section 3: same fixed point; slopes where D wins."""
    return jax.nn.softplus(-fake)


def least_squares(
    real: Array, fake: Array, real_label: Array | float = 1.0, fake_label: Array | float = 0.0
) -> Array:
    """1/2 (D(x) - b)^2 + 1/2 (D(G(z)) - a)^2, D linear. Mao et al. 2017 (LSGAN), eq. 9."""
    return 0.5 * (real - real_label) ** 2 + 0.5 * (fake - fake_label) ** 2


def wasserstein(real: Array, fake: Array) -> Array:
    """D(G(z)) - D(x), D 1-Lipschitz up to a constant. Arjovsky et al. 2017, eq. 2, negated."""
    return fake - real


def hinge(real: Array, fake: Array) -> Array:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))). Lim & Ye 2017; Miyato et al. 2018, eq. 16."""
    return jax.nn.relu(1.0 - real) + jax.nn.relu(1.0 + fake)


def energy_margin(real: Array, fake: Array, margin: float) -> Array:
    """E(x) + max(0, m - E(G(z))), for energies >= 0. Zhao et al. 2017 (EBGAN), eq. 1.

    The hinge is per example; the generator minimises the energy E(G(z)) itself (eq. 2).
    """
    return real + jax.nn.relu(margin - fake)


def boundary_equilibrium(real: Array, fake: Array, k: Array | float) -> Array:
    """L(x) - k L(G(z)) of an auto-encoder's losses. Berthelot et al. 2017 (BEGAN), section 3.4."""
    return real - k * fake


def balance(real: Array, fake: Array, k: Array, gamma: float, rate: float) -> tuple[Array, Array]:
    """BEGAN's next k, kept in [0, 1], and its measure of convergence M; scalars.

    k + rate (gamma L(x) - L(G(z))) and L(x) + |gamma L(x) - L(G(z))|, with the batch's mean
    losses. Berthelot et al. 2017, section 3.4 and 3.4.1.
    """
    difference = gamma * real - fake
    return jnp.clip(k + rate * difference, 0.0, 1.0), real + jnp.abs(difference)


def pulling_away(codes: Array) -> Array:
    """Mean squared cosine between the codes of different examples, a scalar of the whole batch.

    codes [N, D] -> sum_{i != j} cos(s_i, s_j)^2 / (N (N - 1)). Zhao et al. 2017, eq. 4.
    """
    directions = codes / jnp.sqrt(jnp.sum(codes**2, axis=-1, keepdims=True) + 1e-12)
    cosines = directions @ directions.T
    count = len(codes)
    return (jnp.sum(cosines**2) - jnp.sum(jnp.diagonal(cosines) ** 2)) / (count * (count - 1))


def _cross_entropy(logit: Array, label: Array | float) -> Array:
    return label * jax.nn.softplus(-logit) + (1.0 - label) * jax.nn.softplus(logit)


VALUE_FUNCTIONS = {
    # log(1 - D(G(z))) in the generator's loss: its gradient vanishes where D wins.
    "minimax": ValueFunction(log_loss, lambda real, fake: -log_loss(real, fake), labelled=True),
    "non_saturating": ValueFunction(
        log_loss, lambda real, fake: non_saturating(fake), labelled=True
    ),
    # 1/2 (D(G(z)) - c)^2 with c = 1. Mao et al. 2017, eq. 9.
    "least_squares": ValueFunction(
        least_squares, lambda real, fake: 0.5 * (fake - 1.0) ** 2, labelled=True
    ),
    "wasserstein": ValueFunction(wasserstein, lambda real, fake: real - fake),
    # -D(G(z)). Miyato et al. 2018, eq. 17.
    "hinge": ValueFunction(hinge, lambda real, fake: -fake),
}
