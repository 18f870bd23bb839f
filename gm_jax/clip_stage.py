"""What systems ask of a CLIP that is trained already, `stages.clip`."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array, Batch, Field, Stage, Variables
from gm_jax.nn.layers import normalised


class Clip(NamedTuple):
    """The two encoders of a CLIP, (variables, batch, key) -> embeddings [B, width] each.

    Their numbers have unit variance, as networks and noise take them: CLIP's own vectors, of
    length 1, times the root of the width.
    """

    width: int
    image: Callable
    text: Callable


def clip_of(stages, caption: Field, image: Field | None = None, name: str = "clip") -> Clip:
    """Those of the stage of this name, a CLIP or a model that is built on one.

    Raises UserError if there is none of captions, and images, like these.
    """
    if name not in stages:
        raise UserError(
            "this system reads embeddings by a CLIP: give stages.clip, the workdir of one such as"
            " configs/clip_shapes.py, or its recipe"
        )
    check_clip(stages[name], caption, image, name)
    model = stages[name].model
    (width,) = model.spec["embedding"].shape

    def encoder(function):
        def encode(variables, batch, key):
            frozen = variables.frozen[name]
            return model.functions[function](frozen, batch, key)["embedding"] * width**0.5

        return encode

    return Clip(width, encoder("encode_image"), encoder("encode_text"))


def passed_on(stages, name: str = "clip") -> dict[str, Callable]:
    """The encoders of a stage as functions of the model that is built on it."""

    def of_stage(function):
        return lambda variables, batch, key: function(variables.frozen[name], batch, key)

    functions = stages[name].model.functions
    return {own: of_stage(functions[own]) for own in ("encode_image", "encode_text")}


def closeness(clip: Clip, sample: Callable) -> Callable:
    """The function of a prior that compares what it draws with the image and its caption."""

    def compared(variables, batch, key):
        """Cosines, [B]: of what is drawn and of the text's embedding with the image's own."""
        drawn = sample(variables, batch, key)["embedding"]
        image, text = (normalised(f(variables, batch, key)) for f in (clip.image, clip.text))
        pairs = {"drawn": (drawn, image), "text": (text, image), "drawn_text": (drawn, text)}
        return {f"cosine_{name}": jnp.sum(a * b, axis=-1) for name, (a, b) in pairs.items()}

    return compared


def check_clip(stage: Stage, caption: Field, image: Field | None = None, name="clip") -> None:
    """Raises UserError if a stage is no CLIP of captions, and of images, like these."""
    model = stage.model
    if not {"encode_image", "encode_text"} <= set(model.functions):
        known = ", ".join(model.functions)
        raise UserError(
            f"stages.{name} is no CLIP (it has the functions {known}): give the workdir of one"
        )
    theirs = model.spec["caption"]
    if (theirs.shape, tuple(theirs.symbols)) != (caption.shape, tuple(caption.symbols)):
        raise UserError(
            f"stages.{name} was trained on captions of {theirs.shape[0]} of {theirs.cardinality}"
            f" symbols, the data of this recipe has {caption.shape[0]} of {caption.cardinality}:"
            " use the same `data`"
        )
    sides = model.spec.get("image_whole", model.spec["image"]).shape[:2]
    if image is not None and sides != image.shape[:2]:
        raise UserError(
            f"stages.{name} was trained on images of {'x'.join(map(str, sides))}, the data of this"
            f" recipe has {'x'.join(map(str, image.shape[:2]))}: use the same `data`"
        )


def nearest(stages, count: int, variables: Variables, batch: Batch, key: Array, draw: Callable):
    """Of `count` draws for each example the one that `stages.clip` finds nearest to its caption.

    draw  key -> images [B, H, W, C]; the first draw if count is 1
    """
    if count == 1:
        return draw(key)

    def score(images):
        frozen, pair = variables.frozen["clip"], {**batch, "image": images}
        return stages["clip"].model.functions["similarity"](frozen, pair, key)["cosine"]

    return best_of(count, key, draw, score)


def best_of(count: int, key: Array, draw: Callable, score: Callable) -> Array:
    """Of `count` draws the one of the highest score, example by example, [B, ...].

    draw   key -> [B, ...]
    score  draws [B, ...] -> [B]
    Only scores of one example are compared: those of others say nothing about it.
    """

    def better(best, own):
        drawn = draw(own)
        scored = score(drawn)
        wins = scored > best[1]
        along = wins.reshape(-1, *[1] * (drawn.ndim - 1))
        return (jnp.where(along, drawn, best[0]), jnp.where(wins, scored, best[1])), None

    first, *others = jax.random.split(key, count)
    drawn = draw(first)
    begun = drawn, score(drawn)
    if others:
        begun, _ = jax.lax.scan(better, begun, jnp.stack(others))
    return begun[0]
