"""What every diffusion model is made of: its objectives and what it does, of pixels or of latents.

A system says what its data is, how its network is called and how what it draws is shown (`Core`).
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.diffusion.shared import guidance, importance, likelihood, processes, sampling, uses
from gm_jax.diffusion.shared.bound import variational_bound
from gm_jax.diffusion.shared.choices import Choices
from gm_jax.diffusion.shared.grids import SPACINGS
from gm_jax.diffusion.shared.processes import Process
from gm_jax.diffusion.shared.schedules import Schedule
from gm_jax.diffusion.shared.tables import Table, run
from gm_jax.model import Array, Aux, Spec, example_keys
from gm_jax.nn.layers import normal

FRAMES = 12  # of the strip from noise to image, and from one image to another
GIVEN = 5  # Number of the key of `Core.given`, beside those of `_split`.
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  # of guidance, side by side


class Core(NamedTuple):
    """A diffusion model of x_0 [B, *shape].

    data      (variables, batch, key) -> x_0
    predict   (variables, batch, drop, keys) -> predict(x, level): the network with the batch's
              condition, the null condition where `drop` [B] or True, dropout by keys [B] or None
    labelled  whether it is told the batch's label
    show      (variables, x [B, ...]) -> images
    guide     (variables, batch) -> log p(label | x_t) of (x_t, its level), which sampler.classifier
              weighs; None for no classifier
    given     (variables, batch, key, training) -> the batch that `predict` sees: with what is made
              of it once, before the first evaluation, such as a condition that is noised
    """

    settings: Choices
    process: Process
    shape: tuple[int, ...]
    data: Callable
    predict: Callable
    labelled: bool = False
    show: Callable = lambda variables, x: x
    guide: Callable | None = None
    given: Callable = lambda variables, batch, key, training: batch

    @property
    def sampler(self):
        """How it samples."""
        return self.settings.sampler

    @property
    def grid(self):
        """Where it samples."""
        return sampling.grid_of(self.process.schedule, self.sampler)

    @property
    def table(self) -> Table:
        """How it samples, step by step."""
        return sampling.table_of(self.grid, self.sampler)

    @property
    def deviation(self) -> float:
        """Of the noise that it starts from."""
        return sampling.start_deviation(self.process.schedule, self.table)

    def start(self, keys: Array) -> Array:
        """The noise that sampling starts from, by one key per example."""
        return self.deviation * normal(keys, self.shape)

    @property
    def draws_labels(self) -> bool:
        """Whether what it draws has a label, the batch's: it is told it, or guided towards it."""
        return self.labelled or bool(self.sampler.classifier)

    def guided(self, weight: float | Array) -> "Core":
        """The same model, guided by another weight."""
        sampler = dataclasses.replace(self.sampler, guidance=weight)
        return self._replace(settings=dataclasses.replace(self.settings, sampler=sampler))

    def denoiser(self, variables, batch, key: Array, variance: bool = False) -> Callable:
        """x0_hat of (x_t, its level), guided, then clipped or thresholded; (x0_hat, f) if a learned
        `variance` is asked for."""
        batch = self.given(variables, batch, jax.random.fold_in(key, GIVEN), False)
        conditional = self.predict(variables, batch, False, None)
        null = self.predict(variables, batch, True, None)
        learned = self.process.learned
        guided = guidance.classifier_free(conditional, null, self.sampler.guidance, learned)
        denoise = processes.denoiser(self.process, guided)
        if self.sampler.classifier:
            log_prob = self.guide(variables, batch)
            denoise = guidance.classifier(denoise, log_prob, self.sampler.classifier)
        denoise = self.sampler.threshold_of(denoise)
        if learned and not (variance and self.sampler.variance == "learned"):
            return lambda x, at: denoise(x, at)[0]
        return denoise


def spec_of(core: Core, spec: Spec) -> Spec:
    """What `sample` returns, for a stage that is built on it."""
    return {n: spec[n] for n in ("image", *(["label"] if core.draws_labels else []))}


