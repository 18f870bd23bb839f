"""How each kind of data is shown: one picture, text or sound file for any function's output.

The name of an entry tells its kind; no system is known here. Images [B, H, W, C] become a grid,
image sequences [B, T, H, W, C] (a denoising chain, an interpolation) one row an example. Text is
written below one another, audio one after another.
"""

import wave
from pathlib import Path

import numpy as np
from PIL import Image

PIXELS = 64  # small images are enlarged to about this many pixels, to be seen
RULE = "-" * 80  # between texts
PAUSE = 0.25  # seconds after a sound
GAP, SHADE = 4, 64  # between pictures: its width in pixels and its grey


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Images [B, H, W, C] uint8 as one picture [rows H', columns W', C], GAP pixels apart.

    A sequence of pictures an example, [B, T, H, W, C], is laid out a row each.
    """
    if images.ndim == 5:
        return grid(images.reshape(-1, *images.shape[2:]), columns=images.shape[1])
    count, height, width, channels = images.shape
    columns = columns or int(np.ceil(np.sqrt(count)))
    scale = max(1, PIXELS // height)
    places, cell = -(-count // columns) * columns, (height * scale + GAP, width * scale + GAP)
    cells = np.full((places, *cell, channels), SHADE, np.uint8)
    cells[:count, :-GAP, :-GAP] = images.repeat(scale, axis=1).repeat(scale, axis=2)
    rows = cells.reshape(-1, columns, *cells.shape[1:]).transpose(0, 2, 1, 3, 4)
    return rows.reshape(-1, columns * cells.shape[2], channels)[:-GAP, :-GAP]


def _show_image(outputs: dict[str, np.ndarray], path: Path) -> Path:
    path = path.with_suffix(".png")
    picture = grid(outputs["image"])
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(path)
    return path


def _show_text(outputs: dict[str, np.ndarray], path: Path) -> Path:
    """Code points [B, T], an example below another."""
    path = path.with_suffix(".txt")
    texts = ["".join(map(chr, points)) for points in outputs["text"]]
    path.write_text(f"\n{RULE}\n".join(texts) + "\n", encoding="utf-8")
    return path


def _show_audio(outputs: dict[str, np.ndarray], path: Path) -> Path:
    """int16 [B, T] at `rate` [B] samples a second, one after another, PAUSE between them."""
    path, rate = path.with_suffix(".wav"), int(outputs["rate"][0])
    sounds = np.pad(outputs["audio"], ((0, 0), (0, int(PAUSE * rate))))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(sounds.astype("<i2").tobytes())
    return path


# Each: (outputs, path without suffix) -> the file written.
KINDS = {"image": _show_image, "text": _show_text, "audio": _show_audio}


def show(outputs: dict[str, np.ndarray], path: Path) -> list[Path]:
    """Writes every entry of `outputs` that has a way to be shown; `path` lacks its suffix.

    Images are uint8, text code points, audio int16 beside its `rate`. Returns the files written.
    """
    outputs = {name: np.asarray(values) for name, values in outputs.items()}
    return [KINDS[name](outputs, path) for name in outputs if name in KINDS]
