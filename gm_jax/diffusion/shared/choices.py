"""The settings that every diffusion model has, of pixels or of latents."""

import dataclasses
from typing import Annotated, Any

from gm_jax.diffusion.shared import checkpoints
from gm_jax.diffusion.shared.prediction import PREDICTIONS
from gm_jax.diffusion.shared.processes import PRECONDITIONINGS, Process, process
from gm_jax.diffusion.shared.sampling import Sampler
from gm_jax.diffusion.shared.schedules import SCHEDULES, Schedule
from gm_jax.diffusion.shared.weighting import Weighting
from gm_jax.settings import Recipe, Recipes, Restartable, at_least, at_most, one_of, schema

OBJECTIVES = ("simple", "hybrid", "vlb")
Share = Annotated[float, at_least(0.0), at_most(1.0)]
ScheduleName = Annotated[str, one_of(SCHEDULES)]


@schema
class Inpainting:
    """Of the lower half of each image.

    jump      steps between returns to more noise
    resample  how often each stretch of `jump` steps is taken; 1 for no returns
    """

    jump: Annotated[int, at_least(1)] = 10
    resample: Annotated[int, at_least(1)] = 10


@schema
class Choices(Recipe):
    """A diffusion model.

    steps            rounds to play; 0 to use published weights as they are
    weights          a published checkpoint to begin with: guided-diffusion's for a U-Net, DiT's for
                     a DiT; "" for none
    attention_order  of a U-Net's weights: by heads, or by parts (use_new_attention_order, as ADM of
                     64 x 64 is published)
    label_dropout    share of conditions hidden in training, for sampler.guidance
    schedule         how the noise grows with time: a table of T steps, or a function of u in (0, 1)
                     (continuous_..., edm, flow)
    times            T, the number of noise levels; of a continuous schedule, the scale of time
    prediction       what the network predicts; velocity goes with the schedule flow
    weighting        of the noise levels
    preconditioning  edm: of what goes into the network and comes out, with prediction x0;
                     from_zero: it sees t - 1, as published networks do
    objective        simple: the weighted mean square, variances fixed; hybrid: that and the bound,
                     which teaches the variance; vlb: the bound alone, at times drawn by its terms
    hybrid           weight of the bound in hybrid
    sampler          from noise to image
    inpainting       the function inpaint
    strength         share of the sampler's steps that the function edit takes
    ode_steps        of the function ode_bits, each of four evaluations
    stages           {name: workdir of an earlier run, or a recipe to train first}; classifier, of
                     noised images, is for sampler.classifier and may come after training
    """

    steps: Annotated[int, at_least(0), Restartable(trains=True)]
    weights: Annotated[str, Restartable(trains=True)] = ""
    attention_order: Annotated[str, one_of(checkpoints.ORDERS)] = "heads"
    label_dropout: Share = 0.0
    schedule: ScheduleName = "cosine"
    times: Annotated[int, at_least(2)] = 1000
    prediction: Annotated[str, one_of(PREDICTIONS)] = "noise"
    weighting: Weighting = Weighting()
    preconditioning: Annotated[str, one_of(PRECONDITIONINGS)] = "none"
    objective: Annotated[str, one_of(OBJECTIVES)] = "simple"
    hybrid: Annotated[float, at_least(0.0)] = 0.001
    sampler: Annotated[Sampler, Restartable()] = Sampler()
    inpainting: Annotated[Inpainting, Restartable()] = Inpainting()
    strength: Annotated[float, at_least(0.0), at_most(1.0), Restartable()] = 0.5
    ode_steps: Annotated[int, at_least(1), Restartable()] = 50
    stages: Annotated[dict[str, Any], Recipes(late=("classifier",))] = dataclasses.field(
        default_factory=dict
    )

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if not (self.steps or self.weights):
            yield "steps is 0, and there are no weights to use: set weights=FILE, or steps"
        table = not is_continuous(self.schedule)
        if table and self.sampler.steps > self.times:
            yield f"sampler.steps {self.sampler.steps} must be in 1 .. {self.times} (times)"
        if self.sampler.classifier and not self.stages.get("classifier"):
            yield (
                "sampler.classifier needs a classifier of noised images: set stages.classifier to"
                " the workdir of one (configs/classifier_digits.py), or to its recipe"
            )
        if self.sampler.variance == "learned" and self.objective == "simple":
            yield (
                "sampler.variance learned needs a model trained with objective hybrid or vlb: this"
                " one has not learned a variance"
            )
        if self.objective != "simple" and not table:
            yield f"objective {self.objective} needs a schedule of T steps, not {self.schedule}"
        if self.objective != "simple" and self.preconditioning == "edm":
            yield f"objective {self.objective} needs preconditioning none or from_zero"
        if self.preconditioning == "edm" and self.prediction != "x0":
            yield f"preconditioning edm needs prediction x0, not {self.prediction}"
        if self.prediction == "v" and self.schedule in ("edm", "flow"):
            yield (
                f"prediction v needs alpha^2 + sigma^2 = 1, which {self.schedule} does not have:"
                " choose noise, x0 or velocity"
            )
        if self.schedule == "edm" and self.preconditioning != "edm":
            yield "schedule edm needs preconditioning edm: its x_t is as large as its noise"

    @property
    def learned(self) -> bool:
        """Whether the network has twice the channels: the second half is the variance."""
        return self.objective != "simple"

    @property
    def guidable(self) -> bool:
        """Whether the network also learned without its condition; systems that have one say so."""
        return False

    def process(self) -> Process:
        """Schedule, prediction, weighting and preconditioning together."""
        schedule = SCHEDULES[self.schedule](self.times)
        return process(
            schedule, self.prediction, self.weighting, self.preconditioning, self.learned
        )


def is_continuous(schedule: str) -> bool:
    """Whether a schedule is a function of u, not a table."""
    return not isinstance(SCHEDULES[schedule](2), Schedule)
