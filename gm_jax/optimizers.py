"""Optimizers and schedules as a recipe names them."""

import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from gm_jax.errors import UserError, choose
from gm_jax.model import Array


def matrices(params):
    """Which parameters decay: those of two axes or more, not biases and the scales of norms."""
    return jax.tree.map(lambda p: p.ndim >= 2, params)


def optimizer(config) -> optax.GradientTransformation:
    """An optimizer of optax by `name`, with its own arguments, and around it what recipes share.

    A weight decay holds for `matrices` alone.

    learning_rate  reached after `warmup_steps` (linear from 0; default none) and, where
                   `decay_steps` is given, from there brought down to `final_rate` (default 0) at
                   that step (`schedule`: cosine, linear)
    clip_norm      bound on the global norm of the gradient (default none)
    clip_weights   bound on every weight after the step (default none)
    """
    arguments = dict(config)
    make = getattr(optax, arguments.pop("name"), None)
    if not callable(make) or "learning_rate" not in inspect.signature(make).parameters:
        raise UserError(f"optax has no optimizer named {config.name!r}")
    warmup = arguments.pop("warmup_steps", 0)
    schedule, decay_steps = arguments.pop("schedule", "cosine"), arguments.pop("decay_steps", 0)
    clip = arguments.pop("clip_norm", 0.0)
    bound = arguments.pop("clip_weights", 0.0)
    if "learning_rate" not in arguments:
        raise UserError(f"the optimizer {config.name} needs a learning_rate")
    rate, final = arguments.pop("learning_rate"), arguments.pop("final_rate", 0.0)
    known = inspect.signature(make).parameters
    unknown = set(arguments) - set(known)
    if unknown:
        raise UserError(f"optax.{config.name} takes no argument {', '.join(sorted(unknown))}")
    if "mask" in known:
        arguments["mask"] = matrices
    if decay_steps:
        fall = choose("schedule of a learning rate", schedule, SCHEDULES)
        rate = fall(rate, final, decay_steps - warmup)
    if warmup:
        rate = _warmed(rate, warmup)
    chosen = make(rate, **arguments)
    parts = [optax.clip_by_global_norm(clip)] * bool(clip) + [chosen]
    parts += [clip_weights(bound)] * bool(bound)
    return optax.chain(*parts) if len(parts) > 1 else chosen


def differentiable(config) -> bool:
    """Whether the recipe's optimizer has a slope at its first step, where all it remembers is 0.

    A square root of a mean of squares has none there, unless something is added below it.
    """
    known = inspect.signature(getattr(optax, config.name)).parameters
    if "eps_root" in known:
        return config.get("eps_root", 0.0) > 0.0
    return config.get("eps_in_sqrt", True)


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


def _cosine_decay(rate: float, final: float, steps: int) -> optax.Schedule:
    return optax.cosine_decay_schedule(rate, steps, final / rate)


SCHEDULES = {"cosine": _cosine_decay, "linear": optax.linear_schedule}


def _warmed(rate, steps: int) -> optax.Schedule:
    def schedule(count):
        after = rate(jnp.maximum(count - steps, 0)) if callable(rate) else rate
        return after * jnp.minimum(1.0, (count + 1) / steps)

    return schedule
