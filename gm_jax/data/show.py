"""How each kind of data is shown: one picture, text or sound file for any function's output.

The name of an entry tells its kind; no system is known here. Images [B, H, W, C] become a grid,
image sequences [B, T, H, W, C] (a denoising chain, an interpolation) one row an example, points of
the plane a scatter over the field of whoever judges them. Text is written below one another, audio
one after another. What a run shows becomes a film.
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

    A sequence of pictures an example, [B, T, H, W, C], is laid out a row each, or several short
    ones beside one another.
    """
    if images.ndim == 5:
        length = images.shape[1]
        beside = max(1, int(np.sqrt(len(images) / length)))
        return grid(images.reshape(-1, *images.shape[2:]), columns=length * beside)
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


def _show_point(outputs: dict[str, np.ndarray], path: Path) -> Path:
    """Points [B, 2] of the plane; a `field` [B] known at `place` [B, 2] lies behind them."""
    path = path.with_suffix(".png")
    figure, axes = _square()
    x, y = outputs["point"].reshape(-1, 2).T
    if "field" in outputs:
        across, up = outputs["place"].T
        axes.tricontourf(across, up, outputs["field"], levels=24, cmap="RdBu_r")
        axes.set(xlim=(across.min(), across.max()), ylim=(up.min(), up.max()))
    axes.scatter(x, y, s=2.0, c="black", alpha=0.4, linewidths=0)
    axes.set(xticks=[], yticks=[], aspect="equal")
    figure.savefig(path)
    return path


def _square():
    """A small figure without margins, drawn without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 3), dpi=100)
    FigureCanvasAgg(figure)
    return figure, figure.add_axes((0, 0, 1, 1))


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


# By the entry that tells the kind: (all outputs, path without suffix) -> the file written.
KINDS = {"image": _show_image, "point": _show_point, "text": _show_text, "audio": _show_audio}


def show(outputs: dict[str, np.ndarray], path: Path) -> list[Path]:
    """Writes every entry of `outputs` that has a way to be shown; `path` lacks its suffix.

    Images are uint8, text code points, audio int16 beside its `rate`. Returns the files written.
    """
    outputs = {name: np.asarray(values) for name, values in outputs.items()}
    return [KINDS[name](outputs, path) for name in outputs if name in KINDS]


def film(folder: Path, name: str, most: int = 8) -> list[Path]:
    """What a run showed over time, `folder`/step_*_NAME.png, as a GIF and as small multiples.

    Writes NAME.gif and NAME_over_training.png, of at most `most` pictures from first to last;
    returns them, or nothing where there are fewer than two pictures.
    """
    files = sorted(folder.glob(f"step_*_{name}.png"))
    if len(files) < 2:
        return []
    frames = [Image.open(file).convert("RGB") for file in files]
    moving, still = folder / f"{name}.gif", folder / f"{name}_over_training.png"
    frames[0].save(moving, save_all=True, append_images=frames[1:], duration=200, loop=0)
    chosen = np.unique(np.linspace(0, len(frames) - 1, most).round().astype(int))
    strip = grid(np.stack([np.asarray(frames[i]) for i in chosen]), columns=len(chosen))
    Image.fromarray(strip).save(still)
    return [moving, still]
