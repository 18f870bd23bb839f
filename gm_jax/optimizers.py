"""Optimizers and schedules, by the names that recipes use."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import jax
import jax.numpy as jnp
import optax

from gm_jax.model import Array
from gm_jax.settings import Rest, at_least, one_of, read, schema


def _cosine_decay(rate: float, final: float, steps: int) -> optax.Schedule:
    return optax.cosine_decay_schedule(rate, steps, final / rate if rate else 0.0)


# Each: (rate, final rate, steps) -> schedule.
SCHEDULES = {"cosine": _cosine_decay, "linear": optax.linear_schedule}

# Arguments of optax that the command line can set even if the recipe does not state them.
COMMON = (
    "b1", "b2", "eps", "eps_root", "weight_decay", "momentum", "nesterov", "decay", "eps_in_sqrt",
)  # fmt: skip


@schema
class Optimizer:
    """One of optax's optimizers and its arguments, with a schedule and bounds around it.

    name           of the function in optax
    learning_rate  reached after `warmup_steps`
    warmup_steps   rounds in which the rate rises linearly from 0
    hold_steps     rounds before the rate begins to fall, with those of the warm-up
    decay_steps    rounds after which the rate has fallen to `final_rate`; 0 for a constant rate
    schedule       how the rate falls
    final_rate     the rate at the end
    clip_norm      bound on the global norm of the gradient; 0 for none
    clip_weights   bound on every weight after the step; 0 for none
    accumulate     moves, each on a fresh batch, whose mean gradient makes one step
    arguments      an argument of optax's function; weight decay applies to matrices only
    """

    # A layer that names another optimizer replaces all of it: its arguments differ.
    whole: ClassVar[bool] = True

    name: str
    learning_rate: Annotated[float, at_least(0.0)]
    warmup_steps: Annotated[int, at_least(0)] = 0
    hold_steps: Annotated[int, at_least(0)] = 0
    decay_steps: Annotated[int, at_least(0)] = 0
    schedule: Annotated[str, one_of(SCHEDULES)] = "cosine"
    final_rate: Annotated[float, at_least(0.0)] = 0.0
    clip_norm: Annotated[float, at_least(0.0)] = 0.0
    clip_weights: Annotated[float, at_least(0.0)] = 0.0
    accumulate: Annotated[int, at_least(1)] = 1
    arguments: Annotated[dict[str, Any], Rest(COMMON)] = dataclasses.field(default_factory=dict)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        parameters = _parameters(self.name)
        if "learning_rate" not in parameters:
            yield f"optax has no optimizer named {self.name!r}"
        unknown = sorted(set(self.arguments) - set(parameters))
        if unknown:
            yield (
                f"optax.{self.name} takes no argument {', '.join(unknown)}: leave it out, or set it"
                " to None"
            )
        for name in ("warmup_steps", "hold_steps"):
            if 0 < self.decay_steps <= getattr(self, name):
                yield f"decay_steps {self.decay_steps} must be above {name} {getattr(self, name)}"
        if self.hold_steps and not self.decay_steps:
            yield "hold_steps needs decay_steps, after which the rate has fallen"


def adam(learning_rate: float, **arguments) -> Optimizer:
    """Kingma & Ba 2015, as optax has it."""
    return Optimizer(name="adam", learning_rate=learning_rate, arguments=arguments)


def matrices(params):
    """Which parameters decay: those with two axes or more, not biases or the scales of norms."""
    return jax.tree.map(lambda p: p.ndim >= 2, params)


def optimizer(settings) -> optax.GradientTransformation:
    """The optimizer that an `Optimizer`, or a recipe's part of that form, describes."""
    settings = read(Optimizer, settings, "optimizer.")
    arguments, rate = dict(settings.arguments), settings.learning_rate
    warmup, flat = settings.warmup_steps, max(settings.warmup_steps, settings.hold_steps)
    if "mask" in _parameters(settings.name):
        arguments["mask"] = matrices
    if settings.decay_steps:
        schedule = SCHEDULES[settings.schedule]
        rate = _held(schedule(rate, settings.final_rate, settings.decay_steps - flat), flat)
    if warmup:
        rate = _warmed(rate, warmup)
    links = [getattr(optax, settings.name)(rate, **arguments)]
    if settings.clip_norm:
        links.insert(0, optax.clip_by_global_norm(settings.clip_norm))
    if settings.clip_weights:
        links.append(clip_weights(settings.clip_weights))
    chain = optax.chain(*links) if len(links) > 1 else links[0]
    if settings.accumulate == 1:
        return chain
    return optax.MultiSteps(chain, settings.accumulate).gradient_transformation()


