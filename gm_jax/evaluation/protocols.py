"""What must be equal before two numbers are compared, and the error if it is not.

tf2015       the TensorFlow original, torch-fidelity, guided-diffusion's evaluator
pytorch_fid  pytorch-fid
clean        clean-fid
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.evaluation import resize
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.features import Features
from gm_jax.evaluation.inception import InceptionV3
from gm_jax.evaluation.weights import Weights

RESIZES = {
    "tf1_bilinear": resize.tf1_bilinear,
    "half_pixel_bilinear": resize.half_pixel_bilinear,
    "pil_bicubic": resize.pil_bicubic,
}
SCALES = {
    "(x-128)/128": lambda x: (x - 128) / 128,
    "2(x/255)-1": lambda x: 2 * (x / 255) - 1,
}


class Protocol(NamedTuple):
    """How images become numbers.

    resize        a key of RESIZES, or "none"
    scale         of the network's input: a key of SCALES, or "its own"
    quantisation  how floats became uint8: "round" or "truncate" (see `quantise`)
    precision     of the network's products: "highest" is float32, "default" the accelerator's
    ddof          of the covariance
    grey          one-channel images: "refuse", or "repeat" to three
    """

    name: str
    resize: str
    scale: str
    quantisation: str = "round"
    precision: str = "highest"
    ddof: int = 1
    grey: str = "refuse"


PROTOCOLS = {
    "tf2015": Protocol("tf2015", "tf1_bilinear", "(x-128)/128"),
    "pytorch_fid": Protocol("pytorch_fid", "half_pixel_bilinear", "2(x/255)-1"),
    "clean": Protocol("clean", "pil_bicubic", "(x-128)/128"),
}
# For networks that take the images as they are, such as `train_classifier`'s.
NATIVE = Protocol("native", "none", "its own", grey="as it is")


class Provenance(NamedTuple):
    """How statistics were made: what must agree before they are compared.

    weights  the fingerprint of the features' parameters; None if a foreign file does not say
    """

    protocol: Protocol
    features: str
    weights: str | None


def quantise(images, quantisation: str = "round") -> np.ndarray:
    """Float images in [-1, 1], any shape, as uint8: v = 255 (x + 1) / 2, rounded or truncated.

    Raises EvaluationError for NaN, and for values outside by more than rounding.
    """
    x = np.asarray(images, np.float32)
    if not (np.isfinite(x).all() and x.min(initial=0) >= -1.001 and x.max(initial=0) <= 1.001):
        raise EvaluationError(
            f"float images must lie in [-1, 1], these reach from {x.min():.4g} to {x.max():.4g}"
        )
    add = {"round": 0.5, "truncate": 0.0}
    if quantisation not in add:
        raise EvaluationError(f"quantisation is 'round' or 'truncate', not {quantisation!r}")
    return np.clip(np.floor(127.5 * x + (127.5 + add[quantisation])), 0, 255).astype(np.uint8)


def inception_features(weights: Weights, protocol: Protocol = PROTOCOLS["tf2015"]) -> Features:
    """Inception under a protocol: uint8 [B, H, W, 3] -> {layer: [B, d]}, layers that it has."""
    net = InceptionV3(layers=tuple(weights.layers), precision=protocol.precision)

    def apply(params, images):
        x = preprocess(images, protocol)
        return net.apply({"params": params}, x)

    return Features(weights.name, weights.fingerprint, weights.layers, weights.params, apply)


def preprocess(images, protocol: Protocol) -> jax.Array:
    """uint8 images [B, H, W, 3] as the network's input: float32 [B, 299, 299, 3]."""
    channels = images.shape[-1]
    if channels == 1 and protocol.grey == "repeat":
        images = jnp.repeat(images, 3, axis=-1)
    elif channels != 3:
        kind = {1: "grey", 2: "grey with alpha", 4: "with alpha"}.get(channels, "not RGB")
        raise EvaluationError(
            f"images are {kind} ({channels} channels), Inception takes 3: convert them first"
            + (", or choose grey='repeat'" if channels == 1 else "")
        )
    x = images.astype(jnp.float32)
    return SCALES[protocol.scale](RESIZES[protocol.resize](x))


def refuse_mismatch(a: Provenance, b: Provenance) -> None:
    """Raises EvaluationError that names the first thing in which the two sides differ."""
    if a.features != b.features:
        raise EvaluationError(f"features differ: {a.features} and {b.features}")
    if None not in (a.weights, b.weights) and a.weights != b.weights:
        raise EvaluationError(f"weights differ: {a.weights} and {b.weights}")
    for field, x, y in zip(Protocol._fields[1:], a.protocol[1:], b.protocol[1:], strict=True):
        if x != y:
            raise EvaluationError(
                f"protocols differ in {field}: {x!r} ({a.protocol.name}) and "
                f"{y!r} ({b.protocol.name}); evaluate both sides under one protocol"
            )


def from_json(record: Mapping[str, Any]) -> Provenance:
    """The provenance that `to_json` wrote."""
    return Provenance(Protocol(**record["protocol"]), record["features"], record["weights"])


def to_json(provenance: Provenance) -> dict[str, Any]:
    """A provenance as plain dicts and strings."""
    return {**provenance._asdict(), "protocol": provenance.protocol._asdict()}
