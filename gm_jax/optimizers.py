"""Optimizers and schedules as a recipe names them."""

import inspect
from collections.abc import Callable

import jax.numpy as jnp
import optax

from gm_jax.errors import UserError
from gm_jax.model import Array


def optimizer(config, decayed: Callable | None = None) -> optax.GradientTransformation:
    """An optimizer of optax by `name`, with its own arguments, and around it what recipes share.

    learning_rate  reached after `warmup_steps` (linear from 0; default none) and, where
                   `decay_steps` is given, from there brought down to `final_rate` (default 0) at
                   that step (`decay`: cosine, linear)
    clip_norm      bound on the global norm of the gradient (default none)
    decayed        params -> which of them a weight decay holds for (default all)
    """
    arguments = dict(config)
    make = getattr(optax, arguments.pop("name"), None)
    warmup = arguments.pop("warmup_steps", 0)
    decay, decay_steps = arguments.pop("decay", "cosine"), arguments.pop("decay_steps", 0)
    clip = arguments.pop("clip_norm", 0.0)
    rate, final = arguments.pop("learning_rate"), arguments.pop("final_rate", 0.0)
    if not callable(make):
        raise UserError(f"optax has no optimizer named {config.name!r}")
    known = inspect.signature(make).parameters
    unknown = set(arguments) - set(known)
    if unknown:
        raise UserError(f"optax.{config.name} takes no argument {', '.join(sorted(unknown))}")
    if decayed and "mask" in known:
        arguments["mask"] = decayed
    if decay_steps:
        rate = {"cosine": _cosine_decay, "linear": optax.linear_schedule}[decay](
            rate, final, decay_steps - warmup
        )
    if warmup:
        rate = _warmed(rate, warmup)
    chosen = make(rate, **arguments)
    return optax.chain(optax.clip_by_global_norm(clip), chosen) if clip else chosen


def warmed_up(decay: float) -> Callable[[Array], Array] | None:
    """step -> min(decay, (1 + step) / (10 + step)): a moving average that forgets its beginning.

    None for a decay of 0: no average is kept.
    """
    if not decay:
        return None
    return lambda step: jnp.minimum(decay, (1.0 + step) / (10.0 + step))


def _cosine_decay(rate: float, final: float, steps: int) -> optax.Schedule:
    return optax.cosine_decay_schedule(rate, steps, final / rate)


def _warmed(rate, steps: int) -> optax.Schedule:
    def schedule(count):
        after = rate(jnp.maximum(count - steps, 0)) if callable(rate) else rate
        return after * jnp.minimum(1.0, (count + 1) / steps)

    return schedule
