"""Images or films as tokens: what a model over codes asks of its frozen first stage.

A first stage has codes if its `spec` has the field "code": the grid's shape and the number of
codes. Beside it stands what it encodes, `image` or `video`. Its functions are then encode (image
[B, H, W, C] to code [B, h, w], or video [B, T, H, W, C] to code [B, t, h, w], int) and decode (code
to image or video), and where it knows the density, distortion (log p(x|z)).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from gm_jax.errors import UserError
from gm_jax.model import Field, Stage, field_of, modality_of


class Tokens(NamedTuple):
    """Images or films as sequences, by a frozen first stage.

    name    image or video, what is encoded
    code    the grid's shape, and the number of codes
    length  N, codes of an example
    at      (name of its function, variables, batch, key) -> what that returns
    encode  (variables, batch, key) -> codes of the batch's examples, [B, N]
    decode  (variables, batch, key, codes [B, N]) -> images or films
    """

    name: str
    code: Field
    length: int
    at: Callable
    encode: Callable
    decode: Callable


def tokens(spec, stages, others: tuple[str, ...] = ()) -> Tokens:
    """By the stage `codes`; `others` and what is refused as in `first_stage`."""
    model = first_stage(spec, stages, others).model
    functions, code, name = model.functions, model.spec["code"], modality_of(model.spec)
    length = math.prod(code.shape)

    def at(name, variables, batch, key):
        return functions[name](variables.frozen["codes"], batch, key)

    def encode(variables, batch, key):
        codes = at("encode", variables, batch, key)["code"]
        return codes.reshape(len(codes), -1)

    def decode(variables, batch, key, codes):
        coded = {**batch, "code": codes.reshape(-1, *code.shape)}
        return at("decode", variables, coded, key)[name]

    return Tokens(name, code, length, at, encode, decode)


def first_stage(spec, stages, others: tuple[str, ...] = ()) -> Stage:
    """The stage `codes`. Raises UserError if there is none, or none for data like these.

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
            " workdir of a vqvae, vqvae2, dvae, vit_vqgan or cvivit"
        )
    name = modality_of(first.model.spec)
    theirs, ours = first.model.spec[name], field_of(spec, name)
    if theirs != ours:
        raise UserError(
            f"stages.codes was trained on {name}s {theirs.shape} of {theirs.cardinality} values,"
            f" the data of this recipe has {ours.shape} of {ours.cardinality}: use the same `data`"
        )
    return first
