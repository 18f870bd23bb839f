"""What happens to a batch on the device, before any objective sees it."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.data.kinds import kind, of_kind
from gm_jax.errors import UserError
from gm_jax.model import Array, Batch, Field, Spec, example_keys
from gm_jax.settings import Data, read


def preparation(config, training: bool = True, spec: Spec | None = None):
    """(batch, key) -> batch for the `data` part of a recipe: scaling, flips, binarisation.

    Images of uint8 and audio of int16 become floats in [-1, 1].

    flip      in training, mirror each example left to right with probability 1/2: all entries of
              one `Field.domain` together, each of several domains by itself
    binarize  "redrawn": each pixel drawn from a Bernoulli of its grey value, to -1 or 1, at
              each visit (Burda et al. 2015); "fixed" images leave their source black and white

    spec      of the data; without it all entries are of one domain
    Raises UserError if nothing of the spec can be flipped.
    """
    config, spec = read(Data, config, "data."), spec or {}
    flip, redraw = training and config.flip, config.binarize == "redrawn"
    if flip and spec and not any(kind(name).mirror for name in spec):
        raise UserError(f"data.flip is True, and none of {', '.join(spec)} can be mirrored")
    # An image alone draws with the keys as they are, as it did before entries had keys of their
    # own: runs from that time continue bitwise.
    first = ("flip", "") if flip else ("pixels", "image")

    def own(keys: Array, purpose: str, name: str) -> Array:
        """One key per example for each purpose and name, [B]."""
        if (purpose, name) == first:
            return keys
        number = np.uint32(zlib.crc32(f"{purpose} {name}".encode()))
        return jax.vmap(jax.random.fold_in, (0, None))(keys, number)

    def prepare(batch: Batch, key: Array) -> Batch:
        keys = example_keys(key, batch)
        batch = {name: kind(name).to_device(x) for name, x in batch.items()}
        for name in batch if flip else ():
            if kind(name).mirror:
                domain = spec.get(name, Field(())).domain
                mirrored = jax.vmap(jax.random.bernoulli)(own(keys, "flip", domain))
                batch[name] = _where(mirrored, kind(name).mirror(batch[name]), batch[name])
        for name in of_kind(batch, "image") if redraw else ():
            batch[name] = _draw_pixels(batch[name], own(keys, "pixels", name))
        return batch

    return prepare


def _where(chosen: Array, x: Array, y: Array) -> Array:
    """x of the examples that are chosen [B], y of the others."""
    return jnp.where(chosen.reshape(-1, *(1,) * (x.ndim - 1)), x, y)


def _draw_pixels(image: Array, keys: Array) -> Array:
    uniform = jax.vmap(lambda k: jax.random.uniform(k, image.shape[1:]))(keys)
    return jnp.where(uniform < (image + 1.0) / 2.0, 1.0, -1.0)
