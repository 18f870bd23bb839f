"""Value functions of two players, one loss per example from the discriminator's logits [B].

The discriminator minimises `discriminator(real, fake)`, the generator `generator(fake)`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax

from gm_jax.model import Array


class ValueFunction(NamedTuple):
    """Both players' losses: (real [B], fake [B]) -> [B] and (fake [B]) -> [B]."""

    discriminator: Callable[[Array, Array], Array]
    generator: Callable[[Array], Array]


def log_loss(real: Array, fake: Array, real_label: Array | float = 1.0) -> Array:
    """-log D(x) - log(1 - D(G(z))), D = sigmoid(logit). Goodfellow et al. 2014, eq. 1, negated.

    real_label in [0, 1] softens the label of real examples alone (Salimans et al. 2016,
    section 3.4: "one-sided"): -l log D(x) - (1 - l) log(1 - D(x)).
    """
    on_real = real_label * jax.nn.softplus(-real) + (1.0 - real_label) * jax.nn.softplus(real)
    return on_real + jax.nn.softplus(fake)


def saturating(fake: Array) -> Array:
    """log(1 - D(G(z))), what the minimax game asks of G; its slope vanishes where D wins."""
    return -jax.nn.softplus(fake)


def non_saturating(fake: Array) -> Array:
    """-log D(G(z)). Goodfellow et al. 2014, section 3: same fixed point, slopes where D wins."""
    return jax.nn.softplus(-fake)


VALUE_FUNCTIONS = {
    "minimax": ValueFunction(log_loss, saturating),
    "non_saturating": ValueFunction(log_loss, non_saturating),
}
