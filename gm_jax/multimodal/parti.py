"""Parti: the codes of an image one by one, by a decoder that reads an encoded text.

Yu et al. 2022, Scaling Autoregressive Models for Content-Rich Text-to-Image Generation
(arXiv 2206.10789), section 2:

    L = -mean_i log p(z_i | z_<i, t)                                                2.2
    logits (1 + w) given t - w given an empty text, t hidden in a share of training 2.2
    of n draws of z given t the one is shown that a CLIP finds nearest to t         2.2

z are the codes of the frozen first stage `stages.codes`, a workdir or a recipe; the CLIP is
`stages.clip`. The text's encoder is trained along.
"""

import dataclasses
import math
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from gm_jax import causal, conditions
from gm_jax.clip_stage import check_clip, nearest
from gm_jax.losses.likelihoods import smoothed_categorical
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.multimodal.shared import code_model
from gm_jax.multimodal.shared.guided_causal import Sampler, chosen, guided, reading, unranked
from gm_jax.nn.transformer import Transformer, TransformerSettings
from gm_jax.settings import Recipes, Restartable, arguments, schema


@schema
class Settings(code_model.Settings):
    """Parti.

    network  the decoder over codes
    """

    condition: conditions.Settings = conditions.Settings(
        name="caption", text=conditions.TowerSettings(causal=False)
    )
    smoothing: code_model.Share = 0.0
    network: TransformerSettings = TransformerSettings()
    sampler: Annotated[Sampler, Restartable()] = Sampler()
    stages: Annotated[dict[str, Any], Recipes(late=("clip",))] = dataclasses.field(
        default_factory=dict
    )

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        yield from unranked(self)
        if self.condition.name != "caption":
            yield "Parti's decoder reads a text: set condition.name=caption"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns the codes and to read their text; configs/parti_shapes.py."""
    sampler, caption = settings.sampler, field_of(spec, "caption")
    if "clip" in stages:
        check_clip(stages["clip"], caption, spec["image"])

    def module_of(code, classes, dtype):
        own, length = arguments(settings.network), math.prod(code.shape)
        return Transformer(code.cardinality, length, **own, reads=True, dtype=dtype)

    model = code_model.begin(
        settings, spec, stages, module_of, lambda codes: (codes,), others=("clip",)
    )
    count, decoder = model.tokens.length, reading(model.network.module)
    own = arguments(sampler, "guidance", "plausible", "best_of", "prompt")
    asked = conditions.prompted(sampler.prompt, spec)
    if sampler.guidance:
        both = chosen(decoder, 0), chosen(decoder, 1)
        decoder = guided(*both, sampler.guidance, sampler.plausible)

    def negative_log_prob(variables, batch, key, step):
        hide_keys, dropout_keys = (example_keys(k, batch) for k in jax.random.split(key))
        z, hidden = model.tokens.encode(variables, batch, key), model.hidden(hide_keys)
        logits = model.logits(variables, batch, (z,), hidden, dropout_keys)
        loss = -jnp.mean(smoothed_categorical(z, logits, settings.smoothing)) / count
        return loss, Aux()

    def drawn(variables, batch, key):
        """Images of codes that are drawn one by one, given the caption."""
        texts = [model.known(variables, batch, hidden)[1] for hidden in (False, True)]
        codes = causal.sample(
            decoder, variables.params["network"], example_keys(key, batch), count,
            texts if sampler.guidance else texts[0], **own,
        )  # fmt: skip
        return model.tokens.decode(variables, batch, key, codes)

    def sample(variables, batch, key):
        """An image of each caption, or of the prompt: of `best_of` the nearest by CLIP."""
        pair = asked(batch)

        def draw(key):
            return drawn(variables, pair, key)

        return {model.tokens.name: nearest(stages, sampler.best_of, variables, pair, key, draw)}

    def likelihood(variables, batch, key):
        """Nats per code given the caption, [B]."""
        z = model.tokens.encode(variables, batch, key)
        logits = model.logits(variables, batch, (z,), False)
        return {"nats_per_code": -smoothed_categorical(z, logits, 0.0) / count}

    functions = {"sample": sample, "likelihood": likelihood}
    moves = {"negative_log_prob": negative_log_prob}
    return code_model.phase("parti", model, moves, functions, settings, spec, stages)
