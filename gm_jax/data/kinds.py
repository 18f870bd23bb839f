"""Kinds of data: all that the name of a batch's entry says about it, in one table.

The kind is the part of the name before "_": `image_b` is an image, `label_b` a label. On the host
entries have `dtype`, images in uint8; on the device images and audio are in [-1, 1], in float32, or
in float64 where JAX computes in it (jax_enable_x64).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from gm_jax.data.show import (
    show_audio,
    show_image,
    show_point,
    show_segmentation,
    show_text,
    show_video,
)
from gm_jax.errors import UserError
from gm_jax.model import Array, Batch, Field
from gm_jax.tokenizers.words import encode_prompt


def to_float(image: Array) -> Array:
    """uint8 0..255 to [-1, 1], in JAX's default float."""
    return image.astype(jnp.result_type(float)) / 127.5 - 1.0


def to_uint8(image: Array) -> Array:
    """[-1, 1] to uint8 0..255, rounded to nearest, clipped."""
    return jnp.round(jnp.clip((image + 1.0) * 127.5, 0.0, 255.0)).astype(jnp.uint8)


def from_int16(audio: Array) -> Array:
    """int16 to [-1, 1), in JAX's default float."""
    return audio.astype(jnp.result_type(float)) / 2**15


def to_int16(audio: Array) -> Array:
    """[-1, 1] to int16, rounded to nearest, clipped."""
    return jnp.round(jnp.clip(audio * 2**15, -(2**15), 2**15 - 1)).astype(jnp.int16)


def mirror_keypoints(points: Array) -> Array:
    """Points [..., (x, y)] with x from -1 to 1 over the image's width, in the same order."""
    return points * jnp.array([-1.0, 1.0])


def mirror_boxes(boxes: Array) -> Array:
    """Boxes [..., (left, top, right, bottom)] from -1 to 1; the right edge becomes the left one."""
    return boxes[..., jnp.array([2, 1, 0, 3])] * jnp.array([-1.0, 1.0, -1.0, 1.0])


def _same(x):
    return x


class Kind(NamedTuple):
    """What is done with entries of one kind.

    dtype      on the host; None if the source decides
    bounds     the least and greatest value on the host, of kinds that are scaled for the device;
               for other whole numbers the field's cardinality says
    to_device  host values to what a model sees
    finish     a model's outputs to host values
    mirror     values [B, ...] with left and right exchanged, for `data.flip`; None if it has none
    parse      (string, field) -> host value, of kinds that can be given as a string
    show       (values, all outputs, path without suffix) -> the files written
    """

    dtype: Any = None
    bounds: tuple[int, int] | None = None
    to_device: Callable = _same
    finish: Callable = _same
    mirror: Callable | None = None
    show: Callable | None = None
    parse: Callable | None = None


GREY = (0, 255)
IMAGE = Kind(np.uint8, GREY, to_float, to_uint8, lambda x: x[..., ::-1, :], show_image)

# image [H, W, C]; video [T, H, W, C]; patch [H, W, C] of real numbers; segmentation [H, W], the
# class of each pixel; keypoint [K, 2] and box [N, 4] as in `mirror_keypoints` and `mirror_boxes`;
# point [2] of a plane.
KINDS = {
    "image": IMAGE,
    "video": IMAGE._replace(show=show_video),
    "patch": Kind(np.float32, mirror=IMAGE.mirror),
    "segmentation": Kind(np.int32, mirror=lambda x: x[..., ::-1], show=show_segmentation),
    "keypoint": Kind(np.float32, mirror=mirror_keypoints),
    "box": Kind(np.float32, mirror=mirror_boxes),
    "label": Kind(np.int32),
    "attributes": Kind(np.int32),
    "code": Kind(np.int32),
    "caption": Kind(np.int32, parse=encode_prompt),
    "text": Kind(np.int32, show=show_text),
    "position": Kind(np.int32),
    "weight": Kind(np.float32),
    "point": Kind(np.float32, show=show_point),
    "audio": Kind(np.int16, (-(2**15), 2**15 - 1), from_int16, to_int16, None, show_audio),
}
OTHER = Kind()


def kind_of(name: str) -> str:
    """The name of an entry's kind: `image` for `image_b`."""
    return name.split("_")[0]


def kind(name: str) -> Kind:
    """The kind of an entry, by its name; OTHER if it is unknown."""
    return KINDS.get(kind_of(name), OTHER)


def of_kind(names, wanted: str) -> list[str]:
    """Those of the entries' names that are of a kind."""
    return [name for name in names if kind_of(name) == wanted]


def finish(outputs: Batch) -> Batch:
    """A function's outputs as they leave the device: images uint8, audio int16, the rest as is."""
    return {name: kind(name).finish(x) for name, x in outputs.items()}


def show(outputs: Mapping[str, np.ndarray], path: Path) -> list[Path]:
    """Writes each entry of `outputs` whose kind can be shown; `path` has no suffix.

    The first goes to `path`, the others to files with their name appended: sample_image_b.png.
    Returns the files written.
    """
    outputs, files = {name: np.asarray(values) for name, values in outputs.items()}, []
    for name, values in outputs.items():
        if kind(name).show:
            own = path.with_name(f"{path.name}_{name}") if files else path
            files += kind(name).show(values, outputs, own)
    return files


def checked(name: str, value, field: Field, count: int) -> np.ndarray:
    """What is given for an entry of `count` examples, one value each or one for all: [count, ...].

    Raises UserError for another shape, and for values that no example can have.
    """
    dtype, bounds, parse = kind(name).dtype, kind(name).bounds, kind(name).parse
    try:
        value = np.asarray(value)
        if parse and value.dtype.kind == "U":
            rows = [parse(str(text), field) for text in value.reshape(-1)]
            value = np.reshape(rows, (*value.shape, *field.shape))
    except ValueError as error:
        raise UserError(f"{name} is given as a list of unequal parts: {error}") from error
    if bounds is None and field.cardinality:
        bounds = 0, field.cardinality - 1
    meant = "finite numbers" if bounds is None else "whole numbers from {} to {}".format(*bounds)
    numbers = value.dtype.kind in "iuf"
    if kind(name).bounds and value.dtype.kind == "f":
        scaled = f"np.round({bounds[1]} * x).astype(np.{np.dtype(dtype)})"
        raise UserError(
            f"{name} is given as {value.dtype}: give {meant}; of x up to 1 they are {scaled}"
        )
    if not numbers:
        what = repr(value.item()) if value.ndim == 0 else f"an array of {value.dtype}"
        raise UserError(f"{name} is given as {what}: give {meant}")
    shape = (count, *field.shape)
    if value.shape not in (field.shape, (1, *field.shape), shape):
        raise UserError(
            f"{name} is given in shape {value.shape}: one for all has {field.shape}, one for each"
            f" {shape}"
        )
    wrong = ~np.isfinite(value)
    if bounds:
        wrong |= (value != np.round(value)) | (value < bounds[0]) | (value > bounds[1])
    if wrong.any():
        raise UserError(f"{name} is given as {value[wrong].flat[0]}: give {meant}")
    return np.broadcast_to(value, shape).astype(dtype or value.dtype)
