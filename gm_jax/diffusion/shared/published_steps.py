"""The steps of each published scheduler, as a table: which times it takes, and from where to where.

Each maker is (schedule, settings, steps, eta, first entry) -> table, deviation of the first noise.
"""

import numpy as np

from gm_jax.diffusion.shared import multistep, samplers
from gm_jax.diffusion.shared.grids import Grid, karras
from gm_jax.diffusion.shared.schedules import Points
from gm_jax.errors import UserError, choose


def _times(config, steps: int, fractions: bool = False, ends: bool = False) -> np.ndarray:
    """Their list of times, our numbers, decreasing.

    fractions  "linspace" is not rounded
    ends       "linspace" and "leading" count the end as a further time, which is left out
    """
    total, kind = config["num_train_timesteps"], config["timestep_spacing"]
    if kind == "linspace":
        times = np.linspace(0, total - 1, steps + ends)
        times = (times if fractions else np.round(times))[::-1][:steps]
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
    """With noise in the last step, too, unless it starts from the least noisy level of all."""
    points = schedule.at(np.append(_times(config, steps)[first:], 0))
    variances = {"fixed_small": "small", "fixed_small_log": "small", "fixed_large": "large"}
    variance = choose("variance_type", config["variance_type"], variances)
    starts, ends = points.take(slice(None, -1)), points.take(slice(1, None))
    return samplers.ancestral_steps(starts, ends, variance, starts.time > 1), 1.0


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
    if "learned" in (config["variance_type"] or ""):
        raise UserError(
            "scheduler: variance_type is learned: only DDPM's noise may be, not yet here"
        )
    kinds = {"dpmsolver++": False, "sde-dpmsolver++": True}
    sde = choose("algorithm_type", config["algorithm_type"], kinds)
    lower = config["lower_order_final"] and steps < 15
    kind = _solver(config, ("midpoint", "heun"))
    return multistep.dpmpp(grid, config["solver_order"], kind, lower, sde)


def _unipc(grid, config, steps):
    order, lower = config["solver_order"], config["lower_order_final"]
    return multistep.unipc(grid, order, _solver(config, ("bh2", "bh1")), lower)


def _solver(config, own):
    """The solver_type; that of another scheduler stands for the first of one's own."""
    kind = config["solver_type"]
    if kind not in SOLVERS:
        raise UserError(f"scheduler: solver_type is {kind!r}: one of {', '.join(SOLVERS)}")
    return kind if kind in own else own[0]


SOLVERS = ("midpoint", "heun", "bh1", "bh2", "logrho")
LINSPACE = {"timestep_spacing": "linspace"}
# Each: (maker, defaults of its configuration).
SCHEDULERS = {
    "DDIMScheduler": (_ddim, {"clip_sample": True}),
    "DDPMScheduler": (_ddpm, {"clip_sample": True, "variance_type": "fixed_small"}),
    "PNDMScheduler": (_pndm, {"set_alpha_to_one": False, "skip_prk_steps": False}),
    "EulerDiscreteScheduler": (_by_ratio(samplers.euler), LINSPACE),
    "EulerAncestralDiscreteScheduler": (_by_ratio(lambda g: samplers.ddim(g, 1.0)), LINSPACE),
    "HeunDiscreteScheduler": (
        _by_ratio(samplers.heun),
        LINSPACE | {"beta_start": 0.00085, "beta_end": 0.012},
    ),
    "LMSDiscreteScheduler": (_by_ratio(multistep.lms), LINSPACE),
    "DPMSolverMultistepScheduler": (
        _by_lambda(_dpmpp),
        LINSPACE
        | {
            "solver_order": 2,
            "solver_type": "midpoint",
            "algorithm_type": "dpmsolver++",
            "lower_order_final": True,
            "variance_type": None,
        },
    ),
    "UniPCMultistepScheduler": (
        _by_lambda(_unipc),
        LINSPACE | {"solver_order": 2, "solver_type": "bh2", "lower_order_final": True},
    ),
}
