"""Latent diffusion: a diffusion model of the latents of a frozen first stage.

Rombach et al. 2022 (arXiv 2112.10752), section 3.2 and 3.3:

    z = scale E(x),  scale = 1 / std(E(x)) of the first batch                  appendix G
    L = E || eps - eps_theta(z_t, t, tau(y)) ||^2                              eq. 2, 3
    x = D(z / scale)

y is nothing, a class, whose embedding is added to that of the time, or a caption: a transformer tau
that is trained along makes of it the context of the network's cross-attention. The first stage is
`stages.first`, a workdir or a recipe; it needs the functions encode (image to latent) and decode.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax import games, networks, replicas
from gm_jax.diffusion.shared import conditions, denoisers, guidance, processes, sampling
from gm_jax.diffusion.shared.prediction import PREDICTIONS
from gm_jax.diffusion.shared.sampling import Sampler
from gm_jax.diffusion.shared.schedules import SCHEDULES, Schedule
from gm_jax.diffusion.shared.tables import run
from gm_jax.diffusion.shared.weighting import Weighting
from gm_jax.errors import UserError
from gm_jax.model import Aux, Phase, Stage, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.layers import normal
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, at_least, one_of, schema

FRAMES = 12  # of the strip from noise to image
TABLES = tuple(name for name, make in SCHEDULES.items() if isinstance(make(2), Schedule))


@schema
class LatentSampler(Sampler):
    """From noise to latent.

    prompt  what all samples show, for a model of captions; "" for the captions of the data
    """

    clip: bool = False
    prompt: str = ""


@schema
class Settings(Recipe):
    """A diffusion model of latents.

    condition   what the network knows besides
    schedule    how the noise grows with time
    times       T, the number of noise levels
    prediction  what the network predicts
    weighting   how much each noise level counts
    network     the network, a U-Net or a DiT
    optimizer   one of optax's
    sampler     from noise to latent
    """

    condition: conditions.Settings = conditions.Settings()
    schedule: Annotated[str, one_of(TABLES)] = "scaled_linear"
    times: Annotated[int, at_least(2)] = 1000
    prediction: Annotated[str, one_of(PREDICTIONS)] = "noise"
    weighting: Weighting = Weighting()
    network: denoisers.NetworkSettings = denoisers.NetworkSettings()
    optimizer: Optimizer = adam(1e-4)
    sampler: Annotated[LatentSampler, Restartable()] = LatentSampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        sampler, condition = self.sampler, self.condition
        if sampler.steps > self.times:
            yield f"sampler.steps {sampler.steps} must be in 1 .. {self.times} (times)"
        if sampler.guidance and not (condition.name and condition.dropout):
            yield (
                "sampler.guidance needs a model trained with condition.name and condition.dropout"
                " > 0: without them there is no unconditional prediction to move away from"
            )
        if sampler.prompt and condition.name != "caption":
            yield "sampler.prompt needs a model trained with condition.name=caption"
        caption, network = condition.name == "caption", self.network
        if network.name == "unet" and caption != bool(network.transformer_blocks):
            yield (
                "captions are read by cross-attention: condition.name=caption goes with"
                " network.transformer_blocks of 1 or more"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns the latents, in one phase; configs/latent_diffusion_emoji.py."""
    first, dtype = first_stage(spec, stages), jnp.dtype(settings.dtype)
    shape, sampler = first.model.spec["latent"].shape, settings.sampler
    condition = conditions.make(settings.condition, spec, dtype, sampler.prompt)
    module = denoisers.module_of(settings.network, condition.classes, shape[-1], dtype)
    network = Network("network", module)
    schedule = SCHEDULES[settings.schedule](settings.times)
    process = processes.process(schedule, settings.prediction, settings.weighting)
    table = sampling.table_of(sampling.grid_of(schedule, sampler), sampler)

    def init(key, batch, previous):
        network_key, condition_key = jax.random.split(key)
        known = condition.init(condition_key, batch)
        z, level = jnp.zeros((len(batch["index"]), *shape)), jnp.zeros(len(batch["index"]))
        label, context = condition.inputs(known, batch, jnp.zeros(len(level), bool))
        variables = networks.init(network_key[None], (network, z, level, label, None, context))
        return variables._replace(
            params=variables.params | known.params,
            state=variables.state | {"scale": {"latent": jnp.ones(())}},
        )

    def encode(variables, batch, key):
        return first.model.functions["encode"](variables.frozen["first"], batch, key)["latent"]

    def decode(variables, z, batch, key):
        latent = {**batch, "latent": z / variables.state["scale"]["latent"]}
        return first.model.functions["decode"](variables.frozen["first"], latent, key)["image"]

    def predict(variables, batch, drop, keys=None):
        label, context = condition.inputs(variables, batch, drop)
        return lambda z, level: network(variables, z, level, label, keys, context)

    def loss(variables, batch, key, step):
        latent_key, *keys = jax.random.split(key, 5)
        time_keys, noise_keys, drop_keys, dropout_keys = (example_keys(k, batch) for k in keys)
        z = encode(variables, batch, latent_key)
        # By the first batch alone, and kept from then on.
        scale = jnp.where(step == 0, 1.0 / deviation_of(z), variables.state["scale"]["latent"])
        at = processes.noised(scale * z, normal(noise_keys, shape), schedule.draw(time_keys))
        dropout = settings.condition.dropout
        drop = jax.vmap(lambda k: jax.random.bernoulli(k, dropout))(drop_keys)
        value = processes.loss(process, predict(variables, batch, drop, dropout_keys), at)
        return jnp.mean(value), Aux({"scale": scale}, {"scale": {"latent": scale}})

    def denoiser(variables, batch):
        hidden = jnp.ones(len(batch["index"]), bool)
        guided = guidance.classifier_free(
            predict(variables, batch, ~hidden), predict(variables, batch, hidden), sampler.guidance
        )
        return sampler.threshold_of(processes.denoiser(process, guided))

    def chain(variables, batch, key, keep=()):
        start, fresh = (example_keys(k, batch) for k in jax.random.split(key))
        fresh = sampling.fresh_noise(fresh, shape)
        return run(table, denoiser(variables, batch), normal(start, shape), fresh, keep)

    def sample(variables, batch, key):
        image = decode(variables, chain(variables, batch, key)[0], batch, key)
        label = {"label": batch["label"]} if condition.classes else {}
        return {"image": image, **label}

    def trajectory(variables, batch, key):
        """From noise to image in FRAMES pictures, each decoded, [B, FRAMES, H, W, C]."""
        frames = np.round(np.linspace(0, table.evaluations, FRAMES)).astype(int)
        _, kept = chain(variables, batch, key, frames)
        return {"image": jnp.stack([decode(variables, z, batch, key) for z in kept], axis=1)}

    owns, average = ("network", *condition.owns), settings.average
    players = (games.player("latent_diffusion", owns, {"loss": loss}, settings, average),)
    functions = {"sample": sample, "trajectory": trajectory}
    # How well the first stage alone does is the ceiling.
    functions |= {
        name: of_first(first, name)
        for name in ("reconstruct", "distortion")
        if name in first.model.functions
    }
    return (games.phase(settings, init, players, functions, stages=stages),)


def first_stage(spec, stages) -> Stage:
    """`stages.first`. Raises UserError if there is none, or if it has no latents."""
    field_of(spec, "image")
    if "first" not in stages:
        raise UserError(
            "latent diffusion is built on a first stage: set stages.first to the workdir of one"
            " (configs/first_stage_emoji.py), or to its recipe"
        )
    first = stages["first"]
    if "latent" not in first.model.spec:
        raise UserError("stages.first encodes no latents: train a first_stage")
    if first.model.spec["image"].shape != spec["image"].shape:
        raise UserError(
            f"stages.first encodes images of {first.model.spec['image'].shape}, and the data has"
            f" {spec['image'].shape}: train both on the same data"
        )
    return first


def of_first(first: Stage, name: str):
    """A function of the first stage as one of the whole model."""
    return lambda variables, batch, key: first.model.functions[name](
        variables.frozen["first"], batch, key
    )


def deviation_of(z):
    """The standard deviation of all numbers of the global batch."""
    mean = replicas.mean(jnp.mean(z))
    return jnp.sqrt(replicas.mean(jnp.mean((z - mean) ** 2)))
