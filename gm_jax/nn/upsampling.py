"""Small images and enlargements: how small images are made, and how enlargements are judged.

Shrinking is that of `data.size`: Keys' cubic with a = -1/2, antialiased, as Pillow and MATLAB have
it. One function makes the small images of training and of use.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array

LUMINANCE = (65.481, 128.553, 24.966)  # Of R, G and B in [0, 1]; ITU-R BT.601, 16 to 235.


def shrunk(image: Array, shape: tuple[int, int, int]) -> Array:
    """[B, H, W, C] in [-1, 1] to [B, *shape]: antialiased bicubic and clipped, as Pillow's."""
    small = jax.image.resize(image, (image.shape[0], *shape), "cubic")
    return jnp.clip(small, -1.0, 1.0)


def enlarged(small: Array, shape: tuple[int, int, int], method: str = "cubic") -> Array:
    """[B, h, w, C] to [B, *shape]; method cubic, linear or nearest."""
    return jax.image.resize(small, (small.shape[0], *shape), method)


def small_shape(shape: tuple[int, int, int], factor: int) -> tuple[int, int, int]:
    """[h, w, C] of the low-resolution image. Raises UserError if the sides do not divide."""
    *sides, channels = shape
    if any(side % factor for side in sides):
        raise UserError(
            f"factor {factor} does not divide the sides of {sides[0]}x{sides[1]} images: choose"
            " another factor, or another data.size"
        )
    return (*(side // factor for side in sides), channels)


def psnr(x: Array, y: Array) -> Array:
    """The peak signal-to-noise ratio of images in [-1, 1], in decibels, [B]."""
    return 10.0 * jnp.log10(4.0 / jnp.mean((x - y) ** 2, axis=(1, 2, 3)))


def luminance_psnr(x: Array, y: Array, border: int) -> Array:
    """That of 8-bit luminance (16 to 235, peak 255), `border` pixels off each side, [B].

    The protocol of published tables. x and y [B, H, W, 3] are clipped and rounded to levels first.
    """
    inside = slice(border, -border)

    def luminance(image):
        levels = jnp.round(jnp.clip((image + 1.0) * 127.5, 0.0, 255.0))
        return 16.0 + levels[:, inside, inside] / 255.0 @ jnp.array(LUMINANCE)

    error = jnp.mean((luminance(x) - luminance(y)) ** 2, axis=(1, 2))
    return 10.0 * jnp.log10(255.0**2 / jnp.maximum(error, 1e-6))


def small_images(shape: tuple[int, int, int]) -> Callable:
    """batch -> the small images [B, *shape]: given as `image_low`, or made of `image`."""

    def small_of(batch):
        return batch["image_low"] if "image_low" in batch else shrunk(batch["image"], shape)

    return small_of


def functions(enlarge: Callable, shape: tuple, small: tuple) -> dict[str, Callable]:
    """What every model that enlarges can do: `upsample` and `restoration`.

    enlarge       (variables, batch, key) -> {"image": [B, *shape]} of the batch's small images
    shape, small  of large and small images
    """
    small_of = small_images(small)

    def upsample(variables, batch, key):
        """The small image enlarged by repetition, linearly, cubically and by the model, and the
        image itself, if that is known, [B, 4 or 5, H, W, C]."""
        z = small_of(batch)
        images = [enlarged(z, shape, method) for method in ("nearest", "linear", "cubic")]
        images += [enlarge(variables, batch, key)["image"]]
        images += [] if "image_low" in batch else [batch["image"]]
        return {"image": jnp.stack(images, axis=1)}

    def restoration(variables, batch, key):
        """Of the model's images and of cubic enlargements, [B]: peak signal-to-noise ratios to the
        image, and of what they are when made small again to the small image, in decibels."""
        x, z = batch["image"], small_of(batch)
        results = {}
        for name, y in (
            ("", enlarge(variables, batch, key)["image"]),
            ("_cubic", enlarged(z, shape)),
        ):
            y = jnp.clip(y, -1.0, 1.0)
            results[f"psnr{name}"] = psnr(y, x)
            results[f"consistency{name}"] = psnr(shrunk(y, small), z)
        return results

    return {"upsample": upsample, "restoration": restoration}
