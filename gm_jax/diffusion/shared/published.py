"""The samplers of published configurations: a scheduler_config.json of diffusers, as our table.

Their times run from 0, ours from 1 (0 is the data): the network of such a model sees time - 1.
Euler's and its like work in x / alpha there; here every table is in x. `Chain.start` is the
deviation, in x, of the noise that they start from.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from gm_jax.diffusion.shared import multistep, samplers, schedules
from gm_jax.diffusion.shared.grids import Grid, karras
from gm_jax.diffusion.shared.schedules import Points, Schedule
from gm_jax.diffusion.shared.tables import Table
from gm_jax.errors import UserError, choose


class Chain(NamedTuple):
    """How a published configuration samples.

    table       its rows, from entry `first` of its list of times on
    schedule    its levels at t = 0 .. T
    start       deviation of the noise at its first level
    prediction  what its network predicts: "noise", "x0" or "v"
    clip        whether x0_hat is kept in [-1, 1]
    """

    table: Table
    schedule: Schedule
    start: float
    prediction: str
    clip: bool


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
    schedule = _schedule(config)
    table, start = make(schedule, config, steps, eta, first)
    prediction = choose("prediction_type", config["prediction_type"], PREDICTIONS)
    return Chain(table, schedule, start, prediction, config["clip_sample"])


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


def _times(config, steps: int, fractions: bool = False, ends: bool = False) -> np.ndarray:
    """Their list of times, our numbers, decreasing.

    fractions  "linspace" is not rounded
    ends       "linspace" and "leading" count the end as a further time, which is left out
    """
    total, kind = config["num_train_timesteps"], config["timestep_spacing"]
    if kind == "linspace":
        times = np.linspace(total - 1, 0, steps + ends)[:steps]
        times = times if fractions else np.round(times)
    elif kind == "leading":
        times = np.arange(steps + ends)[::-1][:steps] * (total // (steps + ends))
        times = times + config["steps_offset"]
    elif kind == "trailing":
        times = np.round(np.arange(steps, 0, -1) * (total / steps)) - 1
    else:
        raise UserError(f"scheduler: timestep_spacing is {kind!r}: leading, linspace or trailing")
    return times + 1.0


def _end(config) -> int:
    """Our time of the level that a step beyond the list ends at."""
    return 0 if config["set_alpha_to_one"] else 1


def _by_strides(schedule, config, steps, first):
    """Their grid, and the levels that its steps end at: T // steps before each."""
    times = _times(config, steps)[first:]
    ends = times - schedule.steps // steps
    ends = np.where(ends < 1, _end(config), ends)
    points = schedule.at(np.append(times, ends[-1]))
    return Grid(points, schedule.of_ratio), schedule.at(ends)


def _ddim(schedule, config, steps, eta, first):
    grid, ends = _by_strides(schedule, config, steps, first)
    return samplers.ddim(grid, eta, ends), 1.0


def _ddpm(schedule, config, steps, eta, first):
    grid, _ = _by_strides(schedule, config, steps, first)
    variances = {"fixed_small": "small", "fixed_large": "large"}
    variance = choose("variance_type", config["variance_type"], variances)
    return samplers.ancestral(grid, variance), 1.0


def _pndm(schedule, config, steps, eta, first):
    """Its list has the second time twice. Image to image starts in the middle, where it has not."""
    if config["timestep_spacing"] == "linspace":
        raise UserError("scheduler: PNDM with timestep_spacing 'linspace' is not supported")
    stride = schedule.steps // steps
    times = _times(config, steps)
    combined = "v" if config["prediction_type"] == "v_prediction" else "noise"

    def at(time):
        return schedule.at(time if time >= 1 else _end(config))

    start = ()
    if config["skip_prk_steps"]:
        times = np.concatenate([times[:2], times[1:]])[first:]
    else:
        if first or steps < 4:
            raise UserError(
                "scheduler: PNDM's Runge-Kutta start (skip_prk_steps=False) takes at least 4 steps"
                " and starts from noise: set skip_prk_steps=True"
            )
        start = [part for k in range(3) for part in _runge_kutta(at, times[k : k + 2], stride)]
        times = times[3:]
    parts = [(at(time), at(time), at(time - stride)) for time in times]
    if not start and len(parts) > 1:
        time = times[1]
        parts[1] = (at(time), at(time + stride), at(time))
    return multistep.pseudo_numerical(parts, start, combined), 1.0


