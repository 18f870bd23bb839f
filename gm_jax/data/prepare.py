"""What happens to a batch on the device, before any objective sees it."""

import jax
import jax.numpy as jnp

from gm_jax.model import Array, Batch, example_keys


def to_float(image: Array) -> Array:
    """uint8 0..255 to float32 [-1, 1]."""
    return image.astype(jnp.float32) / 127.5 - 1.0


def to_uint8(image: Array) -> Array:
    """[-1, 1] to uint8 0..255, rounded to nearest, clipped."""
    return jnp.round(jnp.clip((image + 1.0) * 127.5, 0.0, 255.0)).astype(jnp.uint8)


def to_int16(audio: Array) -> Array:
    """[-1, 1] to int16, rounded to nearest, clipped."""
    return jnp.round(jnp.clip(audio * 2**15, -(2**15), 2**15 - 1)).astype(jnp.int16)


def preparation(config):
    """(batch, key) -> batch for the `data` part of a recipe: scaling, flips, binarisation.

    Images of uint8 and audio of int16 become float32 in [-1, 1].

    flip      mirror each image left to right with probability 1/2
    binarize  "redrawn": each pixel drawn anew from a Bernoulli of its grey value, to -1 or 1, at
              each visit (Burda et al. 2015); "fixed" ones leave their source black and white
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        if "audio" in batch:
            batch = {**batch, "audio": batch["audio"].astype(jnp.float32) / 2**15}
        if "image" not in batch:
            return batch
        image = to_float(batch["image"])
        keys = example_keys(key, batch)
        if config.get("flip", False):
            flips = jax.vmap(jax.random.bernoulli)(keys)
            image = jnp.where(flips[:, None, None, None], image[:, :, ::-1], image)
        if config.get("binarize") == "redrawn":
            uniform = jax.vmap(lambda k: jax.random.uniform(k, image.shape[1:]))(keys)
            image = jnp.where(uniform < (image + 1.0) / 2.0, 1.0, -1.0)
        return {**batch, "image": image}

    return prepare


def finish(outputs: Batch) -> Batch:
    """A function's outputs as they leave the device: images uint8, audio int16, the rest as is."""
    kinds = {"image": to_uint8, "audio": to_int16}
    return {name: kinds[name](x) if name in kinds else x for name, x in outputs.items()}
