"""Images as tokens: what a model over codes asks of its frozen first stage.

A first stage has codes if its `spec` has the field "code": the grid's shape and the number of
codes. Its functions are then encode (image [B, H, W, C] to code [B, h, w], int) and decode (code
to image), and where it knows the density, distortion (log p(x|z)).
"""

from gm_jax.errors import UserError
from gm_jax.model import Stage, field_of


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
            " workdir of a vqvae, vqvae2 or dvae"
        )
    theirs, ours = first.model.spec["image"], field_of(spec, "image")
    if theirs != ours:
        raise UserError(
            f"stages.codes was trained on images {theirs.shape} of {theirs.cardinality} values, the"
            f" data of this recipe has {ours.shape} of {ours.cardinality}: use the same `data`"
        )
    return first