def _runge_kutta(at, times, stride):
    """The four evaluations from one time to the next; half a stride is a whole number below."""
    (time, after), half = times, stride // 2
    begin, middle, end = at(time), at(after + half), at(after)
    evaluated, reached = (begin, middle, middle, end), (at(time - half), middle, end, end)
    return [(point, begin, then) for point, then in zip(evaluated, reached, strict=True)]


def _grid(schedule, config, times, own_ends: bool, rounds: bool) -> Grid:
    """The grid of the schedulers by sigma / alpha.

    own_ends  Karras' spacing goes between the ends of `times`, not of the schedule
    rounds    the network sees rounded times
    """
    ratios = np.interp(times, np.arange(1.0, schedule.steps + 1), schedule.ratio[1:])
    points = schedule.of_ratio(ratios)._replace(time=times)
    if config["use_karras_sigmas"]:
        ends = ratios[[0, -1]] if own_ends else schedule.ratio[[-1, 1]]
        points = schedule.of_ratio(karras(*ends, len(times)))
        points = points._replace(time=np.round(points.time)) if rounds else points
    end = schedule.at(np.array([0 if config["final_sigmas_type"] == "zero" else 1]))
    joined = (np.concatenate(pair) for pair in zip(points, end, strict=True))
    return Grid(Points(*joined), schedule.of_ratio)


def _by_ratio(make):
    """Of Euler and the others that work in x / alpha."""

    def made(schedule, config, steps, eta, first):
        grid = _grid(schedule, config, _times(config, steps, fractions=True), True, False)
        top = grid.points.take(0)
        leading = config["timestep_spacing"] == "leading"
        return make(grid.after(first)), 1.0 if leading else float(top.sigma)

    return made


def _by_lambda(make):
    """Of DPM-Solver++ and UniPC, which work in x."""

    def made(schedule, config, steps, eta, first):
        grid = _grid(schedule, config, _times(config, steps, ends=True), False, True)
        return make(grid.after(first), config, steps), 1.0

    return made


def _dpmpp(grid, config, steps):
    kinds = {"dpmsolver++": False, "sde-dpmsolver++": True}
    sde = choose("algorithm_type", config["algorithm_type"], kinds)
    lower = config["lower_order_final"] and steps < 15
    return multistep.dpmpp(grid, config["solver_order"], config["solver_type"], lower, sde)


def _unipc(grid, config, steps):
    order, lower = config["solver_order"], config["lower_order_final"]
    return multistep.unipc(grid, order, config["solver_type"], lower)


LINSPACE = {"timestep_spacing": "linspace"}
# Each: (maker, defaults of its configuration).
SCHEDULERS = {
    "DDIMScheduler": (_ddim, {"clip_sample": True}),
    "DDPMScheduler": (_ddpm, {"clip_sample": True, "variance_type": "fixed_small"}),
    "PNDMScheduler": (_pndm, {"set_alpha_to_one": False, "skip_prk_steps": False}),
    "EulerDiscreteScheduler": (_by_ratio(samplers.euler), LINSPACE),
    "EulerAncestralDiscreteScheduler": (_by_ratio(lambda g: samplers.ddim(g, 1.0)), LINSPACE),
    "HeunDiscreteScheduler": (_by_ratio(samplers.heun), LINSPACE),
    "LMSDiscreteScheduler": (_by_ratio(multistep.lms), LINSPACE),
    "DPMSolverMultistepScheduler": (
        _by_lambda(_dpmpp),
        LINSPACE
        | {
            "solver_order": 2,
            "solver_type": "midpoint",
            "algorithm_type": "dpmsolver++",
            "lower_order_final": True,
        },
    ),
    "UniPCMultistepScheduler": (
        _by_lambda(_unipc),
        LINSPACE | {"solver_order": 2, "solver_type": "bh2", "lower_order_final": True},
    ),
}
