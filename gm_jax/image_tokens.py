"""Images as tokens: what a model over codes asks of its frozen first stage.

A first stage has codes if its `spec` has the field "code": the grid's shape and the number of
codes. Its functions are then encode (image [B, H, W, C] to code [B, h, w], int) and decode (code
to image), and where it knows the density, distortion (log p(x|z)).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from gm_jax.errors import UserError
from gm_jax.model import Field, Stage, field_of


class Tokens(NamedTuple):
    """Images as sequences, by a frozen first stage.

    code    the grid's shape, and the number of codes
    length  N, codes of an image
    at      (name of its function, variables, batch, key) -> what that returns
    encode  (variables, batch, key) -> codes of the batch's images, [B, N]
    decode  (variables, batch, key, codes [B, N]) -> images
    """

    code: Field
    length: int
    at: Callable
    encode: Callable
    decode: Callable


def tokens(spec, stages, others: tuple[str, ...] = ()) -> Tokens:
    """By the stage `codes`; `others` and what is refused as in `first_stage`."""
    functions = first_stage(spec, stages, others).model.functions
    code = stages["codes"].model.spec["code"]
    length = math.prod(code.shape)

    def at(name, variables, batch, key):
        return functions[name](variables.frozen["codes"], batch, key)

    def encode(variables, batch, key):
        return at("encode", variables, batch, key)["code"].reshape(-1, length)

    def decode(variables, batch, key, codes):
        coded = {**batch, "code": codes.reshape(-1, *code.shape)}
        return at("decode", variables, coded, key)["image"]

    return Tokens(code, length, at, encode, decode)


def first_stage(spec, stages, others: tuple[str, ...] = ()) -> Stage:
    """The stage `codes`. Raises UserError if there is none, or none for images like these.

    others  names of stages that the system may have besides
    """
    if set(stages) - set(others) != {"codes"}:
        raise UserError(
            "a model over codes needs one first stage: give --config.stages.codes=WORKDIR of a run"
            " with codes, such as one of configs/vqvae_mnist.py, to a recipe's variant `:frozen`"
            + (f"; it may have {' and '.join(others)}, too" if others else "")
        )
    first = stages["codes"]
    if "code" not in first.model.spec:
        known = ", ".join(first.model.functions)
        raise UserError(
            f"stages.codes is a model without codes (it has the functions {known}): give the"
            " workdir of a vqvae, vqvae2, dvae or vit_vqgan"
        )
    theirs, ours = first.model.spec["image"], field_of(spec, "image")
    if theirs != ours:
        raise UserError(
            f"stages.codes was trained on images {theirs.shape} of {theirs.cardinality} values, the"
            f" data of this recipe has {ours.shape} of {ours.cardinality}: use the same `data`"
        )
    return first
