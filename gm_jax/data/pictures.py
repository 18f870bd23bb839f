"""One picture file: what is read of it, by one rule for training and for evaluation.

    turned     as its EXIF orientation says
    grey       of mode L; single bits; palettes of which every colour used is grey
    colour     RGB, and other palettes
    refused    what reading would lose or choose: more than 8 bits a channel, CMYK and other colour
               spaces, transparency (an alpha that is opaque everywhere is none), animation,
               decompression bombs, broken files

Pillow reads it by its content: the suffix only says which files are pictures.
"""

import contextlib
import re
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from gm_jax.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "PPM", "TIFF", "GIF", "AVIF")
SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".ppm", ".pgm", ".pbm"),
    *(".pnm", ".tif", ".tiff", ".gif", ".avif"),
}
# Other suffixes of pictures, which are skipped.
OTHER_SUFFIXES = {
    *(".apng", ".arw", ".cr2", ".cr3", ".dds", ".dng", ".eps", ".heic", ".heif", ".icns", ".ico"),
    *(".j2k", ".jp2", ".jxl", ".nef", ".pcx", ".pdf", ".psd", ".qoi", ".raw", ".svg", ".tga"),
}
LEVELS = 255  # the highest of 8 bits; an opaque alpha
ENDS = {"PNG": b"\0\0\0\0IEND\xaeB`\x82", "JPEG": b"\xff\xd9", "MPO": b"\xff\xd9"}
LATE_EXIF = 2**16  # bytes at the end of a PNG, in which an orientation is looked for


class Look(NamedTuple):
    """What a picture will be once read; most files say so in their header.

    plain  whether its file says so: False if its palette, or its single bits, decided
    """

    height: int
    width: int
    grey: bool
    plain: bool


def look(file, name: str) -> Look:
    """What the picture in `file` (a path or a binary file) is. Raises UserError if it is refused.

    name  what it is called in messages
    """
    with _opened(file, name) as image:
        _check(image, name)
        width, height = image.size
        if image.fp and _needs_reading(image):
            image.load()
        if image.format != "TIFF" and _orientation(image) > 4:
            width, height = height, width
        plain = image.mode not in ("1", "P")
        return Look(height, width, image.mode in ("L", "LA", "1") or _grey_palette(image), plain)


def pixels(file, name: str, channels: int, size: int | None = None) -> np.ndarray:
    """The picture as uint8 [H, W, channels], upright; UserError if it is broken.

    Colours become grey by ITU-R 601's luma, grey becomes three equal channels.
    size  of the shorter side, to which it is resized; None for as it is
    """
    with _opened(file, name) as image:
        image.load()
        if _orientation(image) != 1:
            image = ImageOps.exif_transpose(image)
        image = image.convert("L" if channels == 1 else "RGB")
        pixels = np.asarray(image).reshape(image.height, image.width, channels)
    return resized(pixels, size) if size else pixels