def rescaled(settings: Optimizer, share: float) -> Optimizer:
    """The optimizer that does in 1 step what it did in `share` steps: for lazy regularisers.

    A player whose regulariser is played every k rounds, by the same optimizer, steps 1 + 1/k times
    a round: share = k / (k + 1), rate share lr, and b^share in place of b. Karras et al. 2020
    (StyleGAN2, arXiv 1912.04958), appendix B.
    """
    parameters, arguments = _parameters(settings.name), dict(settings.arguments)
    for name in ("b1", "b2"):
        if name in parameters:
            arguments[name] = arguments.get(name, parameters[name].default) ** share
    rates = {name: share * getattr(settings, name) for name in ("learning_rate", "final_rate")}
    return dataclasses.replace(settings, arguments=arguments, **rates)


def by_images(half_life: float, ramp: float | None, batch_size: int) -> Callable[[Array], Array]:
    """rounds -> decay .5^(batch_size / min(half_life, ramp seen)), of `seen` images until then.

    half_life  in images: what an average still holds half of
    ramp       the half-life's largest share of the images seen; None for no such bound
    batch_size  of the global batch

    Karras et al. 2020 (ADA, arXiv 2006.06676).
    """

    def decay(rounds):
        life = half_life if ramp is None else jnp.minimum(half_life, ramp * batch_size * rounds)
        return 0.5 ** (batch_size / jnp.maximum(life, 1e-8))

    return decay


def differentiable(settings: Optimizer) -> bool:
    """Whether the optimizer is differentiable at its first step, when its moments are 0.

    The square root of a mean of squares is not, unless a constant is added under the root.
    """
    if "eps_root" in _parameters(settings.name):
        return settings.arguments.get("eps_root", 0.0) > 0.0
    return settings.arguments.get("eps_in_sqrt", True)


def _parameters(name: str):
    function = getattr(optax, name, None)
    return inspect.signature(function).parameters if callable(function) else {}


def clip_weights(bound: float) -> optax.GradientTransformation:
    """Keeps every weight in [-bound, bound] after the step: the last link of a chain.

    Arjovsky et al. 2017 (WGAN), algorithm 1, line 7.
    """
    return bounded(-bound, bound)


def bounded(low: float, high: float) -> optax.GradientTransformation:
    """Keeps every weight in [low, high] after the step: the last link of a chain."""

    def update(updates, state, params):
        clipped = jax.tree.map(lambda u, p: jnp.clip(p + u, low, high) - p, updates, params)
        return clipped, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def unit_columns() -> optax.GradientTransformation:
    """Brings every column of a matrix to length 1 after the step: the last link of a chain."""

    def update(updates, state, params):
        def back(update, param):
            moved = param + update
            return moved / jnp.linalg.norm(moved, axis=0) - param

        return jax.tree.map(back, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def warmed_up(decay: float, start: int = 0) -> Callable[[Array], Array] | None:
    """step -> min(decay, (1 + step) / (10 + step)): for a moving average that forgets its start.

    With a `start`, it is a copy until then, and has its decay from then on (Brock et al. 2019).
    None for a decay of 0: no average.
    """
    if not decay:
        return None
    if start:
        return lambda step: jnp.where(step < start, 0.0, decay)
    return lambda step: jnp.minimum(decay, (1.0 + step) / (10.0 + step))


def _held(rate: optax.Schedule, steps: int) -> optax.Schedule:
    return lambda count: rate(jnp.maximum(count - steps, 0)) if steps else rate(count)


def _warmed(rate, steps: int) -> optax.Schedule:
    def schedule(count):
        reached = rate(count) if callable(rate) else rate
        return reached * jnp.minimum(1.0, (count + 1) / steps)

    return schedule