def state(settings: Choices) -> dict:
    """What the objective carries from move to move."""
    return {"history": importance.empty(settings.times)} if settings.objective == "vlb" else {}


def objective(core: Core) -> dict[str, Callable]:
    """{name: the objective of the settings}."""
    settings, process = core.settings, core.process

    def noised(variables, batch, keys, level):
        """The batch at its levels, and predict(x, level) as it is in training."""
        noise_keys, drop_keys, dropout_keys, data_key, given_key = keys
        x0 = core.data(variables, batch, data_key)
        drop = jax.vmap(lambda k: jax.random.bernoulli(k, settings.label_dropout))(drop_keys)
        at = processes.noised(x0, normal(noise_keys, core.shape), level)
        batch = core.given(variables, batch, given_key, True)
        return core.predict(variables, batch, drop, dropout_keys), at

    def l_simple(variables, batch, key, step):
        time_keys, *keys = _split(batch, key)
        level = process.schedule.draw(time_keys)
        return jnp.mean(processes.loss(process, *noised(variables, batch, keys, level))), Aux()

    def l_hybrid(variables, batch, key, step):
        time_keys, *keys = _split(batch, key)
        given = noised(variables, batch, keys, process.schedule.draw(time_keys))
        total, simple, bits = processes.hybrid_loss(process, *given, settings.hybrid)
        return jnp.mean(total), Aux({"simple": jnp.mean(simple), "bits": jnp.mean(bits)})

    def l_vlb(variables, batch, key, step):
        time_keys, *keys = _split(batch, key)
        t, factor = importance.draw(variables.state["history"], time_keys)
        given = noised(variables, batch, keys, process.schedule.level(t))
        bits = processes.bound_loss(process, *given)
        history = importance.remember(variables.state["history"], t, bits)
        return jnp.mean(factor * bits), Aux({}, {"history": history})

    moves = {"simple": l_simple, "hybrid": l_hybrid, "vlb": l_vlb}
    return {f"l_{settings.objective}": moves[settings.objective]}


def _split(batch, key):
    """Keys of times, noise, dropped conditions and dropout, and one of the data and of `given`."""
    keys = (example_keys(k, batch) for k in jax.random.split(key, 4))
    return *keys, jax.random.fold_in(key, 4), jax.random.fold_in(key, GIVEN)


def chain(core: Core, variables, batch, key: Array, keep: Sequence[int] = ()) -> tuple:
    """x_0 that the sampler draws, [B, *shape], and x_t after so many evaluations."""
    start, fresh = (example_keys(k, batch) for k in jax.random.split(key))
    denoise = core.denoiser(variables, batch, key, variance=True)
    return run(core.table, denoise, core.start(start), _fresh(core, fresh), keep)


