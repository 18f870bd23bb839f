"""What a network knows besides what it denoises or completes: nothing, a label or a caption.

Hidden, as classifier-free guidance needs it (Ho & Salimans 2022), a label is the null label and a
caption is empty.
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax.numpy as jnp

from gm_jax import networks
from gm_jax.model import Array, Batch, Variables, classes_of, field_of
from gm_jax.networks import Network
from gm_jax.nn.text_tower import TextTower
from gm_jax.settings import arguments, one_of, part_of, schema
from gm_jax.tokenizers.words import encode_prompt

TowerSettings = part_of(TextTower, "symbols", "end", "length", "projection", "activation", "dtype")


class Condition(NamedTuple):
    """A condition of a network.

    classes  of its labels; 0 if it knows none
    owns     the subtrees of the parameters that are its own
    init     (key, batch) -> their variables
    inputs   (variables, batch, hidden [B] or one for all) -> label [B] and context [B, L, D], None
             for none
    """

    classes: int
    owns: tuple[str, ...]
    init: Callable
    inputs: Callable


def nothing(settings, spec, dtype) -> Condition:
    """An unconditional model."""
    return Condition(0, (), _without, lambda variables, batch, hidden: (None, None))


def label(settings, spec, dtype) -> Condition:
    """The label of the data; the network embeds it beside the time."""
    classes = classes_of(spec)

    def inputs(variables, batch, hidden):
        return jnp.where(hidden, classes, batch["label"]), None

    return Condition(classes, (), _without, inputs)


def caption(settings, spec, dtype) -> Condition:
    """The caption of the data, read by a transformer that is trained along."""
    field = field_of(spec, "caption")
    (length,), symbols = field.shape, field.cardinality
    own = arguments(settings.text)
    tower = Network("text", TextTower(symbols, end=0, length=length, **own, dtype=dtype))

    def init(key, batch):
        return networks.init(key[None], (tower, batch["caption"]))

    def inputs(variables, batch, hidden):
        hidden = jnp.broadcast_to(hidden, (len(batch["index"]),))
        return None, tower(variables, jnp.where(hidden[:, None], 0, batch["caption"])).tokens

    return Condition(0, ("text",), init, inputs)


def prompted(prompt: str, spec) -> Callable[[Batch], Batch]:
    """batch -> the batch whose captions all are the prompt; as it is if there is no prompt.

    Raises UserError if the prompt is no caption of the data's symbols.
    """
    if not prompt:
        return lambda batch: batch
    given = encode_prompt(prompt, field_of(spec, "caption"))

    def asked(batch):
        return {**batch, "caption": jnp.broadcast_to(given, (len(batch["index"]), *given.shape))}

    return asked


def _without(key: Array, batch) -> Variables:
    return Variables({})


CONDITIONS = {"": nothing, "label": label, "caption": caption}


@schema
class Settings:
    """What the network knows.

    name  "" for nothing, the label of the data, or its caption (data.captions)
    text  the transformer of captions
    """

    name: Annotated[str, one_of(CONDITIONS)] = ""
    text: TowerSettings = TowerSettings()


def make(settings: Settings, spec, dtype) -> Condition:
    """The condition that a recipe names. Raises UserError if the data does not have it."""
    return CONDITIONS[settings.name](settings, spec, dtype)
