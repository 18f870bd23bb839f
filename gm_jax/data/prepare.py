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


def preparation(config, training: bool = True):
    """(batch, key) -> batch for the `data` part of a recipe: scaling, flips, binarisation.

    Images of uint8 and audio of int16 become float32 in [-1, 1].

    flip      in training, mirror each image left to right with probability 1/2
    binarize  "redrawn": each pixel drawn anew from a Bernoulli of its grey value, to -1 or 1, at
              each visit (Burda et al. 2015); "fixed" ones leave their source black and white
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        keys = example_keys(key, batch)
        if "audio" in batch:
            batch = {**batch, "audio": batch["audio"].astype(jnp.float32) / 2**15}
        images = {name: to_float(x) for name, x in batch.items() if is_image(name)}
        if training and config.get("flip", False):
            flips = jax.vmap(jax.random.bernoulli)(keys)[:, None, None, None]
            images = {name: jnp.where(flips, x[:, :, ::-1], x) for name, x in images.items()}
        if config.get("binarize") == "redrawn":
            images = {name: _draw_pixels(x, keys) for name, x in images.items()}
        return {**batch, **images}

    return prepare


def finish(outputs: Batch) -> Batch:
    """A function's outputs as they leave the device: images uint8, audio int16, the rest as is."""
    return {name: _finish(name, x) for name, x in outputs.items()}


def is_image(name: str) -> bool:
    """Whether an entry of a batch holds images: `image`, or `image_b` of a second domain."""
    return name.split("_")[0] == "image"


def _finish(name: str, x: Array) -> Array:
    if name == "audio":
        return to_int16(x)
    return to_uint8(x) if is_image(name) else x


def _draw_pixels(image: Array, keys: Array) -> Array:
    uniform = jax.vmap(lambda k: jax.random.uniform(k, image.shape[1:]))(keys)
    return jnp.where(uniform < (image + 1.0) / 2.0, 1.0, -1.0)
