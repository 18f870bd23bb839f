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

from gm_jax import conditions, games, networks, replicas
from gm_jax.diffusion.shared import checkpoints, classifiers, conditioned, core, denoisers
from gm_jax.diffusion.shared.choices import ScheduleName
from gm_jax.errors import UserError
from gm_jax.model import Phase, Stage, field_of
from gm_jax.networks import Network
from gm_jax.settings import Restartable, at_least, schema

# Bits are of images with 256 levels; latents have none.
OF_PIXELS = ("bound", "ode_bits")


@schema
class LatentSampler(conditioned.PromptedSampler):
    """From noise to latent."""

    clip: bool = False


@schema
class Settings(conditioned.Conditioned):
    """A diffusion model of latents.

    scale  what multiplies the latents; 0 for 1 / the deviation of the first batch
    """

    schedule: ScheduleName = "scaled_linear"
    scale: Annotated[float, at_least(0.0)] = 0.0
    sampler: Annotated[LatentSampler, Restartable()] = LatentSampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.weights and self.condition.name == "caption":
            yield "weights are of a network that knows labels: condition.name=caption has none"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns the latents, in one phase; configs/latent_diffusion_emoji.py."""
    first, dtype = first_stage(spec, stages), jnp.dtype(settings.dtype)
    shape = first.model.spec["latent"].shape
    condition = conditions.make(settings.condition, spec, dtype)
    channels = 2 * shape[-1] if settings.learned else shape[-1]
    asked = conditions.prompted(settings.sampler.prompt, spec)
    module = denoisers.module_of(settings.network, condition.classes, channels, dtype)
    network = Network("network", module)

    def init(key, batch, previous):
        network_key, condition_key = jax.random.split(key)
        known, count = condition.init(condition_key, batch), len(batch["index"])
        label, context = condition.inputs(known, batch, False)
        inputs = jnp.zeros((count, *shape)), jnp.zeros(count), label, None, context
        variables = networks.init(network_key[None], (network, *inputs))
        own = {"scale": {"latent": jnp.full((), settings.scale or 1.0)}, **core.state(settings)}
        variables = variables._replace(
            params=variables.params | known.params, state=variables.state | own
        )
        return checkpoints.begun(variables, previous)

    def predict(variables, batch, drop, keys):
        label, context = condition.inputs(variables, batch, drop)
        return lambda z, level: network(variables, z, level, label, keys, context)

    def given(variables, batch, key, training):
        return batch if training else asked(batch)

    def encoded(variables, batch, key):
        return first.model.functions["encode"](variables.frozen["first"], batch, key)["latent"]

    def latent(variables, batch, key):
        return variables.state["scale"]["latent"] * encoded(variables, batch, key)

    def show(variables, z):
        batch = {"latent": z / variables.state["scale"]["latent"]}
        decode = first.model.functions["decode"]
        return decode(variables.frozen["first"], batch, jax.random.key(0))["image"]

    def scaled(objective):
        """The objective with the scale of the first batch, which is kept from then on."""

        def with_scale(variables, batch, key, step):
            kept = variables.state["scale"]["latent"]
            fresh = settings.scale or 1.0 / deviation_of(encoded(variables, batch, key))
            scale = {"scale": {"latent": jnp.where(step == 0, fresh, kept)}}
            variables = variables._replace(state=variables.state | scale)
            value, aux = objective(variables, batch, key, step)
            metrics = aux.metrics | {"scale": scale["scale"]["latent"]}
            return value, aux._replace(metrics=metrics, state=aux.state | scale)

        return with_scale

    guide = classifiers.guide(settings, spec, shape, stages)
    model = core.Core(
        settings, settings.process(), shape, latent, predict, bool(condition.classes), show, guide,
        given,
    )  # fmt: skip
    moves = {name: scaled(objective) for name, objective in core.objective(model).items()}
    owns, average = ("network", *condition.owns), settings.average
    trained = games.player("latent_diffusion", owns, moves, settings, average)
    players = (trained if settings.steps else games.untrained(*owns),)
    functions = {n: f for n, f in core.functions(model).items() if n not in OF_PIXELS}
    functions, drawn = functions | of_first(first), core.spec_of(model, spec)
    phase = games.phase(settings, init, players, functions, drawn, stages)
    example = jnp.zeros((1, *shape)), jnp.zeros(1), jnp.zeros(1, int) if condition.classes else None
    return (phase._replace(start=checkpoints.start(settings, module, *example)),)


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


def of_first(first: Stage) -> dict:
    """How well the first stage alone does: the ceiling."""

    def distortion(variables, batch, key):
        return first.model.functions["distortion"](variables.frozen["first"], batch, key)

    return {"distortion": distortion} if "distortion" in first.model.functions else {}


def deviation_of(z):
    """The standard deviation of all numbers of the global batch."""
    mean = replicas.mean(jnp.mean(z))
    return jnp.sqrt(replicas.mean(jnp.mean((z - mean) ** 2)))
