"""How a trained model samples: the settings, and the table they stand for."""

from typing import Annotated

import jax

from gm_jax.diffusion.shared import guidance, multistep, samplers
from gm_jax.diffusion.shared.grids import SPACINGS, Grid
from gm_jax.diffusion.shared.schedules import Continuous, Schedule
from gm_jax.diffusion.shared.tables import Table
from gm_jax.model import Array
from gm_jax.nn.layers import normal
from gm_jax.settings import above, at_least, at_most, one_of, schema


def _churn(s):
    return samplers.Churn(s.churn, *s.churn_range, s.churn_noise)


# Each: (grid, settings of the sampler) -> table of coefficients.
SAMPLERS = {
    "ancestral": lambda grid, s: samplers.ancestral(grid, s.variance),
    "ddim": lambda grid, s: samplers.ddim(grid, s.eta),
    "euler": lambda grid, s: samplers.euler(grid, _churn(s)),
    "euler_ancestral": lambda grid, s: samplers.ddim(grid, 1.0),
    "heun": lambda grid, s: samplers.heun(grid, _churn(s)),
    "dpm_2": lambda grid, s: samplers.dpm_2(grid, _churn(s)),
    "lms": lambda grid, s: multistep.lms(grid),
    "plms": lambda grid, s: multistep.plms(grid),
    "pndm": lambda grid, s: multistep.pndm(grid),
    "dpmpp_2m": lambda grid, s: multistep.dpmpp(grid, 2, lower_last=s.steps < 15),
    "dpmpp_3m": lambda grid, s: multistep.dpmpp(grid, 3, lower_last=s.steps < 15),
    "dpmpp_2m_sde": lambda grid, s: multistep.dpmpp(grid, 2, lower_last=s.steps < 15, sde=True),
    "dpmpp_2s_ancestral": lambda grid, s: samplers.dpmpp_2s_ancestral(grid),
    "unipc": lambda grid, s: multistep.unipc(grid),
}
LEAST = {"plms": 2, "pndm": 4}  # steps
CHURNED = ("euler", "heun", "dpm_2")


@schema
class Sampler:
    """From noise to image; every trained model works with every sampler.

    name         the sampler: ancestral (DDPM), ddim, ...
    steps        from noise to image; most evaluate the network once a step, heun, dpm_2 and
                 dpmpp_2s_ancestral twice, plms once and pndm nine times more
    spacing      of the steps: evenly in time, or densely where there is little noise (quadratic,
                 karras, log_snr); leading begins below T; linspace evaluates t = 1, too,
                 and so does respaced, at whole times, as ADM and DiT are published. dpmpp and unipc
                 are best with log_snr or quadratic, heun with quadratic
    variance     of ancestral steps and of the bound: beta_t (large), beta~_t (small) or learned
    eta          noise of ddim: 0 deterministic, 1 as ancestral with the small variance
    churn        noise added before the steps of euler, heun and dpm_2 (S_churn), 0 for none
    churn_range  sigma / alpha between which it is added (S_min, S_max)
    churn_noise  its deviation (S_noise)
    clip         whether x0_hat is kept in [-1, 1]
    threshold    share of |x0_hat|'s values that dynamic thresholding keeps, in place of clip; 0 for
                 none
    guidance     w of (1 + w) conditional - w unconditional
    classifier   scale of the gradient of log p(label given x_t), by stages.classifier
    """

    name: Annotated[str, one_of(SAMPLERS)] = "ancestral"
    steps: Annotated[int, at_least(1)] = 50
    spacing: Annotated[str, one_of(SPACINGS)] = "even"
    variance: Annotated[str, one_of(samplers.VARIANCES)] = "small"
    eta: Annotated[float, at_least(0.0), at_most(1.0)] = 0.0
    churn: Annotated[float, at_least(0.0)] = 0.0
    churn_range: tuple[float, float] = (0.0, 1e6)
    churn_noise: Annotated[float, above(0.0)] = 1.0
    clip: bool = True
    threshold: Annotated[float, at_least(0.0), at_most(1.0)] = 0.0
    guidance: float = 0.0
    classifier: float = 0.0

    def wrong(self):
        """Choices that do not go together, a line for each."""
        least = LEAST.get(self.name, 1)
        if self.steps < least:
            yield f"{self.name} takes at least {least} steps, not {self.steps}"
        if self.churn and self.name not in CHURNED:
            yield f"churn is for {', '.join(CHURNED)}: {self.name} has none"

    def threshold_of(self, denoise):
        """The denoiser with its x0_hat clipped or thresholded as the settings say."""
        if self.threshold:
            return guidance.thresholded(denoise, guidance.dynamically(self.threshold))
        return guidance.thresholded(denoise, guidance.clipped) if self.clip else denoise


def grid_of(schedule: Schedule | Continuous, settings: Sampler) -> Grid:
    """The grid of a sampler's settings."""
    return SPACINGS[settings.spacing](schedule, settings.steps)


def table_of(grid: Grid, settings: Sampler) -> Table:
    """The table of a sampler's settings on (the rest of) a grid."""
    return SAMPLERS[settings.name](grid, settings)


def start_deviation(schedule: Schedule | Continuous, table: Table) -> float:
    """Of the noise that sampling starts from: 1 for tables, sigma at the start for others."""
    return 1.0 if isinstance(schedule, Schedule) else float(table.points.sigma[0])


def fresh_noise(keys: Array, shape: tuple[int, ...]):
    """fresh(number) of `tables.run`, [B, *shape], by one key per example."""
    return lambda number: normal(
        jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number), shape
    )
