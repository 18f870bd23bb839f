"""Feature networks, and the pass that runs them over any number of images."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np

from gm_jax import replicas
from gm_jax.evaluation.errors import EvaluationError


class Features(NamedTuple):
    """A function from images to feature vectors, and its identity.

    name         part of the names of metrics: "inception", "classifier_mnist", ...
    fingerprint  hash of the parameters: statistics of other weights are refused
    layers       {layer: dimension d}
    params       the network's parameters: an argument of the program, never a constant
    apply        (params, uint8 images [B, H, W, C]) -> {layer: float32 [B, d]}; pure, example by
                 example, with its own resize and scale inside
    """

    name: str
    fingerprint: str
    layers: Mapping[str, int]
    params: Any
    apply: Callable[[Any, jax.Array], dict[str, jax.Array]]


def static_batches(
    batches: Iterable[np.ndarray], batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Regroups uint8 images [b, H, W, C], b of any size, into (images [B, H, W, C], mask [B]).

    The last batch is padded with zeros, where the mask is False; no image is dropped. Raises
    EvaluationError for images that are not uint8, or differ in shape.
    """
    waiting, shape = [], None
    for batch in batches:
        batch = np.asarray(batch)
        if batch.ndim != 4 or batch.dtype != np.uint8:
            raise EvaluationError(
                f"images must be uint8 [B, H, W, C], got {batch.dtype} {batch.shape}: quantise "
                "floats first (gm_jax.evaluation.quantise)"
            )
        shape = shape or batch.shape[1:]
        if batch.shape[1:] != shape:
            raise EvaluationError(f"images of mixed shape: {shape} and then {batch.shape[1:]}")
        waiting.append(batch)
        if sum(map(len, waiting)) >= batch_size:
            images = np.concatenate(waiting)
            full = len(images) - len(images) % batch_size
            for start in range(0, full, batch_size):
                yield images[start : start + batch_size], np.ones(batch_size, bool)
            waiting = [images[full:]] if full < len(images) else []
    if waiting:
        images = np.concatenate(waiting)
        padding = np.zeros((batch_size - len(images), *shape), np.uint8)
        yield np.concatenate([images, padding]), np.arange(batch_size) < len(images)


@lru_cache(maxsize=8)
def _programs(apply, layers: tuple[str, ...], devices: tuple[jax.Device, ...]):
    """Two mapped programs, cached so that the next pass with these features need not compile them:
    one puts the parameters on all devices, the other applies them to a batch."""

    def apply_to(params, images):
        outputs = apply(params, images)
        return {layer: outputs[layer] for layer in layers}

    over = partial(jax.pmap, axis_name=replicas.NAME, in_axes=(None, 0), devices=devices)
    return over(lambda params, _: params, out_axes=None), over(apply_to)


def extract(
    features: Features,
    batches: Iterable[np.ndarray],
    layers: Iterable[str] | None = None,
    batch_size: int = 64,
    devices: Sequence[jax.Device] | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Runs the features over uint8 images [b, H, W, C]: yields {layer: float32 [b', d]} in order.

    Batches are regrouped to one static shape, so one program is compiled, and split over `devices`
    (default: those of this process); `batch_size` is rounded up to a multiple of their number.
    While the host works on one batch, the devices compute the next. Padding is not yielded.
    """
    devices = tuple(devices or jax.local_devices())
    layers = tuple(sorted(features.layers if layers is None else layers))
    unknown = sorted(set(layers) - set(features.layers))
    if unknown:
        raise EvaluationError(
            f"{features.name} has no features {unknown}: it has {sorted(features.layers)}"
        )
    put, mapped = _programs(features.apply, layers, devices)
    params = put(features.params, np.zeros(len(devices)))
    share = -(-batch_size // len(devices))

    def rows(result, mask):
        host = {layer: np.asarray(value) for layer, value in result.items()}
        return {layer: v.reshape(-1, v.shape[-1])[mask] for layer, v in host.items()}

    ahead = None
    for images, mask in static_batches(batches, share * len(devices)):
        result = mapped(params, images.reshape(len(devices), share, *images.shape[1:]))
        if ahead is not None:
            yield rows(*ahead)
        ahead = result, mask
    if ahead is not None:
        yield rows(*ahead)
