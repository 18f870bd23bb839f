"""Weightings: functions of a noise level that multiply |x_0 - x0_hat|^2, mean over elements.

One loss serves every prediction: |eps - eps_hat|^2 is SNR |x_0 - x0_hat|^2, and so on
(`Prediction.weight`). A weighting is a function (level, settings) -> factor [B].
"""

from typing import Annotated

import jax.numpy as jnp

from gm_jax.diffusion.shared.prediction import Prediction
from gm_jax.diffusion.shared.schedules import Level
from gm_jax.model import Array
from gm_jax.settings import above, at_least, one_of, schema


def _snr(level):
    return jnp.exp(level.log_snr)


def _bound(level, settings):
    """A term of the bound for each level, nats a dimension. Kingma et al. 2021 (arXiv 2107.00630),
    eq. 13 and 18; at t = 1 of a table the decoder's."""
    return 0.5 * level.slope * _snr(level)


def _p2(level, settings):
    """|eps - eps_hat|^2 / (k + SNR)^gamma. Choi et al. 2022 (arXiv 2204.00227), eq. 8."""
    return _snr(level) / (settings.k + _snr(level)) ** settings.power


def _min_snr(level, settings):
    """Hang et al. 2023 (arXiv 2303.09556), section 3.4."""
    return jnp.minimum(_snr(level), settings.most)


def _edm(level, settings):
    """(sigma^2 + sigma_data^2) / (sigma sigma_data)^2. Karras et al. 2022, table 1."""
    return _snr(level) + settings.sigma_data**-2


def _flow(level, settings):
    """That of |eps - x_0 - velocity|^2 on the straight path: (1 + sqrt(SNR))^2. Liu et al. 2022."""
    return (1.0 + jnp.exp(0.5 * level.log_snr)) ** 2


WEIGHTINGS = {
    "simple": None,
    "noise": lambda level, settings: _snr(level),
    "bound": _bound,
    "p2": _p2,
    "min_snr": _min_snr,
    # max(SNR, 1). Salimans & Ho 2022 (arXiv 2202.00512), section 4.
    "truncated_snr": lambda level, settings: jnp.maximum(_snr(level), 1.0),
    "edm": _edm,
    "flow": _flow,
}


@schema
class Weighting:
    """How much each noise level counts.

    name        simple: |target - output|^2 of whatever is predicted; noise: that of the noise,
                whatever is predicted (L_simple); or a function of the log-SNR
    k           p2's
    power       p2's gamma
    most        min_snr's gamma
    sigma_data  edm's, the deviation of the data
    """

    name: Annotated[str, one_of(WEIGHTINGS)] = "simple"
    k: Annotated[float, above(0.0)] = 1.0
    power: Annotated[float, at_least(0.0)] = 1.0
    most: Annotated[float, above(0.0)] = 5.0
    sigma_data: Annotated[float, above(0.0)] = 0.5


def factor(settings: Weighting, prediction: Prediction, level: Level) -> Array | float:
    """What multiplies the mean square of the prediction's own target, [B]; 1 at an SNR of 0.

    The choice of the authors of min-SNR, whose ratio is 0 / 0 there.
    """
    if settings.name == "simple":
        return 1.0
    own = prediction.weight(level.alpha, level.sigma)
    wanted = WEIGHTINGS[settings.name](level, settings)
    return jnp.where(own > 0.0, wanted / jnp.where(own > 0.0, own, 1.0), 1.0)
