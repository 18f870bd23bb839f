"""Phenaki: films of captions, and a longer film of a sequence of prompts.

Villegas et al. 2022, Phenaki: Variable Length Video Generation from Open Domain Textual
Descriptions (arXiv 2210.02399), sections 2.2 and 2.3:

    z = codes [t, h, w] of a film by the frozen first stage `stages.codes`, a C-ViViT
    L = -E sum over masked i of log p(z_i | z_not_masked, y)           MaskGIT's, y a caption
    a longer film: encode the last K frames, keep their codes, draw the rest given the next prompt

K frames are whole codes: K = 1 + j blocks of the first stage. Guided as Ho & Salimans 2022: logits
(1 + w) given y - w without.
"""

import math
from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Field, Phase, field_of
from gm_jax.multimodal.shared import code_model, masked_codes
from gm_jax.multimodal.shared.masked_codes import MaskedCodes
from gm_jax.settings import Restartable, at_least, schema
from gm_jax.tokenizers.words import encode_prompt


@schema
class Sampler(masked_codes.Sampler):
    """From masks to codes.

    prompts  the parts of a story, in order; () for no story
    keep     K, the number of last frames from which the next prompt goes on: 1, or 1 and whole
             blocks of the first stage
    """

    prompts: tuple[str, ...] = ()
    keep: Annotated[int, at_least(1)] = 1


@schema
class Settings(masked_codes.Settings):
    """Phenaki."""

    sampler: Annotated[Sampler, Restartable()] = Sampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.sampler.prompts and self.condition.name != "caption":
            yield "sampler.prompts needs a model trained with condition.name=caption"
        if self.sampler.prompts and self.sampler.prompt:
            yield "sampler.prompt is of samples, sampler.prompts of stories: set one of them"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns the codes, in one phase; configs/phenaki_shapes.py."""
    field_of(spec, "video")
    begun = masked_codes.begin(settings, spec, stages, axes=True)
    functions = code_model.functions_of(begun.model, settings, begun.drawn)
    if settings.sampler.prompts:
        functions["story"] = story_of(begun, settings.sampler, spec)
    return masked_codes.phase("phenaki", begun, functions, settings, spec, stages)


def story_of(begun: MaskedCodes, sampler: Sampler, spec):
    """The function `story`. Raises UserError for words that captions do not have, and for a K that
    is not whole codes."""
    tokens, (frames, *_) = begun.model.tokens, field_of(spec, "video").shape
    captions = [encode_prompt(prompt, field_of(spec, "caption")) for prompt in sampler.prompts]
    kept = kept_times(sampler.keep, frames, tokens.code) * math.prod(tokens.code.shape[1:])

    def chunk(variables, batch, key, caption, codes, known):
        """A film of one prompt, whose first codes may be known."""
        caption = jnp.broadcast_to(caption, (len(batch["index"]), len(caption)))
        batch = {**batch, "caption": caption}
        drawn = begun.drawn(variables, batch, key, codes, known)
        return tokens.decode(variables, batch, key, drawn)

    def story(variables, batch, key):
        """A film in which one prompt comes after another: each goes on from the last K frames.

        [B, T + (prompts - 1) (T - K), H, W, C].
        """
        nothing = jnp.zeros((len(batch["index"]), tokens.length), jnp.int32)
        keys = jax.random.split(key, len(captions))
        film = chunk(variables, batch, keys[0], captions[0], nothing, nothing > 0)
        for own, caption in zip(keys[1:], captions[1:], strict=True):
            last = {**batch, "video": film[:, film.shape[1] - sampler.keep :]}
            codes = nothing.at[:, :kept].set(tokens.encode(variables, last, own))
            known = jnp.broadcast_to(jnp.arange(tokens.length) < kept, nothing.shape)
            new = chunk(variables, batch, own, caption, codes, known)
            film = jnp.concatenate([film, new[:, sampler.keep :]], axis=1)
        return {"video": film}

    return story


def kept_times(keep: int, frames: int, code: Field) -> int:
    """The times of codes of `keep` frames. Raises UserError if they are no whole codes, or all."""
    block = (frames - 1) // max(code.shape[0] - 1, 1)
    if keep >= frames or (keep - 1) % block:
        whole = ", ".join(map(str, range(1, frames, block)))
        raise UserError(
            f"sampler.keep {keep} is not one frame and whole blocks of {block}: of films of"
            f" {frames} frames {whole} can be kept"
        )
    return 1 + (keep - 1) // block