def resized(image: np.ndarray, size: int) -> np.ndarray:
    """An image [H, W, C] uint8 with its shorter side brought to `size` pixels.

    By the filter that the evaluation uses, Pillow's antialiased bicubic in floating point
    (`evaluation.resize.pil_bicubic`), rounded to the nearest level.
    """
    height, width = _sides(image, size)
    bands = [
        Image.fromarray(image[..., c].astype(np.float32)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        for c in range(image.shape[-1])
    ]
    return np.clip(np.round(np.stack(bands, axis=-1)), 0, 255).astype(np.uint8)


def padded(image: np.ndarray, size: int) -> np.ndarray:
    """An image [H, W, C] in the middle of black, [size, size, C] at least; larger ones resized."""
    if min(image.shape[:2]) > size:
        return resized(image, size)
    missing = [max(size - side, 0) for side in image.shape[:2]]
    return np.pad(image, [*((n // 2, n - n // 2) for n in missing), (0, 0)])


def resized_classes(classes: np.ndarray, size: int) -> np.ndarray:
    """Classes [H, W] with the shorter side brought to `size` pixels, by the nearest.

    Pixel i shows pixel floor(i in / out), as PyTorch's "nearest" does.
    """
    rows, columns = (
        np.arange(new) * old // new
        for new, old in zip(_sides(classes, size), classes.shape, strict=True)
    )
    return classes[rows[:, None], columns]


def _sides(image: np.ndarray, size: int) -> tuple[int, int]:
    """Height and width once the shorter side is `size`."""
    height, width = (max(size, round(n * size / min(image.shape[:2]))) for n in image.shape[:2])
    return height, width


def all_resized(images: np.ndarray, size: int | None) -> np.ndarray:
    """Images [N, H, W, C] uint8 as [N, size, size, C], resized and cropped; None for as they are.

    Those that have that size already are the same array.
    """
    if size is None or images.shape[1:3] == (size, size):
        return images
    return np.stack([crop(resized(image, size), size) for image in images])


def crop(image: np.ndarray, size: int, draw=None) -> np.ndarray:
    """[size, size, ...] of [H, W, ...]: the centre, or drawn by two numbers in [0, 1)."""
    free = [side - size + 1 for side in image.shape[:2]]
    top, left = (
        (int(u * n) for u, n in zip(draw, free, strict=True))
        if draw is not None
        else ((n - 1) // 2 for n in free)
    )
    return image[top : top + size, left : left + size]


def shown(name: str) -> str:
    """A file's name on one line: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


@contextlib.contextmanager
def _opened(file, name: str):
    try:
        with Image.open(file, formats=FORMATS) as image:
            yield image
    except UserError:
        raise
    except Image.UnidentifiedImageError as error:
        kinds = "png, jpg, webp, bmp, ppm, tif, gif, avif"
        raise UserError(
            f"{shown(name)} is not a readable image: its content is none of {kinds}; remove it"
        ) from error
    except Exception as error:  # On a broken file Pillow raises nearly every kind.
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise UserError(
            f"{shown(name)} is not a readable image: {shown(reason)}; repair or remove it"
        ) from error


def _check(image: Image.Image, name: str) -> None:
    """Raises UserError if reading the picture would lose something or take an arbitrary choice."""
    if image.format != "MPO" and getattr(image, "is_animated", False):
        what = f"holds {image.n_frames} frames: save the one you want as a separate file"
    elif _is_deep(image):
        what = f"has more than 8 bits a channel (mode {image.mode}): save it with 8"
    elif image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        what = f"is of mode {image.mode}: save it as 8-bit grey or RGB"
    elif image.has_transparency_data and _is_transparent(image):
        what = "has an alpha channel or a transparent colour: put it on a background first"
    else:
        return
    raise UserError(f"{shown(name)} {what}")


def _is_deep(image: Image.Image) -> bool:
    """Whether the file holds more than 8 bits a channel, even if Pillow would cut them off."""
    if image.mode.startswith(("I", "F")):
        return True
    if image.format == "PPM":
        return any(tile.args[-1] > LEVELS for tile in image.tile if isinstance(tile.args, tuple))
    # BGR;16 is a pixel of 16 bits, not a channel.
    return any(re.search(r"(?<!BGR);16", str(tile.args)) for tile in image.tile)


def _is_transparent(image: Image.Image) -> bool:
    return image.convert("RGBA").getchannel("A").getextrema()[0] < LEVELS


def _grey_palette(image: Image.Image) -> bool:
    if image.mode not in ("P", "PA"):
        return False
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")), -1, 0)
    return bool((red == green).all() and (green == blue).all())


def _orientation(image: Image.Image) -> int:
    """Of EXIF, 1 to 8; above 4 the sides are exchanged."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & set(image.info):
        return 1  # Pillow would decode the whole file to see what follows the pixels.
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def _needs_reading(image: Image.Image) -> bool:
    """Whether its header is not enough: the file was cut, or a PNG may end with an orientation."""
    if image.format not in ENDS:
        return False
    at = image.fp.tell()
    image.fp.seek(0, 2)
    turns = image.format == "PNG" and image.width != image.height
    image.fp.seek(max(0, image.fp.tell() - (LATE_EXIF if turns else len(ENDS["PNG"]))))
    tail = image.fp.read()
    image.fp.seek(at)
    return not tail.endswith(ENDS[image.format]) or (turns and b"eXIf" in tail)
