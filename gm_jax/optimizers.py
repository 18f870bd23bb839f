"""Optimizers and schedules as a recipe names them."""

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

# Arguments of optax's that can be set on the command line whatever a recipe states.
COMMON = (
    "b1", "b2", "eps", "eps_root", "weight_decay", "momentum", "nesterov", "decay", "eps_in_sqrt",
)  # fmt: skip


@schema
class Optimizer:
    """One of optax's optimizers with its own arguments, and around it what recipes share.

    name           of the function in optax
    learning_rate  reached after `warmup_steps`
    warmup_steps   rounds in which the rate rises linearly from 0
    decay_steps    the step at which the rate has come down to `final_rate`; 0 keeps it
    schedule       how it comes down
    final_rate     where it ends
    clip_norm      bound on the global norm of the gradient; 0 for none
    clip_weights   bound on every weight after the step; 0 for none
    arguments      an argument of optax's function; a weight decay holds for matrices alone
    """

    whole: ClassVar[bool] = (
        True  # A layer that names another one starts anew: its arguments differ.
    )

    name: str
    learning_rate: Annotated[float, at_least(0.0)]
    warmup_steps: Annotated[int, at_least(0)] = 0
    decay_steps: Annotated[int, at_least(0)] = 0
    schedule: Annotated[str, one_of(SCHEDULES)] = "cosine"
    final_rate: Annotated[float, at_least(0.0)] = 0.0
    clip_norm: Annotated[float, at_least(0.0)] = 0.0
    clip_weights: Annotated[float, at_least(0.0)] = 0.0
    arguments: Annotated[dict[str, Any], Rest(COMMON)] = dataclasses.field(default_factory=dict)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        known = _parameters(self.name)
        if "learning_rate" not in known:
            yield f"optax has no optimizer named {self.name!r}"
        unknown = sorted(set(self.arguments) - set(known))
        if unknown:
            yield (
                f"optax.{self.name} takes no argument {', '.join(unknown)}: leave it out, or set it"
                " to None"
            )
        if 0 < self.decay_steps <= self.warmup_steps:
            yield f"decay_steps {self.decay_steps} must be above warmup_steps {self.warmup_steps}"


def adam(learning_rate: float, **arguments) -> Optimizer:
    """Kingma & Ba 2015, as optax has it."""
    return Optimizer(name="adam", learning_rate=learning_rate, arguments=arguments)


def matrices(params):
    """Which parameters decay: those of two axes or more, not biases and the scales of norms."""
    return jax.tree.map(lambda p: p.ndim >= 2, params)


def optimizer(settings) -> optax.GradientTransformation:
    """The optimizer that an `Optimizer`, or a recipe's part of that form, describes."""
    settings = read(Optimizer, settings, "optimizer.")
    arguments, rate, warmup = (
        dict(settings.arguments),
        settings.learning_rate,
        settings.warmup_steps,
    )
    if "mask" in _parameters(settings.name):
        arguments["mask"] = matrices
    if settings.decay_steps:
        fall = SCHEDULES[settings.schedule]
        rate = fall(rate, settings.final_rate, settings.decay_steps - warmup)
    if warmup:
        rate = _warmed(rate, warmup)
    chosen = getattr(optax, settings.name)(rate, **arguments)
    parts = [optax.clip_by_global_norm(settings.clip_norm)] * bool(settings.clip_norm) + [chosen]
    parts += [clip_weights(settings.clip_weights)] * bool(settings.clip_weights)
    return optax.chain(*parts) if len(parts) > 1 else chosen


def differentiable(settings: Optimizer) -> bool:
    """Whether the optimizer has a slope at its first step, when all it remembers is 0.

    A square root of a mean of squares has none there, unless something is added below it.
    """
    if "eps_root" in _parameters(settings.name):
        return settings.arguments.get("eps_root", 0.0) > 0.0
    return settings.arguments.get("eps_in_sqrt", True)


def _parameters(name: str):
    make = getattr(optax, name, None)
    return inspect.signature(make).parameters if callable(make) else {}


def clip_weights(bound: float) -> optax.GradientTransformation:
    """Keeps every weight in [-bound, bound] after the step: the last link of a chain.

    Arjovsky et al. 2017 (WGAN), algorithm 1, line 7.
    """

    def update(updates, state, params):
        clipped = jax.tree.map(lambda u, p: jnp.clip(p + u, -bound, bound) - p, updates, params)
        return clipped, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def warmed_up(decay: float) -> Callable[[Array], Array] | None:
    """step -> min(decay, (1 + step) / (10 + step)): a moving average that forgets its beginning.

    None for a decay of 0: no average is kept.
    """
    if not decay:
        return None
    return lambda step: jnp.minimum(decay, (1.0 + step) / (10.0 + step))


def _warmed(rate, steps: int) -> optax.Schedule:
    def schedule(count):
        after = rate(jnp.maximum(count - steps, 0)) if callable(rate) else rate
        return after * jnp.minimum(1.0, (count + 1) / steps)

    return schedule
