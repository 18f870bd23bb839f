"""Codes drawn one by one after a text, guided away from those of no text, ranked by a CLIP.

Logits (1 + w) given the text - w without it (Ho & Salimans 2022, arXiv 2207.12598); each of the two
has a cache of its own.
"""

from typing import Annotated

from gm_jax import causal
from gm_jax.causal import Causal
from gm_jax.multimodal.shared import masked
from gm_jax.multimodal.shared.code_model import Share
from gm_jax.nn.transformer import Transformer
from gm_jax.settings import at_least, schema


@schema
class Sampler(causal.Sampler):
    """How codes are drawn.

    guidance   w; 0 for the model as it is
    plausible  of the likeliest code's probability, the share that a code needs to be drawn at all
               when guided; 0 for no limit
    best_of    images drawn for each text; the one that stages.clip finds nearest to it is shown
    prompt     what all samples show; "" for the captions of the data
    """

    guidance: Annotated[float, at_least(0.0)] = 0.0
    plausible: Share = 0.0
    best_of: Annotated[int, at_least(1)] = 1
    prompt: str = ""


def unranked(settings):
    """A line if the best of several is asked for without what ranks them."""
    if settings.sampler.best_of > 1 and not settings.stages.get("clip"):
        yield (
            "sampler.best_of ranks images by a CLIP: give stages.clip, the workdir of a clip such"
            " as configs/clip_shapes.py"
        )


def guided(given: Causal, null: Causal, weight: float, plausible: float = 0.0) -> Causal:
    """The network of a text moved away from that of none, as `masked.guided` has it."""

    def apply(params, x, condition):
        logits = (c.apply(params, x, condition) for c in (given, null))
        return masked.guided(*logits, weight, plausible)

    def begin(params, batch_size, condition):
        return tuple(c.begin(params, batch_size, condition) for c in (given, null))

    def step(params, caches, previous, position):
        steps = [
            own.step(params, cache, previous, position)
            for own, cache in zip((given, null), caches, strict=True)
        ]
        after, logits = zip(*steps, strict=True)
        return after, masked.guided(*logits, weight, plausible)

    return Causal(apply, begin, step)


def reading(module: Transformer) -> Causal:
    """The Causal of a decoder, whose condition is the context that it reads."""

    def call(params, *inputs, method=None, **named):
        return module.apply({"params": params}, *inputs, method=method, **named)

    def apply(params, x, context):
        return call(params, x, context=context)

    def begin(params, batch_size, context):
        return call(params, batch_size, context=context, method="begin")

    def step(params, cache, previous, position):
        return call(params, cache, previous, position, method="step")

    return Causal(apply, begin, step)


def chosen(own: Causal, number: int) -> Causal:
    """The network given one of several conditions."""

    def apply(params, x, conditions):
        return own.apply(params, x, conditions[number])

    def begin(params, batch_size, conditions):
        return own.begin(params, batch_size, conditions[number])

    return Causal(apply, begin, own.step)