def functions(core: Core) -> dict[str, Callable]:
    """What the trained model does, {name: (variables, batch, key) -> batch}."""
    table, schedule, size = core.table, core.process.schedule, math.prod(core.shape)

    def sample(variables, batch, key):
        images = {"image": core.show(variables, chain(core, variables, batch, key)[0])}
        return images | ({"label": batch["label"]} if core.draws_labels else {})

    def evaluations(variables, batch, key):
        """How often `sample` evaluates the network for an image, twice a row if guided, [B]."""
        count = table.evaluations * (2 if core.sampler.guidance else 1)
        return {"evaluations": jnp.full(len(batch["index"]), count, jnp.float32)}

    def sweep(variables, batch, key):
        """One noise under each weight of guidance in WEIGHTS, [B, len(WEIGHTS), H, W, C]."""

        def under(weight):
            return core.show(variables, chain(core.guided(weight), variables, batch, key)[0])

        return {"image": jnp.moveaxis(jax.lax.map(under, jnp.array(WEIGHTS)), 0, 1)}

    def trajectory(variables, batch, key):
        """From noise to image in FRAMES pictures, [B, FRAMES, H, W, C]."""
        frames = np.round(np.linspace(0, table.evaluations, FRAMES)).astype(int)
        kept = chain(core, variables, batch, key, frames)[1]
        return {"image": _stack(core, variables, kept)}

    def bound(variables, batch, key):
        """The variational bound on -log p(x) (eq. 5), all T terms, in bits per dimension, [B]."""
        x0, keys = core.data(variables, batch, key), example_keys(key, batch)
        denoise, variance = core.denoiser(variables, batch, key, True), core.sampler.variance
        nats = variational_bound(schedule, denoise, x0, keys, variance)
        return {"bits_per_dimension_bound": nats / (math.log(2.0) * size)}

    def ode_bits(variables, batch, key):
        """-log p(x) of the probability-flow ODE in bits per dimension, dequantised, [B]."""
        path, keys = (
            SPACINGS["log_snr"](schedule, core.settings.ode_steps),
            example_keys(key, batch),
        )
        denoise, deviation = (
            core.denoiser(variables, batch, key), sampling.start_deviation(schedule, table)
        )  # fmt: skip
        x0 = core.data(variables, batch, key)
        bits = likelihood.bits_per_dimension(path, denoise, x0, keys, deviation)
        return {"bits_per_dimension_ode": bits}

    bounds = {"bound": bound} if isinstance(schedule, Schedule) else {}
    sweeps = {"guidance": sweep} if core.settings.guidable else {}
    return {
        "sample": sample,
        "evaluations": evaluations,
        "trajectory": trajectory,
        **sweeps,
        **bounds,
        "ode_bits": ode_bits,
        **_uses(core),
    }


def _uses(core):
    settings, grid = core.settings, core.grid

    def inpaint(variables, batch, key):
        """The image, its upper half (the rest grey), and that with its lower half made anew.

        [B, 3, H, W, C].
        """
        x0, plan = core.data(variables, batch, key), settings.inpainting
        start, fresh = (example_keys(k, batch) for k in jax.random.split(key))
        known = (jnp.arange(core.shape[0]) < core.shape[0] // 2).astype(x0.dtype)[:, None, None]
        completed = uses.inpaint(
            grid, core.denoiser(variables, batch, key), x0, known, core.start(start),
            _fresh(core, fresh), plan.jump, plan.resample,
        )  # fmt: skip
        return {"image": _stack(core, variables, [x0, x0 * known, completed])}

    def edit(variables, batch, key):
        """The image beside that of SDEdit: noised for `strength` of the steps, [B, 2, H, W, C]."""
        x0, rest = core.data(variables, batch, key), uses.rest_of(grid, settings.strength)
        noise, fresh = (example_keys(k, batch) for k in jax.random.split(key))
        denoise, table = (
            core.denoiser(variables, batch, key, True),
            sampling.table_of(rest, core.sampler),
        )
        edited = uses.edit(table, denoise, x0, normal(noise, core.shape), _fresh(core, fresh))
        return {"image": _stack(core, variables, [x0, edited])}

    def reconstruct(variables, batch, key):
        """The image beside itself after DDIM's inversion and DDIM, [B, 2, H, W, C]."""
        x0 = core.data(variables, batch, key)
        output = uses.reconstruct(grid, core.denoiser(variables, batch, key), x0)
        return {"image": _stack(core, variables, [x0, output])}

    def interpolation(variables, batch, key):
        """DDIM along the great circle between two noises of one label, [B, FRAMES, H, W, C]."""
        ends = (core.start(example_keys(k, batch)) for k in jax.random.split(key))
        images = uses.between(grid, core.denoiser(variables, batch, key), *ends, FRAMES)
        return {"image": _stack(core, variables, jnp.moveaxis(images, 1, 0))}

    return {
        "inpaint": inpaint, "edit": edit, "reconstruct": reconstruct, "interpolation": interpolation
    }  # fmt: skip


def _fresh(core, keys):
    return sampling.fresh_noise(keys, core.shape)


def _stack(core, variables, images):
    """[B, ...] each, shown side by side: [B, count, H, W, C]."""
    return jnp.stack([core.show(variables, image) for image in images], axis=1)
