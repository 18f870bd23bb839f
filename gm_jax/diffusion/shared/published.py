"""The samplers of published configurations: a scheduler_config.json of diffusers, as our table.

Their times run from 0, ours from 1 (0 is the data): the network of such a model sees time - 1.
Euler's and its like work in x / alpha there; here every table is in x. `Chain.start` is the
deviation, in x, of the noise that they start from.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gm_jax.diffusion.shared import schedules
from gm_jax.diffusion.shared.published_steps import SCHEDULERS
from gm_jax.diffusion.shared.schedules import Points, Schedule
from gm_jax.diffusion.shared.tables import Table
from gm_jax.errors import UserError, choose
from gm_jax.model import Array


class Chain(NamedTuple):
    """How a published configuration samples.

    table       its rows, from entry `first` of its list of times on
    schedule    its levels at t = 0 .. T
    start       deviation of the noise at its first level
    prediction  what its network predicts: "noise", "x0" or "v"
    clip        (x0_hat, its level) -> the x0_hat that the table takes
    """

    table: Table
    schedule: Schedule
    start: float
    prediction: str
    clip: Callable[[Array, Points], Array]


PREDICTIONS = {"epsilon": "noise", "sample": "x0", "v_prediction": "v"}
BETAS = {
    "linear": schedules.linear,
    "scaled_linear": schedules.scaled_linear,
    "squaredcos_cap_v2": lambda steps, first, last: schedules.cosine(steps),
}
COMMON = {
    "num_train_timesteps": 1000,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "trained_betas": None,
    "prediction_type": "epsilon",
    "timestep_spacing": "leading",
    "steps_offset": 0,
    "set_alpha_to_one": True,
    "rescale_betas_zero_snr": False,
    "use_karras_sigmas": False,
    "final_sigmas_type": "zero",
    "clip_sample": False,
    "clip_sample_range": 1.0,
    "thresholding": False,
    "interpolation_type": "linear",
}
# Settings that would change a sample in ways that we do not compute, with the values we do.
ONLY = {
    "thresholding": (False,),
    "use_exponential_sigmas": (False, None),
    "use_beta_sigmas": (False, None),
    "use_lu_lambdas": (False, None),
    "use_flow_sigmas": (False, None),
    "euler_at_final": (False, None),
    "predict_x0": (True,),
    "disable_corrector": ([], (), None),
    "interpolation_type": ("linear",),
    "timestep_type": ("discrete",),
    "sigma_min": (None,),
    "sigma_max": (None,),
    "lambda_min_clipped": (-np.inf,),
    "solver_p": (None,),
}


def chain(config: Mapping, steps: int, eta: float = 0.0, first: int = 0) -> Chain:
    """The sampler of a scheduler_config.json (its `_class_name` says which), for any `steps`.

    eta    of DDIM
    first  the entry of its list of times that it starts from, for image to image
    Raises UserError, naming the setting, if the configuration asks for something else than we do.
    """
    name = config["_class_name"]
    make, own = choose("scheduler", name, SCHEDULERS)
    config = COMMON | own | dict(config)
    for setting, values in ONLY.items():
        if config.get(setting, values[0]) not in values:
            raise UserError(
                f"scheduler: {setting} is {config[setting]!r}: only {values[0]!r} is supported"
            )
    if not 1 <= steps <= config["num_train_timesteps"]:
        raise UserError(
            f"sampler.steps is {steps}: this scheduler has {config['num_train_timesteps']} times,"
            " so it takes 1 to as many steps"
        )
    prediction = choose("prediction_type", config["prediction_type"], PREDICTIONS)
    if prediction == "noise" and config["rescale_betas_zero_snr"]:
        raise UserError(
            "scheduler: rescale_betas_zero_snr starts from noise alone, of which a network that"
            " predicts the noise tells nothing: it needs prediction_type v_prediction or sample"
        )
    schedule = _schedule(config)
    table, start = make(schedule, config, steps, eta, first)
    if name in CLIPPED and config["clip_sample"]:
        table, clip = CLIPPED[name](table, config["clip_sample_range"])
    else:
        clip = _as_it_is
    return Chain(table, schedule, start, prediction, clip)


def _as_it_is(x0, at):
    return x0


def _schedule(config) -> Schedule:
    if config["trained_betas"] is not None:
        schedule = schedules.from_betas(np.asarray(config["trained_betas"]))
    else:
        make = choose("beta_schedule", config["beta_schedule"], BETAS)
        limits = config["beta_start"], config["beta_end"]
        schedule = make(config["num_train_timesteps"], *limits)
    if config["rescale_betas_zero_snr"]:
        schedule = schedules.zero_terminal_snr(schedule)
    return schedule


def _clipped(table, limit):
    return table, lambda x0, at: jnp.clip(x0, -limit, limit)


def _clipped_ddim(table, limit):
    """DDIM clips x0_hat, but not in its eps_hat = (x_t - alpha_t x0_hat) / sigma_t.

    With x_s = kept x_t + weight x0_hat + ..., where weight = alpha_s - kept alpha_t, the table
    takes weight clip(x0_hat) + kept alpha_t (clip(x0_hat) - x0_hat) as it is.
    """
    times, weight = table.points.time[:-1], table.y.memory[:, 0]
    cut = table.y.x * table.points.alpha[:-1]
    weights = table.y._replace(memory=np.ones_like(table.y.memory))

    def clip(x0, at):
        row, limited = jnp.argmin(jnp.abs(times - at.time)), jnp.clip(x0, -limit, limit)
        return jnp.asarray(weight)[row] * limited + jnp.asarray(cut)[row] * (limited - x0)

    return table._replace(x=weights, y=weights), clip


# Each: (table, limit) -> table and clip of a `Chain`.
CLIPPED = {
    "DDIMScheduler": _clipped_ddim,
    "DDPMScheduler": _clipped,
    "HeunDiscreteScheduler": _clipped,
}
